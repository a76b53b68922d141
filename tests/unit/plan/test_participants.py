"""People whom Redmine would not accept in a project are a problem of the plan, at their place; doubts are warnings."""

from __future__ import annotations

from typing import Any

import pytest
from canned import Canned
from engine import plan_of, problems_of
from plans import LOOKUPS, PERSON, SHOP, inside, plan, user

from reconciler.errors import ManifestError, Problem

BOB = f"users: [{{login: bob, {PERSON}}}]\n"


def shop(**more: Any) -> Canned:
    """A server with the project `shop`, its member amy, and bob, who is none."""
    redmine = Canned()
    redmine.add("projects", identifier="shop", enabled_modules=["issue_tracking", "time_tracking"], **more)
    for login in ("amy", "bob"):
        redmine.add("users", login=login)
    for role in redmine.rows("roles"):
        redmine.set(role, "roles", permissions=["log_time", "add_issues", "add_issue_notes"])
    redmine.add("memberships", project="shop", user="amy", roles=["Developer"])
    return redmine


def said(problem: Problem) -> str:
    """Where and what."""
    return f"{problem.location.line}:{problem.location.column} {problem.message}"


NO_MEMBER = 'bob is not a member of project "shop"'
REFUSED = {
    "issues: [{subject: s, assigned_to: bob}]": f"3:27 assigned_to: {NO_MEMBER}",
    "issues: [{subject: s, assigned_to: {user: bob}}]": f"3:27 assigned_to: {NO_MEMBER}",
    "time_entries: [{user: bob, spent_on: 2026-11-02, activity: Design, hours: 1}]": f"3:21 user: {NO_MEMBER}",
}


@pytest.mark.parametrize("text", REFUSED)
def test_who_is_no_member(text: str) -> None:
    """An assignee or booker of time who is no member is a problem at the name, with what to do."""
    (problem,) = problems_of(shop(), inside(text))
    assert said(problem) == REFUSED[text]
    assert problem.hint == "add bob to its members"
    assert not problems_of(shop(), inside(text.replace("bob", "amy")))


@pytest.mark.parametrize("text", REFUSED)
def test_who_becomes_a_member(text: str) -> None:
    """A membership in the same manifests is enough, of the user or of a group with the user."""
    assert not problems_of(shop(), inside("members: [{user: bob, roles: [Developer]}]", text))
    group = "\ngroups: [{name: Guests, users: [bob]}]"
    assert not problems_of(shop(), inside("members: [{group: Guests, roles: [Developer]}]", text) + group)
    others = inside("members: [{group: Guests, roles: [Developer]}]", text) + group.replace("bob", "amy")
    assert len(problems_of(shop(), others)) == 1


def test_who_leaves() -> None:
    """A member whose membership is declared absent is none any more, unless a group gives it."""
    text = inside("members: [{user: amy, state: absent}]", "issues: [{subject: s, assigned_to: amy}]")
    assert [p.message for p in problems_of(shop(), text)] == ['assigned_to: amy is not a member of project "shop"']
    redmine = shop()
    row = redmine.rows("memberships")[0]
    row["roles"] = [{**role, "inherited": True} for role in row["roles"]]
    assert not problems_of(redmine, text)


def test_what_is_there_may_stay() -> None:
    """A live assignee who is no member any more is no problem: Redmine refuses only new ones."""
    redmine = shop()
    redmine.add("issues", project="shop", subject="s", assigned_to="bob")
    assert not problems_of(redmine, inside("issues: [{subject: s, assigned_to: bob, done_ratio: 10}]"))
    assert not any("memberships" in path for _, path in redmine.seen)


def test_an_author_can_have_the_own_issue() -> None:
    """The author needs no membership, whether declared, live, or the account that creates the issue."""
    redmine = shop()
    redmine.add("issues", project="shop", subject="old", author="bob")
    texts = ("{subject: old, assigned_to: bob}", "{subject: a, assigned_to: admin}")
    assert not problems_of(redmine, inside(f"issues: [{', '.join(texts)}]"))
    assert not problems_of(redmine, inside("issues: [{subject: b, author: bob, assigned_to: bob}]"))


def test_authors_in_a_private_project() -> None:
    """Nobody but members and administrators can write in a private project; in a public one that is not known."""
    text = inside("issues: [{subject: a, author: bob}, {subject: b, notes: [x, {text: y, author: bob}]}]")
    assert [said(p) for p in problems_of(shop(is_public=False), text)] == [
        f"3:27 author: {NO_MEMBER}",
        f"3:65 notes: {NO_MEMBER}",
    ]
    assert not problems_of(shop(), text)
    assert not problems_of(shop(is_public=False), text.replace("bob", "admin"))


