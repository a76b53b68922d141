"""Dates that Redmine would refuse, or move, are a problem of the plan or a warning, at their place."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from canned import Canned
from engine import apply_to, plan_of, problems_of

from reconciler.kinds.issues import dates

FIRST = "{subject: first, start_date: 2030-01-07, due_date: 2030-01-10}"


def wanted(*issues: str) -> str:
    """A manifest of issues, one a line."""
    return "issues:\n" + "\n".join(f"  - {one[:-1]}, project: shop}}" for one in issues)


def shop(**old: Any) -> Canned:
    """A server with one project, and an issue `old` if it has values."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    if old:
        redmine.add("issues", project="shop", subject="old", **old)
    return redmine


def follows(redmine: Canned, delay: int = 0) -> None:
    """Make the issue `old` follow `first`, which ends on 2030-01-10."""
    number = redmine.add("issues", project="shop", subject="first", start_date="2030-01-07", due_date="2030-01-10")
    row = redmine.row("issues", "old")
    relation = {"id": 1, "issue_id": number, "issue_to_id": row["id"], "relation_type": "precedes", "delay": delay}
    for one in (row, redmine.row("issues", "first")):
        redmine.set(one, "issues", relations=[relation])


EARLY = {
    "{subject: s, start_date: 2030-01-10, relations: [{follows: first}]}": ("3:18", "start_date", "2030-01-11"),
    "{subject: s, due_date: 2030-01-10, relations: [{follows: first}]}": ("3:18", "due_date", "2030-01-11"),
    "{subject: s, start_date: 2030-01-10, relations: [{follows: first, delay: 3}]}": (
        "3:18",
        "start_date",
        "2030-01-14",
    ),
    "{subject: s, start_date: 2030-01-09, relations: [{follows: first, delay: -1}]}": (
        "3:18",
        "start_date",
        "2030-01-10",
    ),
}


@pytest.mark.parametrize("text", EARLY)
def test_before_the_one_that_precedes(text: str) -> None:
    """A date before the end of the issue that precedes, and the delay, is a problem at the date."""
    (problem,) = problems_of(shop(), wanted(FIRST, text))
    place, field, day = EARLY[text]
    assert f"{problem.location.line}:{problem.location.column}" == place
    assert problem.message.startswith(f"{field} 2030-01-")
    assert f"is before {day}, the first day after first, which precedes the issue" in problem.message


def test_from_the_other_side() -> None:
    """It does not matter which of the two declares the relation."""
    texts = ("{subject: s, start_date: 2030-01-10}", f"{FIRST[:-1]}, relations: [{{precedes: s}}]}}")
    (problem,) = problems_of(shop(), wanted(*texts))
    assert problem.subject == "issue shop/s"


def test_a_weekend_is_a_warning() -> None:
    """Which days are no working days is a setting: a day that only a weekend makes too early is a warning."""
    text = "{subject: s, start_date: 2030-01-12, relations: [{follows: first, delay: 1}]}"
    (warned,) = plan_of(shop(), wanted(FIRST, text)).warnings
    assert "is before 2030-01-14" in warned.message
    assert "no working days" in warned.message
    assert plan_of(shop(), wanted(FIRST, text.replace("01-12", "01-14"))).warnings == ()


@pytest.mark.parametrize(("end", "delay"), [("9999-12-31", 0), ("2030-01-10", 999_999_999), ("9999-12-30", 7)])
def test_what_ends_at_the_end_of_the_calendar(end: str, delay: int) -> None:
    """What follows an issue without an end, as people write it, cannot start: a problem at its date."""
    texts = f"{{subject: first, due_date: {end}}}", "{subject: s, start_date: 2030-01-07, relations: [{follows: first"
    (problem,) = problems_of(shop(), wanted(texts[0], f"{texts[1]}, delay: {delay}}}]}}"))
    assert problem.message.startswith("start_date 2030-01-07 is before 9999-12-31, the first day after first")


@pytest.mark.parametrize("delay", ["soon", "--3", "²", "1.5", "9" * 5000])
def test_a_delay_is_a_whole_number(delay: str) -> None:
    """Anything else is a problem at the relation."""
    (problem,) = problems_of(
        shop(), wanted(FIRST, f"{{subject: s, relations: [{{follows: first, delay: '{delay}'}}]}}")
    )
    assert "delay: expected a whole number of days" in problem.message


