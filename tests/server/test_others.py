"""Accounts that are no administrators, on a real Redmine: what they can do, and what they do not see.

`tests/unit/plan/test_hidden.py` and `tests/unit/state/test_glimpses.py` have the details, without a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exports import run
from promises import (
    Api,
    Tool,
    as_user,
    fields,
    permit,
    raw_group,
    raw_issue,
    raw_shop,
    raw_user,
    sql,
    troubles,
)
from proxy import Proxy

from reconciler.sandbox import Running

MODULES = ["issue_tracking", "time_tracking", "news", "wiki", "files"]
MANAGER, DEVELOPER, REPORTER = 3, 4, 5


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    """The administrator's view of a project with members."""
    with Api(world) as api:
        raw_shop(api, enabled_module_names=MODULES)
        for login, role in (("bob", DEVELOPER), ("eve", REPORTER), ("left", DEVELOPER)):
            join(api, raw_user(api, login), role)
        api.change(f"/users/{number(api, 'left')}", status=3)
        yield api


def number(api: Api, login: str) -> int:
    """The id of a user, active or not."""
    found = [row for status in (1, 3) for row in api.get(f"/users?status={status}") if row["login"] == login]
    return int(found[0]["id"])


def join(api: Api, user: int, role: int, project: str = "shop") -> None:
    """Make somebody a member."""
    api.make(f"/projects/{project}/memberships", user_id=user, role_ids=[role])


def account(world: Running, api: Api, role: int | None) -> Tool:
    """The tool with the key of amy, who has this role in the project, or none."""
    user = raw_user(api)
    if role is not None:
        join(api, user, role)
    return Tool(world.url, api.get(f"/users/{user}")["api_key"])


def shop(**inside: Any) -> dict[str, Any]:
    """The declaration of the project with these lists."""
    return {"projects": [{"identifier": "shop", **inside}]}


# -- what works ------------------------------------------------------------------------------------------------


def test_a_manager_keeps_a_whole_project(world: Running, api: Api, tmp_path: Path) -> None:
    """Everything inside the project, with all that names users and groups, is made, verified and kept."""
    ops = raw_group(api, number(api, "bob"), name="Ops")
    api.make("/projects/shop/memberships", user_id=ops, role_ids=[REPORTER])
    (tmp_path / "notes.txt").write_text("text")
    entry = {"user": "amy", "spent_on": "2026-01-02", "activity": "Design", "issue": "it", "hours": 1}
    wanted = shop(
        description="by a manager",
        members=[{"user": "eve", "roles": ["Developer"]}, {"group": "Ops", "roles": ["Developer"]}],
        versions=[{"name": "1.0", "sharing": "descendants"}],
        issue_categories=[{"name": "Backend", "assigned_to": "bob"}],
        issues=[
            {"subject": "it", "assigned_to": "eve", "watchers": ["bob"], "notes": ["said"], "fixed_version": "1.0"}
        ],
        news=[{"title": "Hi", "description": "there"}],
        wiki_pages=[{"title": "Start", "text": "hello"}],
        time_entries=[entry],
    )
    account(world, api, MANAGER).settle(wanted)
    assert api.issue("it")["assigned_to"]["name"] == "eve Test"


def test_the_manifest_of_an_administrator_is_a_managers_too(world: Running, api: Api) -> None:
    """What an administrator has applied is unchanged for a manager, users and groups included."""
    raw_group(api, number(api, "bob"), name="Ops")
    wanted = shop(
        members=[{"user": "bob", "roles": ["Developer"]}, {"group": "Ops", "roles": ["Reporter"]}],
        issues=[{"subject": "it", "assigned_to": "bob", "watchers": ["eve"]}],
    )
    wanted["users"] = [{"login": "bob", "firstname": "bob", "lastname": "Test"}]
    wanted["groups"] = [{"name": "Ops", "users": ["bob"]}]
    Tool(world.url, world.api_key).settle(wanted)
    assert account(world, api, MANAGER).plan(wanted).changes == ()


def test_logins_take_one_request_for_each_member_at_most(world: Running, api: Api) -> None:
    """The list of members is read once, and of those the pages until all logins are known."""
    key = account(world, api, MANAGER).connection.api_key
    assert key is not None
    with Proxy(world.url) as proxy:
        wanted = shop(
            members=[{"user": "bob", "roles": ["Developer"]}], issues=[{"subject": "it", "assigned_to": "bob"}]
        )
        Tool(proxy.url, key.get_secret_value()).plan(wanted)
        read = [exchange.path.partition("?")[0] for exchange in proxy.exchanges]
    assert [path for path in read if path.startswith("/users/") and "current" not in path] == [
        f"/users/{number(api, 'bob')}.json"
    ]
    assert read.count("/projects/shop/memberships.json") == 1
    assert "/users.json" not in read


