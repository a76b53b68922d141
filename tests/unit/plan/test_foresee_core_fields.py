"""Core fields of every kind that Redmine would refuse: lengths, and texts of blanks; without a server where possible."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import offline, plan_of, problems_of
from plans import plan

LIMITS = {
    # field: its greatest length, and a manifest in which it is X (Redmine 5.0 to 7.0)
    "login": (60, "users: [{login: X, firstname: A, lastname: B, mail: a@b.c}]"),
    "firstname": (30, "users: [{login: a, firstname: X, lastname: B, mail: a@b.c}]"),
    "lastname": (255, "users: [{login: a, firstname: A, lastname: X, mail: a@b.c}]"),
    "mail": (254, "users: [{login: a, firstname: A, lastname: B, mail: X}]"),
    "group": (255, "groups: [{name: X}]"),
    "identifier": (100, "projects: [{identifier: x, name: A}]"),
    "project": (255, "projects: [{identifier: a, name: X}]"),
    "homepage": (255, "projects: [{identifier: a, name: A, homepage: X}]"),
    "version": (60, "versions: [{project: a, name: X}]"),
    "version description": (255, "versions: [{project: a, name: b, description: X}]"),
    "wiki_page_title": (255, "versions: [{project: a, name: b, wiki_page_title: X}]"),
    "category": (60, "issue_categories: [{project: a, name: X}]"),
    "subject": (255, "issues: [{project: a, subject: X}]"),
    "comments": (
        1024,
        "time_entries: [{project: a, user: b, spent_on: 2026-11-02, activity: c, hours: 1, comments: X}]",
    ),
    "title": (60, "news: [{project: a, title: X, description: b}]"),
    "summary": (255, "news: [{project: a, title: b, description: c, summary: X}]"),
    "page": (255, "wiki_pages: [{project: a, title: X, text: b}]"),
    "wiki comments": (1024, "wiki_pages: [{project: a, title: b, text: c, comments: X}]"),
}
CHANGELESS = {"identifier": "x"}


def said(text: str) -> list[str]:
    """The problems of a manifest, without a server."""
    return [problem.message for problem in offline(text).problems]


@pytest.mark.parametrize("field", LIMITS)
def test_a_text_can_be_as_long_as_redmine_takes_it(field: str) -> None:
    """And not one character more."""
    longest, text = LIMITS[field]
    letter = CHANGELESS.get(field, "X")
    assert said(text.replace(letter, letter * longest)) == []
    (problem,) = said(text.replace(letter, letter * (longest + 1)))
    assert str(longest) in problem


REQUIRED = {
    "firstname": "users: [{login: a, firstname: X, lastname: B, mail: a@b.c}]",
    "lastname": "users: [{login: a, firstname: A, lastname: X, mail: a@b.c}]",
    "mail": "users: [{login: a, firstname: A, lastname: B, mail: X}]",
    "group": "groups: [{name: X}]",
    "project": "projects: [{identifier: a, name: X}]",
    "version": "versions: [{project: a, name: X}]",
    "category": "issue_categories: [{project: a, name: X}]",
    "subject": "issues: [{project: a, subject: X}]",
    "title": "news: [{project: a, title: X, description: b}]",
    "news": "news: [{project: a, title: b, description: X}]",
}


@pytest.mark.parametrize("blanks", ["", " ", "  ", "\\u00a0", "\\u2003\\u3000", "\\t\\n", "\\u2028"])
@pytest.mark.parametrize("field", REQUIRED)
def test_a_text_of_blanks_is_none(field: str, blanks: str) -> None:
    """Redmine requires these texts, and knows more blanks than the space."""
    (problem,) = said(REQUIRED[field].replace("X", f'"{blanks}"'))
    expected = "expected more than blanks" if blanks else "expected a non-empty string"
    assert expected in problem


@pytest.mark.parametrize("field", REQUIRED)
def test_other_invisible_characters_are_a_text(field: str) -> None:
    """Redmine takes them (5.0 to 6.1)."""
    assert said(REQUIRED[field].replace("X", '"\\u200b"')) == []


# -- last names on 5.0 -----------------------------------------------------------------------------------------

LONG = "B" * 31
AMY = f"users: [{{login: amy, firstname: A, lastname: {LONG}, mail: a@b.c}}]"
LIMIT = "lastname: 31 characters; before Redmine 5.1 a last name has at most 30"


def people(status: bool = False) -> Canned:
    """A server whose lists of users have a status, or not (before 6.0)."""
    redmine = Canned()
    if not status:
        for row in redmine.rows("users"):
            row.pop("status", None)
    return redmine


def test_a_long_last_name_on_5_0_is_a_problem() -> None:
    """Its definitions of custom fields have no description."""
    redmine = people()
    redmine.add("custom_fields", name="Size")
    (problem,) = problems_of(redmine, AMY)
    assert (problem.message, problem.location.column) == (LIMIT, 36)
    redmine.row("custom_fields", "Size")["description"] = None
    assert problems_of(redmine, AMY) == ()


def test_a_long_last_name_is_only_a_warning_where_the_version_is_not_known() -> None:
    """Lists of users have a status from 6.0 on."""
    assert [warning.message for warning in plan_of(people(), AMY).warnings] == [LIMIT]
    assert plan_of(people(status=True), AMY).warnings == ()


def test_a_long_last_name_that_is_live_may_stay() -> None:
    """Then the server takes it."""
    live = ("user", "amy", {"id": 5, "login": "amy", "firstname": "A", "lastname": LONG, "mail": "a@b.c"})
    assert plan(AMY, live).warnings == ()
    (warning,) = plan(AMY.replace(LONG, f"{LONG}B"), live).warnings
    assert warning.message == LIMIT.replace("31", "32")


# -- hours -----------------------------------------------------------------------------------------------------

TIME = "time_entries: [{project: shop, user: admin, spent_on: 2026-11-02, activity: Design, hours: %s}]"


@pytest.mark.parametrize(
    "hours, said",
    [
        ("0", "hours: a setting of Redmine, which the API does not show, decides whether it takes 0 hours"),
        ("1000", "hours: by default Redmine takes at most 999 hours of a user on one day"),
        ("0.01", ""),
        ("999", ""),
    ],
)
def test_hours_that_settings_may_forbid_are_a_warning(hours: str, said: str) -> None:
    """Of what is new; what is live was taken already."""
    redmine = Canned()
    redmine.add("projects", identifier="shop", enabled_modules=["time_tracking"])
    assert [warning.message for warning in plan_of(redmine, TIME % hours).warnings] == ([said] if said else [])
    redmine.add("time_entries", project="shop", hours=float(hours))
    assert plan_of(redmine, TIME % hours).warnings == ()
