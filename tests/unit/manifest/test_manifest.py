"""Manifest files to documents: values as written, the place of every key, all problems at once, excerpts."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Location, Problem
from reconciler.manifest.excerpt import MASK, Source, looks_secret
from reconciler.manifest.loader import Loaded, Map, Reported, Seq, Templated, excerpt, expand, load, locate, suggest


def read(text: str | bytes, env: dict[str, str] | None = None, **bounds: int) -> Loaded:
    """What is loaded from a standard input with this text."""
    return load(["-"], env or {}, stdin=io.BytesIO(text.encode() if isinstance(text, str) else text), **bounds)


def only(loaded: Loaded) -> Problem:
    """The one problem of a load."""
    assert len(loaded.problems) == 1, loaded.problems
    return loaded.problems[0]


def place(location: Location) -> tuple[int, int]:
    return location.line, location.column


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


VALUES = {
    "no": "no",
    "1.10": "1.10",
    "1e3": "1e3",
    "2026-12-01": "2026-12-01",
    "0o17": "0o17",
    "12:30:00": "12:30:00",
    "null": None,
    "Null": None,
    "NULL": None,
    "~": None,
    "": None,
    "nUll": "nUll",
    '"null"': "null",
    "''": "",
    '"5"': "5",
    "|\n  one\n  two\n": "one\ntwo\n",
    ">-\n  one\n  two\n": "one two",
    "! x": "x",
    "!!str null": "null",
    "!!str": "",
    "!!int 5": "5",
    "!!bool no": "no",
    "!!null x": None,
    "!!map {b: 1}": {"b": "1"},
    "!!seq [1]": ["1"],
    "[a, ~]": ["a", None],
    "{b: [c]}": {"b": ["c"]},
}


@pytest.mark.parametrize(("written", "value"), VALUES.items())
def test_values_stay_as_written(written: str, value: Any) -> None:
    """Scalars are the text that was written, whatever YAML 1.1 would make of it; only a plain null is None."""
    loaded = read(f"a: {written}")
    assert (loaded.documents, loaded.problems) == (({"a": value},), ())


def test_keys_are_text() -> None:
    """A key of any look is text, and one that an alias stands for is accepted."""
    assert read("1.10: a\nno: &k b\n~: c\n'': d\n*k : e\n!!str f: g\n").documents == (
        {"1.10": "a", "no": "b", "~": "c", "": "d", "b": "e", "f": "g"},
    )


def test_places() -> None:
    """Mappings, lists, keys and items know their line and column, counted from 1."""
    document = read("# first\nusers:\n  - login: jsmith\n    mail: é\n  - {login: é, mail: x}\n").documents[0]
    users = document["users"]
    assert place(document.where("users")) == (2, 1)
    assert place(users.where()) == (3, 3)
    assert [place(users.where(index)) for index in (0, 1, 9)] == [(3, 5), (5, 5), (3, 3)]
    assert [place(users[0].where(key)) for key in ("login", "mail", None, "none")] == [(3, 5), (4, 5), (3, 5), (3, 5)]
    assert place(users[1].where("mail")) == (5, 16)


def test_locate() -> None:
    """The loc of a pydantic error leads to the deepest place that the manifest has, past names of union members."""
    document = read("projects:\n  - name: x\n    parent: {project: y}\n").documents[0]
    found = {
        ("projects", 0, "name"): (2, 5),
        ("projects", 0, "parent", "Address", "project"): (3, 14),
        ("projects", 0, "identifier"): (2, 5),
        ("projects", 7): (1, 1),
        ("nothing",): (1, 1),
        ("projects", 0, "name", "deeper", 3): (2, 5),
    }
    assert {path: place(locate(document, path)) for path in found} == found


def test_merge_keys() -> None:
    """`<<` brings the keys of one or more anchors with their places; keys of the mapping itself win, then the first."""
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  b: 3\n  <<: [*x, *y]\nw: {<<: *x}\nv: {'<<': 1}\n"
    document = read(text).documents[0]
    assert document["z"] == {"b": "3", "a": "1", "c": "2"}
    assert [place(document["z"].where(key)) for key in "abc"] == [(1, 8), (4, 3), (2, 14)]
    assert (document["w"], document["v"]) == ({"a": "1", "b": "1"}, {"<<": "1"})


def test_aliases_share_the_object() -> None:
    """An alias is the very object of its anchor, and an anchor can be given anew."""
    document = read("a: &x [1]\nb: *x\nc: &x t\nd: *x\n").documents[0]
    assert document["b"] is document["a"]
    assert document["d"] == "t"


def test_documents() -> None:
    """A file may hold several documents; a last `---` with nothing after it is no document."""
    assert read("a: 1\n---\nb: 2\n---\n# end\n").documents == ({"a": "1"}, {"b": "2"})
    assert read("a: &x 1\n---\nb: *x").problems[0].message == "undefined alias *x"


PROBLEMS = [
    ("a: 1\nb: 2\na: 3\n", 3, 1, 'duplicate key "a"'),
    ("{a: 1, 'a': 2}", 1, 8, 'duplicate key "a"'),
    ("? [a]\n: 1", 1, 3, "a key must be a string"),
    ("k: {{ name }}", 1, 5, "a key must be a string"),
    ("? \n: 1", 1, 2, "a key must be a string"),
    ("!set a: 1", 1, 1, "unsupported tag !set"),
    ("a: !fil x", 1, 4, "unsupported tag !fil"),
    ("a: !!set {b}", 1, 4, "unsupported tag !!set"),
    ("a: !!map x", 1, 4, "unsupported tag !!map"),
    ("a: !file [x]", 1, 4, "unsupported tag !file"),
    ("a: &x b\nc: *y", 2, 4, "undefined alias *y"),
    ("a: &x [b, *x]", 1, 11, "the alias *x is inside its own anchor"),
    ("a:\n  <<: b", 2, 3, "<< needs an alias of a mapping"),
    ("- a", 1, 1, "the top level is not a mapping"),
    ("text", 1, 1, "the top level is not a mapping"),
    ("", 0, 0, "the manifest is empty"),
    ("# only\n", 0, 0, "the manifest is empty"),
    ("---\n", 0, 0, "the manifest is empty"),
    ("null\n", 0, 0, "the manifest is empty"),
    ("---\n---\na: 1\n", 1, 1, "the document is empty"),
    ("a: 1\n---\n~", 2, 1, "the document is empty"),
    ("a: b: c", 1, 5, 'a ":" is not allowed here'),
    ("a:\n  b: 1\n c: 2", 3, 2, "expected a key"),
    ("- a\nb: 1", 2, 1, 'expected a list item ("- ")'),
    ("a: @b", 1, 4, "a value cannot start with this character"),
    ("a: *", 1, 5, "expected a name after * or &"),
    ('a: 1\nb: "c\nd: 2', 2, 4, "unterminated: the closing quote is missing"),
    ("a: [b,\n  c\n", 1, 4, 'unterminated: a "," or the closing "]" is missing'),
    ("a: [b\nc: 1]\nd:", 2, 2, 'a "," or the closing "]" is missing'),
    ('a: "\\q"', 1, 5, "unknown backslash escape"),
    ('{"a": "\\ud83d"}', 1, 10, "this escape is not a Unicode character"),
    ("%YAML 3.0\n---\na: 1", 1, 1, "invalid YAML: found incompatible YAML document"),
    ("a: 1\nb: c\0d", 2, 5, "the control character U+0000 is not allowed"),
    ("a: \x1b[0m", 1, 4, "the control character U+001B is not allowed"),
    ("a:\n\tb: 1", 2, 1, "tab used for indentation"),
    ("a: 1\n\tb: 2", 2, 1, "tab used for indentation"),
    ("a: 1\n  \tb: 2", 2, 3, "tab used for indentation"),
    ("a: |\n\tb", 2, 1, "tab used for indentation"),
    ("a:\n  b: 1\n \tc: 2", 3, 2, "tab used for indentation"),
    (b"a: 1\nb: \xc3\xa9\xff", 2, 5, "the file is not UTF-8: byte 0xff"),
    (b"\xef\xbb\xbfa: \xe9", 1, 4, "the file is not UTF-8: byte 0xe9"),
    ("a: 1".encode("utf-16"), 0, 0, "the file is UTF-16 or UTF-32"),
    ("a: 1".encode("utf-16-le"), 0, 0, "the file is UTF-16 or UTF-32"),
    ("a: " + "[" * 80, 1, 63, "more than 60 levels of nesting"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), PROBLEMS)
def test_problems(text: str | bytes, line: int, column: int, message: str) -> None:
    """What is wrong with a file is told in plain words at its very place."""
    problem = only(read(text))
    assert (place(problem.location), problem.message[: len(message)]) == ((line, column), message)


def test_problems_tell_what_they_belong_to() -> None:
    """A duplicate key cites the first one, a syntax error the place where its context began; hints say how to go on."""
    assert place(only(read("a: 1\na: 2")).also[0]) == (1, 1)
    assert place(only(read("x:\n  - {a: 1\n  b: 2}")).also[0]) == (2, 5)
    assert "!file PATH" in only(read("a: !fill x")).hint
    assert only(read("a: &base x\nb: *bse")).hint == 'did you mean "base"?'


def test_all_problems_are_collected(here: Path) -> None:
    """A problem hides neither the others of its file nor those of other files, nor the documents that are fine."""
    write(here, {"b.yaml": "x: 1\nx: 2\ny: ${NO}\n---\nz: [", "a.yaml": "a: 1", "c.json": b"\xff"})
    loaded = load(["b.yaml", "a.yaml", "c.json", "d.yaml"], {})
    assert [problem.location.file for problem in loaded.problems] == ["b.yaml"] * 3 + ["c.json", "d.yaml"]
    assert loaded.documents == ({"x": "1", "y": "${NO}"}, {"a": "1"})
    assert isinstance(loaded.documents[0]["y"], Reported)


def test_bounds() -> None:
    """Values are counted with aliases expanded, levels too, and bytes before they are all read."""
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
    )
    assert "the file has more than 2,000,000 values after expanding its aliases" in only(read(bomb)).message
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 80))
    assert only(read(chain)).message == "more than 60 levels of nesting"
    assert only(read("a: [1, 2, 3]", max_nodes=4)).message == "the file has more than 4 values"
    assert read("a: [1, 2, 3]", max_nodes=5).problems == ()
    assert only(read("a: 1", max_bytes=3)).message == "the input is too large; the limit is 3 bytes"


def test_a_huge_file_is_not_read(here: Path) -> None:
    """A file beyond the limit is refused by its size alone, and has no excerpt."""
    write(here, {"huge.yaml": ""})
    os.truncate("huge.yaml", 1 << 40)
    assert (
        only(load(["huge.yaml"], {})).message == "the file has 1,099,511,627,776 bytes; the limit is 67,108,864 bytes"
    )
    assert excerpt(Location("huge.yaml", 1, 1)) == ""


JSONS = {
    '{"a": "\\ud83d\\ude00 \\\\ud83d", "b": 1, "a": 2}': ({"a": "😀 \\ud83d", "b": "1"}, (1, 39)),
    '\t{\t"a":\t1,\n\t"a": "\\/"}\n\t': ({"a": "1"}, (2, 2)),
    '{"a": "x\u2028\x7fy",\n "a": null}': ({"a": "x\u2028\x7fy"}, (2, 2)),
    '{"a": "\\ud83d\\ude00",\r\n "a": 1}': ({"a": "😀"}, (2, 2)),
}


@pytest.mark.parametrize(("text", "expected"), JSONS.items())
def test_json(here: Path, text: str, expected: tuple[Any, tuple[int, int]]) -> None:
    """JSON is read with its surrogate pairs, tabs and raw separators, and the places are those in the file."""
    write(here, {"a.json": text})
    for loaded in (load(["a.json"], {}), read(text)):
        assert (loaded.documents[0], place(only(loaded).location)) == expected


PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$"), max_size=12)
TREES = st.recursive(PLAIN, lambda t: st.lists(t, max_size=4) | st.dictionaries(PLAIN, t, max_size=4), max_leaves=12)
DOCUMENTS = st.dictionaries(PLAIN, TREES, min_size=1, max_size=4)


def keys(node: Any) -> Iterator[tuple[str, Location]]:
    """All keys of a loaded value with their places."""
    for key, value in node.items() if isinstance(node, Map) else [(None, item) for item in node]:
        if key is not None:
            yield key, node.where(key)
        if isinstance(value, Map | Seq):
            yield from keys(value)


@given(DOCUMENTS)
def test_any_yaml_comes_back(tree: dict[str, Any]) -> None:
    """What PyYAML writes is loaded as it was, each key with the place of its text."""
    text = yaml.safe_dump(tree, default_style='"', allow_unicode=True)
    loaded = read(text)
    assert (loaded.documents, loaded.problems) == ((tree,), ())
    lines = Source(text).lines
    assert all(lines[at.line - 1][at.column - 1] == '"' for _, at in keys(loaded.documents[0]))


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_any_json_comes_back(tree: dict[str, Any], ascii_only: bool, indent: Any) -> None:
    """What Python writes as JSON is loaded as it was, each key with the place of its text."""
    text = json.dumps(tree, ensure_ascii=ascii_only, indent=indent)
    loaded = read(text)
    assert (loaded.documents, loaded.problems) == ((tree,), ())
    if ascii_only:
        for key, location in keys(loaded.documents[0]):
            assert text.split("\n")[location.line - 1][location.column - 1 :].startswith(json.dumps(key))


ENV = {"A": "1", "EMPTY": "", "HOSTNAME": "h", "NESTED": "${A}: [x"}
EXPANDED = {
    "${A}": "1",
    "x ${A}${A} y": "x 11 y",
    "${EMPTY}": "",
    "${EMPTY:-d}": "d",
    "${NO:-d e}": "d e",
    "${NO:-}": "",
    "$${A}": "${A}",
    "$${A} ${A}": "${A} 1",
    "$A $ 5$": "$A $ 5$",
    "${NESTED}": "${A}: [x",
}


@pytest.mark.parametrize(("text", "value"), EXPANDED.items())
def test_variables(text: str, value: str) -> None:
    """`${NAME}` and `${NAME:-default}` are replaced once, `$${` is a literal, and what was put in is never parsed."""
    loaded = read(json.dumps({"a": text, "${A}": [text]}), ENV)
    assert (loaded.documents, loaded.problems) == (({"a": value, "${A}": [value]},), ())
    found = loaded.documents[0]["a"]
    assert isinstance(found, Templated) == ("${" in text.replace("$${", ""))
    assert getattr(found, "expression", text) == text
    assert expand(text, ENV) == (value, ())


FAULTS = [
    ("a: ${HOSTNAM}", 1, 4, "the environment variable HOSTNAM is not set", 'did you mean "HOSTNAME"?'),
    ("a: |\n  one\n  two ${XYZ}", 3, 7, "the environment variable XYZ is not set", "set it, or write ${XYZ:-default}"),
    ('a: "\\x24{XYZ}"', 1, 4, "the environment variable XYZ is not set", "set it, or write ${XYZ:-default}"),
    ("a: x ${1}", 1, 6, "invalid ${…} expression", "write ${NAME} or ${NAME:-default}"),
    ("a: ${A", 1, 4, "invalid ${…} expression", "write ${NAME} or ${NAME:-default}"),
    ("a: ${A} $${B} ${C", 1, 15, "invalid ${…} expression", "write ${NAME} or ${NAME:-default}"),
    ("a: $${XYZ} ${XYZ}", 1, 12, "the environment variable XYZ is not set", "set it, or write ${XYZ:-default}"),
    ("a: ${XYZA:-1} ${XYZ}", 1, 15, "the environment variable XYZ is not set", "set it, or write ${XYZ:-default}"),
    ("a: >  # ${XYZ}\n  $${XYZ}\n  ${XYZ}", 3, 3, "the environment variable XYZ is not set", "set it, or"),
    ("a: ${A:-${A}}", 1, 4, "invalid ${…} expression", "write ${NAME} or ${NAME:-default}"),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), FAULTS)
def test_variable_faults(text: str, line: int, column: int, message: str, hint: str) -> None:
    """A variable that is not set, or an expression that is none, is told at its place, with names but no values."""
    problem = only(read(text, ENV))
    assert (place(problem.location), problem.message) == ((line, column), message)
    assert problem.hint.startswith(hint)


def test_a_templated_text_keeps_its_secret() -> None:
    """Copies keep the expression, and the representation shows it in the place of the value."""
    secret = read("a: ${A}", {"A": "hunter2"}).documents[0]["a"]
    for copied in (secret, copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))):
        assert (copied, copied.expression, repr(copied)) == ("hunter2", "${A}", "Templated('${A}')")


def test_included_files(here: Path) -> None:
    """`!file` is the text of a file beside the manifest or elsewhere in its root, as it is, without templating."""
    write(here, {"m/sub/a.yaml": "a: !file ../text.md\nb: !file ${B}\n", "m/text.md": "one\r\n${A}\n", "m/sub/b": "é"})
    loaded = load(["m"], {"B": "b"})
    assert (loaded.documents, loaded.problems) == (({"a": "one\n${A}\n", "b": "é"},), ())
    assert read("a: !file m/sub/b").documents == ({"a": "é"},)


REFUSED = {
    "../secret": "the path is outside the manifests' folder",
    "/etc/passwd": "the path is outside",
    "link": "the path is outside",
    "gone": "no such file",
    "sub": "not a regular file",
    '""': "the file name is missing",
    '"a\\0b"': "the file name is missing",
    "bad": "the file is not UTF-8: byte 0xff",
    "big": "the file has 200 bytes; the limit is 100",
}


@pytest.mark.parametrize(("path", "message"), REFUSED.items())
def test_refused_includes(here: Path, path: str, message: str) -> None:
    """What `!file` may not or cannot read is a problem at its place, and links do not lead out of the root."""
    write(here, {"m/a.yaml": f"a: !file {path}", "m/sub/x": "", "secret": "x", "m/bad": b"\xff", "m/big": "x" * 200})
    (here / "m/link").symlink_to(here / "secret")
    problem = only(load(["m/a.yaml"], {}, max_bytes=100))
    assert place(problem.location) == (1, 4)
    assert f": {message}" in problem.message


def test_folders(here: Path) -> None:
    """A folder gives its manifests in order, without hidden ones and the config; links make no circles."""
    names = ["b.yml", "a.yaml", "sub/c.json", ".h.yaml", ".git/x.yaml", "reconciler.yaml", "x.txt"]
    write(here / "m", dict.fromkeys(names, '{"a": 1}'))
    (here / "m/sub/up").symlink_to(here / "m")
    (here / "m/z.yaml").symlink_to(here / "m/a.yaml")
    os.mkfifo(here / "m/pipe.yaml")
    loaded = load(["m/sub/../sub/c.json", here / "m", "m/x.txt", "m"], {})
    assert sorted(loaded.files) == ["m/a.yaml", "m/b.yml", "m/sub/c.json", "m/x.txt"]
    assert (len(loaded.documents), loaded.problems) == (4, ())
    assert load([here / "m/a.yaml"], {}).documents[0].where().file == "m/a.yaml"


def test_links_out_of_the_folder(here: Path) -> None:
    """A link to a manifest or a folder elsewhere is a problem, unless that is a path of its own."""
    write(here, {"m/a.yaml": "a: 1", "other/b.yaml": "b: 1", "secret.yaml": "key: canary"})
    (here / "m/link.yaml").symlink_to(here / "secret.yaml")
    (here / "m/sub").symlink_to(here / "other")
    loaded = load(["m"], {})
    assert [(p.location.file, p.message) for p in loaded.problems] == [
        ("m/link.yaml", "the link leads out of the manifests' folder, to secret.yaml"),
        ("m/sub", "the link leads out of the manifests' folder, to other"),
    ]
    assert sorted(loaded.files) == ["m/a.yaml"]
    named = load(["m", "other", "secret.yaml"], {})
    assert (len(named.documents), named.problems) == (3, ())


def test_paths_without_manifests(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing path, a folder without manifests, a dead link and a file that cannot be read are problems."""
    write(here, {"m/web.yaml": "a: 1", "empty/x.txt": "", "dead/y.yaml": ""})
    (here / "dead/y.yaml").unlink()
    (here / "dead/y.yaml").symlink_to("gone")
    missing = only(load(["m/wep.yaml"], {}))
    assert str(missing) == 'm/wep.yaml: no such file or folder (did you mean "web.yaml"?)'
    assert only(load(["empty"], {})).message == "no manifests in this folder"
    assert only(load(["dead"], {})).location == Location("dead/y.yaml")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert only(load(["m"], {})).message == "cannot read the file: Permission denied"


