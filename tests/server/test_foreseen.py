"""What a plan foresees is what Redmine does: each refusal of a value is tried on the server itself too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from promises import Api, sql, tool

from reconciler.sandbox import Running

Row = Mapping[str, Any]
TODAY = "2026-11-02"
PROJECT = {
    "identifier": "shop",
    "name": "Shop",
    "trackers": ["Bug", "Feature"],
    "enabled_modules": ["issue_tracking", "time_tracking"],
}
USER = {"firstname": "Amy", "lastname": "Able", "mail": "amy@example.net"}
TIME = {"user": "admin", "spent_on": TODAY, "activity": "Design", "hours": 1}
KINDS: Mapping[str, tuple[Any, str, str, Row]] = {
    # type: a manifest with these fields of one object, how the API makes it: path, wrapper and fields
    "User": (lambda more: {"users": [{"login": "amy", **USER, **more}]}, "/users", "user", {"login": "amy", **USER}),
    "Group": (lambda more: {"groups": [{"name": "Ops", **more}]}, "/groups", "group", {"name": "Ops"}),
    "Project": (
        lambda more: {"projects": [{"identifier": "web", "name": "Web", **more}]},
        "/projects",
        "project",
        {"identifier": "web", "name": "Web"},
    ),
    "Version": (
        lambda more: {"versions": [{"project": "shop", "name": "1.0", **more}]},
        "/projects/shop/versions",
        "version",
        {"name": "1.0"},
    ),
    "Issue": (
        lambda more: {"issues": [{"project": "shop", "subject": "it", "tracker": "Bug", **more}]},
        "/projects/shop/issues",
        "issue",
        {"subject": "it", "tracker_id": 1},
    ),
    "TimeEntry": (
        lambda more: {"time_entries": [{"project": "shop", **TIME, **more}]},
        "/projects/shop/time_entries",
        "time_entry",
        {"spent_on": TODAY, "hours": 1, "activity_id": 8},
    ),
}
CASES = {
    # what is set of the definition, the value, what the plan says
    "required": ("is_required = 1", None, "is required and has no value"),
    "blanks": ("is_required = 1", "\u00a0\u3000", "is required and has no value"),
    "pattern": (r"regexp = '\A[A-Z]+-\d+\z'", "a-1", "does not match the field's pattern"),
    "short": ("min_length = 3", "ab", "is too short"),
    "long": ("max_length = 3", "abcd", "is too long"),
}


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


@pytest.mark.custom_fields(*(f"{kind} string" for kind in KINDS))
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_values_of_custom_fields(world: Running, api: Api, kind: str, case: str) -> None:
    """Redmine refuses a new object and a change with 422; the plan says so of both."""
    definition, value, said = CASES[case]
    declare, path, wrapper, body = KINDS[kind]
    name = f"{kind} string"
    # An issue of the project shows which custom fields it has (5.0).
    tool(world).settle({"projects": [PROJECT], "issues": [{"project": "shop", "subject": "old"}]})
    number = api.id("/custom_fields", name)
    sql(world, f"UPDATE custom_fields SET {definition} WHERE id = {number}")

    sent = [{"id": number, "value": value}] if value else []
    refused = api.send("POST", path, {wrapper: {**body, "custom_fields": sent}})
    assert refused.status_code == 422, refused.text
    declared = declare({"custom_fields": {name: value}} if value else {})
    (problem,) = tool(world).problems(_with_old(declared))
    assert f"custom_fields: {name}: " in problem
    assert said in problem

    fitting = {"pattern": "A-1", "short": "abc", "long": "abc"}.get(case, "x")
    tool(world).settle(_with_old(declare({"custom_fields": {name: fitting}})))
    (problem,) = tool(world).problems(_with_old(declare({"custom_fields": {name: value}})))
    assert said in problem


def _with_old(declared: dict[str, Any]) -> dict[str, Any]:
    """The manifest with the issue that is there, so that issues of the project are read."""
    issues = [{"project": "shop", "subject": "old"}, *declared.get("issues", ())]
    return {**declared, "issues": issues}


@pytest.mark.custom_fields("Issue int", "Issue link", "Issue string")
def test_a_change_of_one_field_is_refused_because_of_another(world: Running, api: Api) -> None:
    """Redmine checks all custom fields of an object once one is sent, and none otherwise."""
    issue = {"project": "shop", "subject": "it", "tracker": "Bug"}
    tool(world).settle({"projects": [PROJECT], "issues": [{**issue, "custom_fields": {"Issue string": "abc"}}]})
    sql(world, "UPDATE custom_fields SET max_length = 2 WHERE name = 'Issue string'")
    sql(world, "UPDATE custom_fields SET is_required = 1 WHERE name = 'Issue int'")
    number = api.id("/custom_fields", "Issue link")
    body = {"issue": {"custom_fields": [{"id": number, "value": "x"}]}}
    assert api.send("PUT", f"/issues/{api.issue('it')['id']}", body).status_code == 422

    link = {**issue, "custom_fields": {"Issue link": "x"}}
    problems = sorted(tool(world).problems({"issues": [link]}))
    assert len(problems) == 2
    assert "Issue int: is required and has no value" in problems[0]
    assert 'Issue string: the live value does not fit: "abc" is too long' in problems[1]
    tool(world).settle({"issues": [{**issue, "description": "other"}]})
    tool(world).settle(
        {"issues": [{**link, "custom_fields": {"Issue link": "x", "Issue string": "ab", "Issue int": 3}}]}
    )


@pytest.mark.custom_fields("Bugs only")
def test_another_tracker_requires_its_fields(world: Running, api: Api) -> None:
    """Its required custom fields are checked although none is sent."""
    issue = {"project": "shop", "subject": "it"}
    tool(world).settle({"projects": [PROJECT], "issues": [{**issue, "tracker": "Feature"}]})
    sql(world, "UPDATE custom_fields SET is_required = 1 WHERE name = 'Bugs only'")
    # On 5.0 only an issue shows that the project has the field.
    api.make("/issues", project_id="shop", subject="old", tracker_id=1, **_value(api, "Bugs only"))
    number = api.issue("it")["id"]
    assert api.send("PUT", f"/issues/{number}", {"issue": {"tracker_id": 1}}).status_code == 422
    old = {"project": "shop", "subject": "old"}
    (problem,) = tool(world).problems({"issues": [old, {**issue, "tracker": "Bug"}]})
    assert "Bugs only: is required and has no value" in problem
    moved = {**issue, "tracker": "Bug", "custom_fields": {"Bugs only": "x"}}
    tool(world).settle({"issues": [old, moved]})


def _value(api: Api, name: str) -> dict[str, Any]:
    return {"custom_fields": [{"id": api.id("/custom_fields", name), "value": "x"}]}


@pytest.mark.custom_fields("Some projects")
def test_a_field_that_the_project_gets_in_the_same_apply(world: Running, redmine_version: str) -> None:
    """Without that it is a problem (a new project shows on every version what it has: from 5.1 on in its list, before
    in its issues); with it, the project is changed first."""
    issues = [{"subject": "it", "tracker": "Bug", "custom_fields": {"Some projects": "x"}}]
    tool(world).settle({"projects": [{**PROJECT, "issues": [{"subject": "it"}]}]})
    (problem,) = tool(world).problems({"projects": [{**PROJECT, "issues": issues}]})
    assert 'Some projects: project "shop" does not have this custom field' in problem
    report = tool(world).settle({"projects": [{**PROJECT, "issue_custom_fields": ["Some projects"], "issues": issues}]})
    assert report.summary["done"] == 2


@pytest.mark.parametrize("text", [" ", "\u00a0", "\u2003\u3000\u2028"])
def test_a_name_of_blanks(world: Running, api: Api, text: str) -> None:
    """Redmine takes it for none, and the tool does so without a server."""
    assert api.send("POST", "/groups", {"group": {"name": text}}).status_code == 422
    (problem,) = tool(world).problems({"groups": [{"name": text}]})
    assert "expected more than blanks" in problem


def test_a_long_last_name(world: Running, api: Api, redmine_version: str) -> None:
    """Redmine 5.0 takes 30 characters, later ones 255."""
    amy = {"login": "amy", **USER, "lastname": "x" * 31}
    status = api.send("POST", "/users", {"user": {**amy, "login": "raw", "mail": "raw@example.net"}}).status_code
    problems = tool(world).problems({"users": [amy]})
    assert (status, len(problems)) == ((422, 1) if redmine_version == "5.0" else (201, 0))
