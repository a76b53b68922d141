"""What a plan says about the contents of a project that it deletes, and what it asks for that."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from canned import Canned
from engine import plan_of

from reconciler.state import contents

ABSENT = "projects: [{identifier: shop, state: absent}]"
MODULES = ["issue_tracking", "time_tracking", "wiki", "news", "files"]
ALL = "everything else inside it is deleted too, including archived subprojects"


def shop() -> Canned:
    """A project with something of each kind, and two below it, one of which is archived."""
    redmine = Canned()
    redmine.add("projects", identifier="shop", enabled_modules=MODULES)
    redmine.add("projects", identifier="below", parent="shop", enabled_modules=MODULES)
    redmine.add("projects", identifier="gone", parent="shop", status=9)
    redmine.add("projects", identifier="other", enabled_modules=MODULES)
    for number in range(3):
        redmine.add("issues", project="shop", subject=f"Open {number}")
    redmine.add("issues", project="below", subject="Done", status="Closed")
    redmine.add("issues", project="other", subject="Stays")
    for project, hours in (("shop", 1.5), ("below", 2.25), ("other", 8)):
        redmine.add(
            "time_entries", project=project, hours=hours, user="admin", activity="Design", spent_on="2026-11-02"
        )
    redmine.add("wiki_pages", inside="shop", title="Wiki", text="text", version=1)
    redmine.add("wiki_pages", inside="shop", title="Guide", text="text", version=1)
    redmine.add("news", project="below", title="One", description="text")
    return redmine


def test_the_contents_of_a_deleted_project() -> None:
    """The plan counts what is deleted with a project and its subprojects: issues in any status, hours, pages, news."""
    (change,) = plan_of(shop(), ABSENT).changes
    assert change.reason == f"also deletes project below, 2 wiki pages, 4 issues, 3.75 logged hours, 1 news item; {ALL}"


def test_an_empty_project() -> None:
    """Of a project without contents, the plan counts nothing."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    (change,) = plan_of(redmine, ABSENT).changes
    assert change.reason == ALL


def test_very_many_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hours of very many entries are not added up: the plan tells the number of entries, from two requests."""
    monkeypatch.setattr(contents, "MANY", 1)
    redmine = shop()
    (change,) = plan_of(redmine, ABSENT).changes
    assert "2 time entries" in str(change.reason)
    assert len([path for _, path in redmine.seen if path.startswith("/time_entries")]) == 2


def test_a_subproject_that_is_declared_absent_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two projects that are deleted counts what goes with it, and the contents of none are asked for twice."""
    both = "projects: [{identifier: shop, state: absent}, {identifier: below, state: absent}]"
    redmine = shop()
    reasons = {str(c.address): c.reason for c in plan_of(redmine, both).changes}
    assert reasons == {
        "project shop": f"also deletes project below, 2 wiki pages, 4 issues, 3.75 logged hours, 1 news item; {ALL}",
        "project below": f"also deletes 1 issue, 2.25 logged hours, 1 news item; {ALL}",
    }
    lists = Counter(path.partition("?")[0] for _, path in redmine.seen if path.startswith("/projects/"))
    assert {path: lists[path] for path in lists if path.endswith(("wiki/index.json", "news.json", "files.json"))} == {
        f"/projects/{project}/{name}.json": 1
        for project in ("shop", "below")
        for name in ("wiki/index", "news", "files")
    }
    # Of both together they are too many, of each they are not.
    monkeypatch.setattr(contents, "MANY", 1)
    said = [str(change.reason) for change in plan_of(shop(), both).changes]
    assert ["2 time entries" in reason for reason in said] == ["2.25 logged hours" not in reason for reason in said]


def test_projects_between_those_that_are_declared() -> None:
    """What is in a subproject that no manifest declares counts for each project above it."""
    redmine = Canned()
    for number in range(5):
        above = {"parent": f"p-{number - 1}"} if number else {}
        redmine.add("projects", identifier=f"p-{number}", enabled_modules=["issue_tracking"], **above)
        redmine.add("issues", project=f"p-{number}", subject="s")
    text = json.dumps({"projects": [{"identifier": f"p-{number}", "state": "absent"} for number in (0, 2)]})
    reasons = {c.address.key: str(c.reason) for c in plan_of(redmine, text).changes}
    assert reasons == {
        "p-0": f"also deletes project p-1, project p-2, project p-3, project p-4, 5 issues; {ALL}",
        "p-2": f"also deletes project p-3, project p-4, 3 issues; {ALL}",
    }


def test_modules_that_are_off() -> None:
    """What a project cannot show, as the module is off, is not asked for."""
    redmine = Canned()
    redmine.add("projects", identifier="shop", enabled_modules=["news"])
    redmine.add("news", project="shop", title="One", description="text")
    (change,) = plan_of(redmine, ABSENT).changes
    assert change.reason == f"also deletes 1 news item; {ALL}"
    asked = [path for _, path in redmine.seen if path.startswith(("/projects/", "/issues", "/time_entries"))]
    assert asked == ["/projects/shop/news.json"]


def test_levels_of_projects_take_linear_requests() -> None:
    """Twice as many projects, each below the one before, take twice the requests to delete."""

    def requests(count: int) -> int:
        redmine = Canned()
        for number in range(count):
            above = {"parent": f"p-{number - 1}"} if number else {}
            redmine.add("projects", identifier=f"p-{number}", enabled_modules=MODULES, **above)
        text = json.dumps({"projects": [{"identifier": f"p-{number}", "state": "absent"} for number in range(count)]})
        assert len(plan_of(redmine, text).changes) == count
        return len(redmine.seen)

    few, some, many = (requests(count) for count in (10, 20, 40))
    assert many - some == 2 * (some - few)
