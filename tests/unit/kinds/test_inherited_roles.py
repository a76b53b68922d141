"""Roles that members inherit: which of them go with the planned work, and what is sent for those that shall stay."""

from __future__ import annotations

import re
from typing import Any

import pytest
from canned import Canned
from engine import apply_to, plan_of

INHERITED = {"name": "Developer", "id": 4, "inherited": True}
OWN = {"name": "Manager", "id": 3}


def writes(canned: Canned, manifest: str) -> list[str]:
    """What an apply sends, in order, up to the membership of the user."""
    canned.seen.clear()
    apply_to(canned, manifest, concurrency=1)
    return [f"{method} {re.sub(r'[.]json.*', '', path)}" for method, path in canned.seen if method != "GET"]


def member(canned: Canned, *roles: dict[str, Any], project: str = "shop") -> int:
    """Make amy a member with these roles."""
    return canned.add("memberships", project=project, user="amy", roles=list(roles))


@pytest.fixture
def team(canned: Canned) -> Canned:
    """amy, who is in the group Support, and a group that she is not in."""
    canned.add("users", login="amy", mail="amy@example.net")
    canned.add("groups", name="Support", users=["amy"])
    canned.add("groups", name="Sales", users=[])
    return canned


ABSENT = "{group: Support, state: absent}"
AMY = "{user: amy, roles: [Developer]}"


def shop(*members: str, more: str = "") -> str:
    """A manifest of the project's members."""
    return f"projects: [{{identifier: shop, name: shop, members: [{', '.join(members)}]}}]\n{more}"


@pytest.mark.parametrize(
    ("roles", "manifest", "expected"),
    [
        ([INHERITED], shop(ABSENT, AMY), ["DELETE /memberships/2", "POST /projects/shop/memberships"]),
        ([OWN, INHERITED], shop(ABSENT, AMY), ["DELETE /memberships/2", "PUT /memberships/1"]),
        ([INHERITED], shop("{group: Support, roles: [Reporter]}", AMY), ["PUT /memberships/2", "PUT /memberships/1"]),
        ([INHERITED], shop("{group: Support, roles: [Developer]}", AMY), []),
        ([INHERITED], shop(AMY), []),
        (
            [INHERITED],
            shop(AMY, more="groups: [{name: Support, state: absent}]"),
            ["DELETE /groups/3", "POST /projects/shop/memberships"],
        ),
        (
            [INHERITED],
            shop(AMY, more="groups: [{name: Support, users: []}]"),
            ["DELETE /groups/3/users/2", "POST /projects/shop/memberships"],
        ),
    ],
    ids=[
        "the group's membership goes, and the member with it",
        "the group's membership goes, and the member stays by its own role",
        "the group's roles change: the member inherits others",
        "the group's roles stay",
        "the group is not declared: it stays as it is",
        "the group is deleted",
        "the user leaves the group",
    ],
)
def test_roles_of_a_group(team: Canned, roles: list[dict[str, Any]], manifest: str, expected: list[str]) -> None:
    """After the last source of a role is gone, a role is given to the member itself: by a PUT, or, where Redmine has
    deleted the member, by a POST. What takes the source away comes first."""
    member(team, *roles)
    team.add("memberships", project="shop", group="Support", roles=["Developer"])
    support = team.row("groups", "Support")["id"]
    amy = team.row("users", "amy")["id"]
    renumbered = [e.replace("groups/3", f"groups/{support}").replace("users/2", f"users/{amy}") for e in expected]
    assert writes(team, manifest) == renumbered


@pytest.mark.parametrize(
    ("users", "expected"),
    [(["amy"], ["DELETE"]), ([], ["DELETE", "POST"])],
    ids=["she is in the other group", "she is not in the other group"],
)
def test_a_role_that_another_group_gives_too(team: Canned, users: list[str], expected: list[str]) -> None:
    """A role that another of her groups still gives is not given to the member itself."""
    team.set(team.row("groups", "Sales"), "groups", users=users)
    member(team, INHERITED)
    for group in ("Support", "Sales"):
        team.add("memberships", project="shop", group=group, roles=["Developer"])
    # Which users a group has is read for a declared one alone; any other may have anybody.
    sales = f"groups: [{{name: Sales, users: [{', '.join(users)}]}}]"
    assert [sent.split()[0] for sent in writes(team, shop(ABSENT, AMY, more=sales))] == expected


@pytest.fixture
def below(team: Canned) -> Canned:
    """A project below the first one that inherits its members, of whom amy is one."""
    team.add("projects", identifier="below", parent="shop", inherit_members=True)
    member(team, OWN)
    member(team, {**OWN, "inherited": True}, project="below")
    return team


PARENT = "{identifier: shop, name: shop, members: [%s]}"
CHILD = "{identifier: below, name: below, %smembers: [{user: amy, roles: [Manager]}]}"


@pytest.mark.parametrize(
    ("projects", "expected"),
    [
        ([CHILD % "parent: shop, "], []),
        (
            [PARENT % "", CHILD % "inherit_members: false, "],
            ["PUT /projects/below", "POST /projects/below/memberships"],
        ),
        (
            [PARENT % "{user: amy, state: absent}", CHILD % ""],
            ["DELETE /memberships/1", "POST /projects/below/memberships"],
        ),
        (
            [PARENT % "{user: amy, roles: [Developer]}", CHILD % ""],
            ["PUT /memberships/1", "PUT /memberships/2"],
        ),
        ([PARENT % "{user: amy, roles: [Manager, Developer]}", CHILD % ""], ["PUT /memberships/1"]),
    ],
    ids=[
        "the parent's members are not known: they may give it",
        "the project inherits members no more",
        "the member leaves the parent",
        "the member has another role in the parent",
        "the member keeps the role in the parent",
    ],
)
def test_roles_of_the_parent_project(below: Canned, projects: list[str], expected: list[str]) -> None:
    """Roles that come from the project above go with its members, and with the setting."""
    assert writes(below, f"projects: [{', '.join(projects)}]") == expected


def test_a_role_of_a_group_in_the_parent_project(below: Canned) -> None:
    """A role that a group gives in the project above comes down to its users: through two sources, one after the other."""
    below.tables["memberships"].clear()
    for project, roles in (("shop", [INHERITED]), ("below", [INHERITED])):
        member(below, *roles, project=project)
    below.add("memberships", project="shop", group="Support", roles=["Developer"])
    below.add("memberships", project="below", group="Support", roles=[INHERITED])
    child = "{identifier: below, name: below, members: [{user: amy, roles: [Developer]}]}"
    parent = "{identifier: shop, name: shop, members: [{group: Support, state: absent}]}"
    assert writes(below, f"projects: [{parent}, {child}]") == [
        "DELETE /memberships/3",
        "POST /projects/below/memberships",
    ]


def test_built_in_groups_give_no_roles_to_users(team: Canned) -> None:
    """Anonymous and non-members are groups with memberships, and no user is in them."""
    member(team, OWN)
    team.add("memberships", project="shop", roles=["Developer"], group_anonymous={"id": 2, "name": "Anonymous users"})
    assert plan_of(team, shop("{user: amy, roles: [Manager]}")).changes == ()


def test_what_is_only_inherited_cannot_be_deleted(team: Canned) -> None:
    """A member without a role of its own is as good as absent: the group's membership is what would have to go."""
    member(team, INHERITED)
    team.add("memberships", project="shop", group="Support", roles=["Developer"])
    assert plan_of(team, shop("{user: amy, state: absent}")).changes == ()
    assert writes(team, shop("{user: amy, state: absent}", ABSENT)) == ["DELETE /memberships/2"]
