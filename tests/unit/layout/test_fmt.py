"""`fmt`: one layout, without a change of what is declared, and without the loss of a comment."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from exports import Exports
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odd import KEY_FIELD, shop

from reconciler.cli import main
from reconciler.layout.manifests import tidied
from reconciler.layout.tree import Unsupported
from reconciler.reference.starter import starter

CASES = {
    "the identity is first, then state, then the fields as the spec has them": (
        "users:\n  - mail: a@b.c\n    lastname: B\n    firstname: A\n    state: present\n    login: a\n",
        "users:\n  - login: a\n    state: present\n    firstname: A\n    lastname: B\n    mail: a@b.c\n",
    ),
    "lists in a project stay in their order, below its fields": (
        "projects:\n  - versions: []\n    members: []\n    name: A\n    identifier: a\n",
        "projects:\n  - identifier: a\n    name: A\n    versions: []\n    members: []\n",
    ),
    "an item in braces": ("users: [ {firstname: A,login: a} ]\n", "users: [{login: a, firstname: A}]\n"),
    "the order of objects and of sections is the author's": (
        "users:\n  - login: b\n  - login: a\ngroups: []\n",
        "users:\n  - login: b\n  - login: a\ngroups: []\n",
    ),
    "two spaces for each level, also below a dash": (
        "projects:\n-   identifier: a\n    versions:\n        -   name: '1'\n",
        "projects:\n  - identifier: a\n    versions:\n      - name: '1'\n",
    ),
    "a dash on a line of its own": ("users:\n-\n  login: a\n", "users:\n  - login: a\n"),
    "a comment moves with its key": (
        "users:\n  # the first\n  - mail: a@b.c  # work\n    # short\n    login: a\n",
        "users:\n  # the first\n  # short\n  - login: a\n    mail: a@b.c  # work\n",
    ),
    "a comment that is indented deeper belongs to what is above": (
        "users:\n  - login: a\n    #admin: true\n  # next\n  - login: b\n    #admin: true\n",
        "users:\n  - login: a\n    #admin: true\n  # next\n  - login: b\n    #admin: true\n",
    ),
    "a comment in the first column stays there": (
        "users:\n- login: a\n#  admin: true\n- login: b\n",
        "users:\n  - login: a\n#  admin: true\n  - login: b\n",
    ),
    "blank lines": ("\n\nusers:\n\n\n  - login: a\n\n\n\n  - login: b\n\n\n", "users:\n  - login: a\n\n  - login: b\n"),
    "blanks at the end of lines": ("users:   \n  - login: a   # x  \n", "users:\n  - login: a   # x\n"),
    "no line break at the end": ("users:\n  - login: a", "users:\n  - login: a\n"),
    "a block text is moved as it is": (
        "news:\n- description: |\n    one\n\n      two\n  title: T\n  project: p\n",
        "news:\n  - project: p\n    title: T\n    description: |\n      one\n\n        two\n",
    ),
    "a block text at the end, without a line break": (
        "news:\n  - project: p\n    title: T\n    description: |\n      one",
        "news:\n  - project: p\n    title: T\n    description: |-\n      one\n",
    ),
    "a block text that keeps its blank lines": (
        "news:\n  - description: |+\n      one\n\n\n    title: T\n    project: p\n",
        "news:\n  - project: p\n    title: T\n    description: |+\n      one\n\n\n",
    ),
    "quotes, tags, variables and long lines stay": (
        f"users:\n  - login: \"a\"\n    firstname: '{'x' * 200}'\n    password: ${{P:-x}}\n    lastname: !file name.txt\n",
        f"users:\n  - login: \"a\"\n    firstname: '{'x' * 200}'\n    lastname: !file name.txt\n    password: ${{P:-x}}\n",
    ),
    "an anchor and its alias keep their order": (
        "users:\n  - mail: &m a@b.c\n    login: *m\n",
        "users:\n  - mail: &m a@b.c\n    login: *m\n",
    ),
    "anchors of whole objects, and <<": (
        "users:\n  - &a\n    firstname: A\n    login: a\n  - login: b\n    <<: *a\n",
        "users:\n  - &a\n    login: a\n    firstname: A\n  - <<: *a\n    login: b\n",
    ),
    "a comment behind the anchor of an object": (
        "projects:\n- &a   # one\n  # two\n  name: A\n  identifier: a\n- versions: &v   # three\n    - name: '1'\n  identifier: b\n",
        "projects:\n  - &a   # one\n    identifier: a\n    # two\n    name: A\n"
        "  - identifier: b\n    versions: &v   # three\n      - name: '1'\n",
    ),
    "only comments": ("# one\n\n# two\n", "# one\n\n# two\n"),
    "nothing": ("", ""),
    "several documents": ("# one\nusers: []\n---\n# two\ngroups: [ ]\n", "# one\nusers: []\n---\n# two\ngroups: []\n"),
    "other letters": (
        "users:\n- firstname: Ünïcödé 🛒\n  login: a\n",
        "users:\n  - login: a\n    firstname: Ünïcödé 🛒\n",
    ),
    "the line ends of Windows": ("users:\r\n- login: a\r\n", "users:\r\n  - login: a\r\n"),
    "a text over several lines": (
        'news:\n- description: "one\n    two"\n  title: T\n  project: p\n',
        'news:\n  - project: p\n    title: T\n    description: "one\n      two"\n',
    ),
    "a list over several lines is only moved": (
        "groups:\n- users: [a,\n    b]\n  name: G\n",
        "groups:\n  - name: G\n    users: [a,\n      b]\n",
    ),
    "fields that no kind has stay in their order": (
        "issues:\n  - relations: [{delay: 2, follows: x}]\n    zz: 1\n    aa: 2\n    key: k\n",
        "issues:\n  - key: k\n    relations: [{delay: 2, follows: x}]\n    zz: 1\n    aa: 2\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_layout(name: str) -> None:
    """Each case comes out in the one layout, and that is not changed again."""
    before, after = CASES[name]
    assert tidied(before, is_json=False) == after
    assert tidied(after, is_json=False) == after


@pytest.mark.parametrize("kind", ["issue", "user", "time_entry"])
def test_a_starter_has_the_layout(kind: str) -> None:
    """What `new` prints needs no `fmt`."""
    assert tidied(starter(kind), is_json=False) == starter(kind)


def test_json() -> None:
    """JSON stays JSON, with the numbers as they are written."""
    text = '{"users":[{"mail":"ä@b.c","login":"a","x":1.10}],"groups":[]}'
    lines = ["{", '  "users": [', "    {", '      "login": "a",', '      "mail": "ä@b.c",', '      "x": 1.10', "    }"]
    after = "\n".join([*lines, "  ],", '  "groups": []', "}\n"])
    assert tidied(text, is_json=True) == after
    assert tidied(after, is_json=True) == after


@pytest.mark.parametrize(
    "text",
    ["? a\n: 1\n", "%YAML 1.1\n---\na: 1\n", "--- {a: 1}\n", "users: [\n", "a: 1\rb: 2\n", "&a\nusers: []\n"],
)
def test_what_is_left_as_it_is(text: str) -> None:
    """What has no layout of ours is refused, and never half done."""
    with pytest.raises(Unsupported):
        tidied(text, is_json=False)


WORDS = st.sampled_from(["a", "b", "x y", "1.0", "no", "#", "it's", "ü 🛒", "two\nlines\n", "", "${A:-b}", ": "])
PEOPLE = st.fixed_dictionaries({"login": WORDS}, optional={"mail": WORDS, "firstname": WORDS, "status": WORDS})
VERSIONS = st.fixed_dictionaries(
    {"name": WORDS},
    optional={
        "due_date": WORDS,
        "custom_fields": st.dictionaries(WORDS.filter(lambda word: word and "\n" not in word), WORDS),
    },
)
PROJECTS = st.fixed_dictionaries(
    {"identifier": WORDS},
    optional={"name": WORDS, "trackers": st.lists(WORDS), "versions": st.lists(VERSIONS, max_size=2)},
)
MANIFESTS = st.fixed_dictionaries(
    {}, optional={"users": st.lists(PEOPLE, max_size=3), "projects": st.lists(PROJECTS, max_size=2)}
)


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """A manifest in some layout, with comments and blank lines where they may be."""
    data = draw(MANIFESTS)
    shuffled = {
        name: [dict(draw(st.permutations(list(item.items())))) for item in items] for name, items in data.items()
    }
    options = {"indent": draw(st.sampled_from([2, 4, 7])), "default_flow_style": draw(st.sampled_from([False, None]))}
    text = yaml.safe_dump(shuffled, sort_keys=False, allow_unicode=True, **options)
    lines = text.splitlines()
    for number in draw(st.lists(st.integers(0, len(lines)), max_size=4)):
        lines.insert(number, draw(st.sampled_from(["", "# zero", "  # two", "    # four", "      # six"])))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))


@settings(max_examples=60, deadline=None)
@given(manifests())
@example("users:\n- login: a\n# zero\n  # two")
def test_any_manifest(text: str) -> None:
    """Whatever a manifest looks like: it declares the same, has the same comments, and is not changed a second time."""
    try:
        once = tidied(text, is_json=False)
    except Unsupported as reason:
        # A comment inside a text over several lines is part of it, or not YAML.
        assert "parsed" in str(reason)
        return
    assert tidied(once, is_json=False) == once
    assert list(yaml.safe_load_all(once)) == list(yaml.safe_load_all(text))
    assert (
        sorted(once.replace("|-", "|").split()) == sorted(text.replace("|-", "|").split()) or "[" in text or "{" in text
    )


# -- the command ---------------------------------------------------------------------------------------------------

BEFORE, AFTER = "users:\n- {firstname: A, login: a}\n", "users:\n  - {login: a, firstname: A}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a manifest."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(BEFORE)
    (tmp_path / "b.yaml").write_text(AFTER)
    return tmp_path


def fmt(*args: str, **options: object) -> Result:
    """`reconciler fmt` with arguments."""
    return CliRunner().invoke(main, ["fmt", *args], **options)  # type: ignore[arg-type]


def test_files_are_rewritten(folder: Path) -> None:
    """Only files with another layout are written, with their permissions; links stay links."""
    (folder / "a.yaml").chmod(0o640)
    (folder / "link.yaml").symlink_to("a.yaml")
    untouched = (folder / "b.yaml").stat().st_mtime_ns
    result = fmt("link.yaml", "b.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Formatted: link.yaml\n")
    assert (folder / "link.yaml").is_symlink()
    assert ((folder / "a.yaml").read_text(), stat.S_IMODE((folder / "a.yaml").stat().st_mode)) == (AFTER, 0o640)
    assert (folder / "b.yaml").stat().st_mtime_ns == untouched
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", "b.yaml", "link.yaml"]
    assert fmt().stderr.endswith("files already formatted.\n")


def test_files_of_other_programs_are_left_alone(folder: Path) -> None:
    """What is beside the manifests and is none, such as a docker-compose.yml, is not touched; nor is reconciler.yaml."""
    others = {"docker-compose.yml": "services:\n    web:   {image:  x}\n", "reconciler.yaml": "url:   'x'\n"}
    for name, text in others.items():
        (folder / name).write_text(text)
    assert fmt().stderr == "Formatted: a.yaml\n"
    assert {name: (folder / name).read_text() for name in others} == others


def test_without_a_path_the_configured_manifests_are_meant(folder: Path) -> None:
    """`manifests` in reconciler.yaml says what is laid out if no path is named, as for the other commands."""
    (folder / "reconciler.yaml").write_text("manifests: [inner]\n")
    (folder / "inner").mkdir()
    (folder / "inner" / "c.yaml").write_text(BEFORE)
    assert fmt().stderr == "Formatted: inner/c.yaml\n"
    assert (folder / "a.yaml").read_text() == BEFORE


def test_check_writes_nothing(folder: Path) -> None:
    """`--check` ends with 1 if a file has another layout, and names it."""
    result = fmt("--check")
    assert (result.exit_code, result.stderr) == (1, "Not formatted: a.yaml\n")
    assert (folder / "a.yaml").read_text() == BEFORE
    assert fmt("--check", "b.yaml").exit_code == 0


def test_diff_shows_the_change(folder: Path) -> None:
    """`--diff` has the difference on stdout, as `diff -u`."""
    result = fmt("--diff")
    lines = ["--- a.yaml", "+++ a.yaml", "@@ -1,2 +1,2 @@", " users:", "-- {firstname: A, login: a}"]
    assert result.stdout == "\n".join([*lines, "+  - {login: a, firstname: A}\n"])
    assert (result.exit_code, (folder / "a.yaml").read_text()) == (0, BEFORE)


def test_standard_input_is_printed(folder: Path) -> None:
    """`-` is a filter, also for JSON."""
    assert fmt("-", input=BEFORE).stdout == AFTER
    assert fmt("-", input='{"users": []}').stdout == '{\n  "users": []\n}\n'


def test_invalid_files_are_left_alone(folder: Path) -> None:
    """A file that is not YAML is a problem (exit code 3) and stays as it is; the others are written."""
    (folder / "broken.yaml").write_text("users: [\n")
    (folder / "twice.yaml").write_text("users: []\nusers: []\n")
    result = fmt()
    assert result.exit_code == 3
    assert "broken.yaml:" in result.stderr and 'duplicate key "users"' in result.stderr
    assert (folder / "broken.yaml").read_text() == "users: [\n"
    assert (folder / "a.yaml").read_text() == AFTER


def test_what_cannot_be_laid_out_is_said(folder: Path) -> None:
    """A file with an exotic form is valid, so it is left as it is with a word about why."""
    (folder / "a.yaml").write_text("? users\n: []\n")
    result = fmt("a.yaml")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == ["Left as it is: a.yaml: a key with a question mark."]
    assert fmt("--check").stderr.splitlines()[1:] == ["1 file already formatted."]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("%YAML 1.1\n---\nusers: []\n", "a directive (%)"),
        ("users: []\n...\n", "the end marker of a document (...)"),
        ("projects:\n  - versions: &v\n      !!seq\n      - name: a\n", "an anchor or a tag on a line of its own"),
    ],
)
def test_the_reason_is_in_words(folder: Path, text: str, why: str) -> None:
    """Nobody has to know the names of YAML's tokens."""
    (folder / "a.yaml").write_text(text)
    assert fmt("a.yaml").stderr.splitlines()[0] == f"Left as it is: a.yaml: {why}."


def test_exports_have_the_layout(tmp_path: Path) -> None:
    """What `export` writes needs no `fmt`."""
    Exports(shop(), KEY_FIELD).write(tmp_path / "out")
    files = sorted((tmp_path / "out").rglob("*.yaml"))
    assert files
    assert [file.name for file in files if tidied(text := file.read_text(), is_json=False) != text] == []
