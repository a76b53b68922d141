"""What CI servers show: annotations, code quality, the counts of a plan, tests."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from samples import PLAN, PROBLEMS, REPORT, at, changed, new, plan_of
from samples import change as make

from reconciler.errors import Location, Problem
from reconciler.model.address import Address
from reconciler.plan.operations import Create, Delete, Plan, Update
from reconciler.render import github, gitlab, junit


def problems(number: int) -> list[Problem]:
    """Problems at places of their own."""
    return [Problem(at(n + 1), f"wrong {n}", f"issue p/{n}") for n in range(number)]


def plan(creations: int, deletions: int = 0) -> Plan:
    """A plan that creates and deletes."""
    created = [make(Create, Address("issue", f"p/{n}"), None, at(n + 1), new(subject="S")) for n in range(creations)]
    deleted = [
        make(Delete, Address("version", f"p/{n}"), n, at(n + 1), reason="also deletes x") for n in range(deletions)
    ]
    return plan_of(*created, *deleted)


def commands(rendered: str, level: str) -> list[str]:
    """The annotations of a level."""
    return [line for line in rendered.split("\n") if line.startswith(f"::{level}")]


@pytest.mark.parametrize("number", [0, 1, 10])
def test_as_many_annotations_as_github_shows(number: int) -> None:
    """Up to ten of a level are just annotations."""
    rendered = github.problems(problems(number))
    assert len(rendered.split("\n") if rendered else []) == number
    assert len(commands(rendered, "error")) == number


@pytest.mark.parametrize("number", [11, 500])
def test_more_annotations_than_github_shows(number: int) -> None:
    """The tenth says how many are left, and the log has all of them, in a folded group."""
    rendered = github.problems(problems(number))
    shown = commands(rendered, "error")
    assert len(shown) == 10
    assert shown[-1] == f"::error::{number - 9} more errors: the log of this step has all of them"
    log = rendered.partition(f"::group::All {number} errors\n")[2].split("\n")
    assert log[number - 1] == f"- examples/shop.yaml:{number}:5: issue p/{number - 1}: wrong {number - 1}"
    assert log[-1] == "::endgroup::"


def test_annotations_of_a_plan() -> None:
    """Deletions are warnings, other changes notices, each with its own limit of ten; the last line is the summary."""
    rendered = github.plan(plan(30, 12))
    assert len(commands(rendered, "warning")) == len(commands(rendered, "notice")) == 10
    first = commands(rendered, "warning")[0]
    assert (
        first
        == "::warning file=examples/shop.yaml,line=1,col=5,title=version p/0::delete version p/0 (#0) (also deletes x)"
    )
    assert commands(rendered, "notice")[0].endswith("title=issue p/0::create subject: S")
    assert rendered.endswith("\nPlan: 30 to create, 0 to change, 12 to delete, 0 unchanged.")


def test_a_text_in_an_annotation_is_counted() -> None:
    """Its lines have no room: of a new one, all are counted, of another one, those that differ."""
    created = make(Create, Address("issue", "p/1"), None, at(1), new(subject="S", description="a\n" * 500))
    edited = make(Update, Address("issue", "p/2"), 2, at(2), (changed("description", "a\nb\nc", "a\nd\nc\ne"),))
    first, second = commands(github.plan(plan_of(created, edited)), "notice")
    assert first.endswith("::create subject: S; description: 500 lines added")
    assert second.endswith("::change description: 2 lines added and 1 line removed")


def test_problems_and_the_plan_of_the_rest_are_annotations() -> None:
    """Both are there, and the summary is that of the rest."""
    rendered = github.rest(problems(2), plan(1))
    assert len(commands(rendered, "error")) == 2
    assert len(commands(rendered, "notice")) == 1
    assert "apply --keep-going" in rendered


@pytest.mark.parametrize("nasty", ["::error::x", "  ::set-env name=a::b", "a\n::endgroup::\n::error::b", "##[error]x"])
def test_the_log_beyond_the_annotations_is_no_command(nasty: str) -> None:
    """What is only in the log cannot be a command either."""
    rendered = github.problems([Problem(Location(nasty), nasty, nasty)] * 20)
    assert len(commands(rendered, "error")) == 10
    log = rendered.partition("::group::All 20 errors\n")[2].split("\n")
    assert len(log) == 21
    assert all(line.startswith("- ") and "##[" not in line for line in log[:20])


# -- GitLab ----------------------------------------------------------------------------------------------------


def test_code_quality_has_what_gitlab_needs() -> None:
    """Each problem has a description, a check, a severity that GitLab knows, a path and a line."""
    for issue in [*gitlab.quality(PROBLEMS), *gitlab.quality((), report=REPORT)]:
        assert issue.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["location"]["path"]
        assert issue["location"]["lines"]["begin"] >= 1


def test_fingerprints_stay_when_lines_move() -> None:
    """The same problem further down is the same; another one is not, nor is the same one twice."""
    before = gitlab.quality(problems(3))
    moved = gitlab.quality([replace(p, location=at(p.location.line + 40)) for p in problems(3)])
    assert [issue["fingerprint"] for issue in before] == [issue["fingerprint"] for issue in moved]
    twice = gitlab.quality([*problems(2), *problems(2)])
    assert len({issue["fingerprint"] for issue in twice}) == 4


def test_a_problem_without_a_place() -> None:
    """GitLab needs one: that of the configuration."""
    (issue,) = gitlab.quality([Problem(Location(""), "the server is busy")])
    assert issue["location"] == {"path": "reconciler.yaml", "lines": {"begin": 1}}


def test_the_widget_counts_actions() -> None:
    """Without a plan it has none, so that GitLab does not show zeros."""
    assert gitlab.counts(PLAN) == {"create": 2, "update": 3, "delete": 2}
    assert "create" not in gitlab.counts(None)


def test_gitlab_reports_are_plain_data() -> None:
    """They are JSON."""
    assert json.loads(json.dumps(gitlab.quality(PROBLEMS, PLAN))) == gitlab.quality(PROBLEMS, PLAN)


# -- JUnit -----------------------------------------------------------------------------------------------------


def counts(rendered: str) -> tuple[str | None, str | None]:
    """The tests and failures that a file says it has."""
    root = ElementTree.fromstring(rendered.encode())
    return root.get("tests"), root.get("failures")


def test_a_plan_as_tests() -> None:
    """Each change is a test that has passed, each problem one that has failed; without either, one has passed."""
    assert counts(junit.found((), PLAN)) == ("7", "0")
    assert counts(junit.found(PROBLEMS, PLAN)) == ("10", "3")
    assert counts(junit.found(PROBLEMS, None)) == ("3", "3")
    assert counts(junit.found((), plan(0))) == counts(junit.problems(())) == ("1", "0")
    assert re.search(
        r'classname="user" name="create user jsmith" file="examples/shop.yaml" line="3"', junit.found((), PLAN)
    )
