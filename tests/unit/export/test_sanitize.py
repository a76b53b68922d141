"""Exports without personal data: where stand-ins go, what stays, and what is left out because nothing can stand for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from canned import Canned
from exports import Exports, contents
from promises import fields

PERSONAL = ("jane", "doe", "jdoe", "corp.example")
OPTIONS = [{"value": "1", "label": "Jane Doe"}, {"value": "2", "label": "nobody"}]


@pytest.fixture
def people(canned: Canned) -> Canned:
    """A server that Jane Doe is a user of."""
    canned.add("users", login="jdoe", firstname="Jane", lastname="Doe", mail="jane@corp.example")
    return canned


def exported(canned: Canned, **scope: Any) -> tuple[str, list[str]]:
    """All that a sanitized export writes, which names nobody, and what it left out."""
    made = Exports(canned).write(Path("out"), sanitize=True, **scope)
    text = "\n".join(f"{name}\n{content.decode()}" for name, content in contents(Path("out")).items())
    assert [word for word in PERSONAL if word in text.lower()] == []
    assert Exports(canned).read(Path("out")).problems == ()
    return text, [f"{address}: {said}" for address, said in made.left_out]


def add_issue(canned: Canned, **values: Any) -> int:
    """A new issue of the project."""
    return canned.add("issues", **{"project": "shop", "subject": "One", **values})


def test_somebody_is_the_same_person_everywhere(people: Canned) -> None:
    """A user's stand-in is the same in accounts, members, assignees, texts, names of groups and of versions."""
    people.add("groups", name="Friends of Jane Doe", users=["jdoe"])
    people.add("memberships", project="shop", user="jdoe", roles=["Manager"])
    people.add("versions", project="shop", name="For jdoe", description="by jane@corp.example")
    people.add("issue_categories", project="shop", name="Jane", assigned_to="jdoe")
    add_issue(
        people,
        subject="Ask Jane",
        description="jdoe knows",
        assigned_to="jdoe",
        author="jdoe",
        category="Jane",
        watchers=["jdoe"],
    )
    people.set(
        people.row("projects", "shop"), "projects", description="Jane's", enabled_modules=["issue_tracking", "news"]
    )
    people.add("news", project="shop", title="Jane is here", description="Doe!", author="jdoe")
    text, left_out = exported(people)
    assert left_out == []
    for said in (
        "login: user2",
        "firstname: First2",
        "mail: user2@example.net",
        "Friends of First2 Last2",
        "users: [user2]",
        "{user: user2, roles: [Manager]}",
        "For user2",
        "by user2@example.net",
        "subject: Ask First2",
        "assigned_to: user2",
        "author: user2",
        "watchers: [user2]",
        "First2 is here",
    ):
        assert said in text


def test_mail_addresses_of_others(people: Canned) -> None:
    """An address that is no user's has a stand-in too, and both are counted."""
    add_issue(people, description="Write to somebody@corp.example or jane@corp.example.")
    made = Exports(people).write(Path("out"), sanitize=True)
    assert made.sanitized == (2, 1)
    assert (
        "Write to person1@example.net or user2@example.net."
        in contents(Path("out"))["projects/shop/issues.yaml"].decode()
    )


def test_nothing_that_is_no_text_is_changed(people: Canned) -> None:
    """Names that an administrator gave, dates, states, numbers and modules stay as they are."""
    people.row("trackers", "Feature")["name"] = "Jane"
    people.set(people.row("projects", "shop"), "projects", enabled_modules=["issue_tracking", "time_tracking"])
    people.add("time_entries", project="shop", user="admin", spent_on="2026-11-02", hours=2.5)
    add_issue(people, start_date="2026-01-02", estimated_hours=3.5, status="In Progress", priority="High")
    made = Exports(people).write(Path("out"), sanitize=True)
    text = "\n".join(content.decode() for content in contents(Path("out")).values())
    assert made.left_out == ()
    assert "trackers: [Bug, Jane, Support]" in text
    for said in (
        "start_date: 2026-01-02",
        "estimated_hours: 3.5",
        "status: In Progress",
        "hours: 2.5",
        "activity: Design",
    ):
        assert said in text