def test_standard_input() -> None:
    """`-` is read once, as text or as bytes, and problems in it have excerpts."""
    for stream in (io.StringIO("a: 1\na: é"), io.BytesIO("a: 1\na: é".encode())):
        loaded = load(["-", "-"], {}, stdin=stream)
        assert loaded.files == ("<stdin>",)
        assert excerpt(only(loaded).location, loaded.sources) == "   2 | a: é\n     | ^"


def test_excerpts(here: Path) -> None:
    """The caret stands under the column after tabs, wide and combining characters; control characters are replaced."""
    text = "a:\n\tb: 1\n日本e\u0301: 1\n\x1b[31m\u202e: 1\n" + "x" * 300 + "!" + "y" * 300
    write(here, {"a.yaml": text})
    shown = {
        (2, 2): "   2 |     b: 1\n     |     ^",
        (3, 5): "   3 | 日本e\u0301: 1\n     |      ^",
        (4, 6): "   4 | �[31m�: 1\n     |      ^",
        (5, 301): f"   5 | …{'x' * 50}!{'y' * 49}…\n     | {' ' * 51}^",
        (1, 99): "   1 | a:\n     |   ^",
        (0, 0): "",
        (6, 1): "",
    }
    assert {at: excerpt(Location("a.yaml", *at)) for at in shown} == shown
    assert excerpt(Location("gone.yaml", 1, 1)) == ""


