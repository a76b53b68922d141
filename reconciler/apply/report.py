"""The report of an apply, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reconciler.errors import Location
from reconciler.plan.operations import Change, Plan

Outcome = Literal["done", "failed", "skipped", "unknown", "left"]
"""What became of a change; `left` was not started, because the run ended before."""
NOWHERE = Location("")
OUTCOMES: tuple[Outcome, ...] = ("done", "failed", "skipped", "unknown", "left")


@dataclass(frozen=True, slots=True)
class ItemError:
    """An error of a change: the message, the field that it is about ("" for the object), and its place."""

    message: str
    path: str = ""
    location: Location = NOWHERE

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a change. `because` is why it was skipped; `notes` are not errors.

    `adopted` is true for an object that was to be created, but was there by then: somebody else has created it
    meanwhile, or a module that was off hid it.
    """

    change: Change
    outcome: Outcome
    id: int | str | None = None
    errors: tuple[ItemError, ...] = ()
    because: str | None = None
    notes: tuple[str, ...] = ()
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The report of an apply: the plan, a result for each change in order, and the number of requests of the run.

    `ended` is a sentence on why the run ended early, or "". `interrupted` is true if that was by a signal, `refused` if
    the same command would end the same way again.
    """

    plan: Plan
    results: tuple[Result, ...]
    requests: int
    interrupted: bool = False
    ended: str = ""
    refused: bool = False

    @property
    def summary(self) -> dict[str, int]:
        """The number of changes by outcome."""
        return {o: sum(r.outcome == o for r in self.results) for o in OUTCOMES}


def joined(reports: Sequence[Report]) -> Report:
    """One report of several plans that were applied one after the other."""
    changes = tuple(change for report in reports for change in report.plan.changes)
    warnings = tuple(warning for report in reports for warning in report.plan.warnings)
    return Report(
        replace(reports[-1].plan, changes=changes, warnings=tuple(dict.fromkeys(warnings))),
        tuple(result for report in reports for result in report.results),
        reports[-1].requests,
        any(report.interrupted for report in reports),
        next((report.ended for report in reports if report.ended), ""),
        any(report.refused for report in reports),
    )
