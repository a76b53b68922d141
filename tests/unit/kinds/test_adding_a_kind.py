"""docs/adding-a-kind.md, carried out: the kind of the page on a server in memory, and every mistake of its last table."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import canned as memory
import pytest
import yaml
from canned import Canned
from exports import run
from jsonschema import Draft202012Validator
from paths import ROOT, TESTS
from stub import Stub

import reconciler.kinds
from reconciler.kinds import kinds
from reconciler.model.capabilities import Capability
from reconciler.model.contract import ContractError
from reconciler.model.export_hooks import Exporting
from reconciler.sandbox import Running

PAGE = (ROOT / "docs" / "adding-a-kind.md").read_text(encoding="utf-8")
MODULE = "reconciler.kinds.boards"


def blocks(language: str) -> list[str]:
    """The code blocks of the page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


(CODE,) = blocks("python")
EXAMPLE, CASES = blocks("yaml")
EXPLAINING, RUNNING = ([line.split()[1:] for line in block.splitlines()] for block in blocks("sh"))

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts the text of `boards.py` among the kinds; afterwards there is no trace of it."""
    folder = tmp_path / "kinds"
    folder.mkdir()
    monkeypatch.setattr(reconciler.kinds, "__path__", [*reconciler.kinds.__path__, str(folder)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(code: str) -> None:
        (folder / "boards.py").write_text(code, encoding="utf-8")
        kinds.cache_clear()

    yield write
    sys.modules.pop(MODULE, None)
    vars(reconciler.kinds).pop("boards", None)
    kinds.cache_clear()


@pytest.fixture
def plugin(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of the page, for servers in memory that offer forums."""
    install(CODE)
    shown = {"boards": {"project": ("projects",), "parent": ("boards",)}}
    monkeypatch.setattr(memory, "REFERENCES", {**memory.REFERENCES, **shown})


@pytest.fixture
def boards(plugin: None, canned: Canned) -> Canned:
    """A server, with the page's example in the current folder."""
    example = Path("examples", "kinds", "boards.yaml")
    example.parent.mkdir(parents=True)
    example.write_text(EXAMPLE, encoding="utf-8")
    return canned


# -- the recipe ------------------------------------------------------------------------------------------------


def test_a_simple_kind_is_one_short_module(boards: Canned) -> None:
    """The module of the page has about forty lines, and the kind is found without being named anywhere."""
    assert len([line for line in CODE.splitlines() if line.strip()]) < 45
    assert kinds()["board"].plural == "boards"


def test_the_kind_is_explained_and_in_the_schema(boards: Canned) -> None:
    """`explain` and `schema` have the sentences of the spec, and editors can check what is nested in a project."""
    said = [run(*command).stdout for command in EXPLAINING]
    assert "board: A forum of a project." in said[0]
    assert "refers to board" in said[1]
    schema = Draft202012Validator(json.loads(said[2]))
    assert schema.is_valid(yaml.safe_load(EXAMPLE))
    assert not schema.is_valid({"projects": [{"identifier": "a", "boards": [{"nmae": "Help"}]}]})


def test_the_commands_of_the_page(boards: Canned) -> None:
    """The example is valid, planned, applied and then as declared; an export declares it, and planning that is empty."""
    validated, planned, applied, again, exported = (run(*command).stdout for command in RUNNING)
    assert validated == "Valid: 4 objects in 1 file.\n"
    assert "+ board boards-example/Installation" in planned
    assert "Applied: 3 done, 0 failed" in applied
    assert again.startswith("No changes.")
    assert [row["name"] for row in boards.rows("boards")] == ["Help", "Installation"]
    assert "2 boards" in exported
    (project,) = yaml.safe_load(Path("export", "projects", "boards-example.yaml").read_text(encoding="utf-8"))[
        "projects"
    ]
    assert project["boards"] == yaml.safe_load(EXAMPLE)["projects"][0]["boards"][:2]
    assert run("plan", "export").stdout.startswith("No changes.")


