"""Creations whose response was lost, and that are only found when everything else is done.

They are continued where they stopped: what is sent after the POST (notes, relations), later operations on the object (a
parent, a status, a lock), and the comparison with what is live. What needed the object in the meantime stays skipped.
"""

from __future__ import annotations

from reconciler.apply import catalog
from reconciler.apply.executor import Applier, unknown
from reconciler.apply.progress import Progress
from reconciler.errors import ServerError
from reconciler.model.address import Row
from reconciler.plan.catalog import in_catalog
from reconciler.plan.diff import gather

NOTE = "the response to its creation was lost; the object was found afterwards"
LATER = "the response to a change was lost; what was left of it was written afterwards"


async def resume(applier: Applier) -> None:
    """Look up objects whose creation had an unknown outcome once more, and complete the work on those that exist."""
    for state in applier.progress.values():
        # What is in doubt is not compared: a missing note would be sent again, and be there twice.
        created = state.change.action == "create" and not state.in_doubt
        if state.outcome == "unknown" and created and not _only_program_left(state):
            try:
                row = await applier.writer.look_up(state.change.address, gather(state.change.fields))
            except ServerError:
                continue
            if row is not None:
                await _complete(applier, state, row)


def _only_program_left(state: Progress) -> bool:
    """Whether everything is written but for what the program inside Redmine writes: that is never sent twice."""
    left = [one for one in state.change.operations if one.id.number not in state.completed]
    return all(map(in_catalog, left))


async def _complete(applier: Applier, state: Progress, row: Row) -> None:
    address, (first, *later) = state.change.address, state.change.operations
    applier.names.add(address.kind, address.key, row)
    # Only what was skipped: an operation that was not reached yet runs when it is.
    skipped = [operation for operation in later if operation.id in applier.failed]
    for operation in state.change.operations:
        applier.failed.pop(operation.id, None)
    for other, reason in applier.failed.items():
        if reason == unknown(address):
            applier.failed[other] = f"{other.address} was skipped"
    state.id, state.outcome = row["id"], None
    state.errors.clear()
    state.notes.append(LATER if first.id.number in state.completed else NOTE)
    # Nobody knows how much of it arrived: all is compared, and what differs is written again.
    state.written += first.fields
    applier.complete(first)
    for operation in skipped:
        if in_catalog(operation):
            await catalog.write(applier, [operation.id])
        else:
            await applier.operate(operation)
