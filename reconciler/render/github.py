"""Problems and failures as GitHub workflow commands, which show them on the lines of the manifests.

Form and escapes: actions/toolkit, `packages/core/src/command.ts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from reconciler.errors import Location, Problem
from reconciler.render.safe import workflow

if TYPE_CHECKING:
    from reconciler.apply.report import Report


def problems(problems: Sequence[Problem]) -> str:
    """One `::error …` line for each problem."""
    return "\n".join(_command("error", p.location, p.subject, _sentence(p)) for p in problems)


def results(report: Report) -> str:
    """An `::error …` line for each item that failed or is unknown, a `::warning …` for each that was skipped."""
    lines = []
    for result in report.results:
        level: Literal["error", "warning"] = "warning" if result.outcome == "skipped" else "error"
        if result.outcome != "done":
            message = "; ".join(result.errors) or f"{result.outcome} because {result.because}"
            lines.append(_command(level, result.change.source, str(result.change.address), message))
    return "\n".join(lines)


def _sentence(problem: Problem) -> str:
    return f"{problem.message} ({problem.hint})" if problem.hint else problem.message


def _command(level: Literal["error", "warning"], place: Location, title: str, message: str) -> str:
    named = {"file": place.file, "line": place.line or "", "col": place.column or "", "title": title}
    parts = ",".join(f"{name}={workflow(str(value), part=True)}" for name, value in named.items() if value)
    return f"::{level}{' ' if parts else ''}{parts}::{workflow(message)}"