CUSTOM: list[tuple[str, dict[str, Any], Any, str | None]] = [
    ("string", {}, "ask Jane", "ask First2"),
    ("text", {}, "nothing of interest", "nothing of interest"),
    ("string", {"regexp": "^ask"}, "ask Jane", None),
    ("string", {"max_length": 8}, "ask Jane", None),
    ("string", {"min_length": 9, "max_length": 20}, "ask Jane!", "ask First2!"),
    ("list", {"possible_values": [{"value": "Jane"}]}, "Jane", None),
    ("list", {"possible_values": [{"value": "red"}]}, "red", "red"),
    ("list", {"possible_values": [{"value": "Jane"}, {"value": "red"}], "multiple": True}, ["red", "Jane"], None),
    ("enumeration", {"possible_values": OPTIONS}, "1", None),
    ("enumeration", {"possible_values": OPTIONS}, "2", "nobody"),
    ("int", {}, "12", "12"),
    ("user", {}, "4", "user2"),
]


@pytest.mark.parametrize(("kind", "rules", "value", "expected"), CUSTOM, ids=[f"{c[0]}-{c[2]}" for c in CUSTOM])
def test_custom_fields(people: Canned, kind: str, rules: dict[str, Any], value: Any, expected: str | None) -> None:
    """Free texts get stand-ins if the field's rules allow it; a choice that names somebody is left out and told."""
    people.add("custom_fields", name="Field", field_format=kind, **rules)
    people.row("users", "jdoe")["id"] = 4
    add_issue(people, custom_fields={"Field": value})
    text, left_out = exported(people)
    assert (f"Field: {expected}" in text) == (expected is not None)
    assert ["Field" in remark for remark in left_out] == ([] if expected is not None else [True])


def test_custom_fields_of_users_are_not_kept(people: Canned) -> None:
    """Whatever a user's text fields have, it is personal."""
    people.add("custom_fields", name="Hobby", customized_type="user")
    people.set(people.row("users", "jdoe"), "users", custom_fields={"Hobby": "chess"})
    text, _ = exported(people)
    assert "chess" not in text
    assert "Hobby: (left out)" in text


def test_projects_named_after_somebody(people: Canned) -> None:
    """An identifier is replaced everywhere; of two that become the same, one gets a number."""
    for identifier in ("jane", "first2", "jdoe"):
        people.add("projects", identifier=identifier, name=identifier, parent="shop")
        people.add("issues", project=identifier, subject="Deep")
    text, left_out = exported(people)
    assert left_out == []
    identifiers = {line.split()[-1] for line in text.splitlines() if line.startswith("  - identifier:")}
    assert len(identifiers) == 4
    assert "shop" in identifiers


def test_some_projects(people: Canned) -> None:
    """With a scope, what is in the chosen projects is written, and nothing else."""
    people.add("projects", identifier="web", name="Jane's")
    people.add("issues", project="web", subject="Hers")
    add_issue(people, subject="Not hers")
    text, _ = exported(people, projects="web")
    assert "Hers" in text
    assert "Not hers" not in text


def test_names_that_become_the_same(people: Canned) -> None:
    """Of two objects whose names are the same without personal data, one is left out with the reason."""
    people.add("users", login="other", firstname="Jane", lastname="Other", mail="o@x.example")
    people.row("projects", "shop")["enabled_modules"].append({"id": 9, "name": "wiki"})
    people.add("versions", project="shop", name="Jane")
    people.add("versions", project="shop", name="JANE")
    for title in ("Jane", "First3", "JANE"):
        people.add("wiki_pages", inside="shop", title=title, text="x")
    _, left_out = exported(people)
    assert left_out
    assert all(
        "its sanitized name is that of another object" in remark or "only their" in remark for remark in left_out
    )


def test_contents_of_files_are_withheld(people: Canned) -> None:
    """A file keeps its place, under a name without personal data, and has nothing in it."""
    row = {"id": 1, "filename": "cv_jane.txt", "filesize": 3, "description": "of Jane", "content_url": ""}
    people.add("attachments", **row)
    people.files[1] = b"Jane Doe"
    add_issue(people, attachments=[row])
    text, left_out = exported(people)
    assert left_out == []
    assert "cv_first2.txt" in text
    assert "left out (reconciler export --sanitize)" in text
    assert not any("download" in path for _, path in people.seen)


def test_the_server_is_not_changed(people: Canned) -> None:
    """A sanitized export reads, and what it read is as it was: an export with everything after it has everything."""
    add_issue(people, subject="Ask Jane")
    exported(people)
    Exports(people).write(Path("all"))
    assert "Ask Jane" in contents(Path("all"))["projects/shop/issues.yaml"].decode()
    assert fields(Exports(people).plan(Path("all"))) == {}
    assert {method for method, _ in people.seen} == {"GET"}
