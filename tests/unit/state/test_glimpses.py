"""How an account that is no administrator's learns logins, groups and custom fields, and with how many requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from canned import reached
from engine import apply_to, offline, plan_of, problems_of
from limited import Limited
from pydantic import SecretStr

from reconciler.errors import ManifestError
from reconciler.plan.planner import Plan, make
from reconciler.redmine.client import Client, Connection
from reconciler.state.glimpses import Glimpses
from reconciler.state.live import read

FIRST = ["/users/current", "/trackers", "/projects"]
"""What is read for every plan with projects."""


def shop(*inside: str) -> str:
    """A manifest of the project with these lists."""
    return f"projects: [{{identifier: shop, name: shop, {', '.join(inside)}}}]"


def member(login: str, role: str = "Developer") -> str:
    """A manifest of one member."""
    return shop(f"members: [{{user: {login}, roles: [{role}]}}]")


def pages(redmine: Limited) -> list[str]:
    """The own pages of users that were asked for."""
    return [path for path in redmine.reads if path.startswith("/users/") and path != "/users/current"]


def configured(redmine: Limited, text: str, ids: dict[str, int]) -> Plan:
    """The plan with `user_ids` in the configuration."""

    async def look() -> Plan:
        wanted = offline(text)
        wanted.settings["user_ids"] = ids  # type: ignore[index]
        async with Client(Connection(redmine.url, api_key=SecretStr(redmine.api_key))) as client:
            return make(wanted, await read(client, wanted), redmine.url)

    with reached(redmine):
        return asyncio.run(look())


# -- logins ----------------------------------------------------------------------------------------------------


def test_a_login_is_learnt_from_the_page_of_a_member() -> None:
    """Members show no logins, but their own pages do; the list of members is read once."""
    redmine = Limited()
    bob = redmine.person("bob", "Developer")
    assert plan_of(redmine, member("bob")).changes == ()
    assert sorted(redmine.reads) == sorted([*FIRST, "/roles", "/projects/shop/memberships", f"/users/{bob}"])


def test_those_whose_names_are_like_a_login_are_asked_first() -> None:
    """Of many members, one page is enough if the login has a part of the name."""
    redmine = Limited()
    for number in range(20):
        redmine.person(f"u{number}", "Reporter", firstname="Some", lastname="Body")
    bob = redmine.person("bob.smith", "Developer", firstname="Robert", lastname="Smith")
    assert plan_of(redmine, member("bob.smith")).changes == ()
    assert pages(redmine) == [f"/users/{bob}"]


def test_each_member_is_asked_once_at_most() -> None:
    """A login that nobody has costs one request for each member, and no more, however often it is named."""
    redmine = Limited()
    for number in range(20):
        redmine.person(f"u{number}", "Reporter")
    issues = ", ".join(f"{{subject: s{n}, assigned_to: nobody}}" for n in range(3))
    problems = problems_of(redmine, shop(f"issues: [{issues}]"))
    assert len(problems) == 3
    assert len(pages(redmine)) == len(set(pages(redmine))) == 20


def test_as_many_are_looked_at_together_as_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page shows one person: with many logins to find, few rounds are enough, and no more pages than before."""
    redmine, rounds = Limited(), []
    for number in range(60):
        redmine.person(f"u{number}", "Developer", firstname="Some", lastname="Body")
    monkeypatch.setattr(Glimpses, "_take", lambda *given, take=Glimpses._take: rounds.append(take(*given)))
    members = ", ".join(f"{{user: u{number}, roles: [Developer]}}" for number in range(40))
    assert plan_of(redmine, shop(f"members: [{members}]")).changes == ()
    assert len(pages(redmine)) == 40
    assert len(rounds) < 6


def test_the_account_itself_takes_no_request() -> None:
    """What names only the account itself is read without looking at anybody."""
    redmine = Limited()
    plan_of(redmine, shop("issues: [{subject: s, assigned_to: amy}]"))
    assert pages(redmine) == []
    assert "/projects/shop/memberships" not in redmine.reads


def test_without_names_of_users_nobody_is_looked_at() -> None:
    """A plan that names no user reads no members."""
    redmine = Limited()
    assert plan_of(redmine, shop('versions: [{name: "1.0"}]')).changes
    assert redmine.reads == [*FIRST[:1], *FIRST[1:], "/projects/shop/versions"]


def test_an_administrator_reads_as_before() -> None:
    """For an administrator it is the list of users; no page of a user is asked for."""
    redmine = Limited()
    redmine.person("bob", "Developer")
    redmine.row("users", "amy")["admin"] = True
    with pytest.raises(Exception, match="403"):
        plan_of(redmine, member("bob"))
    assert "/users" in redmine.reads
    assert pages(redmine) == []


def test_who_is_no_member_any_more_is_learnt_from_issues() -> None:
    """The author or assignee of an issue that was read is looked at as well."""
    redmine = Limited()
    redmine.person("gone")
    redmine.add("issues", project="shop", subject="s", assigned_to="gone")
    assert plan_of(redmine, shop("issues: [{subject: s, assigned_to: gone}]")).changes == ()


