"""Redmine's traps 1 to 19: what it accepts without doing it, and what it destroys. In the order of the API notes.

Each test springs the trap with a bare request first, then shows that the tool does not fall into it. Redmine 5.0 and
6.1 do the same unless the docstring says otherwise. Default data: trackers 1 Bug, 2 Feature, 3 Support; statuses 1 New,
2 In Progress, 5 Closed; roles 3 Manager, 4 Developer, 5 Reporter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from promises import Api, Tool, fields, outcomes, setting, sql, tool, troubles, values
from proxy import Proxy

from reconciler.sandbox import Running

TRACKERS = ["Bug", "Feature", "Support"]


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def project(identifier: str = "shop", **more: Any) -> dict[str, Any]:
    """The declaration of a project that can have issues."""
    named = {"identifier": identifier, "name": identifier, "trackers": TRACKERS}
    return {**named, "enabled_modules": ["issue_tracking"], **more}


def shop(**more: Any) -> dict[str, Any]:
    """A manifest of one project, with what is in it."""
    return {"projects": [project(**more)]}


def raw_shop(api: Api, identifier: str = "shop", **more: Any) -> dict[str, Any]:
    """The same project, made without the tool."""
    modules = {"enabled_module_names": ["issue_tracking"], "tracker_ids": [1, 2, 3]}
    return api.make("/projects", identifier=identifier, name=identifier, **{**modules, **more})


def raw_issue(api: Api, subject: str, **more: Any) -> int:
    """The id of a new issue in the project, made without the tool."""
    return int(api.make("/projects/shop/issues", subject=subject, **more)["id"])


def raw_user(api: Api, login: str = "amy") -> int:
    """The id of a new user, made without the tool."""
    named = {"firstname": login, "lastname": "Test", "mail": f"{login}@example.net"}
    return int(api.make("/users", login=login, **named)["id"])


def person(login: str = "amy") -> dict[str, Any]:
    """The declaration of the same user."""
    return {"login": login, "firstname": login, "lastname": "Test", "mail": f"{login}@example.net"}


# -- silent success --------------------------------------------------------------------------------------------


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
    inside = {"versions": [{"name": "1", "description": "d"}], "issue_categories": [{"name": "c", "assigned_to": "amy"}]}
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
    The tool closes and reopens both in the right order, and reports what cannot be, with the status unchanged."""
    raw_shop(api)
    parent = raw_issue(api, "parent")
    child = raw_issue(api, "child", parent_issue_id=parent)
    blocker, blocked = raw_issue(api, "blocker"), raw_issue(api, "blocked")
    api.make(f"/issues/{blocker}/relations", issue_to_id=blocked, relation_type="blocks")
    for issue in (parent, blocked):
        api.change(f"/issues/{issue}", status_id=5)
        assert api.get(f"/issues/{issue}")["status"]["name"] == "New"

    report = tool(world).apply(shop(issues=[{"subject": "blocked", "status": "Closed"}, {"subject": "parent", "status": "Closed"}]))
    assert {address: why[1].partition(":")[0] for address, why in troubles(report).items()} == {
        "issue shop/blocked": "status",
        "issue shop/parent": "status",
    }
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
    assert "Redmine never changes the identifier of a project" in problem
    tool(world).settle(shop(status="closed", issues=[{"subject": "top"}, {"subject": "it", "parent": "top"}]))
    assert api.get("/projects/shop")["status"] == 5
    assert api.get(f"/issues/{issue}")["parent"]["id"] == top
    moved = {"projects": [project("other", versions=[{"name": "1.0"}])]}
    assert outcomes(tool(world).settle(moved)) == {"version other/1.0": "done"}