@pytest.mark.parametrize("field", ["parent: '#²'", "relations: [{follows: '#²'}]", "custom_fields: {'#²': x}"])
def test_a_sign_that_is_no_digit_is_no_number(field: str) -> None:
    """A name such as `#²` names nothing."""
    (problem,) = problems_of(shop(), wanted(f"{{subject: s, {field}}}"))
    assert "there is no" in problem.message and '"#²"' in problem.message


def test_working_days_as_the_server_counts_them() -> None:
    """One by one, without weekends, from whatever day."""
    for number in range(20_000, 20_007):
        day = date.fromordinal(number)
        for days in range(16):
            assert dates._working(date.fromordinal(number), days) == day
            day += timedelta(days=1)
            while day.isoweekday() > dates.FRIDAY:
                day += timedelta(days=1)


def test_a_live_relation_counts() -> None:
    """The relation may be live, and the other issue need not be declared."""
    redmine = shop(start_date="2030-01-11")
    follows(redmine)
    (problem,) = problems_of(redmine, wanted("{subject: old, start_date: 2030-01-10}"))
    assert "the first day after #2" in problem.message
    # What is there already is not looked at by Redmine, and what is deleted does not count.
    redmine.set(redmine.row("issues", "old"), "issues", start_date="2030-01-10")
    assert not problems_of(redmine, wanted("{subject: old, start_date: 2030-01-10, done_ratio: 10}"))
    assert not problems_of(redmine, wanted("{subject: old, start_date: 2030-01-09, relations: []}"))


def test_the_end_of_the_one_that_precedes_moves() -> None:
    """A later end of the issue that precedes would move an issue that declares its old start."""
    redmine = shop(start_date="2030-01-11")
    follows(redmine)
    texts = ("{subject: old, start_date: 2030-01-11}", "{subject: first, due_date: 2030-01-17}")
    (problem,) = problems_of(redmine, wanted(*texts))
    assert "is before 2030-01-18" in problem.message
    assert not problems_of(redmine, wanted(texts[0].replace("11", "18"), texts[1]))


def test_what_is_not_certain_is_no_problem() -> None:
    """Dates that Redmine computes or moves are only a warning; without dates there is nothing to say."""
    late = "{subject: s, start_date: 2030-01-10, relations: [{follows: first}]}"
    plan = plan_of(shop(), wanted(FIRST, late, "{subject: sub, parent: first, due_date: 2030-01-10}"))
    assert [str(w.address) for w in plan.warnings if "precedes" in w.message] == ["issue shop/s"]
    assert not problems_of(shop(), wanted("{subject: first}", late))
    assert not problems_of(shop(), wanted(FIRST, late, "{subject: sub, parent: s}"))


def test_what_precedes_a_parent_is_a_warning() -> None:
    """Subtasks of an issue that follows another one cannot start before it either, unless a setting says otherwise."""
    texts = ("{subject: top, relations: [{follows: first}]}", "{subject: sub, parent: top, start_date: 2030-01-10}")
    (warned,) = plan_of(shop(), wanted(FIRST, *texts)).warnings
    assert "is before 2030-01-11, the first day after first, which precedes its parent top" in warned.message
    assert plan_of(shop(), wanted(FIRST, texts[0], texts[1].replace("10}", "11}"))).warnings == ()


@pytest.mark.parametrize(
    ("text", "certain"),
    [("due_date: 2030-01-09", True), ("start_date: 2030-01-12", True), ("due_date: 2030-01-11", None)],
)
def test_one_date_against_the_live_other(text: str, certain: bool | None) -> None:
    """A declared date that does not fit the live other one is a problem."""
    redmine = shop(start_date="2030-01-10", due_date="2030-01-11")
    problems = problems_of(redmine, wanted(f"{{subject: old, {text}}}"))
    assert [p.hint.startswith("declare ") for p in problems] == ([certain] if certain else [])


class Strict(Canned):
    """A server that refuses an issue that leaves its start to the default."""

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        if method == "POST" and b"start_date" not in body:
            return 422, b'{"errors": ["Due date must be greater than start date"]}'
        return super().answer(method, target, body)


def test_a_due_date_in_the_past() -> None:
    """A new issue that declares only its due date is created without a start if Redmine's default does not fit."""
    redmine = Strict()
    redmine.add("projects", identifier="shop")
    report = apply_to(redmine, wanted("{subject: s, due_date: 2020-01-10}"))
    assert [r.outcome for r in report.results] == ["done"]
    assert redmine.row("issues", "s")["start_date"] == ""
