"""Plans, reports and problems as GitHub workflow commands, which become annotations on the lines of the manifests.

GitHub shows ten errors, ten warnings and ten notices of a step. Beyond that, the last one says how many more there are,
and a folded group of the log has all of them.

Syntax and escapes: actions/toolkit, `packages/core/src/command.ts`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from reconciler.errors import Location, Problem, shortened
from reconciler.record import Record
from reconciler.render import words
from reconciler.render.safe import terminal, workflow

if TYPE_CHECKING:
    from reconciler.apply.report import Report, Result
    from reconciler.plan.operations import Change, Plan

Level = Literal["error", "warning", "notice"]
LEVELS: tuple[Level, ...] = ("error", "warning", "notice")
Paths = Callable[[str], str]
"""A path in a message → the path from the root of the repository, at which the place is shown."""
SHOWN = 10
"""Annotations of each level that GitHub shows for a step."""
EVERY = 10**9
"""Lines of a new text that are counted."""
NOWHERE = Location("")


class Annotation(Record):
    """A message about a place in the manifests."""

    level: Level
    place: Location
    title: str
    message: str


def plan(plan: Plan, path: Paths = str) -> str:
    """A warning for each deletion and each warning of the plan, a notice for each other change; then the summary."""
    return _log([*_commands(_plan(plan), path), words.summary(plan)])


def problems(problems: Sequence[Problem], path: Paths = str) -> str:
    """An error for each problem."""
    return _log(_commands(map(_problem, problems), path))


def rest(problems_: Sequence[Problem], made: Plan, path: Paths = str) -> str:
    """The same for problems, and the plan of what does not depend on them."""
    return _log([*_commands([*map(_problem, problems_), *_plan(made)], path), words.REST, words.summary(made)])


def results(report: Report, path: Paths = str) -> str:
    """An error for each place of a failed or unknown change, and one for all that were not started; a warning for each
    that was skipped; then the summary."""
    named = (result for result in report.results if result.outcome not in ("done", "left"))
    left = report.summary["left"]
    ended = [Annotation("error", NOWHERE, "", f"{left} not started: {report.ended}")] if left else []
    annotations = [*(one for result in named for one in _result(result)), *ended]
    return _log([*_commands(annotations, path), words.outcome(report)])


def _problem(problem: Problem) -> Annotation:
    return Annotation("error", problem.location, problem.subject, problem.sentence)


def _plan(plan: Plan) -> Iterator[Annotation]:
    for change in words.deletions_first(plan):
        level: Level = "warning" if change.action == "delete" else "notice"
        yield Annotation(level, change.source, str(change.address), _sentence(change))
    for warned in plan.warnings:
        yield Annotation("warning", warned.source, str(warned.address), warned.message)


def _sentence(change: Change) -> str:
    """What is done to an object: `change status: Open → Closed; due_date: (none) → 2026-12-01`."""
    fields = shortened("; ".join(_field(field) for field in words.fields(change, EVERY)))
    reason = f" ({shortened(change.reason)})" if change.reason else ""
    return f"{words.VERBS[change.action]} {fields or words.head(change)}{reason}"


def _field(field: words.Field) -> str:
    if field.lines:
        # An annotation has no room for a text; the summary of the step has it.
        counts = Counter(line[:1] for line in field.lines)
        lines = [_lines(counts[sign], verb) for sign, verb in (("+", "added"), ("-", "removed")) if counts[sign]]
        return f"{field.label}: {' and '.join(lines)}"
    return f"{field.label}: {field.after if field.before is None else f'{field.before} → {field.after}'}"


def _lines(number: int, verb: str) -> str:
    return f"{number} {'line' if number == 1 else 'lines'} {verb}"


def _result(result: Result) -> Iterator[Annotation]:
    """An annotation for each place of the errors of a change, or one for the object."""
    # One for each place, because so few are shown.
    title, by_place = str(result.change.address), defaultdict[Location, list[str]](list)
    for error in result.errors:
        by_place[error.location if error.location.file else result.change.source].append(error.message)
    for place, messages in by_place.items():
        yield Annotation("error", place, title, "; ".join(messages))
    if not result.errors:
        level: Level = "warning" if result.outcome == "skipped" else "error"
        yield Annotation(level, result.change.source, title, f"{result.outcome} because {result.because}")


def _commands(annotations: Iterable[Annotation], path: Paths) -> Iterator[str]:
    """The commands for annotations, and what the log has beyond them."""
    by_level = defaultdict[Level, list[Annotation]](list)
    for annotation in annotations:
        by_level[annotation.level].append(annotation)
    for level in LEVELS:
        yield from _level(level, by_level[level], path)


def _level(level: Level, own: Sequence[Annotation], path: Paths) -> Iterator[str]:
    shown = own if len(own) <= SHOWN else own[: SHOWN - 1]
    yield from (_command(annotation, path) for annotation in shown)
    if len(own) <= SHOWN:
        return
    yield f"::{level}::{len(own) - SHOWN + 1} more {level}s: the log of this step has all of them"
    yield f"::group::All {len(own)} {level}s"
    yield from map(_line, own)
    yield "::endgroup::"


def _command(annotation: Annotation, path: Paths) -> str:
    place = annotation.place
    named = {"file": path(place.file), "line": place.line or "", "col": place.column or "", "title": annotation.title}
    parts = ",".join(f"{name}={workflow(str(value), part=True)}" for name, value in named.items() if value)
    return f"::{annotation.level}{' ' if parts else ''}{parts}::{workflow(annotation.message)}"


def _line(annotation: Annotation) -> str:
    """An annotation in a line of the log, which is no command."""
    parts = filter(None, (str(annotation.place), annotation.title, annotation.message))
    return terminal(f"- {': '.join(parts)}")


def _log(lines: Iterable[str]) -> str:
    return "\n".join(lines)