def test_trap_06_custom_fields_that_are_dropped(world: Running, api: Api) -> None:
    """A value for a field that does not exist, is not on the tracker, or is given by name is 204 and ignored. The tool
    names the first two before it writes, turns names into ids, and reports a field that the project has not."""
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
    report = tool(world).apply(shop(issues=[{"subject": "it", "custom_fields": wanted}]))
    (why,) = troubles(report).values()
    assert why[0] == "failed"
    assert why[1].startswith('custom_fields.Some projects: the server accepted "x" but has nothing')
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
    disables: 204 and ignored. The tool reports each by name."""
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

    wanted = [{"subject": "parent", **derived, "priority": "High"}, {"subject": "other", "due_date": "2030-01-01"}]
    report = tool(world).apply(shop(issues=wanted))
    said = {str(r.change.address): sorted(e.partition(":")[0] for e in r.errors) for r in report.results}
    assert said == {"issue shop/parent": sorted([*derived, "priority"]), "issue shop/other": ["due_date"]}
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
    permissions = "--- " + "".join(f"\n- :{name}" for name in ("view_issues", "add_issue_notes")) + "\n"
    sql(world, f"UPDATE roles SET permissions = '{permissions}' WHERE name IN ('Reporter', 'Non member')")
    key = api.get(f"/users/{user}")["api_key"]
    with Api(world, {"X-Redmine-API-Key": key}) as restricted:
        restricted.change(f"/issues/{issue}", subject="raw", notes="a note")
    row = api.get(f"/issues/{issue}?include=journals")
    assert (row["subject"], [journal["notes"] for journal in row["journals"]]) == ("it", ["a note"])

    wanted = {"projects": [{"identifier": "shop", "issues": [{"id": issue, "subject": "new", "done_ratio": 10}]}]}
    report = Tool(world.url, key).apply(wanted)
    (result,) = report.results
    assert result.outcome == "failed"
    assert sorted(error.partition(":")[0] for error in result.errors) == ["done_ratio", "subject"]


def test_trap_10_modules_that_do_not_exist(world: Running, api: Api) -> None:
    """A module that does not exist is stored and shown for ever. The tool takes a misspelt module of Redmine's own for
    the mistake that it is; other names could be a plugin's."""
    raw_shop(api, enabled_module_names=["issue_tracking", "wikki"])
    shown = {module["name"] for module in api.get("/projects/shop?include=enabled_modules")["enabled_modules"]}
    assert shown == {"issue_tracking", "wikki"}

    (problem,) = tool(world).problems(shop(enabled_modules=["issue_tracking", "wikki"]))
    assert 'did you mean "wiki"?' in problem
    tool(world).settle(shop(enabled_modules=["issue_tracking", "of_a_plugin"]))


# -- data loss -------------------------------------------------------------------------------------------------


def test_trap_12_a_refused_list_of_roles_removes_them_all(world: Running, api: Api) -> None:
    """A PUT of no roles, or of unknown ones, is 422, and yet the roles are gone (5.0), or the member (6.1). The tool
    refuses both before it writes, never sends a list without a role that exists, and mends such a member."""
    raw_shop(api)
    user = raw_user(api)
    for roles in ([], [999]):
        if not api.get("/projects/shop/memberships"):
            api.make("/projects/shop/memberships", user_id=user, role_ids=[3])
        number = api.get("/projects/shop/memberships")[0]["id"]
        refused = api.send("PUT", f"/memberships/{number}", {"membership": {"role_ids": roles}})
        assert refused.status_code == 422
        left = [member["roles"] for member in api.get("/projects/shop/memberships")]
        assert left == ([[]] if world.version == "5.0" else [])

    for wrong in ([], ["Manger"]):
        assert len(tool(world).problems(shop(members=[{"user": "amy", "roles": wrong}]))) == 1
    tool(world).settle(shop(members=[{"user": "amy", "roles": ["Manager", "Reporter"]}]))
    (member,) = api.get("/projects/shop/memberships")
    assert [role["name"] for role in member["roles"]] == ["Manager", "Reporter"]