SECRETS = {
    "password: hunter2": ["password: •••"],
    "  - {login: x, password: hunter2}": ["  - {login: x, password: •••}"],
    '{login: x, password: "hunter2,hunter2", mail: y}': ["{login: x, password: •••, mail: y}"],
    '{"api_key":"hunter2","x":1}': ['{"api_key":•••,"x":1}'],
    "pasword: a,hunter2} # b": ["pasword: •••"],
    "passwrod:hunter2": ["passwrod:•••"],
    "tokne = hunter2": ["tokne •••"],
    "password hunter2": ["password •••"],
    "# API key: hunter2": ["# API key: •••"],
    "{pwd: [a, hunter2], b: 1}": ["{pwd: •••"],
    "{pwd: a, hunter2": ["{pwd: •••"],
    "a: {pwd: a\n hunter2, b: c}\nd: e": ["a: {pwd: •••", " •••", "d: e"],
    "a: [x, pwd: {b: c,\n 'd}': [hunter2,\n hunter2]}, y]": ["a: [x, pwd: •••", " •••", " •••"],
    'a: "x" y\npassword hunter2:\n  b: hunter2': ['a: "x" y', "password •••", "  •••"],
    "secret: ${NAME:-hunter2}": ["secret: •••"],
    "secret: ${NAME}": ["secret: ${NAME}"],
    "- password: |\n    hunter2\n\n    hunter2\n  b: c": ["- password: •••", "    •••", "", "    •••", "  b: c"],
    "tokens:\n- hunter2\n- b: hunter2\nc: d": ["tokens:", "•••", "•••", "c: d"],
    "secrets:\n  a:\n    b: hunter2\nc: d": ["secrets:", "  •••", "    •••", "c: d"],
    'password: "a\nhunter2"\nc: d': ["password: •••", "•••", "c: d"],
    '{"password":\n"hunter2",\n"c": 1}': ['{"password":', "•••", '"c": 1}'],
    "- password: hunter2\n  mail: x": ["- password: •••", "  mail: x"],
}


