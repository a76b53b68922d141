"""What became of a plan, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.errors import Location
from reconciler.plan.operations import Change, Plan

Outcome = Literal["done", "failed", "skipped", "unknown"]
NOWHERE = Location("")
OUTCOMES: tuple[Outcome, ...] = ("done", "failed", "skipped", "unknown")


@dataclass(frozen=True, slots=True)
class ItemError:
    """What went wrong with a change: a sentence, the field that it is about ("" is the object), and its place."""

    message: str
    path: str = ""
    location: Location = NOWHERE

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a change. `because` says what a skipped one was waiting for; `notes` are not errors."""

    change: Change
    outcome: Outcome
    id: int | str | None = None
    errors: tuple[ItemError, ...] = ()
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
