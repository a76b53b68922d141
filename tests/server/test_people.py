"""Users, groups, memberships, versions and categories: what `cases/*.yaml` cannot say.

Traps of the API notes that are about them and stand here: 10 (built-in groups), 12 (a role that is gone), 19 (renaming).
`setup.rb` makes the authentication mode `Directory`. Roles: 3 Manager, 4 Developer, 5 Reporter.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from engine import apply_to
from promises import Api, Tool, fields, person, raw_group, raw_shop, raw_user, shop, sql, tool, troubles
from proxy import DROPPED, Exchange, Fault, Proxy

from reconciler.errors import RefusedError
from reconciler.sandbox import Running, Sandbox

MEMBER = {"user": "amy", "roles": ["Developer"]}


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def reasons(world: Running, data: dict[str, Any]) -> dict[str, str]:
    """Why each planned change of an object is made, or what it destroys."""
    return {str(change.address): change.reason or "" for change in tool(world).plan(data).changes}


# -- users -----------------------------------------------------------------------------------------------------


def test_a_language_and_a_mail_option_arrive(world: Running) -> None:
    """What the API never shows is stored as it was declared."""
    amy = person(language="pt-BR", mail_notification="only_owner")
    tool(world).settle({"users": [amy, person("bob", language=None, mail_notification="none")]})
    columns = "login || ' ' || coalesce(language, '') || ' ' || mail_notification"
    assert stored(world, f"SELECT {columns} FROM users WHERE login IN ('amy', 'bob') ORDER BY login") == [
        "amy pt-BR only_owner",
        "bob  none",
    ]


def test_an_authentication_mode(world: Running) -> None:
    """A mode is given by its number, or by name once a user shows it; from Redmine 6.0 on it is compared, and changed
    in place. Before, only the POST carries it."""
    assert "no user has an authentication mode" in tool(world).problems({"users": [person(auth_source="Directory")]})[0]
    tool(world).settle({"users": [person(auth_source="#1")]})
    assert stored(world, "SELECT auth_source_id FROM users WHERE login = 'amy'") == [1]

    shown = world.version != "5.0"
    plan = tool(world).plan({"users": [person(auth_source=None)]})
    assert fields(plan) == ({"user amy": {"auth_source": None}} if shown else {})
    if shown:
        (problem,) = tool(world).problems({"users": [person(auth_source="Directry")]})
        assert 'did you mean "Directory"?' in problem
        tool(world).settle({"users": [person(auth_source="Directory"), person("bob", auth_source="Directory")]})
        tool(world).settle({"users": [person(auth_source=None), person("bob", auth_source="#1 (Directory)")]})
    assert stored(world, "SELECT auth_source_id FROM users WHERE login = 'amy'") == [None if shown else 1]


def test_an_authentication_mode_that_does_not_exist(world: Running) -> None:
    """Redmine drops the number of a mode that it does not have. From 6.0 on, that is seen and said."""
    report = tool(world).apply({"users": [person(auth_source="#99")]})
    said = 'auth_source: the server accepted "#99" but has nothing'
    assert troubles(report) == ({"user amy": ("failed", said)} if world.version != "5.0" else {})


def test_trap_19_the_account_that_works_renames_itself(world: Running, api: Api) -> None:
    """Redmine lets an account change its own login. The tool does not, not even the case of its letters."""
    api.change("/users/1", login="boss")
    assert api.get("/users/current")["login"] == "boss"
    api.change("/users/1", login="admin")

    for renamed in ({"login": "boss", "renamed_from": "Admin"}, {"login": "ADMIN"}):
        (problem,) = tool(world).problems({"users": [renamed]})
        assert 'so its login "admin" cannot be changed' in problem
    assert tool(world).plan({"users": [{"login": "admin", "renamed_from": "boss"}]}).changes == ()


# -- people who wait for activation ----------------------------------------------------------------------------


def register(world: Running, login: str) -> None:
    """Registers somebody as a visitor does, with the form."""
    with httpx.Client(base_url=world.url, trust_env=False) as visitor:
        page = visitor.get("/account/register").text
        (token,) = re.findall(r'<input type="hidden" name="authenticity_token" value="([^"]+)"', page)[:1]
        named = {"login": login, "firstname": login, "lastname": "Test", "mail": f"{login}@example.net"}
        password = dict.fromkeys(("password", "password_confirmation"), "correct horse")
        form = {f"user[{name}]": value for name, value in {**named, **password, "language": "en"}.items()}
        assert visitor.post("/account/register", data={**form, "authenticity_token": token}).is_redirect


def test_who_has_registered_is_activated_by_the_manifest(redmine: Sandbox, world: Running, api: Api) -> None:
    """The accounts are found, not created again. One is activated, one locked, one left waiting; a new one waits with
    them, in groups and projects like any other."""
    redmine.run("Setting.self_registration = '2'")
    for login in ("ann", "ben", "cid"):
        register(world, login)
    assert statuses(api) == {"ann": 2, "ben": 2, "cid": 2}
    people = [person("ann", status="active"), person("ben", status="locked"), person("cid")]
    members = [{"user": login, "roles": ["Manager"]} for login in ("ann", "cid", "dan")]
    data = {
        "users": [*people, person("dan", status="registered")],
        "groups": [{"name": "Crew", "users": ["cid", "dan"]}],
        **shop(members=members, enabled_modules=["issue_tracking"], issues=[{"subject": "a", "assigned_to": "ann"}]),
    }
    found = fields(tool(world).plan(data))
    assert (found["user ann"], found["user ben"]) == ({"status": "active"}, {"status": "locked"})
    assert "user cid" not in found
    tool(world).settle(data)
    assert statuses(api) == {"ann": 1, "ben": 3, "cid": 2, "dan": 2}
    # And back: an account that is active, or locked, can be made to wait.
    tool(world).settle({"users": [person("ben", status="registered"), person("dan", status="active")]})
    assert statuses(api) == {"ann": 1, "ben": 2, "cid": 2, "dan": 1}


# -- people who have left --------------------------------------------------------------------------------------

DAN = {**person("dan"), "status": "locked"}


def statuses(api: Api) -> dict[str, int]:
    """The status of each account but the administrator's."""
    return {u["login"]: n for n in (1, 2, 3) for u in api.get(f"/users?status={n}") if u["login"] != "admin"}