# -- what is not seen ------------------------------------------------------------------------------------------


def test_who_cannot_be_known_is_said(world: Running, api: Api) -> None:
    """A locked member shows no login, and somebody in no project is not seen; both are problems at their places."""
    raw_user(api, "new")
    wanted = shop(members=[{"user": "left", "roles": ["Developer"]}], issues=[{"subject": "it", "assigned_to": "new"}])
    locked, new = account(world, api, MANAGER).problems(wanted)
    assert 'cannot tell whether there is a user "left"' in locked
    assert f"does not see the login of left Test (#{number(api, 'left')})" in locked
    assert 'cannot tell whether there is a user or group "new"' in new


def test_a_hidden_project_is_neither_created_nor_deleted(world: Running, api: Api) -> None:
    """A private project of others, and an archived one, are there: 403 is not 404."""
    raw_shop(api, "secret", is_public=False)
    raw_shop(api, "old")
    api.send("PUT", "/projects/old/archive")
    own = account(world, api, MANAGER)
    for hidden in ("secret", "old"):
        for more in ({}, {"state": "absent"}, {"status": "active"}):
            (problem,) = own.problems({"projects": [{"identifier": hidden, "name": hidden, **more}]})
            assert f'project "{hidden}" is archived, or hidden from this account' in problem


@pytest.mark.parametrize("role", [DEVELOPER, REPORTER, None], ids=["developer", "reporter", "no member"])
def test_what_a_role_does_not_see_may_exist(world: Running, api: Api, role: int | None) -> None:
    """A private issue of others: a warning where it is created or declared absent, never silence."""
    raw_issue(api, "private", is_private=True)
    raw_issue(api, "seen")
    own = account(world, api, role)
    plan = own.plan(shop(issues=[{"subject": "private"}, {"subject": "seen"}, {"subject": "gone", "state": "absent"}]))
    assert list(fields(plan)) == ["issue shop/private"]
    said = sorted(f"{w.address}: {w.message.partition(':')[0]}" for w in plan.warnings)
    assert said == [
        "issue shop/gone: not seen with this account, but may exist",
        "issue shop/private: created, but may exist already",
    ]


def test_a_manager_sees_private_issues(world: Running, api: Api) -> None:
    """The role of managers shows all issues, so there is no doubt."""
    raw_issue(api, "private", is_private=True)
    plan = account(world, api, MANAGER).plan(
        shop(issues=[{"subject": "private"}, {"subject": "gone", "state": "absent"}])
    )
    assert (plan.changes, plan.warnings) == ((), ())


DENIED = {
    "news": {"news": [{"title": "Hi", "description": "x"}]},
    "wiki_page": {"wiki_pages": [{"title": "Start", "text": "x"}]},
    "version": {"versions": [{"name": "1.0"}]},
    "issue": {"issues": [{"subject": "it"}]},
    "time_entry": {"time_entries": [{"user": "amy", "spent_on": "2026-01-02", "activity": "Design", "hours": 1}]},
}


@pytest.mark.parametrize("kind", DENIED)
def test_a_list_that_may_not_be_read_is_not_empty(world: Running, api: Api, kind: str) -> None:
    """Without the permission to view them, objects are neither created nor absent as declared; others are planned."""
    own = account(world, api, REPORTER)
    permit(world, "add_issues", "log_time", "manage_versions", "manage_news", "edit_wiki_pages")
    ((name, items),) = DENIED[kind].items()
    for state in ({}, {"state": "absent"}):
        problems = own.problems(shop(**{name: [{**item, **state} for item in items]}))
        assert len(problems) == 1
        assert "cannot tell whether it exists: this account may not" in problems[0]
        assert f"{kind} shop/" in problems[0]


def test_time_of_others_may_be_hidden(world: Running, api: Api) -> None:
    """With a role that shows the own time only, that of others is not absent."""
    spent = {"spent_on": "2026-01-02", "activity_id": 8, "hours": 1}
    api.make("/time_entries", project_id=api.get("/projects/shop")["id"], user_id=number(api, "bob"), **spent)
    own = account(world, api, DEVELOPER)
    sql(world, "UPDATE roles SET time_entries_visibility = 'own' WHERE name = 'Developer'")
    entry = {"user": "bob", "spent_on": "2026-01-02", "activity": "Design", "hours": 1, "state": "absent"}
    plan = own.plan(shop(time_entries=[entry, {**entry, "user": "amy"}]))
    (warning,) = plan.warnings
    assert plan.changes == ()
    assert "time entries of others" in warning.message


