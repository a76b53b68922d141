"""What others create while a plan is carried out: a POST would double what Redmine does not keep unique.

Just before such a POST, the newest objects of the kind are read; what has the identity of the object is adopted. The
reads cost next to nothing: ids are given out in order, so as long as the ids of this run's own objects leave no gap,
nobody else has created any, and nothing is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from reconciler.kinds import kinds
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Creation, ReadBack
from reconciler.model.kind import Kind, Listing, Need, scope_of
from reconciler.model.name_index import Context, Names
from reconciler.model.row_form import form_of
from reconciler.redmine.client import Client
from reconciler.redmine.clock import elapsed
from reconciler.state.fetch import fetch, together
from reconciler.state.unreadable import LeftOut

FRESH = 1.0
"""Seconds for which a look at the newest objects counts, where nothing else shows that nobody has created any since."""
FRUITLESS = 3
"""So many looks at gaps in a row that found nothing make gaps a habit of the server, not a sign of somebody else."""
PATIENT = 32
"""Own objects after which a server with that habit is looked at again."""


@dataclass(slots=True)
class Seen:
    """What is known of the newest objects of a kind. Ids up to `top` are accounted for."""

    known: int
    """The greatest id when the plan was read: what is older was compared."""
    counted: bool
    """Whether all ids of the kind are seen, so that a gap in them means something."""
    top: int = 0
    looked: float | None = None
    """When the last look began, or the last own object was answered without a gap."""
    rows: dict[int, Row] = field(default_factory=dict)
    """What was created since the plan was read, by others, or by this run if its answer is still to come."""
    own: set[int] = field(default_factory=set)
    flying: set[object] = field(default_factory=set)
    """This run's POSTs without an answer yet."""
    suspects: set[object] = field(default_factory=set)
    """Those among them that may fill the gap."""
    fruitless: int = 0
    patience: int = 0
    slowest: float = 0.0
    """Seconds that the slowest POST took."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def gap(self) -> bool:
        """Whether an own object has an id beyond one that nobody accounts for."""
        return self.counted and max(self.own, default=0) > self.top

    @property
    def foreign(self) -> dict[int, Row]:
        """The rows that are not this run's."""
        return {number: row for number, row in self.rows.items() if number not in self.own}