def test_nobody_is_unlocked_whom_no_manifest_declares_locked(world: Running, api: Api) -> None:
    """Who is locked or registered, and not declared so, is a problem of the plan at every value that Redmine refuses or
    drops; nothing is written."""
    raw_shop(api)
    for login, status in (("cid", 3), ("dan", 2)):
        raw_user(api, login, status=status)
    note = {"text": "bye", "author": "cid"}
    issues = [
        {"subject": "a", "assigned_to": "cid"},
        {"subject": "b", "author": "dan", "watchers": ["cid"], "notes": [note]},
    ]
    entry = {"user": "cid", "spent_on": "2026-11-02", "activity": "Design", "hours": 1}
    modules = ["issue_tracking", "time_tracking"]
    problems = tool(world).problems(shop(enabled_modules=modules, issues=issues, time_entries=[entry]))
    locked, registered = (
        f"{who}, and Redmine accepts only active users here" for who in ("cid is locked", "dan is registered")
    )
    for field in ("assigned_to", "watchers", "notes", "user"):
        assert any(f"{field}: user {locked}" in problem for problem in problems)
    assert any(f"author: user {registered}" in problem for problem in problems)
    assert sum("accepts only active users" in problem for problem in problems) == 5
    assert statuses(api) == {"cid": 3, "dan": 2}


