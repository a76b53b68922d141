"""Redmine's traps 12 to 19, in the order of the API notes: what it destroys by the way.

Each test springs the trap with a bare request first, then shows that the tool does not fall into it. Redmine 5.0 and
6.1 do the same unless the docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from promises import (
    Api,
    Tool,
    fields,
    project,
    raw_issue,
    raw_shop,
    raw_user,
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
    assert 'Redmine treats the text "none" as an empty description' in why[1]
    assert api.get(f"/issues/{issue}")["description"] == "text"
    tool(world).settle(shop(issues=[{"subject": "new", "description": "none"}]))
    assert api.issue("new")["description"] == "none"


@pytest.mark.custom_fields("Bugs only")
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

    wanted = shop(
        issues=[{"subject": "it", "tracker": "Bug", "due_date": "2030-01-01", "custom_fields": {"Bugs only": "x"}}]
    )
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
    assert "enabled_modules: expected a list" in problem
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


@pytest.mark.custom_fields("Issue attachment", "Issue string")
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
    assert "Issue attachment: expected a file" in problem
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
