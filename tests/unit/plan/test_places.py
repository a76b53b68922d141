"""Where a problem points: at the item of a list that is wrong, in flow and in block style, not at the list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from canned import Canned
from engine import offline, problems_of

MARKED = "§"
"""Stands before what is wrong."""


@pytest.fixture(scope="module")
def server() -> Iterator[Canned]:
    """A server with custom fields of the formats that lists and files can be in."""
    redmine = Canned()
    tags = [{"value": "a"}, {"value": "b"}]
    add = redmine.add
    add("custom_fields", name="Tags", field_format="list", multiple=True, possible_values=tags)
    add("custom_fields", name="Who", field_format="user", multiple=True)
    add("custom_fields", name="Dotted.1", field_format="list", multiple=True, possible_values=tags)
    add("custom_fields", name="Doc", field_format="attachment")
    add("users", login="amy", firstname="Amy", lastname="Ames", mail="amy@example.net")
    add("projects", identifier="shop", name="Shop", enabled_modules=["issue_tracking", "wiki"])
    yield redmine


def flow(value: Any) -> str:
    """A value in flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    text = "" if value is None else str(value)
    return MARKED * text.startswith(MARKED) + json.dumps(text.lstrip(MARKED))


def block(value: Any, indent: str = "") -> str:
    """A value in block style, behind a key or a dash."""
    if isinstance(value, Mapping) and value:
        lines = (f"{flow(key)}: {block(inner, indent + '  ')}" for key, inner in value.items())
        return "\n" + "\n".join(indent + line for line in lines)
    if isinstance(value, list) and value:
        return "\n" + "\n".join(f"{indent}- {block(item, indent + '  ').lstrip()}" for item in value)
    return flow(value)


ISSUE = {"subject": "A", "tracker": "Bug"}


def in_shop(**lists: Any) -> dict[str, Any]:
    """A manifest of what is inside a project."""
    return {"projects": [{"identifier": "shop", **lists}]}


def issue(**fields: Any) -> dict[str, Any]:
    """A manifest of an issue."""
    return in_shop(issues=[{**ISSUE, **fields}, {**ISSUE, "subject": "B"}])


CASES: dict[str, dict[str, Any]] = {
    "a list of a custom field": issue(custom_fields={"Doc": None, "Tags": ["a", "§bogus", "b"]}),
    "a list of people in a custom field": issue(custom_fields={"Who": ["amy", "§nobody"]}),
    "a custom field with a dot": issue(custom_fields={"Dotted.1": ["a", "b", "§bogus"]}),
    "one value of a custom field": issue(custom_fields={"§Tags": "bogus"}),
    "an unknown custom field": issue(custom_fields={"Tags": ["a"], "§Nope": ["a", "b"]}),
    "the file of a custom field": issue(custom_fields={"Doc": {"filename": "x", "§file": "missing.pdf"}}),
    "the file of an attachment": issue(attachments=[{"file": "here.txt"}, {"filename": "x", "§file": "missing.pdf"}]),
    "the file of a news item": in_shop(
        news=[{"title": "N", "description": "D", "attachments": [{"§file": "missing"}]}]
    ),
    "an attachment twice": issue(attachments=[{"file": "here.txt"}, {"§file": "here.txt"}]),
    "watchers": issue(watchers=["amy", "§nobody"]),
    "a relation": issue(relations=[{"relates": "B"}, {"§blocks": "Nope"}]),
    "a relation twice": issue(relations=[{"relates": "B"}, {"§blocks": "B"}]),
    "an issue that is deleted": in_shop(
        issues=[{**ISSUE, "relations": [{"§relates": "B"}]}, {**ISSUE, "subject": "B", "state": "absent"}]
    ),
    "roles": in_shop(members=[{"user": "amy", "roles": ["Manager", "§Boss"]}]),
    "trackers": in_shop(trackers=["Bug", "§Bgu"]),
    "modules": in_shop(enabled_modules=["wiki", "§wkii", "issue_tracking"]),
    "people of a group": {"groups": [{"name": "Team", "users": ["amy", "§nobody"]}]},
    "a person who is deleted": {
        "groups": [{"name": "Team", "users": ["bob", "§zoe"]}],
        "users": [
            {"login": "zoe", "state": "absent"},
            {"login": "bob", "firstname": "B", "lastname": "B", "mail": "b@b.c"},
        ],
    },
    "fields that are only for creation": issue(create_only=["subject", "§sbjct"]),
    "a wrong type in a list": issue(watchers=["amy", {"§a": "b"}, "bob"]),
}


@pytest.mark.parametrize("style", [flow, block], ids=["flow", "block"])
@pytest.mark.parametrize("case", CASES)
def test_the_place_of_an_item(case: str, style: Any, server: Canned, tmp_path: Any, monkeypatch: Any) -> None:
    """One problem, at the item that is wrong; of a mapping in a list, at its beginning or at its file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").write_text("x")
    text = style(CASES[case]).lstrip("\n")
    before, _, _ = text.partition(MARKED)
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    clean = text.replace(MARKED, "")
    found = offline(clean).problems or problems_of(server, clean)
    places = [(p.location.line, p.location.column, p.message) for p in found]
    brace = int(style is flow and clean.splitlines()[line - 1][column - 2] == "{")
    assert [place[:2] for place in places[:1]] in ([(line, column)], [(line, column - brace)]), places