def test_watchers_and_private_notes_that_are_not_shown(world: Running, api: Api) -> None:
    """Watchers are not compared, and a private note is added with a warning."""
    issue = raw_issue(api, "it", watcher_user_ids=[number(api, "bob")])
    api.change(f"/issues/{issue}", notes="secret", private_notes=True)
    own = account(world, api, REPORTER)
    permit(world, "view_issues", "add_issue_notes", "set_notes_private")
    note = {"text": "secret", "private": True}
    plan = own.plan(shop(issues=[{"subject": "it", "watchers": ["bob"], "notes": [note]}]))
    assert list(fields(plan)["issue shop/it"]) == ["notes"]
    said = [warning.message for warning in plan.warnings]
    assert any(text.startswith("watchers: not compared") for text in said)
    assert any("private notes of others are hidden" in text for text in said)


def test_nothing_private_is_published(world: Running, api: Api) -> None:
    """A role without the permission gets 201 and 204 from Redmine for a public issue and a public note; the tool writes
    neither."""
    with as_user(world, api, raw_user(api, "carl")) as carl:
        join(api, number(api, "carl"), REPORTER)
        raw = carl.make("/projects/shop/issues", subject="raw", is_private=True)
        carl.change(f"/issues/{raw['id']}", notes="secret", private_notes=True)
    assert raw["is_private"] is False
    assert [j["private_notes"] for j in api.get(f"/issues/{raw['id']}?include=journals")["journals"]] == [False]
    own = account(world, api, REPORTER)
    notes = [{"text": "x", "private": True}]
    problems = own.problems(shop(issues=[{"subject": "new", "is_private": True}, {"subject": "raw", "notes": notes}]))
    assert len(problems) == 2
    assert all("so Redmine would publish" in problem for problem in problems)


def test_roles_that_the_account_does_not_manage(world: Running, api: Api) -> None:
    """Redmine gives a member no role that the role of the account does not manage, and may say nothing: it is reported,
    and the member keeps the roles that it had."""
    own = account(world, api, MANAGER)
    sql(
        world,
        f"UPDATE roles SET all_roles_managed = 0 WHERE id = {MANAGER}",
        f"INSERT INTO roles_managed_roles (role_id, managed_role_id) VALUES ({MANAGER}, {REPORTER})",
    )
    for roles, why in ((["Developer"], ""), (["Reporter", "Developer"], "may not give or take some of these roles")):
        report = own.apply(shop(members=[{"user": "eve", "roles": roles}]))
        ((outcome, said),) = troubles(report).values()
        assert outcome == "failed"
        assert why in said
        (kept,) = [m["roles"] for m in api.get("/projects/shop/memberships") if m["user"]["name"] == "eve Test"]
        assert [role["name"] for role in kept] == ["Reporter"]


# -- commands --------------------------------------------------------------------------------------------------


def test_the_command_line_of_a_manager(world: Running, api: Api, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` says what the account is; with --keep-going all is applied that can be; an export says what it needs."""
    key = account(world, api, MANAGER).connection.api_key
    assert key is not None
    monkeypatch.setenv("REDMINE_API_KEY", key.get_secret_value())
    Path("a.yaml").write_text(
        json.dumps(shop(versions=[{"name": "1.0"}], members=[{"user": "left", "roles": ["Manager"]}]))
    )
    said = run("check", "a.yaml", code=3).output
    assert "The account is amy, not an administrator." in said
    assert "Its roles: Manager in shop." in said
    assert "It may not list users, groups and custom fields" in said
    assert "a.yaml:1:" in said and 'there is a user "left"' in said
    assert "1 done, 1 failed" in run("apply", "--yes", "--keep-going", "a.yaml", code=4).output
    assert [row["name"] for row in api.get("/projects/shop/versions")] == ["1.0"]
    Path("reconciler.yaml").write_text(f"user_ids: {{left: {number(api, 'left')}}}\n")
    assert "to change" in run("plan", "a.yaml").output
    assert "An export needs an administrator's API key" in run("export", "-o", "out", code=1).output


def test_check_says_what_may_not_be_read(
    world: Running, api: Api, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists of the projects in the manifests that the role does not show are named before the problems."""
    key = account(world, api, REPORTER).connection.api_key
    assert key is not None
    permit(world, "view_issues")
    monkeypatch.setenv("REDMINE_API_KEY", key.get_secret_value())
    Path("a.yaml").write_text(json.dumps(shop(news=[{"title": "Hi", "description": "x"}])))
    said = run("check", "a.yaml", code=3).output
    assert 'This account may not read the news of project "shop".' in said
    assert "news shop/Hi: cannot tell whether it exists" in said
