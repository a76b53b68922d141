"""Redmine's traps 20 to 28, in the order of the API notes: lists that give a false view of the world.

Each test springs the trap with a bare request first, then shows that the tool does not fall into it. Redmine 5.0 and
6.1 do the same unless the docstring says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from promises import (
    KEY,
    Api,
    Tool,
    as_user,
    fields,
    outcomes,
    person,
    project,
    raw_issue,
    raw_shop,
    raw_user,
    setting,
    shop,
    sql,
    tool,
    troubles,
)
from proxy import DROPPED, Proxy

from reconciler.errors import AuthenticationFailed, Location, RefusedError, RestApiDisabled
from reconciler.model.name_index import Names
from reconciler.plan import plan_file
from reconciler.redmine.client import Client
from reconciler.sandbox import Running
from reconciler.state import live


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def test_trap_20_a_wrong_key_is_nobody(world: Running, api: Api) -> None:
    """With a wrong key, a locked user's, or REST switched off, lists are 200 and show what is public. The tool stops
    with the reason before it takes that for the world."""
    raw_shop(api)
    raw_shop(api, "hidden", is_public=False)
    user = raw_user(api)
    key = api.get(f"/users/{user}")["api_key"]
    api.change(f"/users/{user}", status=3)
    for wrong in ("0" * 40, key):
        with Api(world, {"X-Redmine-API-Key": wrong}) as nobody:
            assert [row["identifier"] for row in nobody.get("/projects")] == ["shop"]
        with pytest.raises(AuthenticationFailed, match="does not accept the API key"):
            Tool(world.url, wrong).plan(shop())
    setting(world, "rest_api_enabled", "0")
    assert [row["identifier"] for row in api.get("/projects")] == ["shop"]
    with pytest.raises(RestApiDisabled, match="An administrator can enable it"):
        tool(world).plan(shop())


def test_trap_21_others_than_administrators_see_less(world: Running, api: Api) -> None:
    """A private issue is in neither list nor total_count for a user who may not see it, nor is a private project; users,
    groups and custom fields are 403. The tool with such a key says what it does not see, and warns before a creation."""
    raw_shop(api)
    raw_shop(api, "hidden", is_public=False)
    raw_issue(api, "seen")
    raw_issue(api, "private", is_private=True)
    user = raw_user(api)
    with as_user(world, api, user) as restricted:
        assert [row["subject"] for row in restricted.get("/issues")] == ["seen"]
        assert restricted.send("GET", "/issues").json()["total_count"] == 1
        assert [row["identifier"] for row in restricted.get("/projects")] == ["shop"]
        refused = ("/users", "/groups", "/custom_fields", "/projects/hidden")
        assert {restricted.send("GET", path).status_code for path in refused} == {403}

    own = Tool(world.url, api.get(f"/users/{user}")["api_key"])
    (problem,) = own.problems({"users": [person("bob")]})
    assert "cannot tell whether it exists: this account may not list users" in problem
    (problem,) = own.problems(
        {"projects": [{"identifier": "shop", "members": [{"user": "bob", "roles": ["Manager"]}]}]}
    )
    assert 'cannot tell whether there is a user "bob"' in problem
    problems = own.problems({"projects": [{"identifier": "hidden", "versions": [{"name": "1.0"}]}]})
    assert all('project "hidden" is archived, or hidden from this account' in problem for problem in problems)
    assert len(problems) == 2
    (warning,) = own.plan({"projects": [{"identifier": "shop", "issues": [{"subject": "private"}]}]}).warnings
    assert "may exist already: private issues are hidden from this account" in warning.message
    assert own.plan({"projects": [{"identifier": "shop", "issues": [{"subject": "seen"}]}]}).changes == ()


def test_trap_22_filters_that_are_ignored(world: Running, api: Api) -> None:
    """Lists by id show open issues only, and a filter that Redmine does not know, or that the field does not support,
    gives everything. (`login=` for users: ignored by 5.0, a filter in 6.1.) The tool sees closed issues, and checks
    every row itself: it finds the right issue although its key field cannot be filtered by."""
    raw_shop(api)
    number = api.id("/custom_fields", KEY)
    for subject in ("one", "two"):
        raw_issue(api, subject, custom_fields=[{"id": number, "value": f"key {subject}"}])
    api.change("/issues/2", status_id=5)
    assert [row["id"] for row in api.get("/issues?issue_id=1,2")] == [1]
    for ignored in ("category_id=1", "cf_999=x", "nonsense=x"):
        assert len(api.get(f"/issues?status_id=*&{ignored}")) == 2
    raw_user(api)
    assert len(api.get("/users?login=amy")) == (2 if world.version == "5.0" else 1)
    sql(world, f"UPDATE custom_fields SET is_filter = 0 WHERE id = {number}")
    assert len(api.get(f"/issues?status_id=*&cf_{number}=key%20one")) == 2

    keyed = tool(world, key_field=KEY)
    wanted = shop(issues=[{"key": "key two", "subject": "renamed"}, {"key": "key three", "subject": "three"}])
    with Proxy(world.url, lambda e: DROPPED if e.method == "POST" and e.write == 1 else None) as proxy:
        report = Tool(proxy.url, world.api_key, key_field=KEY, concurrency=1).apply(wanted)
    assert set(outcomes(report).values()) == {"done"}
    assert keyed.plan(wanted).changes == ()
    assert [row["subject"] for row in api.get("/issues?status_id=*&sort=id")] == ["one", "renamed", "three"]


def test_trap_23_lists_show_what_belongs_to_others(world: Running, api: Api) -> None:
    """A project's issues include its subprojects', its versions those shared with it, its members those who inherit.
    The tool keeps them apart: the same names in the project itself are created, not taken for those."""
    top = raw_shop(api)["id"]
    raw_shop(api, "below", parent_id=top, inherit_members=True)
    api.make("/projects/below/issues", subject="it")
    api.make("/projects/shop/versions", name="1.0", sharing="descendants")
    api.make("/projects/shop/memberships", user_id=raw_user(api), role_ids=[3])
    assert [row["subject"] for row in api.get("/projects/shop/issues")] == ["it"]
    assert [row["project"]["name"] for row in api.get("/projects/below/versions")] == ["shop"]
    assert [row["roles"][0]["inherited"] for row in api.get("/projects/below/memberships")] == [True]

    wanted = {
        "projects": [
            project(issues=[{"subject": "it"}]),
            {
                "identifier": "below",
                "versions": [{"name": "1.0"}],
                "members": [{"user": "amy", "roles": ["Developer"]}],
            },
        ]
    }
    report = tool(world).settle(wanted)
    actions = {str(change.address): change.action for change in report.plan.changes}
    assert actions == {
        "issue shop/it": "create",
        "version below/1.0": "create",
        "membership below/user:amy": "update",
    }
    roles = [(role["name"], "inherited" in role) for role in api.get("/projects/below/memberships")[0]["roles"]]
    assert sorted(roles) == [("Developer", False), ("Manager", True)]


def test_trap_24_projects_that_are_there_and_not_listed(world: Running, api: Api) -> None:
    """A closed project is not in the default list, an archived one in none, and its page is 403 although its identifier
    is taken. The tool finds both, and opens them when that is declared; one that was deleted it makes again. (6.1
    deletes later, in a job.)"""
    for identifier, action in (("closed", "close"), ("archived", "archive")):
        raw_shop(api, identifier)
        assert api.send("PUT", f"/projects/{identifier}/{action}").status_code == 204
    assert api.get("/projects") == []
    assert api.send("GET", "/projects/archived").status_code == 403
    again = {"project": {"identifier": "archived", "name": "again"}}
    assert api.send("POST", "/projects", again).json()["errors"] == ["Identifier has already been taken"]

    declared = [project("closed", status="closed"), {"identifier": "archived", "status": "archived"}]
    assert tool(world).plan({"projects": declared}).changes == ()
    active = [project("closed", status="active"), project("archived", status="active")]
    report = tool(world).apply({"projects": active})
    assert [change.action for change in report.plan.changes] == ["update", "update"]
    assert troubles(report) == {}
    assert fields(tool(world).plan({"projects": active})) == {}
    tool(world).settle({"projects": [{"identifier": "closed", "state": "absent"}]})
    assert troubles(tool(world).apply({"projects": [project("closed")]})) == {}


def test_trap_25_trackers_without_issues(world: Running, api: Api) -> None:
    """A project's trackers are shown as none while the module issue_tracking is off (6.1 leaves the key out). The tool
    does not take them for changed."""
    raw_shop(api, enabled_module_names=["wiki"])
    assert api.get("/projects/shop?include=trackers").get("trackers", []) == []
    wanted = {"identifier": "shop", "enabled_modules": ["wiki"], "trackers": ["Bug"]}
    assert tool(world).plan({"projects": [wanted]}).changes == ()
    tool(world).settle({"projects": [{**wanted, "identifier": "fresh", "name": "fresh"}]})
    tool(world).settle({"projects": [{**wanted, "identifier": "fresh", "enabled_modules": ["issue_tracking"]}]})


def test_trap_26_a_star_that_means_none(world: Running, api: Api) -> None:
    """`status=*` gives no project, and on 5.0 no user; an empty one is all users on 5.0 and 422 on 6.1. The tool sees
    closed projects and locked users on both."""
    raw_shop(api)
    user = raw_user(api)
    assert api.get("/projects?status=*") == []
    assert len(api.get("/users?status=*")) == (0 if world.version == "5.0" else 2)
    assert api.send("GET", "/users?status=").status_code == (200 if world.version == "5.0" else 422)

    api.change(f"/users/{user}", status=3)
    api.send("PUT", "/projects/shop/close")
    assert tool(world).plan({"users": [{**person(), "status": "locked"}], **shop(status="closed")}).changes == ()


def test_trap_27_pages_that_move(world: Running, api: Api) -> None:
    """An issue that is added between two pages of the default order is seen twice. The tool asks in an order that new
    issues do not change, and reads its pages so that they overlap."""
    raw_shop(api)
    for number in range(4):
        raw_issue(api, f"issue {number}")
    first = [row["id"] for row in api.get("/issues?limit=2")]
    raw_issue(api, "between")
    assert (first, [row["id"] for row in api.get("/issues?limit=2&offset=2")]) == ([4, 3], [3, 2])

    with Proxy(world.url) as proxy:
        plan = Tool(proxy.url, world.api_key).plan(shop(issues=[{"subject": "between"}]))
    assert plan.changes == ()
    (read,) = [exchange.path for exchange in proxy.exchanges if exchange.path.startswith("/issues")]
    assert "&sort=id&" in read


def test_trap_28_an_id_that_is_used_again(world: Running, api: Api) -> None:
    """On 5.0 (SQLite) the next issue gets the id of the one that was deleted last; 6.1 gives a new one. A saved plan is
    refused when its issue was replaced, whatever the id."""
    raw_shop(api)
    issue = raw_issue(api, "it")
    text = plan_file.save(tool(world).plan(shop(issues=[{"id": issue, "subject": "it", "done_ratio": 50}])), Names())
    api.delete(f"/issues/{issue}")
    assert (raw_issue(api, "another", done_ratio=10) == issue) == (world.version == "5.0")

    here = tool(world)
    kept = plan_file.load(text, "plan.json", {}, Location("reconciler.yaml", 1, 1))

    async def recheck() -> None:
        async with Client(here.connection) as client:
            plan_file.check(kept.plan, await live.read(client, kept.desired))

    with pytest.raises(RefusedError, match="issue shop/it"):
        asyncio.run(recheck())
