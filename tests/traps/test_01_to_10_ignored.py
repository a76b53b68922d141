"""Redmine's traps 1 to 10, in the order of the API notes: what it accepts and does not do.

Each test springs the trap with a bare request first, then shows that the tool does not fall into it. Redmine 5.0 and
6.1 do the same unless the docstring says otherwise. Default data: trackers 1 Bug, 2 Feature, 3 Support; statuses 1 New,
2 In Progress, 5 Closed; roles 3 Manager, 4 Developer, 5 Reporter.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from promises import (
    Api,
    Tool,
    outcomes,
    permit,
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
    values,
)
from proxy import Proxy

from reconciler.sandbox import Running


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def test_trap_01_a_body_that_is_not_read(world: Running, api: Api) -> None:
    """A PUT without JSON's content type or without the wrapper is 204 and changes nothing. The tool's writes have
    both, and arrive."""
    raw_shop(api)
    issue = raw_issue(api, "old")
    text = {"content": b'{"issue": {"subject": "raw"}}', "headers": {"Content-Type": "text/plain"}}
    assert api.send("PUT", f"/issues/{issue}", **text).status_code == 204
    assert api.send("PUT", f"/issues/{issue}", {"subject": "raw"}).status_code == 204
    assert api.get(f"/issues/{issue}")["subject"] == "old"

    inside = {"versions": [{"name": "1"}], "issue_categories": [{"name": "c"}]}
    before = {"users": [person()], **shop(**inside, members=[{"user": "amy", "roles": ["Manager"]}])}
    tool(world).settle(before)
    inside = {
        "versions": [{"name": "1", "description": "d"}],
        "issue_categories": [{"name": "c", "assigned_to": "amy"}],
    }
    members = [{"user": "amy", "roles": ["Reporter"]}]
    changed = shop(**inside, members=members, description="d", issues=[{"id": issue, "subject": "new"}])
    with Proxy(world.url) as proxy:
        Tool(proxy.url, world.api_key).settle({"users": [{**person(), "lastname": "Other"}], **changed})
    assert {exchange.headers["content-type"] for exchange in proxy.writes} == {"application/json"}
    wrappers = {exchange.path.split("/")[1]: exchange.body.split(b'"')[1].decode() for exchange in proxy.writes}
    assert wrappers == {
        "users": "user",
        "projects": "project",
        "memberships": "membership",
        "versions": "version",
        "issue_categories": "issue_category",
        "issues": "issue",
    }


def test_trap_02_null_does_not_clear(world: Running, api: Api) -> None:
    """`assigned_to_id: null` is 204 and ignored, as it is for tracker and status. The tool clears an assignee with "",
    and refuses to clear what cannot be."""
    raw_shop(api)
    api.make("/projects/shop/memberships", user_id=raw_user(api), role_ids=[3])
    issue = raw_issue(api, "it", assigned_to_id=api.get("/users?name=amy")[0]["id"])
    for name in ("assigned_to_id", "tracker_id", "status_id"):
        api.change(f"/issues/{issue}", **{name: None})
    row = api.get(f"/issues/{issue}")
    assert (row["assigned_to"]["name"], row["tracker"]["id"], row["status"]["id"]) == ("amy Test", 1, 1)

    tool(world).settle(shop(issues=[{"subject": "it", "assigned_to": None}]))
    assert "assigned_to" not in api.get(f"/issues/{issue}")
    for name in ("tracker", "status", "priority", "subject"):
        (problem,) = tool(world).problems(shop(issues=[{"key": "it", "id": issue, name: None}]))
        assert f"{name} cannot be cleared" in problem


def test_trap_03_another_tracker_and_status_on_create(world: Running, api: Api) -> None:
    """A POST with a tracker that the project has not, or that does not exist, makes an issue of the first tracker, and
    a status that the workflow does not allow a new issue is dropped. The tool names such a tracker before it writes,
    and reaches the status."""
    raw_shop(api, tracker_ids=[1, 2])
    sql(world, "DELETE FROM workflows WHERE old_status_id = 0 AND new_status_id <> 1")
    for tracker in (99, 3):
        assert api.make("/projects/shop/issues", subject="raw", tracker_id=tracker)["tracker"]["name"] == "Bug"
    assert api.make("/projects/shop/issues", subject="raw", status_id=2)["status"]["name"] == "New"

    two = {"trackers": ["Bug", "Feature"]}
    (problem,) = tool(world).problems(shop(**two, issues=[{"subject": "it", "tracker": "Bugg"}]))
    assert 'did you mean "Bug"?' in problem
    (problem,) = tool(world).problems(shop(**two, issues=[{"subject": "it", "tracker": "Support"}]))
    assert 'tracker "Support" is not enabled in project "shop"' in problem
    tool(world).settle(shop(**two, issues=[{"subject": "it", "status": "Resolved"}]))
    assert api.issue("it")["status"]["name"] == "Resolved"


def test_trap_04_a_status_that_is_not_taken(world: Running, api: Api) -> None:
    """Closing above an open subtask, reopening below a closed parent, and closing what is blocked are 204 and ignored.
    The tool closes and reopens both in the right order, and says before any write what cannot be."""
    raw_shop(api)
    parent = raw_issue(api, "parent")
    child = raw_issue(api, "child", parent_issue_id=parent)
    blocker, blocked = raw_issue(api, "blocker"), raw_issue(api, "blocked")
    api.make(f"/issues/{blocker}/relations", issue_to_id=blocked, relation_type="blocks")
    for issue in (parent, blocked):
        api.change(f"/issues/{issue}", status_id=5)
        assert api.get(f"/issues/{issue}")["status"]["name"] == "New"

    problems = tool(world).problems(
        shop(issues=[{"subject": "blocked", "status": "Closed"}, {"subject": "parent", "status": "Closed"}])
    )
    assert [problem.partition("issue shop/")[2].partition(" (")[0] for problem in problems] == [
        f"blocked: Redmine leaves it open, as open issues block it: #{blocker}",
        f"parent: Redmine leaves it open, as its subtasks stay open: #{child}",
    ]
    assert [api.get(f"/issues/{issue}")["status"]["name"] for issue in (parent, blocked)] == ["New", "New"]
    tree = [{"subject": "parent", "status": "Closed"}, {"subject": "child", "parent": "parent", "status": "Closed"}]
    tool(world).settle(shop(issues=tree))

    api.change(f"/issues/{child}", status_id=1)
    assert api.get(f"/issues/{child}")["status"]["name"] == "Closed"
    tool(world).settle(shop(issues=[{**issue, "status": "New"} for issue in tree]))


def test_trap_05_attributes_that_are_ignored(world: Running, api: Api) -> None:
    """A project's status and identifier, an issue's author and `parent_id`, a version's project: 204 and ignored. The
    tool closes projects by their own action, sets parents, and refuses to rename an identifier; nothing loops."""
    raw_shop(api)
    raw_shop(api, "other")
    top, issue = raw_issue(api, "top"), raw_issue(api, "it")
    version = api.make("/projects/shop/versions", name="1.0")["id"]
    api.change("/projects/shop", status=5, identifier="renamed")
    api.change(f"/issues/{issue}", author_id=raw_user(api), parent_id=top)
    api.change(f"/versions/{version}", project_id=api.get("/projects/other")["id"])
    assert api.get("/projects/shop")["status"] == 1
    assert api.get(f"/issues/{issue}")["author"]["name"] == "Redmine Admin"
    assert "parent" not in api.get(f"/issues/{issue}")
    assert api.get(f"/versions/{version}")["project"]["name"] == "shop"

    (problem,) = tool(world).problems({"projects": [project("renamed", renamed_from="shop")]})
    assert "the identifier of a project cannot be changed" in problem
    tool(world).settle(shop(status="closed", issues=[{"subject": "top"}, {"subject": "it", "parent": "top"}]))
    assert api.get("/projects/shop")["status"] == 5
    assert api.get(f"/issues/{issue}")["parent"]["id"] == top
    moved = {"projects": [project("other", versions=[{"name": "1.0"}])]}
    assert outcomes(tool(world).settle(moved)) == {"version other/1.0": "done"}


@pytest.mark.custom_fields("Bugs only", "Issue string", "Some projects")
def test_trap_06_custom_fields_that_are_dropped(world: Running, api: Api) -> None:
    """A value for a field that does not exist, is not on the tracker, or is given by name is 204 and ignored. The tool
    names the first two before it writes, turns names into ids, and tells of a field that the project has not."""
    raw_shop(api)
    issue = raw_issue(api, "it", tracker_id=2)
    number = api.id("/custom_fields", "Bugs only")
    given = [{"id": 999, "value": "x"}, {"id": number, "value": "x"}, {"name": "Issue string", "value": "x"}]
    for item in given:
        assert api.send("PUT", f"/issues/{issue}", {"issue": {"custom_fields": [item]}}).status_code == 204
    assert "Bugs only" not in values(api.get(f"/issues/{issue}"))
    assert values(api.get(f"/issues/{issue}"))["Issue string"] is None

    (problem,) = tool(world).problems(shop(issues=[{"subject": "it", "custom_fields": {"Issue strin": "x"}}]))
    assert 'did you mean "Issue string"?' in problem
    (problem,) = tool(world).problems(shop(issues=[{"subject": "it", "custom_fields": {"Bugs only": "x"}}]))
    assert 'tracker "Feature" does not have this custom field' in problem
    wanted = {"Some projects": "x", "Issue string": "y"}
    (problem,) = tool(world).problems(shop(issues=[{"subject": "it", "custom_fields": wanted}]))
    assert 'Some projects: project "shop" does not have this custom field' in problem
    tool(world).settle(shop(issues=[{"subject": "it", "custom_fields": {"Issue string": "y"}}]))
    assert values(api.get(f"/issues/{issue}"))["Issue string"] == "y"


def test_trap_07_a_sharing_that_is_not_known(world: Running, api: Api) -> None:
    """A version with `sharing: bogus` is made with 201 and not shared. The tool refuses the word offline, and reports a
    sharing that the account may not choose (`system`, for others than administrators)."""
    raw_shop(api)
    assert api.make("/projects/shop/versions", name="raw", sharing="bogus")["sharing"] == "none"

    (problem,) = tool(world).problems(shop(versions=[{"name": "1.0", "sharing": "hierarhy"}]))
    assert "sharing" in problem
    assert "hierarchy" in problem
    user = raw_user(api)
    api.make("/projects/shop/memberships", user_id=user, role_ids=[3])
    key = api.get(f"/users/{user}")["api_key"]
    wanted = {"projects": [{"identifier": "shop", "versions": [{"name": "1.0", "sharing": "system"}]}]}
    report = Tool(world.url, key).apply(wanted)
    assert troubles(report)["version shop/1.0"][1].startswith('sharing: the server accepted "system" but has "none"')


def test_trap_08_values_that_are_derived_or_disabled(world: Running, api: Api) -> None:
    """Dates, priority and done ratio of a parent, a done ratio that the status decides, and fields that the tracker
    disables: 204 and ignored. The tool tells of each by name, and plans nothing that Redmine computes."""
    raw_shop(api)
    sql(world, "UPDATE trackers SET fields_bits = 32 WHERE name = 'Feature'")
    parent, other = raw_issue(api, "parent"), raw_issue(api, "other", tracker_id=2)
    raw_issue(api, "child", parent_issue_id=parent)
    derived = {"start_date": "2030-01-01", "due_date": "2030-02-01", "done_ratio": 50}
    api.change(f"/issues/{parent}", **derived, priority_id=3)
    api.change(f"/issues/{other}", due_date="2030-01-01")
    row = api.get(f"/issues/{parent}")
    assert (row["due_date"], row["done_ratio"], row["priority"]["name"]) == (None, 0, "Normal")
    assert api.get(f"/issues/{other}").get("due_date") is None

    (problem,) = tool(world).problems(shop(issues=[{"subject": "other", "due_date": "2030-01-01"}]))
    assert 'due_date: tracker "Feature" has this field disabled' in problem
    report = tool(world).apply(shop(issues=[{"subject": "parent", **derived, "priority": "High"}]))
    assert report.results == ()
    warned = [w.message.partition(":")[0] for w in report.plan.warnings if "computes it from the subtasks" in w.message]
    assert sorted(warned) == sorted([*derived, "priority"])
    setting(world, "issue_done_ratio", "issue_status")
    sql(world, "UPDATE issue_statuses SET default_done_ratio = 30 WHERE name = 'New'")
    (why,) = troubles(tool(world).apply(shop(issues=[{"subject": "child", "done_ratio": 70}]))).values()
    assert why[1].startswith("done_ratio: the server accepted 70 but has 30")


def test_trap_09_an_account_that_may_only_add_notes(world: Running, api: Api) -> None:
    """To a PUT by somebody who may only add notes Redmine says 204, and drops the rest. The tool with that account's key
    reports the fields that did not change."""
    raw_shop(api)
    issue, user = raw_issue(api, "it"), raw_user(api)
    api.make("/projects/shop/memberships", user_id=user, role_ids=[5])
    permit(world, "view_issues", "add_issue_notes")
    key = api.get(f"/users/{user}")["api_key"]
    with Api(world, {"X-Redmine-API-Key": key}) as restricted:
        restricted.change(f"/issues/{issue}", subject="raw", notes="a note")
    row = api.get(f"/issues/{issue}?include=journals")
    assert (row["subject"], [journal["notes"] for journal in row["journals"]]) == ("it", ["a note"])

    wanted = {"projects": [{"identifier": "shop", "issues": [{"id": issue, "subject": "new", "done_ratio": 10}]}]}
    report = Tool(world.url, key).apply(wanted)
    (result,) = report.results
    assert result.outcome == "failed"
    assert sorted(str(error).partition(":")[0] for error in result.errors) == ["done_ratio", "subject"]


def test_trap_10_modules_that_do_not_exist(world: Running, api: Api) -> None:
    """A module that does not exist is stored and shown for ever. The tool takes a misspelt module of Redmine's own for
    the mistake that it is; other names could be a plugin's."""
    raw_shop(api, enabled_module_names=["issue_tracking", "wikki"])
    shown = {module["name"] for module in api.get("/projects/shop?include=enabled_modules")["enabled_modules"]}
    assert shown == {"issue_tracking", "wikki"}

    (problem,) = tool(world).problems(shop(enabled_modules=["issue_tracking", "wikki"]))
    assert 'did you mean "wiki"?' in problem
    tool(world).settle(shop(enabled_modules=["issue_tracking", "of_a_plugin"]))