def test_a_login_that_nobody_has_is_no_absent_user() -> None:
    """The problem is at the login, says what is not known and who is seen, and what to do."""
    redmine = Limited()
    redmine.person("bob", "Developer")
    (problem,) = problems_of(redmine, shop("issues: [{subject: s, assigned_to: bbo}]"))
    assert problem.subject == "issue shop/s"
    assert problem.location.column == 65
    assert 'cannot tell whether there is a user or group "bbo": this account may not list users' in problem.message
    assert problem.hint.startswith('did you mean "bob"?; use an administrator\'s API key, or set user_ids')


def test_members_without_a_login_are_named() -> None:
    """The page of a locked user is 404: the member is named by its name and id, which `user_ids` takes."""
    redmine = Limited()
    left = redmine.person("left", "Developer", status=3)
    (problem,) = problems_of(redmine, member("left"))
    assert f"does not see the login of Left Person (#{left})" in problem.message
    assert problem.location.line == 1


def test_user_ids_name_those_who_are_not_seen() -> None:
    """A locked member is matched by the id of the configuration, and nobody else is looked at."""
    redmine = Limited()
    left = redmine.person("left", "Developer", status=3)
    redmine.person("bob", "Developer")
    assert configured(redmine, member("left"), {"left": left}).changes == ()
    assert pages(redmine) == [f"/users/{left}"]


def test_user_ids_name_those_who_become_members() -> None:
    """Who is in no project yet can be added."""
    redmine = Limited()
    new = redmine.person("new")
    (change,) = configured(redmine, member("new"), {"new": new}).changes
    assert (str(change.address), change.action) == ("membership shop/user:new", "create")


def test_user_ids_that_are_somebody_elses() -> None:
    """An id whose page shows another login is a problem."""
    redmine = Limited()
    bob = redmine.person("bob", "Developer")
    with pytest.raises(ManifestError, match=f'user_ids: user #{bob} is "bob", not "new"'):
        configured(redmine, member("new"), {"new": bob})


def test_a_manager_changes_members() -> None:
    """Roles of a member are changed, and somebody who is seen in another project is added."""
    redmine = Limited()
    redmine.person("bob", "Developer")
    redmine.add("projects", identifier="web")
    redmine.person("eve")
    redmine.add("memberships", project="web", user="eve", roles=["Reporter"])
    text = """
      projects:
        - {identifier: shop, name: shop, members: [{user: bob, roles: [Reporter]}, {user: eve, roles: [Reporter]}]}
        - {identifier: web, name: web}
    """
    report = apply_to(redmine, text)
    assert {result.outcome for result in report.results} == {"done"}
    assert plan_of(redmine, text).changes == ()


# -- groups ----------------------------------------------------------------------------------------------------


def test_a_group_is_learnt_from_members() -> None:
    """Members show the names of groups; no further request is made."""
    redmine = Limited()
    redmine.add("groups", name="Ops")
    redmine.add("memberships", project="shop", group="Ops", roles=["Reporter"])
    assert plan_of(redmine, shop("members: [{group: ops, roles: [Reporter]}]")).changes == ()
    assert sorted(redmine.reads) == sorted([*FIRST, "/roles", "/projects/shop/memberships"])


def test_an_assignee_can_be_a_group() -> None:
    """A name that is no user's is looked for among the groups."""
    redmine = Limited()
    redmine.add("groups", name="Ops")
    redmine.add("memberships", project="shop", group="Ops", roles=["Reporter"])
    redmine.add("issues", project="shop", subject="s", assigned_to="Ops")
    assert plan_of(redmine, shop("issues: [{subject: s, assigned_to: Ops}]")).changes == ()


def test_a_group_that_is_not_seen_may_exist() -> None:
    """A group that is a member of no project of the manifests is not taken for absent."""
    redmine = Limited()
    redmine.add("groups", name="Ops")
    (problem,) = problems_of(redmine, shop("members: [{group: Ops, roles: [Reporter]}]"))
    assert 'cannot tell whether there is a group "Ops": this account may not list groups' in problem.message


# -- custom fields ---------------------------------------------------------------------------------------------


def _with_field(redmine: Limited, **project: Any) -> None:
    redmine.add("custom_fields", name="Size", customized_type="issue")
    redmine.set(redmine.row("projects", "shop"), "projects", issue_custom_fields=["Size"], **project)


def test_custom_fields_are_learnt_from_the_project() -> None:
    """Before there is any issue, the project shows the fields of its issues."""
    redmine = Limited()
    _with_field(redmine)
    (change,) = plan_of(redmine, shop("issues: [{subject: s, custom_fields: {Size: big}}]")).changes
    assert {field.path: field.after for field in change.fields}["custom_fields.Size"] == "big"


def test_the_key_field_is_learnt_from_the_project() -> None:
    """With `issue_key_field`, an account that may not list custom fields finds issues by their keys."""
    redmine = Limited()
    _with_field(redmine)
    redmine.add("issues", project="shop", subject="s", custom_fields={"Size": "one"})
    text = shop("issues: [{key: one, subject: s}, {key: two, subject: t}]")
    (change,) = plan_of(redmine, text, key_field="Size").changes
    assert (str(change.address), change.action) == ("issue shop/two", "create")


def test_a_custom_field_that_is_not_seen_may_exist() -> None:
    """The problem says that it cannot be told, and that the id can be written."""
    redmine = Limited()
    _with_field(redmine)
    (problem,) = problems_of(redmine, shop("issues: [{subject: s, custom_fields: {Weight: big}}]"))
    assert 'cannot tell whether there is a custom field "Weight" for issues' in problem.message
    assert "#12" in problem.hint or "available: Size" in problem.hint
