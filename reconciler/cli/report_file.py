"""`apply --report FILE`: what became of each change, in a file that is there whatever ends the run."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from reconciler.errors import Location, ManifestError, Problem, ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from reconciler.apply.executor import Applier
    from reconciler.apply.report import Report
    from reconciler.plan.operations import Plan

FORMATS = (".json", ".xml")
RUNNING = "The run has not ended."
"""What the file says until it does: this stays if the process is killed."""
DECLINED = "The plan was not confirmed."
PAUSE = 5.0
"""Seconds between two versions of the file while the run goes on."""
SHARE = 20
"""Writing it takes at most one part in `SHARE` of the time of the run."""


def checked(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """The path of the option. Raises BadParameter for another ending."""
    if value is not None and value.suffix not in FORMATS:
        raise click.BadParameter(f"expected a name that ends in {' or '.join(FORMATS)}")
    return value


class ReportFile(AbstractContextManager["ReportFile"]):
    """Written before the first change, while the run goes on, and at its end. Without a path, nothing is written.

    `reports` are those of the run so far, `plan` is what it does next.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.plan: Plan | None = None
        self.reports: list[Report] = []
        self.next = 0.0

    def begin(self, plan: Plan) -> None:
        """Write what is to be done. Raises ReconcilerError if the file cannot be written: nothing was changed yet."""
        self.plan = plan
        self._results([*self.reports, *self._left(RUNNING)])

    def running(self, applier: Applier) -> None:
        """Write what was done so far, unless that was a moment ago."""
        started = monotonic()
        if started >= self.next:
            self._results([*self.reports, replace(applier.report(), ended=RUNNING)])
            self.next = monotonic() + max(PAUSE, SHARE * (monotonic() - started))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, click.ClickException):  # a usage error is no run
            return
        reports = [*self.reports, *self._left(DECLINED if error is None else _sentence(error))]
        if reports:
            last = reports.pop()
            ended = last.ended or ("" if error is None else _sentence(error))
            self._results([*reports, replace(last, ended=ended)])
        elif error is not None:
            self._problems(error)

    def _left(self, ended: str) -> Iterator[Report]:
        """The report of the plan that was not begun, if there is one."""
        from reconciler.apply.report import Report, Result

        if self.plan is not None and all(report.plan is not self.plan for report in self.reports):
            left = tuple(Result(change, "left", change.id) for change in self.plan.changes)
            yield Report(self.plan, left, self.plan.requests, ended=ended if left else "")

    def _results(self, reports: Sequence[Report]) -> None:
        from reconciler.apply.report import joined
        from reconciler.render import json, junit

        if self.path is not None:
            report = joined(reports)
            self._save(junit.results(report) if self._xml else json.dumps(json.results_json(report)))

    def _problems(self, error: BaseException) -> None:
        """Write why there is no plan."""
        from reconciler.render import json, junit

        found = error.problems if isinstance(error, ManifestError) else (Problem(Location(""), _sentence(error)),)
        self._save(junit.problems(found) if self._xml else json.dumps(json.problems_json(found)))

    @property
    def _xml(self) -> bool:
        return self.path is not None and self.path.suffix == ".xml"

    def _save(self, text: str) -> None:
        from reconciler.model.local_files import write_private

        if self.path is not None:
            write_private(self.path, text.rstrip() + "\n", "a report", _is_report)


def _sentence(error: BaseException) -> str:
    if isinstance(error, ReconcilerError):
        return str(error)
    # As on the terminal: the text of any other error could contain anything.
    return f"Internal error: {type(error).__name__}." if isinstance(error, Exception) else "The run was interrupted."


def _is_report(path: Path) -> bool:
    """Whether a file is a report or a list of problems by its first characters, or empty."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            start = file.read(200)
    except OSError:
        return False
    return not start or '"format_version"' in start or "<testsuites" in start
