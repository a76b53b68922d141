"""Takes back the access that a run gave: a user who was unlocked for others, or was to be locked after its creation.

Locking is an operation of the plan that runs whatever fails before it. This is for what ends a run: an interruption, or
a server that did not answer just then.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.apply.blame import about
from reconciler.apply.executor import Applier
from reconciler.apply.progress import Progress, listed
from reconciler.errors import ServerError, Unreachable
from reconciler.kinds import kinds
from reconciler.model.codecs import shown
from reconciler.plan.access import closes_access
from reconciler.plan.diff import gather
from reconciler.plan.operations import Operation


async def take_back(applier: Applier) -> None:
    """Send what is left of the operations that take access away."""
    for state, operation in list(_left(applier)):
        try:
            await applier.writer.update(state, gather(operation.fields))
        except Unreachable:
            # Each attempt takes a while, and the next one would end the same way.
            return
        except ServerError:
            continue
        state.written += operation.fields
        if state.outcome is not None:
            state.notes.append(f"{listed(operation.fields)} was written at the end of the run")
        applier.complete(operation)


def say_what_is_left(applier: Applier) -> None:
    """Say of each object that its access could not be taken away."""
    for state, operation in _left(applier):
        wanted = ", ".join(f"{f.path} {shown(f.after)}" for f in operation.fields)
        message = f"{wanted} could not be written, so access is still open: apply again, or set it in Redmine"
        state.errors.append(about(state.change, message, operation.fields))
        state.outcome = state.outcome or "failed"


def _left(applier: Applier) -> Iterator[tuple[Progress, Operation]]:
    """The operations that take away access which this run may have given."""
    for state in applier.progress.values():
        for operation in state.change.later:
            given = state.begun and state.id is not None and operation.id.number not in state.completed
            if given and closes_access(kinds()[state.change.address.kind], operation.fields):
                yield state, operation
