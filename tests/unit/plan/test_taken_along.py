"""What a plan says of the issues and projects that Redmine deletes with another one."""

from __future__ import annotations

import pytest
from engine import offline
from plans import SHOP, Present, inside, issue, live_of, plan, project, the

from reconciler.errors import ManifestError, RefusedError
from reconciler.kinds.projects import tree
from reconciler.plan.planner import make

TOP = "issues: [{subject: i0, state: absent}]"


def levels(count: int) -> list[Present]:
    """Issues, each below the one before."""
    above = ({"parent": {"id": 9 + n}} if n else {} for n in range(count))
    return [SHOP, *(issue(10 + n, "shop", f"i{n}", **more) for n, more in enumerate(above))]


@pytest.mark.parametrize(("below", "rest"), [(10, ""), (11, ", 1 more issue"), (1_510, ", 1,500 more issues")])
def test_the_first_ten_are_named(below: int, rest: str) -> None:
    """A reason names ten subtasks, in the order of their numbers, and counts the others."""
    made = plan(inside(TOP), *levels(1 + below))
    named = ", ".join(f"issue shop/i{n}" for n in range(1, 11))
    assert the(made, "issue", "shop/i0").reason == f"also deletes {named}{rest}"


def test_a_younger_parent_is_named_later() -> None:
    """Subtasks are named by number, at whatever depth they are."""
    rows = (issue(9, "shop", "i0"), issue(12, "shop", "b", parent={"id": 9}), issue(11, "shop", "a", parent={"id": 12}))
    made = plan(inside(TOP), SHOP, *rows)
    assert the(made, "issue", "shop/i0").reason == "also deletes issue shop/a, issue shop/b"


def test_what_is_not_named_may_be_declared() -> None:
    """A subtask that is declared present is a problem, however many others its parent takes along."""
    with pytest.raises(ManifestError) as raised:
        plan(inside("issues: [{subject: i0, state: absent}, {subject: i30}]"), *levels(40))
    assert [problem.subject for problem in raised.value.problems] == ["issue shop/i30"]


def test_what_is_not_named_may_be_protected() -> None:
    """A protected subtask is refused, however many others its parent takes along."""
    wanted = offline(inside(TOP))
    live = live_of(wanted, levels(40))
    live.names.settings = {"protect": ["issue/shop/i30"]}
    with pytest.raises(RefusedError, match="issue shop/i30"):
        make(wanted, live, "http://redmine.test")


def test_projects_below_a_new_one() -> None:
    """A live project is below another one also through one that is not there yet, and not through a live one."""
    declared = ["{identifier: new, name: N, parent: top}", "{identifier: leaf, parent: new}"]
    wanted = offline(f"projects: [{{identifier: top}}, {', '.join(declared)}]")
    rows = [project(1, "top"), project(2, "leaf", parent={"id": 1}), project(3, "last", parent={"id": 2})]
    names = live_of(wanted, rows).names
    assert tree.planned_right_below("top", names) == [(1, "leaf")]
    assert tree.planned_right_below("leaf", names) == [(2, "last")]
