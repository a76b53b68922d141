"""`ordered: true`: the order of a manifest's lists is that of Redmine."""

from __future__ import annotations

import pytest
from canned import Canned
from catalog import MemorySession
from engine import apply_to, offline, plan_of

from reconciler.model.address import Address


@pytest.fixture
def program() -> MemorySession:
    """A Redmine with its usual lists."""
    return MemorySession(Canned())


def names(program: MemorySession, kind: str) -> list[str]:
    """A list in its order."""
    return [row["name"] for row in program.rows(kind)]


def ordered(*statuses: str) -> str:
    """A manifest with statuses in this order."""
    return "ordered: true\nissue_statuses:\n" + "".join(f"  - name: {name}\n" for name in statuses)


def test_the_declared_ones_take_each_others_places(program: MemorySession) -> None:
    """What is not declared stays where it is, and a second plan is empty."""
    before = names(program, "issue_status")
    first, second, *_, last = before
    text = ordered(last, "Waiting", first)
    assert {result.outcome for result in apply_to(program.redmine, text, catalog=program).results} == {"done"}
    after = names(program, "issue_status")
    assert [name for name in after if name in (last, "Waiting", first)] == [last, "Waiting", first]
    assert after.index(second) == before.index(second)
    assert not plan_of(program.redmine, text, catalog=program).changes


def test_what_lies_between_does_not_matter(program: MemorySession) -> None:
    """Only the order of the declared ones among each other is compared."""
    first, *_, last = names(program, "issue_status")
    assert not plan_of(program.redmine, ordered(first, last), catalog=program).changes


def test_a_change_shows_both_orders(program: MemorySession) -> None:
    """The plan has the order that is, and the one that will be."""
    first, *_, last = names(program, "issue_status")
    (change,) = plan_of(program.redmine, ordered(last, first), catalog=program).changes
    assert change.address == Address("order", "issue_statuses")
    assert [(field.before, field.after) for field in change.fields] == [([first, last], [last, first])]


def test_the_order_is_known_without_the_program(program: MemorySession) -> None:
    """The API's lists are in Redmine's order."""
    first, *_, last = names(program, "issue_status")
    assert not plan_of(program.redmine, ordered(first, last)).changes
    assert [change.address.kind for change in plan_of(program.redmine, ordered(last, first)).changes] == ["order"]


def test_a_renamed_object_keeps_its_place(program: MemorySession) -> None:
    """The order is that of the new names."""
    first, second, *_ = names(program, "issue_status")
    text = f"ordered: yes\nissue_statuses:\n  - {{name: Fresh, renamed_from: {first}}}\n  - name: {second}\n"
    plan = plan_of(program.redmine, text, catalog=program)
    assert [change.address for change in plan.changes] == [Address("issue_status", "Fresh")]


def test_built_in_roles_and_absent_objects_have_no_place(program: MemorySession) -> None:
    """Redmine keeps its two roles apart, and what is deleted has no order."""
    text = "ordered: true\nroles:\n  - name: Anonymous\n  - name: A\n  - {name: B, state: absent}\n  - name: C\n"
    objects = offline(text).objects
    assert objects[Address("order", "roles")].spec.names == ["A", "C"]


def test_no_order_without_the_key() -> None:
    """The order of a manifest's lists means nothing by itself."""
    text = "issue_statuses:\n  - name: A\n  - name: B\n"
    for said in ("", "ordered: false\n"):
        assert not [address for address in offline(said + text).objects if address.kind == "order"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ordered: maybe\ntrackers: []", "ordered: expected true or false"),
        ("ordered: true\nusers: []", "ordered: none of the lists here has an order in Redmine"),
        ("ordered: true\ntrackers: [{name: A}, {name: B}]\n---\nordered: true\ntrackers: [{name: C}, {name: D}]",
         "declared twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_key(text: str, message: str) -> None:
    """It is a flag, for lists that have an order, and a list has one order."""
    assert [problem.message for problem in offline(text).problems] == [message]