@pytest.mark.parametrize(("text", "shown"), SECRETS.items())
def test_excerpts_hide_secrets(text: str, shown: list[str]) -> None:
    """The value of a key that looks like a secret is masked, misspelt or not, in flow, in blocks and below."""
    source = Source(text)
    assert [source.shown(index, 0)[0] for index in range(len(source.lines))] == shown
    assert "hunter2" not in "".join(shown)


def test_the_caret_moves_with_the_mask() -> None:
    """A column after a masked value stands under the same text, one inside of it under the mask."""
    loaded = read("{password: hunter22222, a: 1, a: 2}")
    after, inside = (excerpt(at, loaded.sources) for at in (only(loaded).location, Location("<stdin>", 1, 15)))
    assert after == f"   1 | {{password: {MASK}, a: 1, a: 2}}\n     | {' ' * 22}^"
    assert inside.endswith(f"\n     | {' ' * 11}^")


def test_fields_of_redmine_are_not_secret() -> None:
    """Ordinary field names are shown with their values."""
    names = "identifier name mail key subject description status author start_date parent path auth_source"
    assert not [name for name in names.split() if looks_secret(name)]


SUGGESTIONS = {
    "tarcker": "tracker",
    "Fixed version": "fixed_version",
    "TRACKER": "tracker",
    "zzz": "",
    "": "",
    "isue-01234": "issue-01234",
    "issue-0x1234": "issue-01234",
    "issue01234": "issue-01234",
}


@pytest.mark.parametrize(("word", "known"), SUGGESTIONS.items())
def test_suggestions(word: str, known: str) -> None:
    """The nearest of thousands of known words is suggested whatever its case, and none when none is near."""
    names = ["tracker", "fixed_version", "x", *(f"issue-{number:05}" for number in range(10_000))]
    assert suggest(word, names) == (f'did you mean "{known}"?' if known else "")


def test_short_words_are_near_although_half_of_them_differs() -> None:
    """`amie` is near `amy`, but not another word of that length that begins otherwise."""
    assert suggest("amie", ["amy", "bob", "mia"]) == 'did you mean "amy"?'
    assert suggest("amie", ["bob", "tie"]) == ""
    assert suggest("bob", ["amy"]) == ""
