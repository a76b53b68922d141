"""Exports of real servers with ugly data (`ugly.rb`): a plan is empty, nothing is dropped in silence, and another server
gets the same world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from custom_fields import EVERY, Again, reset
from exports import Exports, comments, contents, seen, touched
from paths import UGLY
from promises import KEY, Api, fields, raw_issue, raw_shop, setting, troubles

from reconciler.errors import ReconcilerError
from reconciler.export.output_folder import Folder
from reconciler.export.run import Exported
from reconciler.sandbox import Running, Sandbox

pytestmark = pytest.mark.custom_fields(EVERY)


@dataclass(frozen=True)
class World:
    """The ugly world, with an export of it: with keys of issues in a custom field, and without."""

    server: Running
    folder: Path
    made: dict[str, Exported]

    def at(self, key_field: str) -> Path:
        """Where the export is."""
        return self.folder / (key_field or "plain") / "out"


@pytest.fixture(scope="session")
def exported(redmine: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The server is made ugly once; a copy of its database brings that back, see `ugly`."""
    running, folder = reset(redmine, None), tmp_path_factory.mktemp("ugly")
    redmine.run(UGLY)
    redmine.snapshot(folder / "ugly")
    made = {}
    for key_field in ("", KEY):
        out = folder / (key_field or "plain") / "out"
        out.parent.mkdir()
        made[key_field] = Exports(running, key_field).write(out)
    yield World(running, folder, made)


@pytest.fixture
def ugly(exported: World, redmine: Sandbox) -> World:
    """The ugly world, live."""
    redmine.reset(exported.folder / "ugly")
    return exported


BOTH = pytest.mark.parametrize("key_field", ["", KEY], ids=["plain", "keyed"])


@pytest.mark.parametrize(
    "key_field", [pytest.param("", id="plain"), pytest.param(KEY, id="keyed", marks=pytest.mark.prove_only)]
)
def test_a_plan_of_an_ugly_world_is_empty(ugly: World, key_field: str) -> None:
    """Whatever there is, a plan of the export is empty at once, and the manifests are valid without a server."""
    exports = Exports(ugly.server, key_field)
    assert exports.read(ugly.at(key_field)).problems == ()
    assert fields(exports.plan(ugly.at(key_field))) == {}


@BOTH
def test_what_cannot_be_said_is_said_to_be_left_out(exported: World, key_field: str) -> None:
    """Each thing that is left out is a comment in the file where it would stand, and in the summary."""
    texts = {path: text.decode() for path, text in contents(exported.at(key_field)).items() if path.endswith(".yaml")}
    noted = {line for text in texts.values() for line in comments(text)}
    assert exported.made[key_field].left_out
    assert [said for _, said in exported.made[key_field].left_out if printable(said) not in noted] == []


def printable(text: str) -> str:
    """A text as a comment has it."""
    return "".join(char if char.isprintable() else " " for char in text)


def test_the_left_out_things_are_these(exported: World) -> None:
    """Of an ugly world, just this is left out."""
    said = {f"{address}: {text}" for address, text in exported.made[""].left_out}
    hidden = {line for line in said if line.endswith("Redmine does not show it")}
    assert sorted(said - hidden) == sorted(LEFT_OUT.splitlines())