def test_trap_13_a_text_that_reads_none(world: Running, api: Api) -> None:
    """A PUT of the text "none" empties a description. The tool does not send it, and says so; on create it is safe, and
    sent."""
    raw_shop(api)
    issue = raw_issue(api, "it", description="text")
    api.change(f"/issues/{issue}", description="none")
    assert api.get(f"/issues/{issue}")["description"] == ""
    api.change(f"/issues/{issue}", description="text")

    report = tool(world).apply(shop(issues=[{"subject": "it", "description": "none"}]))
    (why,) = troubles(report).values()
    assert why[0] == "failed"
    assert 'clears description when it is sent the text "none"' in why[1]
    assert api.get(f"/issues/{issue}")["description"] == "text"
    tool(world).settle(shop(issues=[{"subject": "new", "description": "none"}]))
    assert api.issue("new")["description"] == "none"


def test_trap_14_a_tracker_there_and_back(world: Running, api: Api) -> None:
    """Another tracker and back loses the values of fields that the one between does not have. The tool sees what is
    missing and restores it, and writes a tracker and its own field together."""
    raw_shop(api)
    sql(world, "UPDATE trackers SET fields_bits = 32 WHERE name = 'Feature'")
    number = api.id("/custom_fields", "Bugs only")
    given = {"due_date": "2030-01-01", "custom_fields": [{"id": number, "value": "x"}]}
    issue = raw_issue(api, "it", tracker_id=1, **given)
    for tracker in (2, 1):
        api.change(f"/issues/{issue}", tracker_id=tracker)
    row = api.get(f"/issues/{issue}")
    assert (row["due_date"], values(row)["Bugs only"]) == (None, None)

    wanted = shop(issues=[{"subject": "it", "tracker": "Bug", "due_date": "2030-01-01", "custom_fields": {"Bugs only": "x"}}])
    lost = {"due_date": "2030-01-01", "custom_fields.Bugs only": "x"}
    assert fields(tool(world).plan(wanted)) == {"issue shop/it": lost}
    tool(world).settle(wanted)
    api.change(f"/issues/{issue}", tracker_id=2)
    assert fields(tool(world).plan(wanted)) == {"issue shop/it": {"tracker": "Bug", **lost}}
    tool(world).settle(wanted)


def test_trap_15_null_empties_a_set(world: Running, api: Api) -> None:
    """`enabled_module_names: null`, or a text, turns all modules off, and then versions and issues cannot be read. The
    tool takes a text for the mistake that it is, empties a set only where the manifest does, and does not take what it
    cannot read for absent."""
    raw_shop(api)
    api.make("/projects/shop/versions", name="1.0")
    api.change("/projects/shop", enabled_module_names=None)
    assert api.get("/projects/shop?include=enabled_modules")["enabled_modules"] == []
    assert api.send("GET", "/projects/shop/versions").status_code == 403

    (problem,) = tool(world).problems(shop(enabled_modules="wiki"))
    assert "enabled_modules: a list is expected" in problem
    without = {"identifier": "shop", "versions": [{"name": "1.0"}]}
    (problem,) = tool(world).problems({"projects": [without]})
    assert "issue_tracking" in problem
    with Proxy(world.url) as proxy:
        Tool(proxy.url, world.api_key).settle({"projects": [{"identifier": "shop", "name": "renamed"}]})
    assert proxy.writes[0].body == b'{"project":{"name":"renamed"}}'
    tool(world).settle({"projects": [{**without, "enabled_modules": ["issue_tracking"]}]})
    assert [version["name"] for version in api.get("/projects/shop/versions")] == ["1.0"]
    tool(world).settle({"projects": [{"identifier": "shop", "enabled_modules": []}]})
    assert api.get("/projects/shop?include=enabled_modules")["enabled_modules"] == []


