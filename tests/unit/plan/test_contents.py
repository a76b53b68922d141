"""What a plan says about the contents of a project that it deletes."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import plan_of

from reconciler.state import contents

ABSENT = "projects: [{identifier: shop, state: absent}]"
ALL = "everything else inside it is deleted too, including archived subprojects"


def shop() -> Canned:
    """A project with something of each kind, and two below it, one of which is archived."""
    redmine = Canned()
    modules = ["issue_tracking", "time_tracking", "wiki", "news", "files"]
    redmine.add("projects", identifier="shop", enabled_modules=modules)
    redmine.add("projects", identifier="below", parent="shop", enabled_modules=modules)
    redmine.add("projects", identifier="gone", parent="shop", status=9)
    redmine.add("projects", identifier="other", enabled_modules=modules)
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