@pytest.mark.custom_fields("Issue text")
def test_who_was_unlocked_or_leaves_is_locked_although_the_work_is_refused(world: Running, api: Api) -> None:
    """An issue that is refused leaves no account active: neither one that was unlocked for it, nor one that was to be
    locked after it, nor a new one. The next plan tries it again."""
    raw_shop(api)
    # The plan leaves texts of several lines to the server.
    sql(world, "UPDATE custom_fields SET regexp = '^ok$' WHERE name = 'Issue text'")
    tool(world).settle({"users": [DAN, person("cid")]})
    users = [DAN, {**person("cid"), "status": "locked"}, {**person("eve"), "status": "locked"}]
    logins = [user["login"] for user in users]
    bad = {"Issue text": "not\nfine"}
    issues = [{"subject": login, "assigned_to": login, "custom_fields": bad} for login in logins]
    members = [{"user": login, "roles": ["Developer"]} for login in logins]
    wanted = {"users": users, **shop(issues=issues, members=members)}
    report = tool(world).apply(wanted)
    assert troubles(report) == {f"issue shop/{login}": ("failed", "Issue text is invalid") for login in logins}
    assert statuses(api) == {"dan": 3, "cid": 3, "eve": 3}
    changes = {"user dan", "user cid", "user eve", *troubles(report)}
    assert {str(c.address) for c in tool(world).plan(wanted).changes} == changes


def test_who_was_unlocked_by_a_run_that_was_killed_is_locked_by_the_next_one(world: Running, api: Api) -> None:
    """The manifest says `locked`, so what is left open is drift like any other."""
    tool(world).settle({"users": [DAN]})
    sql(world, "UPDATE users SET status = 1 WHERE login = 'dan'")
    assert fields(tool(world).plan({"users": [DAN]})) == {"user dan": {"status": "locked"}}
    tool(world).settle({"users": [DAN]})
    assert statuses(api) == {"dan": 3}


def test_a_lock_that_cannot_be_written_is_said(world: Running, api: Api) -> None:
    """The report says that the account is open; the next run locks it."""
    raw_shop(api)
    tool(world).settle({"users": [DAN, person()], **shop(members=[{"user": "dan", "roles": ["Developer"]}])})
    wanted = {"users": [DAN], **shop(issues=[{"subject": "a", "assigned_to": "dan"}])}
    down = Fault(forward=False, status=503)

    def no_lock(exchange: Exchange) -> Fault | None:
        return down if exchange.method == "PUT" and b'"status": 3' in exchange.body.replace(b":3", b": 3") else None

    with Proxy(world.url, no_lock) as proxy:
        report = Tool(proxy.url, world.api_key, retries=1).apply(wanted)
    outcome, said = troubles(report)["user dan"]
    assert outcome == "failed"
    assert "access is still open: apply again, or set it in Redmine" in said
    assert statuses(api)["dan"] == 1
    tool(world).settle(wanted)
    assert statuses(api)["dan"] == 3


def test_who_is_locked_after_the_plan_is_named_as_the_reason(world: Running, api: Api) -> None:
    """Redmine drops a watcher who is locked by then (204), and refuses an author (412): the report says why."""
    raw_shop(api)
    tool(world).settle({"users": [person("cid"), person("amy")], **shop(issues=[{"subject": "a"}])})

    def lock(exchange: Exchange) -> Fault | None:
        if exchange.write == 1:
            sql(world, "UPDATE users SET status = 3 WHERE login = 'cid'")
        return None

    issues = [{"subject": "a", "watchers": ["cid"]}, {"subject": "b", "author": "cid"}]
    with Proxy(world.url, lock) as proxy:
        report = Tool(proxy.url, world.api_key).apply(shop(issues=issues))
    said = troubles(report)
    assert "(Redmine drops watchers who are locked or may not see the issue)" in said["issue shop/a"][1]
    assert "the login to act as (X-Redmine-Switch-User) is unknown or locked" in said["issue shop/b"][1]


# -- groups ----------------------------------------------------------------------------------------------------


