"""Values of issues that Redmine may replace by settings are warnings of the plan."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import plan_of

from reconciler.plan.operations import Warned

TOP = "subject: top, start_date: 2030-01-07, due_date: 2030-01-11, priority: High, done_ratio: 50"
SUB = "parent: top, start_date: 2030-01-08, due_date: 2030-01-10, priority: Normal, done_ratio: 10"


def shop() -> Canned:
    """A server with the project `shop`."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    return redmine


def warned(redmine: Canned, *texts: str) -> list[Warned]:
    """The warnings for issues, one a line."""
    issues = "\n".join(f"  - {{project: shop, {text}}}" for text in texts)
    return list(plan_of(redmine, f"issues:\n{issues}").warnings)


def test_a_parent_that_is_new() -> None:
    """What a new issue with subtasks declares, and Redmine would compute otherwise, is a warning at the value."""
    found = warned(shop(), TOP, f"subject: sub, {SUB}")
    assert [(str(w.address), w.message.partition(" is replaced")[0]) for w in found] == [
        ("issue shop/top", "done_ratio: 50"),
        ("issue shop/top", "due_date: 2030-01-11"),
        ("issue shop/top", "priority: High"),
        ("issue shop/top", "start_date: 2030-01-07"),
    ]
    assert "Redmine computes from the subtasks: 10, unless a setting says otherwise" in found[0].message
    assert (found[2].source.line, found[2].source.column) == (2, 81)


def test_a_parent_as_it_will_be() -> None:
    """Values as Redmine computes them are no warning, nor are those of subtasks or of issues without any."""
    top = TOP.replace("High", "Normal").replace("50", "30").replace("01-07", "01-08").replace("01-11", "01-12")
    others = (
        f"subject: one, {SUB}",
        f"subject: two, {SUB}".replace("01-10", "01-12").replace("done_ratio: 10", "done_ratio: 50"),
    )
    assert warned(shop(), top, *others) == []
    assert warned(shop(), TOP, "subject: other, done_ratio: 10") == []


def test_a_live_issue_that_gets_subtasks() -> None:
    """The same for a live issue that had none; dates of subtasks that start on a day that is not known are told too."""
    redmine = shop()
    redmine.add("issues", project="shop", subject="top")
    found = warned(redmine, "subject: top, start_date: 2030-01-07, done_ratio: 0", "subject: sub, parent: top")
    assert [w.message.partition(",")[0] for w in found] == [
        "start_date: 2030-01-07 is replaced by what Redmine computes from the subtasks"
    ]


@pytest.mark.parametrize(("number", "told"), [(3, True), (2, False)])
def test_progress_that_seems_to_follow_the_status(number: int, told: bool) -> None:
    """Where all issues of a status have the same progress, another one may be dropped."""
    redmine = shop()
    for n in range(number):
        redmine.add("issues", project="shop", subject=f"old {n}", status="In Progress", done_ratio=40)
        redmine.add("issues", project="shop", subject=f"new {n}")
    texts = ("subject: a, status: In Progress, done_ratio: 50", "subject: b, status: In Progress, done_ratio: 40")
    messages = [w.message for w in warned(redmine, *texts)]
    assert len(messages) == told
    assert all(m.startswith('done_ratio: all issues with the status "In Progress" are 40 % done') for m in messages)
    redmine.set(redmine.row("issues", "new 0"), "issues", done_ratio=70)
    assert warned(redmine, *texts) == []


def test_progress_that_is_not_used() -> None:
    """Issues that are all at 0 % show nothing."""
    redmine = shop()
    for n in range(5):
        redmine.add("issues", project="shop", subject=f"old {n}")
    assert warned(redmine, "subject: a, status: New, done_ratio: 50") == []
