"""What became of a plan, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.plan.operations import Change, Plan

Outcome = Literal["done", "failed", "skipped", "unknown"]
OUTCOMES: tuple[Outcome, ...] = ("done", "failed", "skipped", "unknown")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a change. `because` says what a skipped one was waiting for; `notes` are not errors."""

    change: Change
    outcome: Outcome
    id: int | str | None = None
    errors: tuple[str, ...] = ()
    because: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What an apply did: the plan, a result for each of its changes in order, and the requests of the whole run."""

    plan: Plan
    results: tuple[Result, ...]
    requests: int
    interrupted: bool = False

    @property
    def summary(self) -> dict[str, int]:
        """How many changes ended how."""
        return {o: sum(r.outcome == o for r in self.results) for o in OUTCOMES}