def test_trap_10_builtin_groups_that_cannot_be_changed(world: Running, api: Api) -> None:
    """To change or delete a built-in group is 204, and nothing happens. The tool refuses to declare one."""
    (number,) = [group["id"] for group in api.get("/groups?builtin=1") if group.get("builtin") == "anonymous"]
    api.change(f"/groups/{number}", name="Other")
    api.delete(f"/groups/{number}")
    assert api.get(f"/groups/{number}")["name"] == "Anonymous users"

    builtin = {"name": "Anonymous users"}
    for declared in (builtin, {**builtin, "state": "absent"}, {"name": "Other", "renamed_from": "anonymous users"}):
        (problem,) = tool(world).problems({"groups": [declared]})
        assert "built-in groups cannot be changed" in problem


def test_users_of_a_group_whose_answer_is_lost(world: Running, api: Api) -> None:
    """When the answer to the users that a group gets is lost, they are not sent again: reading back shows them."""
    users = [raw_user(api, "amy"), raw_user(api, "bob")]
    raw_group(api)
    wanted = {"groups": [{"name": "Support", "users": ["amy", "bob"]}]}
    with Proxy(world.url, lambda e: DROPPED if e.method == "POST" else None) as proxy:
        report = Tool(proxy.url, world.api_key).apply(wanted)
    assert troubles(report) == {}
    assert [exchange.path for exchange in proxy.writes] == [f"/groups/{report.results[0].id}/users.json"]
    assert [user["id"] for user in api.get(f"/groups/{report.results[0].id}?include=users")["users"]] == users


def test_users_of_a_group_that_never_arrived(world: Running, api: Api) -> None:
    """When the request with a group's new users is lost on its way, it is sent once more after reading back."""
    raw_user(api)
    raw_group(api)
    lost = Fault(forward=False, reset=True)
    with Proxy(world.url, lambda e: lost if e.write == 1 else None) as proxy:
        Tool(proxy.url, world.api_key).settle({"groups": [{"name": "Support", "users": ["amy"]}]})
    assert [exchange.method for exchange in proxy.writes] == ["POST", "POST"]


def test_groups_that_are_the_same_but_for_the_case(world: Running, api: Api) -> None:
    """Two live groups of one name are a problem that names both ids, and nothing is written."""
    one, two = raw_group(api), raw_group(api, name="Other")
    sql(world, f"UPDATE users SET lastname = 'Support' WHERE id = {two}")
    (problem,) = tool(world).problems({"groups": [{"name": "Support", "users": []}]})
    assert f"#{one}, #{two}" in problem


# -- memberships -----------------------------------------------------------------------------------------------


def test_trap_12_a_role_that_is_deleted_after_the_plan(world: Running, api: Api) -> None:
    """A PUT of roles that are gone is refused, and takes the roles that the member has. The tool puts these back; where
    some of the wanted roles are left, Redmine takes those, and the tool says what is missing."""
    raw_shop(api)
    tool(world).settle({"users": [person(), person("bob")], **shop(members=[MEMBER, {**MEMBER, "user": "bob"}])})
    sql(world, "INSERT INTO roles (name, position, builtin, permissions) VALUES ('Guest', 9, 0, '--- []')")

    def delete(exchange: Exchange) -> Fault | None:
        if exchange.write == 1:
            sql(world, "DELETE FROM roles WHERE name = 'Guest'")
        return None

    members = [{"user": "amy", "roles": ["Guest"]}, {"user": "bob", "roles": ["Guest", "Reporter"]}]
    with Proxy(world.url, delete) as proxy:
        report = Tool(proxy.url, world.api_key).apply(shop(members=members))
    assert {address: why[0] for address, why in troubles(report).items()} == {
        "membership shop/user:amy": "failed",
        "membership shop/user:bob": "failed",
    }
    assert troubles(report)["membership shop/user:amy"][1].startswith("Role cannot be empty")
    assert troubles(report)["membership shop/user:bob"][1].startswith("roles: the server accepted")
    assert roles(api) == {"amy": ["Developer"], "bob": ["Reporter"]}