LEFT_OUT = """\
file ugly/same.txt: there are 2 files of this name, but a manifest can declare only one
issue 1-private/by-an-outsider: author: amy may no longer add issues to the project
issue 1-private/by-an-outsider: notes: 1 without the author, who has no account or may not add notes there
issue shut/older: author: this export cannot refer to #4 (Anonymous)
issue ugly/assigned-to-the-left: assigned_to: new issues of the project can no longer be assigned to it
issue ugly/backwards: due_date: due_date 2026-01-01 is before start_date 2026-02-02
issue ugly/by-nobody: author: this export cannot refer to #4 (Anonymous)
issue ugly/closed-parent: status: closed although subtasks are open: ugly/open-child
issue ugly/files: attachments.lost.txt: the server has lost the content of the file
issue ugly/files: attachments.same.txt: there are 2 files of this name, but a manifest can declare only one
issue ugly/files: attachments.twice.txt: there are 2 files of this name, but a manifest can declare only one
issue ugly/foreign-category: category: belongs to project "shut"
issue ugly/foreign-version: fixed_version: version 1-private/secret is not shared with project "ugly" (sharing: none)
issue ugly/noted: author: this export cannot refer to #4 (Anonymous)
issue ugly/noted: notes: 1 private without the author: Redmine might publish it otherwise
issue ugly/noted: notes: 2 without the author, who has no account or may not add notes there
issue ugly/noted: notes: a blank note is left out
issue ugly/noted: notes: the note "none" is left out: Redmine does not store it
issue ugly/values: custom_fields.Issue bool: its value cannot be expressed in a manifest
issue ugly/values: custom_fields.Issue date: expected a date (YYYY-MM-DD), found "2026-13-01"
issue ugly/values: custom_fields.Issue enumeration: "#999" is not a value of this field
issue ugly/values: custom_fields.Issue int: expected a whole number, found "many"
issue ugly/values: custom_fields.Issue list multiple: "purple" is not a value of this field
issue ugly/values: custom_fields.Issue list: "purple" is not a value of this field
issue ugly/values: custom_fields.Issue user multiple: this export cannot refer to #9999
issue ugly/values: custom_fields.Issue user: this export cannot refer to #9999
issue ugly/values: custom_fields.Issue version: version 1-private/secret is not shared with project "ugly" (sharing: none)
news ugly/Empty: description: empty, but required to create the object
news ugly/Twice: several news share this name; only their ids differ: #1, #2
project ugly: custom_fields.Project list: "purple" is not a value of this field
project ugly: custom_fields.Project user: this export cannot refer to #9999
time_entry ugly/2026-01-02 #4 Design: user: this export cannot refer to #4 (Anonymous)
time_entry ugly/2026-01-02 admin Design: several time entries share this name; only their ids differ: #1, #2
time_entry ugly/2026-01-02 amy Retired: activity: activity "Retired" is not active in project "ugly", so a new entry cannot use it
user nomail: mail: empty, but required to create the object
user noname: firstname: empty, but required to create the object
user noname: lastname: empty, but required to create the object
user odd login/1: login: expected letters, digits, underscores, hyphens, @ and dots only, found "odd login/1"
version ugly/yes: custom_fields.Version date: expected a date (YYYY-MM-DD), found "soon"
wiki_page shut/Wiki: text: Redmine does not store a page without text
wiki_page ugly/Bare: text: empty, but required to create the object
wiki_page ugly/Home: attachments.same.txt: there are 2 files of this name, but a manifest can declare only one
"""


@BOTH
def test_nothing_is_dropped_in_silence(ugly: World, key_field: str) -> None:
    """Every object that the API shows is in the manifests or among what is left out."""
    declared = Exports(ugly.server, key_field).read(ugly.at(key_field)).desired.objects
    with Api(ugly.server) as api:
        live = {
            "user": [row for s in (1, 2, 3) for row in api.get(f"/users?status={s}&limit=100")],
            "issue": [row for page in (0, 100) for row in api.get(f"/issues?status_id=*&limit=100&offset={page}")],
            "news": api.get("/news?limit=100"),
            "time_entry": api.get("/time_entries?limit=100"),
            "project": api.get("/projects?status=1%7C5&limit=100"),
        }
    left = ugly.made[key_field].left_out
    for kind, rows in live.items():
        said = {a.key for a in declared if a.kind == kind}
        gone = {a.key: text.count("#") if "share this name" in text else 1 for a, text in left if a.kind == kind}
        missing = sum(count for key, count in gone.items() if key not in said)
        assert len(said) + missing == len(rows), (kind, sorted(gone), len(said))


def test_an_unchanged_world_is_exported_without_a_write(ugly: World) -> None:
    """A second export gives the same bytes and touches no file."""
    before, times = contents(ugly.at("")), touched(ugly.at(""))
    Exports(ugly.server).write(ugly.at(""))
    assert contents(ugly.at("")) == before
    assert touched(ugly.at("")) == times


# -- a copy ------------------------------------------------------------------------------------------------------

SETTINGS = {
    "cross_project_issue_relations": "1",
    "cross_project_subtasks": "system",
    "issue_group_assignment": "1",
}
"""What both servers need, and manifests do not say."""


@pytest.mark.prove_only
def test_another_server_gets_the_same_world(redmine: Sandbox, world: Running, again: Again, tmp_path: Path) -> None:
    """An export that is applied to an empty server makes the same world, field by field through the API, and an export
    of that is the same to the byte."""
    redmine.run(UGLY, PORTABLE="1")
    exports, first, second = Exports(world), tmp_path / "first", tmp_path / "second"
    known = ("Redmine does not show it", "1 private without the author")
    assert [said for _, said in exports.write(first).left_out if not any(part in said for part in known)] == []
    before = seen(world)
    again()
    for name, value in SETTINGS.items():
        setting(world, name, value)
    assert troubles(exports.apply(first)) == {}
    assert fields(exports.plan(first)) == {}
    after = seen(world)
    for kind, rows in before.items():
        missing = [row for row in without(rows) if row not in without(after[kind])]
        assert missing == [], kind
        assert len(after[kind]) == len(rows), kind
    exports.write(second)
    assert contents(second) == contents(first)


