"""What it takes to validate many objects, in calls of Python functions instead of seconds."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from engine import offline

from reconciler.state import desired

ISSUE = """
  - project: shop
    subject: Item {0}
    description: Two
    tracker: Bug
    fixed_version: "1.0"
    start_date: 2026-01-0{1}
    due_date: 2026-02-0{1}
"""


def shop(issues: int) -> str:
    """A project with a version, and issues that have it."""
    head = "projects: [{identifier: shop, name: Shop, versions: [{name: '1.0'}]}]\nissues:"
    return head + "".join(ISSUE.format(number, number % 9 + 1) for number in range(issues))


def calls(issues: int) -> int:
    """How many Python functions are called to validate so many issues."""
    count = 0

    def called(frame: FrameType, event: str, value: Any) -> None:
        nonlocal count
        count += event == "call"

    manifest = shop(issues)
    before = sys.getprofile()
    sys.setprofile(called)
    try:
        found = offline(manifest)
    finally:
        sys.setprofile(before)
    assert (len(found.objects), found.problems) == (issues + 2, ())
    return count


def test_each_further_issue_takes_as_many_calls_as_the_last() -> None:
    """Validation is linear, and takes no more calls for each issue than so far."""
    # Once before: models are built and caches filled.
    calls(10)
    few, more, most = calls(100), calls(200), calls(300)
    assert most - more == pytest.approx(more - few, rel=0.02)
    assert (more - few) / 100 < 80


def test_places_of_references_are_only_looked_up_for_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a valid manifest, no reference is looked for in its mapping."""
    looked_up: list[str] = []
    place = desired._place
    monkeypatch.setattr(
        desired, "_place", lambda found, field, named: looked_up.append(field) or place(found, field, named)
    )
    assert offline(shop(5)).problems == ()
    assert looked_up == []
    assert len(offline(shop(5).replace("'1.0'", "'1.0', state: absent")).problems) == 5
    assert looked_up == ["fixed_version"] * 5


ABSENT = """
projects:
  - {identifier: shop, name: Shop, versions: [{name: "1.0", state: absent}]}
issues:
  - {project: shop, subject: Gone, fixed_version: "1.0", state: absent}
  - {project: shop, subject: Here, fixed_version: "1.0"}
  - {project: shop, subject: There, fixed_version: "1.0"}
"""


def test_what_is_no_mistake_in_one_object_is_found_in_the_next() -> None:
    """An absent issue may name an absent version; each of the others that name it has a problem of its own."""
    problems = offline(ABSENT).problems
    said = "fixed_version: version shop/1.0 is declared absent"
    assert [(p.subject, p.message) for p in problems] == [("issue shop/Here", said), ("issue shop/There", said)]