BELOW = {"identifier": "below", "name": "below", "parent": "shop", "inherit_members": True}
GROUP = {"group": "Support", "roles": ["Developer"]}
SUPPORT = {"groups": [{"name": "Support", "users": ["amy"]}], **shop(members=[GROUP])}
INHERITING = {"projects": [*shop(members=[MEMBER])["projects"], BELOW]}
GONE = {"user": "amy", "state": "absent"}
GIVEN_UP: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the group is no member any more": (SUPPORT, shop(members=[{"group": "support", "state": "absent"}]), "shop"),
    "the group gets another role": (SUPPORT, shop(members=[{"group": "Support", "roles": ["Reporter"]}]), "shop"),
    "the user leaves the group": (SUPPORT, {"groups": [{"name": "Support", "users": []}]}, "shop"),
    "the group is deleted": (SUPPORT, {"groups": [{"name": "Support", "state": "absent"}]}, "shop"),
    "the parent has the member no more": (
        INHERITING,
        {"projects": [*shop(members=[GONE])["projects"], BELOW]},
        "below",
    ),
    "the project inherits no more": (
        INHERITING,
        {"projects": [*shop(members=[MEMBER])["projects"], {**BELOW, "inherit_members": False}]},
        "below",
    ),
}
"""What gives a role to amy, what takes it away, and the project."""


@pytest.mark.parametrize("own", [[], ["Manager"]], ids=["nothing else", "a role of its own"])
@pytest.mark.parametrize("case", GIVEN_UP)
def test_a_role_that_is_not_inherited_any_more(world: Running, api: Api, case: str, own: list[str]) -> None:
    """Who loses an inherited role with the planned work, and shall have it, gets it directly, by the same apply."""
    before, after, where = GIVEN_UP[case]
    people = {"users": [person()]}
    tool(world).settle({**people, **before})
    if own:
        tool(world).settle({"memberships": [{"project": where, "user": "amy", "roles": own}]})
    wanted = {"memberships": [{"project": where, "user": "amy", "roles": ["Developer", *own]}]}
    tool(world).settle({**people, **after, **wanted})
    assert [name for name in roles(api, where)["amy"] if "inherited" not in name] == sorted(["Developer", *own])


def test_a_role_that_another_group_still_gives(world: Running, api: Api) -> None:
    """A role that is inherited twice stays inherited when one of the groups goes: nothing is written for the user."""
    groups = [{"name": name, "users": ["amy"]} for name in ("Support", "Other")]
    both = [GROUP, {**GROUP, "group": "Other"}]
    tool(world).settle({"users": [person()], "groups": groups, **shop(members=both)})
    after = shop(members=[{"group": "Support", "state": "absent"}, MEMBER])
    report = tool(world).settle({"groups": groups, **after})
    assert [str(change.address) for change in report.plan.changes] == ["membership shop/group:Support"]
    assert "Developer (inherited)" in roles(api)["amy"]


# -- what goes along, and what must not ------------------------------------------------------------------------


def test_what_a_deletion_takes_along_is_said(world: Running) -> None:
    """The plan says of each deletion what Redmine destroys with it, and of a narrower sharing who loses the version."""
    inside = {
        "versions": [{"name": "1.0", "sharing": "tree"}],
        "issue_categories": [{"name": "Backend"}],
        "members": [{"user": "amy", "roles": ["Manager"]}, {"user": "bob", "roles": ["Manager"]}, GROUP],
    }
    people = {"users": [person(), person("bob")], "groups": [{"name": "Support", "users": ["bob"]}]}
    tool(world).settle({**people, **shop(**inside)})
    gone = {"state": "absent"}
    said = reasons(
        world,
        {
            "users": [{"login": "amy", **gone}],
            "groups": [{"name": "Support", **gone}],
            **shop(
                versions=[{"name": "1.0", "sharing": "none"}],
                issue_categories=[{"name": "Backend", **gone}],
                members=[{"user": "amy", **gone}, {"user": "bob", **gone}, {"group": "Support", **gone}],
            ),
        },
    )
    parts = {
        "user amy": "time entries to Anonymous",
        "group Support": "deletes its memberships and the roles that its users have through it",
        "membership shop/user:amy": "no longer assign new issues",
        "version shop/1.0": "issues in projects that it is no longer shared with lose their target version",
        "issue_category shop/Backend": "its issues lose the category",
    }
    assert {address for address, part in parts.items() if part not in said[address]} == set()


