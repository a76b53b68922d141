"""What this run created and exists twice: another run created the same in the same instant.

Such a change is never `done`. Both runs report it: each looks once the POSTs of the other, which took their last look
before this run's objects could be seen, must have come to an end.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence

from reconciler.apply.blame import item_error
from reconciler.apply.executor import Applier
from reconciler.apply.meanwhile import Seen, identifies
from reconciler.apply.progress import Progress
from reconciler.errors import ServerError
from reconciler.kinds import kinds
from reconciler.model.address import Row
from reconciler.model.capabilities import Creation, ReadBack
from reconciler.model.kind import Kind
from reconciler.plan.diff import gather
from reconciler.redmine.client import unguarded
from reconciler.redmine.clock import elapsed

SETTLING = 0.5
"""Seconds after the last POST before the look for doubles."""
LONGEST = 10.0


async def refute(applier: Applier) -> None:
    """Mark created objects that exist twice as failed; as unknown, if it cannot be read whether they do."""
    created = [state for state in applier.progress.values() if _is_created(state)]
    if not created:
        return
    # Who holds a lease has no rival to wait for.
    if applier.client.guard is unguarded:
        await asyncio.sleep(_settling(applier.writer.meanwhile.seen.values()))
    by_kind: defaultdict[tuple[str, int], list[Progress]] = defaultdict(list)
    for state in created:
        kind = kinds()[state.change.address.kind]
        by_kind[kind.name, id(applier.writer.meanwhile.of(kind, state.change.address))].append(state)
    for (name, _), states in by_kind.items():
        await _refute(applier, kinds()[name], states)


def _is_created(state: Progress) -> bool:
    unique = kinds()[state.change.address.kind].capability(Creation).unique
    return state.change.action == "create" and not unique and state.outcome == "done" and not state.searched


def _settling(seen: Iterable[Seen]) -> float:
    """How long another run's POST may still take that was sent before this run's objects could be seen.

    What was done since the last answer counts: after reading back many objects, there is nothing left to wait for.
    """
    now = elapsed()
    left = (min(LONGEST, max(SETTLING, 3 * one.slowest)) - (now - one.landed) for one in seen)
    return max([0.0, *left]) if SETTLING else 0.0


async def _refute(applier: Applier, kind: Kind, states: Sequence[Progress]) -> None:
    meanwhile, address = applier.writer.meanwhile, states[0].change.address
    seen = meanwhile.of(kind, address)
    try:
        await meanwhile.look(kind, address, seen)
    except ServerError as error:
        for state in states:
            state.outcome = "unknown"
            message = f"written, but it could not be read whether it exists twice: {error}"
            state.errors.append(item_error(state.change, message))
        return
    alike: defaultdict[object, list[Row]] = defaultdict(list)
    reading, mine = kind.capability(ReadBack), {state.id for state in states}
    for row in seen.rows.values():
        if row["id"] not in mine:
            alike[reading.likeness(kind, row, applier.writer.context(address))].append(row)
    for state in states:
        state.searched = True
        others = sorted(_others(applier, kind, state, alike), key=_number) if alike else []
        if others:
            applier.refute(state.change.address, item_error(state.change, _message(kind, state, others)))


def _others(applier: Applier, kind: Kind, state: Progress, alike: dict[object, list[Row]]) -> Iterable[Row]:
    """The other objects with the identity of one that this run created."""
    address = state.change.address
    own, context, owned = (
        applier.names.row(address),
        applier.writer.context(address),
        applier.names.live(kind.name).keys,
    )
    if own is None:
        return
    values = gather(state.change.fields)
    for row in alike.get(kind.capability(ReadBack).likeness(kind, own, context), ()):
        if owned.get(row["id"], address.key) == address.key and identifies(kind, row, address, values, context):
            yield row


def _message(kind: Kind, state: Progress, others: Sequence[Row]) -> str:
    # Of a kind whose POST answers without an id, it cannot be told which of them is this run's.
    mine = " (this run)" if kind.capability(Creation).answers and not state.adopted else ""
    said = [f"#{state.id}{mine}", *(f"#{row['id']}{_made(row)}" for row in others)]
    times = "twice" if len(others) == 1 else f"{len(said)} times"
    listed = f"{', '.join(said[:-1])} and {said[-1]}"
    return f"exists {times}: {listed}; delete {'one' if len(others) == 1 else 'all but one'} of them"


def _number(row: Row) -> int:
    return int(row["id"])


def _made(row: Row) -> str:
    who, when = row.get("author") or row.get("user"), str(row.get("created_on") or "")
    by = f" by {who['name']}" if isinstance(who, dict) and "name" in who else ""
    at = f" at {when.replace('T', ' ').replace('Z', ' UTC')}" if when else ""
    return f", created{by}{at}" if by or at else ""
