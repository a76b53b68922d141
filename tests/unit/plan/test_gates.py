"""Closed projects that are reopened for planned work, and what Redmine reopens with them."""

from __future__ import annotations

import pytest
from plans import Present, plan, project, steps, the

from reconciler.model.address import Address
from reconciler.plan.operations import Plan

CLOSED = 5


def closed(number: int, identifier: str, parent: int = 0) -> Present:
    """A live closed project."""
    return project(number, identifier, status=CLOSED, **({"parent": {"id": parent}} if parent else {}))


TREE = (closed(1, "top"), closed(2, "middle", 1), closed(3, "low", 2), closed(4, "other"))


def closed_again(made: Plan) -> dict[str, str | None]:
    """The projects that are reopened and closed again, and why."""
    found = (c for c in made.changes if steps(c)[0].get("status") == "active" and steps(c)[-1] == {"status": "closed"})
    return {change.address.key: change.reason for change in found}


def test_what_is_below_a_reopened_project_is_closed_again() -> None:
    """Declared or not, at any depth; the reason names the project that is declared active."""
    made = plan("projects: [{identifier: top, status: active}, {identifier: middle, status: closed}]", *TREE)
    assert steps(the(made, "project", "top")) == [{"status": "active"}]
    said = "reopened together with project top"
    assert closed_again(made) == {"middle": said, "low": said}
    assert Address("project", "top") in the(made, "project", "low").operations[0].waits_for


def test_what_redmine_closes_with_the_project_is_left_to_it() -> None:
    """A project that is closed again closes all below it: only declared ones are part of the plan."""
    made = plan("projects: [{identifier: top, name: New}, {identifier: middle, status: closed}]", *TREE)
    assert closed_again(made) == {
        "top": "status closed prevents the planned changes",
        "middle": "reopened together with project top",
    }


def test_a_project_that_is_reopened_for_itself_says_so() -> None:
    """Its own work is the reason, and that of one above is the reason for all others below."""
    lines = ("identifier: top, name: New", "identifier: low, name: New", "identifier: middle, status: closed")
    made = plan(f"projects: [{', '.join(f'{{{line}}}' for line in lines)}]", *TREE)
    own = "status closed prevents the planned changes"
    assert closed_again(made) == {"top": own, "low": own, "middle": "reopened together with project top"}


@pytest.mark.parametrize("order", [("top", "middle"), ("middle", "top")])
def test_the_order_in_the_manifest_does_not_change_the_plan(order: tuple[str, str]) -> None:
    """Two open projects above a closed one: one of them is named, always the same."""
    listed = ", ".join(f"{{identifier: {name}, status: active}}" for name in order)
    made = plan(f"projects: [{listed}]", *TREE)
    assert closed_again(made) == {"low": "reopened together with project middle"}
