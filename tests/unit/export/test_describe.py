"""What a manifest says of a live object, and what it leaves out with a reason: each row is exported and planned again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from canned import Canned
from exports import Exports
from promises import fields

KEY = "Config key"


def exported(canned: Canned, key_field: str = "") -> list[str]:
    """Export everything, see that a plan of it is empty, and return what was left out."""
    exports = Exports(canned, key_field)
    left_out = [f"{address}: {said}" for address, said in exports.write(Path("out")).left_out]
    assert fields(exports.plan(Path("out"))) == {}
    return left_out


def declared(name: str, file: str = "projects/shop/issues.yaml") -> dict[str, Any]:
    """What the manifest says of the object whose key, subject, name or title this is."""
    (listed,) = yaml.load(Path("out", file).read_text(), Loader).values()
    (found,) = [
        o for o in listed if name in (o.get("key"), o.get("subject"), o.get("name"), o.get("title"), o.get("login"))
    ]
    return dict(found)


class Loader(yaml.SafeLoader):
    """Takes a `!file` for its path."""


Loader.add_constructor("!file", lambda loader, node: node.value)


# -- custom fields ---------------------------------------------------------------------------------------------

OPTIONS = [{"value": "1", "label": "small"}, {"value": "2", "label": "large"}]

VALUES: list[tuple[str, dict[str, Any], Any, Any, str]] = [
    ("string", {}, "plain", "plain", ""),
    ("text", {}, "a\r\nb", "a\nb", ""),
    ("int", {}, "12", 12, ""),
    ("int", {}, "many", None, "many"),
    ("float", {}, "1.5", 1.5, ""),
    ("bool", {}, "1", True, ""),
    ("bool", {}, "maybe", None, "maybe"),
    ("date", {}, "2026-01-02", "2026-01-02", ""),
    ("date", {}, "2026-13-01", None, "2026-13-01"),
    ("list", {"possible_values": [{"value": "red"}]}, "red", "red", ""),
    ("list", {"possible_values": [{"value": "red"}]}, "purple", None, "purple"),
    ("list", {"possible_values": [{"value": "red"}], "multiple": True}, ["red"], ["red"], ""),
    ("list", {"possible_values": [{"value": "red"}], "multiple": True}, ["red", "purple"], None, "purple"),
    ("enumeration", {"possible_values": OPTIONS}, "2", "large", ""),
    ("enumeration", {"possible_values": OPTIONS}, "999", None, "999"),
    ("user", {}, "1", "admin", ""),
    ("user", {}, "9999", None, "9999"),
    ("user", {"multiple": True}, ["1", "9999"], None, "9999"),
    ("version", {}, "1", "1.0", ""),
    ("version", {}, "77", None, "77"),
]


@pytest.mark.parametrize(("kind", "rules", "value", "said", "left_out"), VALUES, ids=[f"{v[0]}-{v[2]}" for v in VALUES])
def test_values_of_custom_fields(
    canned: Canned, kind: str, rules: dict[str, Any], value: Any, said: Any, left_out: str
) -> None:
    """A value that the field's format can have is written; another one, or a set with such a part, is named and left out."""
    canned.add("custom_fields", name="Field", field_format=kind, **rules)
    canned.add("versions", project="shop", name="1.0")
    canned.add("issues", project="shop", subject="One", custom_fields={"Field": value})
    remarks = exported(canned)
    found = declared("One").get("custom_fields", {}).get("Field")
    assert (found if not hasattr(found, "isoformat") else found.isoformat()) == said
    assert bool(remarks) == bool(left_out)
    assert all("issue shop/one: custom_fields.Field: " in remark and left_out in remark for remark in remarks)


# -- fields of issues ------------------------------------------------------------------------------------------


def issue(canned: Canned, **values: Any) -> None:
    """One issue of the project."""
    canned.add("issues", **{"project": "shop", "subject": "One", **values})


def closed_over_open(canned: Canned) -> None:
    """A closed issue with an open subtask."""
    issue(canned, status="Closed")
    issue(canned, subject="Below", parent=1)


def blocked(canned: Canned, by: str = "New") -> None:
    """A closed issue that another one blocks."""
    relation = {"id": 1, "issue_id": 2, "issue_to_id": 1, "relation_type": "blocks", "delay": None}
    issue(canned, status="Closed", relations=[relation])
    issue(canned, subject="Blocker", status=by, relations=[relation])


def early(canned: Canned) -> None:
    """An issue that begins before the one that it follows ends."""
    relation = {"id": 1, "issue_id": 2, "issue_to_id": 1, "relation_type": "precedes", "delay": None}
    issue(canned, start_date="2026-01-05", due_date="2026-01-06", relations=[relation])
    issue(canned, subject="First", due_date="2026-01-10", relations=[relation])


