"""The account is asked again before much is created."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from canned import Canned, reached
from engine import apply_to

import reconciler
from reconciler import pipeline
from reconciler.config import load
from reconciler.errors import RefusedError
from reconciler.plan.operations import Plan
from reconciler.redmine.client import Client

NAMES = ", ".join(f"{{name: Team {number}}}" for number in range(12))
GROUPS = f"groups: [{NAMES}]"
ME = ("GET", "/users/current.json")


def test_rights_that_were_lost() -> None:
    """Where most declared objects are missing and the account is no administrator any more, nothing is written."""
    redmine = Canned()

    def lose(method: str, path: str) -> None:
        if path.startswith("/groups"):
            redmine.row("users", "admin")["admin"] = False

    redmine.before = lose
    with pytest.raises(RefusedError, match="may only be hidden"):
        apply_to(redmine, GROUPS)
    assert all(method == "GET" for method, _ in redmine.seen)


def test_a_first_apply() -> None:
    """Much that is new is created after one more request."""
    redmine = Canned()
    report = apply_to(redmine, GROUPS)
    assert {result.outcome for result in report.results} == {"done"}
    assert redmine.seen.count(ME) == 2


def test_an_apply_right_after_its_plan(tmp_path: Path) -> None:
    """The end of the plan has asked for the account already: nothing was read since."""
    redmine = Canned()
    (tmp_path / "redmine.yaml").write_text(GROUPS)
    with reached(redmine):
        loaded = reconciler.load(tmp_path, environ={"REDMINE_URL": redmine.url, "REDMINE_API_KEY": redmine.api_key})
        assert loaded.apply().summary["done"] == 12
    assert redmine.seen.count(ME) == 2


def test_rights_that_are_lost_before_a_plan_is_agreed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question takes a while: the account is asked again after it, although nothing was read meanwhile."""
    redmine, hours = Canned(), [0.0]
    (tmp_path / "redmine.yaml").write_text(GROUPS)
    config = load([tmp_path], {"REDMINE_URL": redmine.url, "REDMINE_API_KEY": redmine.api_key})
    monkeypatch.setattr("reconciler.redmine.client.elapsed", lambda: hours[0] * 3600)

    async def main() -> None:
        async with Client(config.connection(), transport=redmine.transport) as client:
            plan = await pipeline.plan(client, pipeline.read(config, [tmp_path]))
            redmine.row("users", "admin")["admin"] = False
            hours[0] += 1
            await pipeline.carry_out(client, plan)

    with pytest.raises(RefusedError, match="may only be hidden"):
        asyncio.run(main())
    assert all(method == "GET" for method, _ in redmine.seen)


def test_what_is_mostly_there() -> None:
    """Where little is missing, the account is not asked again."""
    redmine = Canned()
    apply_to(redmine, GROUPS)
    redmine.seen.clear()
    apply_to(redmine, GROUPS.replace("Team 11", "Other"))
    assert redmine.seen.count(ME) == 1


TEAM = "groups: [{name: Team, users: []}]"


def test_rights_that_are_lost_while_a_plan_is_made(tmp_path: Path) -> None:
    """A plan with changes is refused if the account is another one by its end: what it misses may only be hidden."""
    redmine = Canned()

    def lose(method: str, path: str) -> None:
        if path.startswith("/groups"):
            redmine.row("users", "admin")["admin"] = False

    redmine.before = lose
    with pytest.raises(RefusedError, match="may only be hidden"):
        planned(redmine, tmp_path, TEAM)


def test_the_account_after_a_plan(tmp_path: Path) -> None:
    """The account is asked again after a plan that has changes, and not after one without."""
    redmine = Canned()
    assert planned(redmine, tmp_path, TEAM).requests == len(redmine.seen)
    assert redmine.seen[-1] == ME
    apply_to(redmine, TEAM)
    redmine.seen.clear()
    assert planned(redmine, tmp_path, TEAM).changes == ()
    assert redmine.seen.count(ME) == 1


def planned(redmine: Canned, folder: Path, text: str) -> Plan:
    """The plan for a manifest, as the commands make it."""
    (folder / "redmine.yaml").write_text(text)
    environ = {"REDMINE_URL": redmine.url, "REDMINE_API_KEY": redmine.api_key}
    with reached(redmine):
        return reconciler.load(folder, environ=environ).plan()


ISSUES = "projects: [{identifier: shop, issues: [{subject: One, tracker: Bug}, {subject: Two, tracker: Bug}]}]"
PAGE = ("GET", "/projects/shop.json")


def shop(*, admin: bool = True) -> Canned:
    """A server with a project that has the declared issues."""
    redmine = Canned()
    redmine.add("projects", identifier="shop", name="Shop")
    redmine.row("users", "admin")["admin"] = admin
    for subject in ("One", "Two"):
        redmine.add("issues", project="shop", subject=subject, tracker="Bug")
    return redmine


def hide(redmine: Canned, *, project: bool) -> None:
    """Take the account's rights while the issues are read."""

    def lose(method: str, path: str) -> None:
        if path.startswith("/issues") and method == "GET":
            redmine.tables["issues"] = []
            redmine.row("users", "admin")["admin"] = False
            if project:
                redmine.tables["projects"] = []

    redmine.before = lose


def test_few_objects_of_which_redmine_takes_a_second_one() -> None:
    """Where the few declared issues of a project are all missing, and the account lost its rights, none is created."""
    redmine = shop()
    hide(redmine, project=False)
    with pytest.raises(RefusedError, match="The account or its rights changed while"):
        apply_to(redmine, ISSUES)
    assert all(method == "GET" for method, _ in redmine.seen)


def test_a_project_that_is_hidden_meanwhile() -> None:
    """An account that is no administrator, and that lost only that project, creates nothing in it."""
    redmine = shop(admin=False)
    hide(redmine, project=True)
    with pytest.raises(RefusedError, match='The project "shop" is not shown to the account any more'):
        apply_to(redmine, ISSUES)
    assert all(method == "GET" for method, _ in redmine.seen)


@pytest.mark.parametrize("admin", [True, False])
def test_the_first_issues_of_a_project(admin: bool) -> None:
    """Where they are new, they are created after one more request, or two for an account that may lose the project."""
    redmine = shop(admin=admin)
    redmine.tables["issues"] = []
    apply_to(redmine, ISSUES)
    first = next(number for number, (method, _) in enumerate(redmine.seen) if method != "GET")
    # Between that and the write, the newest issues are read: somebody may have created the same.
    assert "sort=id%3Adesc&limit=100" in redmine.seen[first - 1][1]
    assert redmine.seen[first - 2] == (ME if admin else PAGE)
    assert len(redmine.rows("issues")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "projects: [{identifier: shop, versions: [{name: '1.0'}]}]",
        "projects: [{identifier: new1, name: N, issues: [{subject: A, tracker: Bug}]}]",
    ],
)
def test_what_cannot_be_hidden(text: str) -> None:
    """The account is not asked again before a version, which Redmine would refuse twice, nor for a new project."""
    redmine = shop()
    apply_to(redmine, text)
    assert redmine.seen.count(ME) == 1