def test_one_field_is_changed_and_an_object_is_deleted(boards: Canned) -> None:
    """A changed line is one PUT, `state: absent` one DELETE, and a mistake in a field is found without a server."""
    declared = "boards: [{project: shop, name: Help, description: %s}]"
    boards.add("boards", project="shop", name="Help", description="Questions", parent=None)
    boards.set(boards.row("projects", "shop"), "projects", enabled_modules=["boards"])
    text = Path("one.yaml")
    for line, request in [
        (declared % "Answers", ("PUT", "/boards/1.json")),
        ("boards: [{project: shop, name: Help, state: absent}]", ("DELETE", "/boards/1.json")),
    ]:
        text.write_text(line, encoding="utf-8")
        run("apply", "--yes", "one.yaml")
        assert [seen for seen in boards.seen if seen[0] != "GET"] == [request]
        assert run("plan", "one.yaml").stdout.startswith("No changes.")
        boards.seen.clear()
    assert boards.rows("boards") == []
    text.write_text(declared % "A, descripton: B", encoding="utf-8")
    assert 'did you mean "description"?' in run("validate", "one.yaml", code=3).output


def runner() -> ModuleType:
    """What runs the cases of `tests/server/cases`."""
    spec = importlib.util.spec_from_file_location("test_kinds", TESTS / "server" / "test_kinds.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_cases_of_the_page(plugin: None, tmp_path: Path) -> None:
    """Each case holds, when the runner of the cases runs it."""
    folder, module = tmp_path / "cases", runner()
    folder.mkdir()
    (folder / "boards.yaml").write_text(CASES, encoding="utf-8")
    module.CASES = folder
    names = []
    for case in module._cases():
        server = Canned()
        with Stub(server.answer) as stub:
            running = Running("6.1", "canned", stub.url, server.api_key, 0, 0, tmp_path)
            module.test_case(None, running, case.values[0])
        names.append(case.id)
    assert len(names) == len(yaml.safe_load(CASES)["cases"]) == 3


def test_the_page_names_every_capability() -> None:
    """The table of capabilities is complete."""
    table = PAGE.partition("## 3.")[2].partition("## 4.")[0]
    capabilities = {
        known.__name__ for known in Capability.__subclasses__() if known.__module__.startswith("reconciler.model")
    }
    assert {Exporting.__name__} < capabilities
    assert {name for name in capabilities if f"`{name}" not in table} == set()


# -- what breaks it --------------------------------------------------------------------------------------------

IMPORTS = """
from reconciler.model.capabilities import Alternative, BulkDetails, DerivedFields, SideEffects
from reconciler.model.containers import Archive
from reconciler.model.custom_fields import CustomFields
from reconciler.model.export_hooks import Exporting
from reconciler.model.spec import Gate, Spec
"""
"""What the lines of the table need."""

CAPABILITIES = "capabilities = …"
MORE = [
    ('capabilities = ("board",)', CAPABILITIES, "capabilities lists 'board', which is no capability"),
    (
        'capabilities = (SideEffects(frozenset({"nmae"})),)',
        CAPABILITIES,
        'SideEffects: fields names the field "nmae", which the spec does not have (did you mean "name"?)',
    ),
    (
        'capabilities = (DerivedFields(frozenset({"nmae"})),)',
        CAPABILITIES,
        'DerivedFields: fields names the field "nmae", which the spec does not have (did you mean "name"?)',
    ),
    (
        'capabilities = (Archive(field="nmae"),)',
        CAPABILITIES,
        'Archive: field names the field "nmae", which the spec does not have (did you mean "name"?)',
    ),
    (
        'capabilities = (Exporting(unshown=frozenset({"nmae"})),)',
        CAPABILITIES,
        'Exporting: unshown names the field "nmae", which the spec does not have (did you mean "name"?)',
    ),
    (
        'capabilities = (BulkDetails({"nmae": ("user",)}),)',
        CAPABILITIES,
        'BulkDetails: needs names the field "nmae", which the spec does not have (did you mean "name"?)',
    ),
    (
        'capabilities = (BulkDetails({"parent": ("usr",)}),)',
        CAPABILITIES,
        'BulkDetails: needs names the kind "usr", which does not exist (did you mean "user"?)',
    ),
    (
        'capabilities = (Alternative("usr"),)',
        CAPABILITIES,
        'Alternative: kind names the kind "usr", which does not exist (did you mean "user"?)',
    ),
    (
        "def __init__(self): self.capabilities += (Creation(),)",
        "rank = 86",
        "capabilities lists Creation twice (Creation, Creation): only the first one would be used",
    ),
    (
        'Api(along=frozenset({"nmae"})),',
        "Api(codec=Ref…",
        'the field "parent": along names the field "nmae", which the spec does not have (did you mean "name"?)',
    ),
    (
        'Api(gate=Gate("a", frozenset({"b"}), via=frozenset({"catgory"}))),',
        "Api(codec=Ref…",
        'the field "parent": its gate names the field "catgory", which no kind has (did you mean "category"?)',
    ),
    (
        'inside = Inside(reads_after=("file",))',
        'inside = Inside(module="boards")',
        'reads_after names "file", which itself is read after others: there are two waves only',
    ),
    ("KINDS = ()", "KINDS = (Boards(),)", "KINDS is missing: a tuple of the module's kinds, such as (Boards(),)"),
    ("", "KINDS = (Boards(),)", "KINDS is missing: a tuple of the module's kinds, such as (Boards(),)"),
    (
        'identity = ("name", "parent")',
        'identity = ("name",)',
        "key_of is missing: the identity has several fields, and the key must be made of all of them",
    ),
]
"""Mistakes that are rarer than those of the page."""


def mistakes() -> list[tuple[str, str, str]]:
    """The rows of the page's table: what is written, in place of what, and the sentence."""
    rows = [line.strip("|").split("|") for line in PAGE.partition("## 4.")[2].splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in row] for row in rows[2:]]
    return [(written, instead, sentence) for written, instead, sentence in cells]


