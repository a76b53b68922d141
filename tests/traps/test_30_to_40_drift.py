"""Redmine's traps 30 to 40, in the order of the API notes: duplicates, changes that never end, crashes.

Each test springs the trap with a bare request first, then shows that the tool does not fall into it. Redmine 5.0 and
6.1 do the same unless the docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from promises import (
    Api,
    Tool,
    fields,
    only,
    outcomes,
    person,
    raw_group,
    raw_issue,
    raw_shop,
    raw_user,
    shop,
    sql,
    tool,
    troubles,
    values,
)
from proxy import DROPPED, Exchange, Fault, Proxy

from reconciler.sandbox import Running


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def test_trap_30_a_lost_answer_makes_two(world: Running, api: Api) -> None:
    """A POST that is repeated because its answer was lost makes a second issue. The tool looks for the first one, and
    makes no other."""
    raw_shop(api)
    with Proxy(world.url, lambda e: DROPPED if e.method == "POST" and e.write == 1 else None) as proxy:
        raw: dict[str, Any] = {"json": {"issue": {"subject": "raw"}}, "headers": {"X-Redmine-API-Key": world.api_key}}
        with httpx.Client(trust_env=False) as naive:
            with pytest.raises(httpx.HTTPError):
                naive.post(f"{proxy.url}/projects/shop/issues.json", **raw)
            assert naive.post(f"{proxy.url}/projects/shop/issues.json", **raw).status_code == 201
        assert len(api.get("/issues?subject=raw")) == 2

        proxy.clear()
        report = Tool(proxy.url, world.api_key).apply(shop(issues=[{"subject": "it"}]))
    assert troubles(report) == {}
    assert report.results[0].notes == (
        "the response to its creation was lost; the object exists and was not created again",
    )
    assert len(api.get("/issues?subject=it")) == 1


def test_trap_31_a_role_that_is_inherited_as_well(world: Running, api: Api) -> None:
    """To give a member directly what a group gives already adds one more row with every PUT on 5.0, and nothing on 6.1.
    The tool takes the role for there, and adds and removes direct roles beside it."""
    raw_shop(api)
    user = raw_user(api)
    api.make("/projects/shop/memberships", user_id=raw_group(api, user), role_ids=[5])
    member = next(row for row in api.get("/projects/shop/memberships") if "user" in row)["id"]
    for _ in range(2):
        api.change(f"/memberships/{member}", role_ids=[5])
    roles = [role["id"] for role in api.get(f"/memberships/{member}")["roles"]]
    assert roles == ([5, 5, 5] if world.version == "5.0" else [5])

    assert tool(world).plan(shop(members=[{"user": "amy", "roles": ["Reporter"]}])).changes == ()
    tool(world).settle(shop(members=[{"user": "amy", "roles": ["Reporter", "Manager"]}]))
    tool(world).settle(shop(members=[{"user": "amy", "roles": ["Reporter"]}]))
    assert {role["id"] for role in api.get(f"/memberships/{member}")["roles"]} == {5}


def test_trap_32_a_member_who_inherits_cannot_be_added(world: Running, api: Api) -> None:
    """A POST for a user who is a member through a group is 422. The tool changes the row that is there; if it comes into
    being after the plan was made, the tool adopts it."""
    raw_shop(api)
    user = raw_user(api)
    group = raw_group(api, user)
    inherited = api.make("/projects/shop/memberships", user_id=group, role_ids=[5])["id"]
    posted = api.send("POST", "/projects/shop/memberships", {"membership": {"user_id": user, "role_ids": [3]}})
    assert (posted.status_code, posted.json()["errors"]) == (422, ["User has already been taken"])

    wanted = shop(members=[{"user": "amy", "roles": ["Manager"]}])
    assert outcomes(tool(world).settle(wanted)) == {"membership shop/user:amy": "done"}

    api.delete(f"/memberships/{inherited}")
    tool(world).settle(shop(members=[{"user": "amy", "state": "absent"}]))

    def join(exchange: Exchange) -> Fault | None:
        if exchange.write == 1:
            api.make("/projects/shop/memberships", user_id=group, role_ids=[5])
        return None

    with Proxy(world.url, join) as proxy:
        report = Tool(proxy.url, world.api_key).apply(wanted)
    assert troubles(report) == {}
    assert report.results[0].notes == ()
    assert fields(tool(world).plan(wanted)) == {}


@pytest.mark.custom_fields(
    "Issue bool",
    "Issue date",
    "Issue enumeration",
    "Issue float",
    "Issue int",
    "Issue list",
    "Issue list multiple",
    "Issue string",
    "Issue text",
    "Issue user",
)
def test_trap_33_values_that_read_otherwise(world: Running, api: Api) -> None:
    """Redmine gives back "1" for true, floats as they were typed, CRLF for LF, "" or nothing for null. The tool compares
    what they mean: nothing is planned again, and what somebody typed in the browser is no change."""
    raw_shop(api)
    wanted: dict[str, Any] = {
        "description": "one\ntwo\n",
        "estimated_hours": 1.5,
        "custom_fields": {
            "Issue bool": True,
            "Issue float": 1.5,
            "Issue int": 5,
            "Issue list": "red",
            "Issue list multiple": ["red", "green"],
            "Issue enumeration": "small",
            "Issue date": "2030-01-01",
            "Issue text": "one\ntwo",
            "Issue string": "",
            "Issue user": None,
        },
    }
    tool(world).settle(shop(description="", homepage=None, issues=[{"subject": "it", **wanted}]))
    row = api.issue("it")
    assert row["description"] == "one\r\ntwo\r\n"
    assert (values(row)["Issue bool"], values(row)["Issue enumeration"]) == ("1", "1")
    assert only(row["custom_fields"], name="Issue string")["value"] in (None, "")

    typed = {"Issue float": "1.50", "Issue int": "05", "Issue string": "", "Issue list multiple": ["green", "red"]}
    given = [{"id": api.id("/custom_fields", name), "value": value} for name, value in typed.items()]
    api.change(f"/issues/{row['id']}", custom_fields=given, description="one\rtwo\n")
    assert values(api.issue("it"))["Issue float"] == "1.50"
    assert tool(world).plan(shop(description=None, homepage="", issues=[{"subject": "it", **wanted}])).changes == ()


def test_trap_34_a_password_that_is_set_each_time(world: Running, api: Api) -> None:
    """Each PUT of a password, the same or not, counts as a change of it. The tool sends it on create only."""
    tool(world).settle({"users": [{**person(), "password": "correct horse"}]})
    user = api.get("/users?name=amy")[0]["id"]
    sql(world, "UPDATE users SET passwd_changed_on = '2020-01-01 00:00:00'")
    with Proxy(world.url) as proxy:
        wanted = {"users": [{**person(), "lastname": "Other", "password": "battery staple"}]}
        Tool(proxy.url, world.api_key).settle(wanted)
    assert [exchange.body for exchange in proxy.writes] == [b'{"user":{"lastname":"Other"}}']
    assert api.get(f"/users/{user}")["passwd_changed_on"].startswith("2020")
    api.change(f"/users/{user}", password="battery staple")
    assert not api.get(f"/users/{user}")["passwd_changed_on"].startswith("2020")


def test_trap_36_defaults_that_are_filled_in_on_create(world: Running, api: Api) -> None:
    """A new issue gets its category's or project's assignee even if the POST says none, and the project's version if it
    says nothing. The tool makes an explicit null stick, in the same apply."""
    raw_shop(api)
    user = raw_user(api)
    api.make("/projects/shop/memberships", user_id=user, role_ids=[3])
    category = api.make("/projects/shop/issue_categories", name="Backend", assigned_to_id=user)["id"]
    version = api.make("/projects/shop/versions", name="1.0")["id"]
    api.change("/projects/shop", default_version_id=version, default_assigned_to_id=user)
    raw = api.make("/projects/shop/issues", subject="raw", category_id=category, assigned_to_id="")
    assert (raw["assigned_to"]["name"], raw["fixed_version"]["name"]) == ("amy Test", "1.0")

    nothing = {"assigned_to": None, "fixed_version": None}
    issues = [{"subject": "by category", "category": "Backend", **nothing}, {"subject": "by project", **nothing}]
    report = tool(world).settle(shop(issues=issues))
    assert len(report.results) == 2
    for subject in ("by category", "by project"):
        assert not {"assigned_to", "fixed_version"} & api.issue(subject).keys()


def test_trap_37_times_that_tell_nothing(world: Running, api: Api) -> None:
    """A PUT that changes nothing moves an issue's updated_on (5.0; not 6.1), and one that changes a project's modules
    does not move the project's. The tool does not go by times: it sends nothing for what is as declared, and sees the
    modules."""
    raw_shop(api)
    raw_issue(api, "it")
    sql(world, *(f"UPDATE {table} SET updated_on = '2020-01-01 00:00:00'" for table in ("issues", "projects")))
    issues = [{"subject": "it", "tracker": "Bug", "description": None, "done_ratio": 0}]
    assert outcomes(tool(world).settle(shop(issues=issues))) == {}
    assert api.issue("it")["updated_on"].startswith("2020")
    api.change("/issues/1", subject="it")
    assert api.issue("it")["updated_on"].startswith("2020") == (world.version == "6.1")
    api.change("/projects/shop", enabled_module_names=["issue_tracking", "wiki"])
    assert api.get("/projects/shop")["updated_on"].startswith("2020")
    assert list(fields(tool(world).plan(shop()))) == ["project shop"]


def test_trap_39_input_that_crashes_redmine(world: Running, api: Api) -> None:
    """An unknown parent, null for what cannot be null, a text for custom fields: 500. The tool refuses each before it
    writes, with its own sentence."""
    raw_shop(api)
    issue, user = raw_issue(api, "it"), raw_user(api)
    crashes: list[tuple[str, dict[str, Any]]] = [
        ("/projects/shop", {"project": {"parent_id": "nobody"}}),
        ("/projects/shop", {"project": {"is_public": None}}),
        ("/projects/shop", {"project": {"inherit_members": None}}),
        (f"/issues/{issue}", {"issue": {"is_private": None}}),
        (f"/issues/{issue}", {"issue": {"custom_fields": "x"}}),
        (f"/users/{user}", {"user": {"admin": None}}),
    ]
    assert [api.send("PUT", path, body).status_code for path, body in crashes] == [500] * 6

    refused: list[tuple[dict[str, Any], str]] = [
        (shop(parent="nobody"), 'there is no project "nobody"'),
        (shop(is_public=None), "is_public cannot be cleared"),
        (shop(inherit_members=None), "inherit_members cannot be cleared"),
        (shop(issues=[{"subject": "it", "is_private": None}]), "is_private cannot be cleared"),
        (shop(issues=[{"subject": "it", "custom_fields": "x"}]), "custom_fields: expected a mapping"),
        ({"users": [{**person(), "admin": None}]}, "admin cannot be cleared"),
    ]
    for wrong, sentence in refused:
        (problem,) = tool(world).problems(wrong)
        assert sentence in problem


def test_trap_39_filters_that_are_too_long(world: Running, api: Api) -> None:
    """A filter of some 600 ids overflows the session cookie of 5.0: 500. (6.1 answers.) The tool reads by the hundred,
    and plans and verifies for 120 issues."""
    raw_shop(api)
    ids = ",".join(str(number) for number in range(10_000, 10_600))
    status = api.send("GET", f"/issues?status_id=*&issue_id={ids}").status_code
    assert status == (500 if world.version == "5.0" else 200)
    wanted = shop(issues=[{"subject": f"issue {number}"} for number in range(120)])
    with Proxy(world.url) as proxy:
        Tool(proxy.url, world.api_key).settle(wanted)
    assert max(len(exchange.path) for exchange in proxy.exchanges) < 2000
    assert api.send("GET", "/issues?status_id=*").json()["total_count"] == 120


def test_trap_40_refusals_without_a_reason(world: Running, api: Api) -> None:
    """A version that is in use cannot be deleted, nor a member who inherits: 422 with an empty body. The tool reports
    that there was no reason, on the item; and sentences in another language are passed on as they are."""
    raw_shop(api)
    version = api.make("/projects/shop/versions", name="1.0")["id"]
    raw_issue(api, "it", fixed_version_id=version)
    refused = api.send("DELETE", f"/versions/{version}")
    assert (refused.status_code, refused.text.strip()) == (422, "")

    report = tool(world).apply(shop(versions=[{"name": "1.0", "state": "absent"}]))
    (why,) = troubles(report).values()
    assert why[0] == "failed"
    assert why[1].startswith("Redmine refused it without giving a reason")
    sql(world, "UPDATE users SET language = 'fr' WHERE login = 'admin'")
    report = tool(world).apply({"users": [{**person(), "password": "short"}]})
    (why,) = troubles(report).values()
    assert why == ("failed", "Mot de passe est trop court (au moins 8 caractères)")