def test_the_inherited_roles_of_a_membership_that_is_deleted_stay(world: Running, api: Api) -> None:
    """Of a member who inherits roles too, the plan says which of them stay when the membership is deleted."""
    groups = {"groups": [{"name": "Support", "users": ["amy"]}]}
    tool(world).settle({"users": [person()], **groups, **shop(members=[{"user": "amy", "roles": ["Manager"]}, GROUP])})
    gone = shop(members=[{"user": "amy", "state": "absent"}])
    assert reasons(world, gone) == {"membership shop/user:amy": "inherited roles are kept: Developer"}
    tool(world).settle(gone)
    assert roles(api)["amy"] == ["Developer (inherited)"]


def test_a_version_in_use_is_not_deleted_and_that_is_said(world: Running) -> None:
    """Redmine refuses to delete a version that issues target, without a word. The tool says what is known."""
    issues = [{"subject": "it", "fixed_version": "1.0"}]
    tool(world).settle(shop(versions=[{"name": "1.0"}], issues=issues))
    report = tool(world).apply(shop(versions=[{"name": "1.0", "state": "absent"}]))
    (why,) = troubles(report).values()
    assert why == (
        "failed",
        "Redmine refused it without giving a reason (issues, custom fields or attachments still refer to it)",
    )


@pytest.mark.parametrize(
    "data",
    [
        {"users": [{"login": "amy"}]},
        {"groups": [{"name": "Support"}]},
        {"memberships": [{"project": "shop", "user": "amy"}]},
        {"versions": [{"project": "shop", "name": "1.0"}]},
        {"issue_categories": [{"project": "shop", "name": "Backend"}]},
    ],
    ids=lambda data: next(iter(data)),
)
def test_what_is_protected_is_not_deleted(world: Running, data: dict[str, Any]) -> None:
    """A protected object that is declared absent ends the plan with a refusal that names it."""
    inside = {"versions": [{"name": "1.0"}], "issue_categories": [{"name": "Backend"}], "members": [MEMBER]}
    tool(world).settle({"users": [person()], "groups": [{"name": "Support"}], **shop(**inside)})
    protected = {name: [{**item, "state": "absent", "protect": True} for item in items] for name, items in data.items()}
    with pytest.raises(RefusedError, match="Protected objects would be deleted"):
        tool(world).plan(protected)


def roles(api: Api, project: str = "shop") -> dict[str, list[str]]:
    """The roles of the users of a project, by first name."""
    return {
        row["user"]["name"].partition(" ")[0]: sorted(
            role["name"] + (" (inherited)" if role.get("inherited") else "") for role in row["roles"]
        )
        for row in api.get(f"/projects/{project}/memberships")
        if "user" in row
    }


def stored(world: Running, query: str) -> list[Any]:
    """The first column of what a query of the server's database gives."""
    with closing(sqlite3.connect(world.folder / "redmine.sqlite3", timeout=10)) as database:
        return [row[0] for row in database.execute(query)]


def test_preferences_reach_the_user(world: Running, redmine: Sandbox) -> None:
    """What a manifest says in `pref` is what Redmine stores for the new user, beside the account."""
    said = "users: [{login: pia, firstname: P, lastname: P, mail: p@example.net, pref: {time_zone: %s, hide_mail: %s}}]"
    apply_to(world, said % ("Berlin", "yes"))
    shown = "p = User.find_by!(login: 'pia').pref; raise p.inspect if [p.time_zone, p.hide_mail] != ['Berlin', true]"
    redmine.run(shown)