class Meanwhile:
    """Looks for what others created, kind by kind. `names` is the name index of the plan."""

    def __init__(self, client: Client, names: Names) -> None:
        self.client = client
        self.names = names
        self.known = {k.name: _greatest(names, k) for k in kinds().values() if not k.capability(Creation).unique}
        self.seen: dict[tuple[str, str], Seen] = {}

    def of(self, kind: Kind, address: Address) -> Seen:
        """What is known of the kind: everywhere, or in one project if only its lists show the objects."""
        counted = kind.capability(Creation).newest is not None
        scope = "" if counted else scope_of(kind, address)
        return self.seen.setdefault((kind.name, scope), Seen(self.known[kind.name], counted))

    async def existing(self, kind: Kind, address: Address, values: Mapping[str, Any]) -> Row | None:
        """The object, if somebody has created it since the plan was read."""
        seen = self.of(kind, address)
        # One look at a time: whoever waits for the lock finds it done.
        async with seen.lock:
            await self._freshen(kind, address, seen)
            while (row := self._match(kind, address, values, seen)) is not None and seen.flying:
                # It may be this run's own: another declared object with the same identity.
                await self._answer(seen)
            if row is not None:
                seen.own.add(row["id"])
            return row

    def sending(self, kind: Kind, address: Address) -> tuple[Seen, object, float]:
        """Note a POST; `sent` gets what this returns."""
        seen, token = self.of(kind, address), object()
        seen.flying.add(token)
        return seen, token, elapsed()

    def sent(self, note: tuple[Seen, object, float], number: Any) -> None:
        """Note the end of a POST, with the id of the new object if its answer had one."""
        seen, token, began = note
        seen.flying.discard(token)
        seen.suspects.discard(token)
        seen.slowest = max(seen.slowest, elapsed() - began)
        if isinstance(number, int):
            _account(seen, number)
        seen.answered.set()

    def listed(self, kind: Kind, address: Address, rows: Sequence[Row], began: float) -> None:
        """Take the rows of a list that shows all objects of the project, which was read for another reason."""
        seen = self.of(kind, address)
        if not seen.counted:
            seen.rows |= {row["id"]: row for row in rows if row["id"] > seen.known}
            seen.looked = began

    async def _freshen(self, kind: Kind, address: Address, seen: Seen) -> None:
        while seen.gap and seen.suspects and seen.fruitless < FRUITLESS:
            await self._answer(seen)
        if _is_stale(seen):
            await self.look(kind, address, seen)

    async def _answer(self, seen: Seen) -> None:
        seen.answered.clear()
        await seen.answered.wait()

    async def look(self, kind: Kind, address: Address, seen: Seen) -> None:
        """Read what was created since the last look."""
        began, before = elapsed(), max(seen.top, seen.known)
        rows = {row["id"]: row for row in await self._newest(kind, address, before)}
        new = {number for number in rows if number > before} - seen.own
        seen.fruitless = 0 if len(new) > len(seen.flying) else seen.fruitless + 1 if seen.looked else 0
        seen.patience = len(seen.own) + PATIENT
        seen.rows |= {number: row for number, row in rows.items() if number > seen.known}
        seen.top = max([seen.top, *rows, *seen.own])
        seen.looked = began

    async def _newest(self, kind: Kind, address: Address, before: int) -> list[Row]:
        """The objects with an id greater than `before`; older ones may be among them."""
        newest = kind.capability(Creation).newest
        if newest is not None:
            rows = await self._rows(kind, [newest])
            # A page that is not full, or that goes back far enough.
            if len(rows) < PAGE or min(row["id"] for row in rows) <= before:
                return rows
        else:
            rows = []
        need = Need({kind.name: frozenset(self._keys(kind, address, newest is None))})
        return [*rows, *await self._rows(kind, kind.capability(Creation).since(kind, before, need, self.names))]

    def _keys(self, kind: Kind, address: Address, one: bool) -> Sequence[str]:
        """The keys of the declared objects: of one project, or of all."""
        keys = self.names.declared(kind.name)
        return [k for k in keys if Address(kind.name, k).project == address.project] if one else list(keys)

    async def _rows(self, kind: Kind, listings: Sequence[Listing]) -> list[Row]:
        # A row that cannot be read is none that could be adopted; reading back reports those that matter.
        note = LeftOut().of(kind)
        lists = await together(fetch(self.client, listing, form_of(kind), note) for listing in listings)
        return [row for listed in lists for row in listed]

    def _match(self, kind: Kind, address: Address, values: Mapping[str, Any], seen: Seen) -> Row | None:
        context = Context(self.names, scope_of(kind, address), address)
        owned = self.names.live(kind.name).keys
        for number, row in seen.foreign.items():
            if owned.get(number, address.key) == address.key and identifies(kind, row, address, values, context):
                return row
        return None


PAGE = 100
"""Rows of the page that shows the newest objects."""


def identifies(kind: Kind, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
    """Whether a row has the identity of an object."""
    # What a row names may be something that was not read: then it is another object.
    with suppress(KeyError, LookupError):
        return kind.capability(ReadBack).identifies(kind, row, address, values, context)
    return False


def _account(seen: Seen, number: int) -> None:
    """Note the id of an own object: without a gap below it, nobody else has created one by now."""
    gap, late = seen.gap, number <= seen.top
    seen.own.add(number)
    # One that a look was ahead of shows nothing about the time since.
    if late or not seen.counted:
        return
    while seen.top + 1 in seen.own:
        seen.top += 1
    if not seen.gap:
        seen.looked = elapsed()
    elif not gap:
        # Those that were sent before this answer; what is sent later gets a greater id.
        seen.suspects = set(seen.flying)


def _is_stale(seen: Seen) -> bool:
    """Whether somebody may have created an object that was not seen."""
    if seen.looked is None:
        return True
    if seen.gap:
        return seen.fruitless < FRUITLESS or len(seen.own) >= seen.patience
    return elapsed() - seen.looked > max(FRESH, 2 * seen.slowest)


def _greatest(names: Names, kind: Kind) -> int:
    return max((n for n in names.live(kind.name).rows if isinstance(n, int)), default=0)