def inactive(canned: Canned) -> None:
    """An issue with a priority that is no longer active."""
    canned.row("issue_priorities", "Urgent")["active"] = False
    issue(canned, priority="Urgent")


def unassignable(canned: Canned) -> None:
    """An issue of a member whose role nothing can be assigned to."""
    canned.row("roles", "Reporter")["assignable"] = False
    canned.add("users", login="amy", mail="a@example.net")
    canned.add("memberships", project="shop", user="amy", roles=["Reporter"])
    issue(canned, assigned_to="amy")


def not_a_member(canned: Canned) -> None:
    """An issue of a group that is not in the project."""
    canned.add("groups", name="Support")
    canned.add("users", login="amy", mail="a@example.net")
    canned.add("memberships", project="shop", user="amy", roles=["Manager"])
    issue(canned, assigned_to="Support")


def other_category(canned: Canned) -> None:
    """An issue with a category of another project."""
    canned.add("projects", identifier="other")
    canned.add("issue_categories", project="other", name="Theirs")
    issue(canned, category="Theirs")


def disabled(canned: Canned) -> None:
    """An issue whose tracker has some of its fields disabled."""
    canned.row("trackers", "Bug")["enabled_standard_fields"] = ["assigned_to_id", "due_date"]
    issue(canned, description="left over", due_date="2026-01-01", estimated_hours=2.0)


def tracker_gone(canned: Canned) -> None:
    """An issue with a tracker that the project does not have any more."""
    issue(canned, tracker="Support", status="In Progress")
    canned.set(canned.row("projects", "shop"), "projects", trackers=["Bug"])


def by_nobody(canned: Canned) -> None:
    """An issue of an account that is none."""
    issue(canned, author={"id": 99, "name": "Anonymous"})


REFUSED = [
    (closed_over_open, "status", "shop/below"),
    (blocked, "status", "shop/blocker"),
    (early, "start_date", "shop/first"),
    (early, "due_date", "shop/first"),
    (inactive, "priority", "Urgent"),
    (unassignable, "assigned_to", ""),
    (not_a_member, "assigned_to", ""),
    (other_category, "category", "other"),
    (disabled, "description", "Bug"),
    (disabled, "estimated_hours", "Bug"),
    (tracker_gone, "tracker", "Support"),
    (tracker_gone, "status", "Support"),
    (by_nobody, "author", "Anonymous"),
]


@pytest.mark.parametrize(("world", "field", "named"), REFUSED, ids=[f"{w.__name__}-{f}" for w, f, _ in REFUSED])
def test_what_another_server_would_refuse(canned: Canned, world: Any, field: str, named: str) -> None:
    """What no new issue can have any more is left out of it, with a reason that names what is in the way."""
    world(canned)
    (remark,) = [r for r in exported(canned) if r.startswith(f"issue shop/one: {field}: ")]
    assert named in remark
    assert field not in declared("One")


def test_what_is_allowed_stays(canned: Canned) -> None:
    """A closed issue whose blockers are closed, an assignee who wrote the issue, an enabled field: all of it is there."""
    blocked(canned, by="Closed")
    canned.add("users", login="amy", mail="a@example.net")
    canned.add("memberships", project="shop", user="admin", roles=["Manager"])
    issue(canned, subject="Mine", author="amy", assigned_to="amy", due_date="2026-01-02")
    canned.row("trackers", "Bug")["enabled_standard_fields"] = ["due_date", "assigned_to_id", "priority_id"]
    assert exported(canned) == []
    assert declared("One")["status"] == "Closed"
    assert declared("Mine")["assigned_to"] == "amy"


def test_what_redmine_would_fill_in_is_said_to_be_nothing(canned: Canned) -> None:
    """Where a project, a category or Redmine itself would give a new issue a value, an issue without one says null."""
    canned.add("users", login="amy", mail="a@example.net")
    canned.add("memberships", project="shop", user="amy", roles=["Manager"])
    canned.add("issue_categories", project="shop", name="Hers", assigned_to="amy")
    version = canned.add("versions", project="shop", name="1.0")
    issue(canned, category="Hers")
    issue(canned, subject="Two")
    assert exported(canned) == []
    assert {"start_date": None, "assigned_to": None, "watchers": []}.items() <= declared("One").items()
    assert "assigned_to" not in declared("Two")
    canned.set(canned.row("projects", "shop"), "projects", default_version=version, default_assignee="amy")
    assert exported(canned) == []
    assert {"fixed_version": None, "assigned_to": None}.items() <= declared("Two").items()


def test_an_issue_of_a_tracker_that_makes_issues_private_says_whether_it_is(canned: Canned) -> None:
    """From 7.0 on, another server could make it private."""
    issue(canned, tracker="Bug", is_private=False)
    issue(canned, subject="Two", tracker="Feature", is_private=False)
    canned.set(canned.row("trackers", "Bug"), "trackers", private_by_default=True)
    assert exported(canned) == []
    assert declared("One")["is_private"] is False
    assert "is_private" not in declared("Two")


