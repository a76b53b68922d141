"""Deleting a project: from Redmine 5.1 on a job does it after the answer, and until then it is neither there nor gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine import apply_to, plan_of, problems_of
from promises import Api, raw_shop, sql

from reconciler.apply import writer
from reconciler.sandbox import Running, Sandbox

ABSENT = "projects: [{identifier: shop, state: absent}]"


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        raw_shop(api)
        yield api


def test_a_deleted_project_is_gone(world: Running, api: Api) -> None:
    """When an apply says that a project is deleted, it is: the same identifier can be used at once."""
    (result,) = apply_to(world, ABSENT).results
    assert (result.outcome, result.notes) == ("done", ())
    assert api.send("GET", "/projects/shop").status_code == 404
    assert apply_to(world, "projects: [{identifier: shop, name: New}]").summary["done"] == 1


def test_what_a_deletion_takes_along(world: Running, api: Api) -> None:
    """The plan says that everything inside goes with a project, counts it, and names its subprojects."""
    raw_shop(api, "sub", parent_id=1)
    api.make("/issues", project_id="sub", subject="One", tracker_id=1)
    api.send("PUT", "/projects/shop", {"project": {"enabled_module_names": ["issue_tracking", "time_tracking"]}})
    api.make("/time_entries", project_id=1, hours=1.25, activity_id=8, spent_on="2026-11-02")
    (change,) = plan_of(world, ABSENT).changes
    assert change.reason is not None
    assert "also deletes project sub" in change.reason
    assert "1 issue, 1.25 logged hours" in change.reason
    assert "everything else inside it is deleted too" in change.reason


def test_a_job_that_does_not_end(redmine: Sandbox, world: Running, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the server has not deleted a project after a while, the result says so, and the next plan does not try again."""
    if redmine.version == "5.0":
        sql(world, "UPDATE projects SET status = 10")
        assert plan_of(world, ABSENT).changes == ()
        return
    monkeypatch.setattr(writer, "LINGERING", (0.1, 0.1))
    sql(world, "CREATE TRIGGER stuck BEFORE DELETE ON projects BEGIN SELECT RAISE(ABORT, 'stuck'); END")
    (result,) = apply_to(world, ABSENT).results
    assert result.notes == ("the server accepted the deletion and is still processing it",)
    again = plan_of(world, ABSENT)
    assert again.changes == ()
    assert "the server is still deleting it" in again.warnings[0].message


@pytest.mark.parametrize(
    "text",
    [
        "projects: [{identifier: shop, name: Shop}]",
        "issues: [{project: shop, subject: s}]",
        "projects: [{identifier: sub, name: Sub, parent: shop}]",
    ],
)
def test_a_project_that_is_about_to_go(world: Running, api: Api, text: str) -> None:
    """A project that the server is deleting can neither be declared, nor have something inside or below."""
    sql(world, "UPDATE projects SET status = 10")
    (problem,) = problems_of(world, text)
    assert "the server is still deleting it; its identifier cannot be used until then" in problem.message
