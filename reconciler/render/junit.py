"""The report of an apply, or problems, as JUnit XML, which CI servers show as tests: one test case for each change.

The elements are those that Jenkins, GitLab and GitHub's test reporters read (`junit-10.xsd` of Jenkins' xUnit plugin).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.errors import Location, Problem
from reconciler.render import words
from reconciler.render.safe import terminal

if TYPE_CHECKING:
    from reconciler.apply.report import Outcome, Report, Result
    from reconciler.plan.operations import Change, Plan

ELEMENTS: dict[Outcome, str] = {"failed": "failure", "unknown": "error", "skipped": "skipped", "left": "skipped"}


def results(report: Report) -> str:
    """A test case for each change: failed is a failure, unknown an error; skipped and not started are skipped.

    A run that ended early has one of its own, with an error: it must not look as if all was well.
    """
    cases = [_result(result, report.ended) for result in report.results]
    return _document(f"apply to {report.plan.url}", [*([_ended(report.ended)] if report.ended else []), *cases])


def problems(problems: Sequence[Problem]) -> str:
    """A failed test case for each problem; without any, one that has passed."""
    valid = Element("testcase", {"classname": "problem", "name": "The manifests are valid."})
    return _document("problems", map(_problem, problems) if problems else [valid])


def found(found: Sequence[Problem], plan: Plan | None) -> str:
    """What a plan or a check has found: a failed test case for each problem, a passed one for each planned change."""
    if plan is None or not (found or plan.changes):
        return problems(found)
    return _document(f"plan for {plan.url}", [*map(_problem, found), *map(_change, plan.changes)])


def _change(change: Change) -> Element:
    return _case(change.address.kind, f"{words.VERBS[change.action]} {words.head(change)}", change.source)


def _document(name: str, cases: Iterable[Element]) -> str:
    root = Element("testsuites", name="reconciler")
    suite = SubElement(root, "testsuite", name=terminal(name))
    suite.extend(cases)
    inside = Counter(part.tag for case in suite for part in case)
    counts = {"tests": len(suite), "failures": inside["failure"], "errors": inside["error"]}
    for element in (root, suite):
        element.attrib |= {key: str(number) for key, number in {**counts, "skipped": inside["skipped"]}.items()}
    indent(root)
    text: str = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _result(result: Result, ended: str) -> Element:
    change = result.change
    case = _case(change.address.kind, f"{words.VERBS[change.action]} {words.head(change, result.id)}", change.source)
    if result.outcome != "done":
        lines = [error.message for error in result.errors] or [f"because {result.because}" if result.because else ended]
        _outcome(case, ELEMENTS[result.outcome], lines)
    return case


def _ended(why: str) -> Element:
    case = _case("run", "The run goes to its end.", Location(""))
    _outcome(case, "error", [why])
    return case


def _problem(problem: Problem) -> Element:
    case = _case("problem", problem.subject or str(problem.location), problem.location)
    _outcome(case, "failure", [problem.message, *([problem.hint] if problem.hint else [])])
    return case


def _case(kind: str, name: str, place: Location) -> Element:
    where = {"file": place.file, "line": str(place.line)} if place.line else {"file": place.file} if place.file else {}
    named = {"classname": kind, "name": name, **where}
    return Element("testcase", {key: terminal(value) for key, value in named.items()})


def _outcome(case: Element, tag: str, lines: Sequence[str]) -> None:
    element = SubElement(case, tag, message=terminal(lines[0]))
    element.text = "\n".join(map(terminal, lines))