def test_defaults_are_not_written(canned: Canned) -> None:
    """The status that a tracker's issues begin with and the default priority go without saying, others do not."""
    issue(canned)
    issue(canned, subject="Two", status="In Progress", priority="High")
    assert exported(canned) == []
    assert {"status", "priority", "is_private", "done_ratio"}.isdisjoint(declared("One"))
    assert {"status": "In Progress", "priority": "High"}.items() <= declared("Two").items()


def test_keys_of_a_key_field_are_keys(canned: Canned) -> None:
    """What the key field has is the issue's `key`, and not a custom field; an issue without one is known by its subject."""
    canned.add("custom_fields", name=KEY)
    issue(canned, custom_fields={KEY: "login"})
    issue(canned, subject="Two")
    assert exported(canned, KEY) == []
    assert declared("login")["subject"] == "One"
    assert "custom_fields" not in declared("login")
    assert "key" not in declared("Two")


def test_notes_that_cannot_be_written_again(canned: Canned) -> None:
    """A note of somebody without an account is written without its author, and one that is blank is not; both are told."""
    issue(
        canned,
        journals=[
            {
                "id": 1,
                "user": {"id": 1, "name": "Redmine Admin"},
                "notes": "kept",
                "private_notes": False,
                "details": [],
            },
            {
                "id": 2,
                "user": {"id": 99, "name": "Anonymous"},
                "notes": "nobody's",
                "private_notes": False,
                "details": [],
            },
            {
                "id": 3,
                "user": {"id": 1, "name": "Redmine Admin"},
                "notes": " \t",
                "private_notes": False,
                "details": [],
            },
            {"id": 4, "user": {"id": 1, "name": "Redmine Admin"}, "notes": "", "private_notes": False, "details": []},
        ],
    )
    remarks = exported(canned)
    assert len(remarks) == 2
    assert all(remark.startswith("issue shop/one: notes: ") for remark in remarks)
    assert len(declared("One")["notes"]) == 2


# -- whole objects ---------------------------------------------------------------------------------------------


def test_what_redmine_creates_with_more_than_it_has(canned: Canned) -> None:
    """An object without what its kind needs is left out, and so is every reference to it; both are told."""
    canned.row("projects", "shop")["enabled_modules"].append({"id": 9, "name": "wiki"})
    canned.add("wiki_pages", inside="shop", title="Above", text="")
    canned.add("wiki_pages", inside="shop", title="Below", text="x", parent={"title": "Above"})
    remarks = exported(canned)
    assert [r.partition(": ")[0] for r in remarks] == ["wiki_page shop/Above", "wiki_page shop/Below"]
    assert "wiki_page shop/Above is left out" in remarks[1]
    assert set(declared("Below", "projects/shop/wiki_pages.yaml")) == {"project", "title", "text"}


def test_twins_by_name_cannot_be_told_apart(canned: Canned) -> None:
    """Of several news of one title none is written: only their numbers differ."""
    canned.row("projects", "shop")["enabled_modules"].append({"id": 9, "name": "news"})
    for text in ("a", "b"):
        canned.add("news", project="shop", title="Twice", description=text)
    (remark,) = exported(canned)
    assert "#1, #2" in remark


def test_a_version_that_the_project_does_not_see(canned: Canned) -> None:
    """A target version that is not shared with the project cannot be given to a new issue there."""
    canned.add("projects", identifier="other")
    canned.add("versions", project="other", name="secret")
    issue(canned, fixed_version="secret")
    (remark,) = exported(canned)
    assert "issue shop/one: fixed_version: " in remark
    assert "fixed_version" not in declared("One")


def test_impossible_dates(canned: Canned) -> None:
    """A value that the manifest's own rules refuse is left out with the rule's sentence."""
    issue(canned, start_date="2026-02-02", due_date="2026-01-01")
    (remark,) = exported(canned)
    assert "due_date 2026-01-01" in remark
    assert "due_date" not in declared("One")


def test_files_of_an_issue(canned: Canned) -> None:
    """Attachments are files beside the manifest; of two with one name neither, and one that the server has lost is told."""
    files = [(1, "a.txt", b"a"), (2, "twice.txt", b"b"), (3, "twice.txt", b"c"), (4, "lost.txt", None)]
    listed = []
    for number, name, content in files:
        row = {"id": number, "filename": name, "filesize": 1, "description": "", "content_url": ""}
        listed.append(row)
        canned.add("attachments", **row)
        if content is not None:
            canned.files[number] = content
    issue(canned, attachments=listed)
    remarks = exported(canned)
    assert sorted(remark.split(": ")[1] for remark in remarks) == ["attachments.lost.txt", "attachments.twice.txt"]
    assert [Path("out/projects/shop", item["file"]).read_bytes() for item in declared("One")["attachments"]] == [b"a"]