@pytest.mark.parametrize(
    ("text", "change", "sentence"),
    [
        (
            "issues: [{subject: s, assigned_to: amy}]",
            {"assignable": False},
            'assigned_to: issues of project "shop" cannot be assigned to amy as Developer',
        ),
        (
            "time_entries: [{user: amy, spent_on: 2026-11-02, activity: Design, hours: 1}]",
            {"permissions": []},
            'user: amy lacks the permission log_time in project "shop" as Developer',
        ),
        (
            "issues: [{subject: s, author: amy}]",
            {"permissions": []},
            'author: amy lacks the permission add_issues in project "shop" as Developer',
        ),
    ],
)
def test_a_role_without_the_right(text: str, change: dict[str, Any], sentence: str) -> None:
    """Membership alone is not enough: one of the roles must give the right."""
    redmine = shop()
    redmine.set(redmine.row("roles", "Developer"), "roles", **change)
    assert [p.message for p in problems_of(redmine, inside(text))] == [sentence]
    assert not problems_of(redmine, inside("members: [{user: amy, roles: [Developer, Manager]}]", text))


def test_a_default_assignee_is_a_warning() -> None:
    """Redmine stores default assignees of categories and projects, whoever they are."""
    text = inside("default_assigned_to: bob", "issue_categories: [{name: c, assigned_to: bob}]")
    warned = plan_of(shop(), text).warnings
    assert [(str(w.address), w.source.line) for w in warned] == [("issue_category shop/c", 4), ("project shop", 3)]
    assert all(NO_MEMBER in w.message and "5.0 refuses" in w.message for w in warned)


def test_a_group_as_assignee_is_a_warning() -> None:
    """Whether groups can be assignees is a setting that the API does not show, but an issue of a group does."""
    redmine = shop()
    redmine.add("groups", name="Team")
    redmine.add("memberships", project="shop", group="Team", roles=["Developer"])
    text = inside("issues: [{subject: s, assigned_to: {group: Team}}]")
    (warned,) = plan_of(redmine, text).warnings
    assert "Allow issue assignment to groups" in warned.message
    redmine.add("issues", project="shop", subject="other", assigned_to="Team")
    assert plan_of(redmine, text).warnings == ()


def test_a_watcher_who_sees_nothing_is_a_warning() -> None:
    """A new watcher of a live issue in a private project must be a member, from 5.1 on."""
    redmine = shop(is_public=False)
    redmine.add("issues", project="shop", subject="s")
    (warned,) = plan_of(redmine, inside("issues: [{subject: s, watchers: [amy, bob]}]")).warnings
    assert (warned.source.line, warned.source.column) == (3, 43)
    assert NO_MEMBER in warned.message


def test_nothing_is_claimed_of_what_is_hidden() -> None:
    """An account that may not list the members, or whose list cannot be read, learns nothing and plans all the same."""
    redmine = shop()
    text = inside("issues: [{subject: s, assigned_to: bob}]")
    redmine.rows("memberships").append({"id": 9, "project": {"id": 1}, "roles": None})
    assert not problems_of(redmine, text)
    assert not plan(text + "\n" + BOB, SHOP, user(5, "bob")).warnings


def test_what_is_read_for_it() -> None:
    """One list of members for each project with a new name in it, and each role of these people once."""
    redmine = shop()
    plan_of(redmine, inside("issues: [{subject: a, assigned_to: amy}, {subject: b, assigned_to: amy}]"))
    paths = [path.partition("?")[0] for _, path in redmine.seen]
    assert [p for p in paths if "memberships" in p or "roles" in p] == [
        "/projects/shop/memberships.json",
        f"/roles/{LOOKUPS['role'][1]['id']}.json",
    ]


def test_a_new_project_has_the_declared_members() -> None:
    """Of a project that is created, nothing has to be read; what it inherits counts."""
    redmine = shop()
    text = "projects: [{identifier: fresh, name: N, parent: shop, enabled_modules: [issue_tracking]%s, issues: [{subject: s, assigned_to: amy}]}]"
    with pytest.raises(ManifestError, match='amy is not a member of project "fresh"'):
        plan_of(redmine, text % "")
    assert not plan_of(redmine, text % ", inherit_members: true").warnings


def test_members_that_a_parent_gives_from_now_on() -> None:
    """Where a project above inherits members from now on, those come down too: nothing is claimed without them."""
    redmine = shop()
    redmine.add("projects", identifier="middle", parent="shop")
    redmine.add("projects", identifier="low", parent="middle", inherit_members=True)
    text = "projects: [{identifier: middle%s}, {identifier: low, issues: [{subject: s, assigned_to: amy}]}]"
    assert len(problems_of(redmine, text % "")) == 1
    assert not problems_of(redmine, text % ", inherit_members: true")


def test_nothing_is_read_for_the_own_account() -> None:
    """Who needs no membership takes no request."""
    redmine = shop()
    time = "time_entries: [{user: admin, spent_on: 2026-11-02, activity: Design, hours: 1}]"
    plan_of(redmine, inside("issues: [{subject: a, assigned_to: admin}]", time))
    assert not any("memberships" in path for _, path in redmine.seen)