def broken(written: str, instead: str) -> str:
    """The module with one line changed; `…` stands for the rest of a line."""
    code = CODE.replace("\nfrom typing", f"{IMPORTS}from typing", 1)
    if not instead:
        return f"{code}\n{written}\n"
    start, more, _ = instead.partition("…")
    (line, *_) = (line for line in code.splitlines() if start in line)
    old = f"{start}{line.partition(start)[2]}" if more else start
    return code.replace(old, written, 1)


def test_the_page_has_the_usual_mistakes() -> None:
    """The table is read, and has every sort of sentence."""
    assert len(mistakes()) > 30


@pytest.mark.parametrize(("written", "instead", "sentence"), [*mistakes(), *MORE])
def test_a_broken_contract_is_reported(install: Install, written: str, instead: str, sentence: str) -> None:
    """Each mistake raises ContractError with the sentence, the module and the class, before anything is read."""
    install(broken(written, instead))
    with pytest.raises(ContractError) as caught:
        kinds()
    owner = {"KINDS": ": ", "_Gone:": "."}.get(sentence.split()[0], ".Boards: ")
    assert f"{MODULE}{owner}{sentence}" in str(caught.value).splitlines()


def test_everything_that_is_wrong_is_reported_at_once(install: Install) -> None:
    """Several mistakes are several sentences of one error."""
    install(CODE.replace('identity = ("name",)', 'identity = ("nmae",)').replace('"description",', '"text",'))
    with pytest.raises(ContractError) as caught:
        kinds()
    assert len(str(caught.value).splitlines()) == 2


def test_what_only_a_class_uses_begins_with_an_underscore(install: Install) -> None:
    """A private name is nobody's business: the kind is taken."""
    install(CODE.replace("    rank = 86", "    rank = 86\n    _page = 3"))
    assert kinds()["board"].rank == 86


@pytest.fixture(autouse=True)
def same_kinds() -> Iterator[None]:
    """No test leaves a kind behind."""
    before = list(kinds())
    yield
    assert list(kinds()) == before
