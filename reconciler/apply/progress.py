"""The progress of each change: the state that the parts of an apply share."""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import Struct, field

from reconciler.apply.blame import about
from reconciler.apply.report import ItemError, Outcome, Result
from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.capabilities import Creation
from reconciler.model.spec import Id
from reconciler.plan.operations import Change, FieldChange, Operation

Listener = Callable[[Address, Outcome], None]


def no_listener(address: Address, outcome: Outcome) -> None:
    """The default listener, which does nothing."""


class Progress(Struct):
    """The progress of one change."""

    change: Change
    id: Id | None
    earlier_id: Id | None = None
    """What the object is still called if Redmine dropped the write that gives it another id."""
    outcome: Outcome | None = None
    errors: list[ItemError] = field(default_factory=list)
    because: str | None = None
    notes: list[str] = field(default_factory=list)
    completed: set[int] = field(default_factory=set)
    """The numbers of the completed operations."""
    begun: bool = False
    told: bool = False
    """Whether the listener knows the outcome."""
    sent_again: bool = False
    """Whether its POST was sent again because the response was lost."""
    in_doubt: bool = False
    """Whether the server may still execute a request that adds something, such as a note."""
    adopted: bool = False
    """Whether it was there when it was to be created."""
    searched: bool = False
    """Whether it was looked for a second object with its identity."""
    answered: bool = False
    """Whether the answer to its own POST is the row in the name index."""
    rewritten: bool = False
    """Whether more than its POST was sent."""
    sending: Collection[str] = ()
    """The names of the fields in the current write."""
    written: list[FieldChange] = field(default_factory=list)
    """The fields that must be read back: those that were sent, and those that the write can have side effects on."""

    @property
    def number(self) -> Id:
        """The id. Raises LookupError if the object does not exist yet."""
        if self.id is None:
            raise LookupError(f"{self.change.address} has no id yet")
        return self.id

    def sent(self, operation: Operation) -> list[str]:
        """The paths of those fields of an operation that are in the current write."""
        return [f.path for f in operation.fields if f.path.partition(".")[0] in self.sending]

    def result(self) -> Result:
        """The final result."""
        if self.outcome is None:
            return self._unfinished()
        # Else it came about by a write of this run: a membership that Redmine derives from a group's.
        foreign = bool(kinds()[self.change.address.kind].capability(Creation).adoption_note)
        adopted, notes = self.adopted and foreign, tuple(self.notes)
        return Result(self.change, self.outcome, self.id, tuple(self.errors), self.because, notes, adopted)

    def _unfinished(self) -> Result:
        if not self.completed:
            return Result(self.change, "left", self.id)
        left = [f for o in self.change.operations if o.id.number not in self.completed for f in o.fields]
        error = about(self.change, f"the run ended before setting {listed(left)}", left)
        return Result(self.change, "failed", self.id, (*self.errors, error), notes=tuple(self.notes))


def listed(fields: Collection[FieldChange]) -> str:
    """The paths of some fields in a sentence."""
    return ", ".join(f.path for f in fields)
