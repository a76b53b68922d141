"""Problems and failures as GitHub workflow commands, which become annotations on the lines of the manifests.

Syntax and escapes: actions/toolkit, `packages/core/src/command.ts`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from reconciler.errors import Location, Problem
from reconciler.render.safe import workflow

if TYPE_CHECKING:
    from reconciler.apply.report import Report, Result


def problems(problems: Sequence[Problem]) -> str:
    """One `::error …` line for each problem."""
    return "\n".join(_command("error", p.location, p.subject, p.sentence) for p in problems)


def results(report: Report) -> str:
    """An `::error …` line for each place of a failed or unknown change, a `::warning …` line for a skipped one, and one
    for all that were not started."""
    named = (result for result in report.results if result.outcome not in ("done", "left"))
    lines = [line for result in named for line in _result(result)]
    left = report.summary["left"]
    return "\n".join([*lines, *([f"::warning::{workflow(f'{left} not started: {report.ended}')}"] if left else [])])


def _result(result: Result) -> Iterator[str]:
    """A line for each place of the errors of a change, or one for the object."""
    # One command for each place: GitHub shows only ten errors of a step as annotations.
    title, by_place = str(result.change.address), defaultdict[Location, list[str]](list)
    for error in result.errors:
        by_place[error.location if error.location.file else result.change.source].append(error.message)
    for place, messages in by_place.items():
        yield _command("error", place, title, "; ".join(messages))
    if not result.errors:
        level: Literal["error", "warning"] = "warning" if result.outcome == "skipped" else "error"
        yield _command(level, result.change.source, title, f"{result.outcome} because {result.because}")


def _command(level: Literal["error", "warning"], place: Location, title: str, message: str) -> str:
    named = {"file": place.file, "line": place.line or "", "col": place.column or "", "title": title}
    parts = ",".join(f"{name}={workflow(str(value), part=True)}" for name, value in named.items() if value)
    return f"::{level}{' ' if parts else ''}{parts}::{workflow(message)}"
