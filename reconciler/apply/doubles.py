"""What this run created and exists twice: another run created the same in the same instant.

Such a change is never `done`. Both runs report it: each looks once the POSTs of the other, which took their last look
before this run's objects could be seen, must have come to an end. A run that creates for longer than that sees the
objects of such a rival while it goes on; if there are none, it looks at once.
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
from reconciler.state.together import together

SETTLING = 0.5
"""Seconds after the last POST before the look for doubles."""
LONGEST = 10.0


async def refute(applier: Applier) -> None:
    """Mark created objects that exist twice as failed; as unknown, if it cannot be read whether they do."""
    created = [state for state in applier.progress.values() if _is_created(state)]
    groups: defaultdict[tuple[str, int], list[Progress]] = defaultdict(list)
    for state in created:
        kind = kinds()[state.change.address.kind]
        groups[kind.name, id(applier.writer.meanwhile.of(kind, state.change.address))].append(state)
    # Who holds a lease has no rival to wait for.
    alone = applier.client.guard is not unguarded
    looks = [_Look(applier, kinds()[name], states) for (name, _), states in groups.items()]
    late = [] if alone else [look for look in looks if look.is_short or look.seen.met]
    await _settle([look.seen for look in late])
    await together(look.take() for look in looks)
    again = [] if alone else [look for look in looks if look.seen.met and look not in late]
    await _settle([look.seen for look in again])
    await together(look.take() for look in again)
    for look in looks:
        look.judge()


def _is_created(state: Progress) -> bool:
    unique = kinds()[state.change.address.kind].capability(Creation).unique
    return state.change.action == "create" and not unique and state.outcome == "done" and not state.searched


def _settling(seen: Seen) -> float:
    """How long another run's POST may take that was sent before this run's objects could be seen."""
    return min(LONGEST, max(SETTLING, 3 * seen.slowest)) if SETTLING else 0.0


async def _settle(rivals: Iterable[Seen]) -> None:
    # What was done since the last answer counts: after reading back many objects, there is nothing left to wait for.
    now = elapsed()
    await asyncio.sleep(max([0.0, *(_settling(seen) - (now - seen.landed) for seen in rivals)]))


class _Look:
    """The last look at what others created of a kind, for the objects of this run (in one project, if only its lists
    show them)."""

    def __init__(self, applier: Applier, kind: Kind, states: Sequence[Progress]) -> None:
        self.applier, self.kind, self.states = applier, kind, states
        self.seen = applier.writer.meanwhile.of(kind, states[0].change.address)
        self.error: ServerError | None = None

    @property
    def is_short(self) -> bool:
        """Whether the first POST of a run that began with this one may still be under way."""
        return self.seen.landed - self.seen.first < _settling(self.seen)

    async def take(self) -> None:
        """Read what is there now."""
        self.error = None
        try:
            await self.applier.writer.meanwhile.look(self.kind, self.states[0].change.address, self.seen)
        except ServerError as error:
            self.error = error

    def judge(self) -> None:
        """Mark what exists twice as failed, or everything as unknown if that could not be read."""
        alike = self._alike()
        for state in self.states:
            if self.error is not None:
                state.outcome = "unknown"
                message = f"written, but it could not be read whether it exists twice: {self.error}"
                state.errors.append(item_error(state.change, message))
                continue
            state.searched = True
            others = sorted(_others(self.applier, self.kind, state, alike), key=_number) if alike else []
            if others:
                self.applier.refute(state.change.address, item_error(state.change, _message(self.kind, state, others)))

    def _alike(self) -> dict[object, list[Row]]:
        """What others created, by what is equal for all rows that can be the same object."""
        alike: defaultdict[object, list[Row]] = defaultdict(list)
        reading, mine = self.kind.capability(ReadBack), {state.id for state in self.states}
        context = self.applier.writer.context(self.states[0].change.address)
        for row in self.seen.rows.values():
            if row["id"] not in mine:
                alike[reading.likeness(self.kind, row, context)].append(row)
        return alike


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
