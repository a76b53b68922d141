"""Members and the projects that begin to inherit them: the requests never overlap, since neither would see the other."""

from __future__ import annotations

import pytest
from engine import offline
from plans import Present, comes_before, live_of, plan, planned, project, user

from reconciler.kinds._families import family
from reconciler.model.address import Address
from reconciler.plan.operations import MilestoneId
from reconciler.plan.planner import Plan

JANE = user(5, "jane")
MEMBERS = "members: [{user: jane, roles: [Manager]}]"
TOP = project(1, "top")


def first(made: Plan, before: str, after: str) -> bool:
    """Whether the first operation on one object comes before that on another."""
    one, other = (Address(*text.split(" ")) for text in (before, after))
    return comes_before(made, (one, 0), (other, 0))


@pytest.mark.parametrize(
    ("text", "present"),
    [
        ("{identifier: low, name: Low, parent: top, inherit_members: true}", ()),
        ("{identifier: low, name: low, parent: top, inherit_members: true}", (project(2, "low", parent={"id": 1}),)),
        ("{identifier: low, name: low, parent: top}", (project(2, "low", inherit_members=True),)),
        (
            "{identifier: low, name: low, parent: null}",
            (project(2, "low", inherit_members=True, parent={"id": 1}),),
        ),
        (
            "{identifier: low, name: low, parent: mid, inherit_members: true}, "
            "{identifier: mid, name: mid, parent: top, inherit_members: true}",
            (),
        ),
        (
            "{identifier: low, name: low, parent: mid, inherit_members: true}",
            (project(3, "mid", inherit_members=True, parent={"id": 1}),),
        ),
    ],
    ids=["created", "begins", "moves below", "moves away", "two below", "below a live one"],
)
def test_members_come_after_projects_that_inherit_them(text: str, present: tuple[Present, ...]) -> None:
    """All changes of projects that decide who inherits come before the members of those above."""
    made = plan(f"projects: [{{identifier: top, name: top, {MEMBERS}}}, {text}]", TOP, JANE, *present)
    assert first(made, "project low", "membership top/user:jane")


@pytest.mark.parametrize(
    ("text", "present"),
    [
        ("{identifier: low, name: Low, parent: top}", ()),
        ("{identifier: low, name: Low, parent: other, inherit_members: true}", (project(3, "other"),)),
        ("{identifier: low, name: new}", (project(2, "low", inherit_members=True, parent={"id": 1}),)),
    ],
    ids=["inherits nothing", "inherits from another", "only its name changes"],
)
def test_members_do_not_wait_for_other_projects(text: str, present: tuple[Present, ...]) -> None:
    """Where no member is passed on, the requests may overlap."""
    made = plan(f"projects: [{{identifier: top, name: top, {MEMBERS}}}, {text}]", TOP, JANE, *present)
    assert not first(made, "project low", "membership top/user:jane")


def test_removed_members_come_after_projects_that_inherit_them_too() -> None:
    """Otherwise the new project could keep a role whose source is gone."""
    low = "{identifier: low, name: Low, parent: top, inherit_members: true}"
    absent = "members: [{user: jane, state: absent}]"
    row = {"id": 9, "project": {"id": 1}, "user": {"id": 5}, "roles": [{"id": 3, "name": "Manager"}]}
    text = f"projects: [{{identifier: top, name: top, {absent}}}, {low}]"
    made = plan(text, TOP, JANE, ("membership", "top/user:jane", row))
    assert first(made, "project low", "membership top/user:jane")


def test_the_users_of_a_group_change_after_projects_that_inherit_members() -> None:
    """A user who joins a group becomes a member of its projects, and is passed on from there."""
    text = "projects: [{identifier: low, name: Low, parent: top, inherit_members: true}]\ngroups: [{name: G, users: [jane]}]"
    live = ("group", "G", {"id": 7, "name": "G", "users": []})
    assert first(plan(text, TOP, JANE, live), "project low", "group G")
    assert not first(plan(text, TOP, JANE), "project low", "group G")


def test_projects_come_first_even_if_one_fails() -> None:
    """It is an order, not a need: `requires` would skip the members."""
    low = "{identifier: low, name: Low, parent: top, inherit_members: true}"
    made = plan(f"projects: [{{identifier: top, name: top, {MEMBERS}}}, {low}]", TOP, JANE)
    (member,) = (o for o in made.operations if o.id.address.kind == "membership")
    assert member.requires == ()
    assert MilestoneId("project", "top", deletions=False) in member.after


def test_the_number_of_edges_is_linear() -> None:
    """A thousand projects below one with a hundred members have an edge each, not a hundred."""
    users = [user(10 + n, f"u{n}") for n in range(100)]
    members = ", ".join(f"{{user: u{n}, roles: [Manager]}}" for n in range(100))
    below = ", ".join(f"{{identifier: p{n}, name: P, parent: top, inherit_members: true}}" for n in range(1000))
    made = plan(f"projects: [{{identifier: top, name: top, members: [{members}]}}, {below}]", TOP, *users)
    edges = sum(len(o.predecessors) for o in made.operations) + sum(len(m.after) for m in made.milestones)
    assert len(made.changes) == 1100
    assert edges == 1000 + 100
    assert first(made, "project p999", "membership top/user:u99")


def test_families_follow_what_is_live_and_what_is_declared() -> None:
    """All that may pass members on to each other meanwhile is one family, in a deep tree as well."""
    deep = ", ".join(f"{{identifier: p{n}, name: P, parent: p{n - 1}, inherit_members: true}}" for n in range(1, 3000))
    names = live_of(offline(f"projects: [{{identifier: p0, name: P}}, {deep}, {{identifier: q, name: Q}}]")).names
    assert family("p2999", names) == family("p1", names) == Address("project", "p0")
    assert family("q", names) == Address("project", "q")
    moved = offline("projects: [{identifier: low, name: low, parent: home}, {identifier: home, name: home}]")
    low = project(2, "low", inherit_members=True, parent={"id": 1})
    names = live_of(moved, [TOP, low]).names
    assert len({family(key, names) for key in ("top", "low", "home")}) == 1
    assert planned(moved, [TOP, low]).changes
