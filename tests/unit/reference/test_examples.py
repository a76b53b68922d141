"""The examples of fields, and the manifests to start with: each is valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.errors import ConfigError
from reconciler.kinds import declarable
from reconciler.kinds._custom_field_spec import FORMATS
from reconciler.manifest import loader
from reconciler.model.capabilities import FixedKey
from reconciler.model.kind import Kind
from reconciler.model.mapped import Mapped
from reconciler.reference.examples import example
from reconciler.reference.explain import explain, overview
from reconciler.reference.starter import starter
from reconciler.state import desired

KINDS = list(declarable().values())
FILES = ("manual.pdf", "login.png", "release.pdf", "announcement.pdf")
FIELDS = {kind: [n for n in kind.spec.model_fields if n != "renamed_from" or not kind.has(FixedKey)] for kind in KINDS}
LISTED = [kind for kind in KINDS if not kind.has(Mapped)]
EVERY = [pytest.param(kind, name, id=f"{kind.name}.{name}") for kind in KINDS for name in FIELDS[kind]]
IN_LISTS = [one for one in EVERY if one.values[0] in LISTED]


def problems(text: str, folder: Path) -> list[str]:
    """What validation says about a manifest."""
    path = folder / "manifest.yaml"
    path.write_text(text, encoding="utf-8")
    loaded = loader.load([path], {"JSMITH_PASSWORD": "swordfish-1", "LDAP_PASSWORD": "swordfish-2"})
    made = desired.build(loaded.documents, {"issue_key_field": "Key"})
    return [problem.message for problem in (*loaded.problems, *made.problems)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that examples name."""
    for name in FILES:
        (tmp_path / name).write_text("content")
    return tmp_path


@pytest.mark.parametrize("kind", LISTED, ids=lambda kind: kind.name)
def test_a_starter_is_valid(kind: Kind, folder: Path) -> None:
    """What `new KIND` prints is a valid manifest of one object, and names every field of the kind."""
    text = starter(kind.name)
    assert problems(text, folder) == []
    assert all(re.search(rf"^ +(- |#)?{name}:", text, re.M) for name in FIELDS[kind])


def test_the_starter_of_a_mapping_is_valid(folder: Path) -> None:
    """What `new setting` prints is one entry of the mapping, with the name that is given."""
    assert problems(starter("setting"), folder) == []
    assert "\nsettings:\n" in starter("setting", "welcome_text")
    assert "\n  welcome_text: " in starter("setting", "welcome_text")


@pytest.mark.parametrize(("kind", "name"), IN_LISTS)
def test_an_example_is_valid(kind: Kind, name: str, folder: Path) -> None:
    """A field of a starter, with the # before it removed, is valid: so is the example that `explain` shows."""
    text = starter(kind.name)
    commented = re.search(rf"^    #{name}:.*\n(?:    #.*\n)*", text, re.M)
    if commented:
        text = text.replace(commented[0], commented[0].replace("    #", "    "))
    # A user and a group exclude each other.
    if (kind.name, name) == ("membership", "group"):
        text = text.replace("    user: jsmith\n", "")
    # Not every format of a custom field has every field, and a query has roles or is public.
    if kind.name == "custom_field" and name in FORMATS:
        text = text.replace("field_format: list", f"field_format: {FORMATS[name][0]}")
    if (kind.name, name) == ("query", "roles"):
        text = text.replace("visibility: public", "visibility: roles")
    assert problems(text, folder) == []
    assert re.search(rf"^ +(- )?{name}:", text, re.M)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_explain_shows_the_example(kind: Kind, name: str) -> None:
    """Every field has an example, and `explain KIND.FIELD` ends with it, as a manifest has it."""
    assert example(kind, name) is not None
    assert f"\n\n    {name}: " in explain(kind.name, name) or f"\n\n    {name}:\n" in explain(kind.name, name)


def test_every_kind_is_listed() -> None:
    """`explain` without a word has a line for each kind, with its list and what it is."""
    lines = overview().splitlines()
    assert (
        "membership                   members                The direct roles of a user or a group in a project."
        in lines
    )
    assert [line.split()[0] for line in lines[1 : 1 + len(KINDS)]] == [kind.name for kind in KINDS]
    assert CliRunner().invoke(main, ["explain"]).stdout == overview() + "\n"


@pytest.mark.parametrize(
    ("kind", "key", "lines"),
    [
        ("version", "intranet/2.0", ["  - project: intranet", "    name: '2.0'"]),
        ("version", "2.0", ["  - project: web-shop", "    name: '2.0'"]),
        ("issue", "intranet/card-payments", ["    key: card-payments", "    subject: Card payments"]),
        ("project", "intranet", ["  - identifier: intranet", "    name: Intranet"]),
        ("users", "amy", ["  - login: amy"]),
        ("members", "intranet/amy", ["  - project: intranet", "    user: amy"]),
        ("time_entry", "intranet/2026-12-01", ["    spent_on: 2026-12-01"]),
        ("file", "intranet/notes.txt", ["    filename: notes.txt"]),
        ("issue", "intranet/yes: no #1", ["    key: 'yes: no #1'"]),
    ],
)
def test_a_key_is_filled_in(kind: str, key: str, lines: list[str]) -> None:
    """`new KIND KEY` has the project and what identifies the object, quoted where YAML needs it."""
    text = starter(kind, key).splitlines()
    assert [line for line in lines if line not in text] == []


def test_a_key_that_is_not_valid_is_refused() -> None:
    """What Redmine does not allow as a key is no manifest to start with."""
    with pytest.raises(ConfigError, match="Not a key of a user: login: expected letters"):
        starter("user", "a b")


def test_a_new_file_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`new -o FILE` writes a file that is not there, and never changes one that is."""
    monkeypatch.chdir(tmp_path)
    first = CliRunner().invoke(main, ["new", "user", "amy", "-o", "amy.yaml"])
    assert (first.exit_code, first.stdout) == (0, "")
    assert first.stderr == "Written: amy.yaml. Check it: reconciler validate amy.yaml\n"
    assert Path("amy.yaml").read_text() == starter("user", "amy")
    second = CliRunner().invoke(main, ["new", "user", "bob", "-o", "amy.yaml"])
    assert second.exit_code == 1
    assert (
        second.stderr == "Error: amy.yaml exists; it was not changed. Name another file, or append to it: >> amy.yaml\n"
    )
    assert Path("amy.yaml").read_text() == starter("user", "amy")