NOT_CARRIED = frozenset({"version", "comments"})
"""What the API cannot carry: of wiki pages the history (how many versions there were, what was said of the last one).
Nor whom a private note is from: Redmine publishes it where that user may not write such.
A role that a member inherits as well counts as there: from 5.1.6 on Redmine does not keep it. `state` leaves out ids, the times of creations and changes, and journals that only tell of changes."""


def without(value: Any) -> Any:
    """What the API shows, without what it cannot carry, and in the one form of what is the same to Redmine: texts
    without line ends of their own, nothing for an empty text."""
    if isinstance(value, list):
        return sorted((without(item) for item in value), key=repr)
    if isinstance(value, dict):
        inherited = [role["name"] for role in value.get("roles", ()) if role.get("inherited")]
        if inherited:
            value = value | {"roles": [r for r in value["roles"] if r.get("inherited") or r["name"] not in inherited]}
        wiki = "title" in value and "text" in value
        if value.get("private_notes"):
            value = value | {"user": None}
        return {name: without(part) for name, part in value.items() if not (wiki and name in NOT_CARRIED)}
    return value.replace("\r\n", "\n").replace("\r", "\n") or None if isinstance(value, str) else value


# -- the folder --------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(world: Running) -> Iterator[Api]:
    """A server with a project that has two issues."""
    with Api(world) as api:
        raw_shop(api)
        raw_issue(api, "one", description="text\n" * 40)
        raw_issue(api, "two")
        yield api


FIELDS = """
named = { is_for_all: true, trackers: Tracker.all.to_a, field_format: 'string' }
IssueCustomField.create!(name: 'Preset', default_value: 'preset', **named)
IssueCustomField.create!(name: 'Shrunk', **named)
IssueCustomField.create!(name: 'By role / "x"', visible: false, roles: [Role.givable.first], **named)
"""


def test_another_server_gets_an_ugly_world_without_personal_data(
    ugly: World, redmine: Sandbox, again: Again, tmp_path: Path
) -> None:
    """Whatever cannot be on another server is left out: all the rest is there after one apply, under other names."""
    exports, folder = Exports(ugly.server), tmp_path / "sanitized"
    exports.write(folder, sanitize=True)
    again()
    redmine.run(FIELDS)
    for name, value in SETTINGS.items():
        setting(ugly.server, name, value)
    assert troubles(exports.apply(folder)) == {}
    assert fields(exports.plan(folder)) == {}


def test_files_of_what_is_gone_are_removed(world: Running, shop: Api, tmp_path: Path) -> None:
    """What vanished from the server vanishes from the folder, and nothing else does."""
    exports, folder = Exports(world), tmp_path / "out"
    exports.write(folder)
    assert (folder / "projects/shop/issues/one.txt").exists()
    (folder / "projects/shop/mine.txt").write_text("mine")
    (folder / "other.yaml").write_text("{}")
    for row in shop.get("/issues"):
        shop.delete(f"/issues/{row['id']}")
    exports.write(folder)
    assert sorted(contents(folder)) == [
        ".reconciler-export",
        "other.yaml",
        "projects/shop.yaml",
        "projects/shop/mine.txt",
        "users.yaml",
    ]


def test_a_file_in_the_way_is_not_overwritten(world: Running, shop: Api, tmp_path: Path) -> None:
    """A file that no export wrote is an error where one would be written, and stays as it is."""
    exports, folder = Exports(world), tmp_path / "out"
    exports.write(folder)
    raw_shop(shop, "late")
    (folder / "projects/late.yaml").write_text("mine")
    with pytest.raises(
        ReconcilerError, match=r"late\.yaml is not part of an earlier export. Nothing was overwritten; move it away"
    ):
        exports.write(folder)
    assert (folder / "projects/late.yaml").read_text() == "mine"


def test_a_server_that_is_gone_leaves_the_folder(world: Running, shop: Api, tmp_path: Path) -> None:
    """An export that fails half-way can be repeated into the same folder."""
    exports, folder = Exports(world), tmp_path / "out"
    file = Folder(folder)
    file.write("projects/shop.yaml", b"half")
    file.write("projects/old.yaml", b"old")
    exports.write(folder)
    assert "old" not in {Path(name).stem for name in contents(folder)}
    assert b"half" not in (folder / "projects/shop.yaml").read_bytes()
