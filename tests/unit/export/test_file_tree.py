"""Names and files of an export: every system takes them, and every manifest is read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from promises import Api, raw_issue, raw_shop

from reconciler.errors import Problem, ReconcilerError
from reconciler.export.describe import Item
from reconciler.export.file_tree import Tree, file_tree, safe
from reconciler.export.output_folder import Folder
from reconciler.kinds import declarable
from reconciler.manifest import sources
from reconciler.model.address import Address
from reconciler.sandbox import Running

# -- the folder --------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(world: Running) -> Iterator[Api]:
    """A server with a project that has two issues."""
    with Api(world) as api:
        raw_shop(api)
        raw_issue(api, "one", description="text\n" * 40)
        raw_issue(api, "two")
        yield api


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A folder with other files in it is not taken; hidden ones, such as .git, are in nobody's way."""
    (tmp_path / ".git").mkdir()
    Folder(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ReconcilerError, match="is not empty and contains no earlier export"):
        Folder(tmp_path)


def test_a_link_does_not_lead_an_export_out_of_its_folder(tmp_path: Path) -> None:
    """What would be written through a link to another place is refused."""
    (tmp_path / "elsewhere").mkdir()
    folder = Folder(tmp_path / "out")
    folder.write("a.yaml", b"a")
    (tmp_path / "out/projects").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReconcilerError, match="is outside"):
        folder.write("projects/b.yaml", b"b")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('a/b: "c"', "a_b_ _c_"),
        ("..", "_"),
        ("", "_"),
        ("\u202eevil\x07", "_evil_"),
        ("Con.txt", "Con.txt_"),
        ("x" * 300, "x" * 80),
        ("\U00020000" * 80, "\U00020000" * 50),
        ("trailing. ", "trailing"),
    ],
)
def test_any_text_makes_a_name_that_every_system_takes(text: str, name: str) -> None:
    """No separators, no control characters, no device, at most 80 characters and 200 bytes."""
    assert safe(text) == name


def test_no_two_files_have_names_that_some_system_takes_for_one() -> None:
    """Upper and lower case, and composed and decomposed letters, are the same in a file's name."""
    made = Tree()
    assert [made.free(f"a/{name}.txt") for name in ("e\u0301", "\u00e9", "E\u0301")] == [
        "a/e\u0301.txt",
        "a/\u00e9-2.txt",
        "a/E\u0301-3.txt",
    ]


ODD = ("con", "aux", "nul", "com1", "reconciler")
"""Identifiers of projects that name a device on Windows, or the configuration."""


def test_every_manifest_is_read_back(tmp_path: Path) -> None:
    """Whatever a project is called, commands find all its manifests, and none has a name that Windows cannot have."""
    items = []
    for kind in declarable().values():
        for project in ("shop", *ODD):
            key = project if kind.name == "project" else f"{project}/a" if kind.inside else "a"
            items.append(Item(Address(kind.name, key), {"x": "y", "name": "z"}, ()))
    texts = file_tree(items, {}).texts
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    problems: list[Problem] = []
    found = {Path(file.path).relative_to(tmp_path).as_posix() for file in sources.find([tmp_path], problems)}
    assert (found, problems) == (set(texts), [])
    parts = {part.partition(".")[0] for name in texts for part in name.split("/")}
    assert parts.isdisjoint(ODD[:-1])
    assert "projects/project.con/issues.yaml" in texts