def test_trap_16_a_delete_that_takes_others_with_it(world: Running, api: Api) -> None:
    """Deleting an issue deletes its subtasks; deleting a category empties it in its issues. The tool refuses to delete
    an issue above declared ones, and deletes the whole tree when that is what is declared; an issue whose category
    goes has none."""
    raw_shop(api)
    parent = raw_issue(api, "raw")
    raw_issue(api, "below", parent_issue_id=parent)
    api.delete(f"/issues/{parent}")
    assert api.get("/issues") == []

    tree = [{"subject": "parent"}, {"subject": "child", "parent": "parent"}]
    tool(world).settle(shop(issues=tree, issue_categories=[{"name": "c"}]))
    gone = {"subject": "parent", "state": "absent"}
    (problem,) = tool(world).problems(shop(issues=[gone, {"subject": "child"}]))
    assert "issue shop/parent" in problem
    tool(world).settle(shop(issues=[gone, {"subject": "child", "state": "absent"}]))
    assert api.get("/issues") == []
    tool(world).settle(shop(issues=[{"subject": "it", "category": "c"}], issue_categories=[{"name": "c"}]))
    absent = [{"name": "c", "state": "absent"}]
    tool(world).settle(shop(issues=[{"subject": "it", "category": None}], issue_categories=absent))
    assert "category" not in api.issue("it")


def test_trap_17_a_narrower_sharing_unassigns_issues(world: Running, api: Api) -> None:
    """A version that is no longer shared disappears from other projects' issues, with 204. The tool refuses to narrow
    the sharing under a declared issue."""
    raw_shop(api)
    raw_shop(api, "other")
    version = api.make("/projects/shop/versions", name="1.0", sharing="system")["id"]
    issue = api.make("/projects/other/issues", subject="it", fixed_version_id=version)["id"]
    api.change(f"/versions/{version}", sharing="none")
    assert "fixed_version" not in api.get(f"/issues/{issue}")

    there = project("other", issues=[{"subject": "it", "fixed_version": {"project": "shop", "name": "1.0"}}])
    tool(world).settle({"projects": [project(versions=[{"name": "1.0", "sharing": "system"}]), there]})
    narrow = {"projects": [project(versions=[{"name": "1.0", "sharing": "none"}]), there]}
    (problem,) = tool(world).problems(narrow)
    assert "issue other/it" in problem
    assert api.get(f"/issues/{issue}")["fixed_version"]["name"] == "1.0"


def test_trap_18_a_text_destroys_an_attachment(world: Running, api: Api) -> None:
    """A text sent to an attachment field empties it, and the file is gone. The tool refuses a text there, and leaves the
    field alone when it changes others."""
    raw_shop(api)
    number = api.id("/custom_fields", "Issue attachment")
    octets = {"content": b"file", "headers": {"Content-Type": "application/octet-stream"}}
    issue = raw_issue(api, "it")

    def attach() -> str:
        token = api.send("POST", "/uploads?filename=a.txt", **octets).json()["upload"]["token"]
        api.change(f"/issues/{issue}", custom_fields=[{"id": number, "value": {"token": token, "filename": "a.txt"}}])
        return str(values(api.get(f"/issues/{issue}"))["Issue attachment"])

    assert attach().isdigit()
    api.change(f"/issues/{issue}", custom_fields=[{"id": number, "value": "a.txt"}])
    assert not values(api.get(f"/issues/{issue}"))["Issue attachment"]

    kept = attach()
    (problem,) = tool(world).problems(shop(issues=[{"subject": "it", "custom_fields": {"Issue attachment": "a.txt"}}]))
    assert "Issue attachment: it holds a file" in problem
    tool(world).settle(shop(issues=[{"subject": "it", "custom_fields": {"Issue string": "x"}}]))
    assert values(api.get(f"/issues/{issue}"))["Issue attachment"] == kept


def test_trap_19_the_account_that_works_demotes_itself(world: Running, api: Api) -> None:
    """Redmine lets an account take its own administrator's rights away. The tool refuses to demote, lock or delete the
    account that it works with."""
    second = raw_user(api, "second")
    api.change(f"/users/{second}", admin=True)
    key = api.get(f"/users/{second}")["api_key"]
    with Api(world, {"X-Redmine-API-Key": key}) as own:
        own.change(f"/users/{second}", admin=False)
        assert own.send("GET", "/users").status_code == 403

    for wrong in ({"admin": False}, {"status": "locked"}, {"state": "absent"}):
        (problem,) = tool(world).problems({"users": [{"login": "admin", **wrong}]})
        assert "user admin" in problem
    tool(world).settle({"users": [{"login": "admin", "admin": True, "status": "active"}]})
