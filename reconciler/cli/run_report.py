"""The report of an apply while it runs, for `--report`: the files are there even if the process is killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from reconciler.cli.documents import Document
from reconciler.cli.progress import if_long
from reconciler.cli.reports import WRITING, Reports, Target, sentence
from reconciler.errors import ReconcilerError, RefusedError

if TYPE_CHECKING:
    from reconciler.apply.executor import Applier
    from reconciler.apply.report import Report
    from reconciler.cli.options import State
    from reconciler.plan.operations import Plan

RUNNING = "The run has not ended."
"""What the files say until it does: this stays if the process is killed."""
DECLINED = "The plan was not confirmed."
PAUSE = 5.0
"""Seconds between two versions of the files while the run goes on."""
SHARE = 20
"""Writing them takes at most one part in `SHARE` of the time of the run."""


class RunReport(Reports):
    """Written before the first change, while the run goes on, and at its end.

    `reports` are those of the run so far, `plan` is what it does next.
    """

    def __init__(self, targets: tuple[Target, ...], state: State) -> None:
        super().__init__(targets, state)
        self.plan: Plan | None = None
        self.reports: list[Report] = []
        self.next = 0.0

    def begin(self, plan: Plan) -> None:
        """Write what is to be done. Raises ReconcilerError if a file cannot be written and nothing was changed yet."""
        self.plan = plan
        with if_long(self.state, WRITING):
            failed = self.results([*self.reports, *self._left(RUNNING)])
        if failed and not self.reports:
            raise failed[0]

    def running(self, applier: Applier) -> None:
        """Write what was done so far, unless that was a moment ago. Whatever fails is tried again at the end."""
        started = monotonic()
        if self.files and started >= self.next:
            self.results([*self.reports, replace(applier.report(), ended=RUNNING)])
            self.next = monotonic() + max(PAUSE, SHARE * (monotonic() - started))

    def results(self, reports: Sequence[Report]) -> list[ReconcilerError]:
        """Write the reports as one; returns why some files could not be written."""
        from reconciler.apply.report import joined

        return self.write(Document(report=joined(reports))) if self.files else []

    def at_end(self, error: BaseException | None) -> Document | None:
        """The report; if an error came before there was a plan, that."""
        from reconciler.apply.report import joined

        said = "" if error is None else sentence(error)
        reports = [*self.reports, *self._left(said or DECLINED)]
        if not reports:
            return super().at_end(error)
        last, refused = reports.pop(), isinstance(error, RefusedError)
        return Document(report=joined([*reports, replace(last, ended=last.ended or said, refused=refused)]))

    def _left(self, ended: str) -> Iterator[Report]:
        """The report of the plan that was not begun, if there is one."""
        from reconciler.apply.report import Report, Result

        if self.plan is not None and all(report.plan is not self.plan for report in self.reports):
            left = tuple(Result(change, "left", change.id) for change in self.plan.changes)
            yield Report(self.plan, left, self.plan.requests, ended=ended if left else "")
