"""What others create while a plan is carried out: a POST would double what Redmine does not keep unique.

Just before such a POST, the newest objects of the kind are read; what has the identity of the object is adopted. The
reads cost next to nothing: ids are given out in order, so as long as the ids of this run's own objects leave no gap,
nobody else has created any, and nothing is read again.

Where this run has switched a module on, what that hid was not compared: before the first POST, it is read once.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from reconciler.kinds import kinds
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import Creation, ReadBack, Rows
from reconciler.model.kind import Kind, Listing, Need, scope_of
from reconciler.model.name_index import Context, Names
from reconciler.model.row_form import form_of
from reconciler.plan.modules import switched_on
from reconciler.redmine.client import Client
from reconciler.redmine.clock import elapsed
from reconciler.redmine.pagination import Instead, Page
from reconciler.state.fetch import fetch
from reconciler.state.together import together
from reconciler.state.unreadable import LeftOut

FRESH = 1.0
"""Seconds for which a look at the newest objects counts, where nothing else shows that nobody has created any since."""
FRUITLESS = 3
"""So many looks at gaps in a row that found nothing make gaps a habit of the server, not a sign of somebody else."""
PATIENT = 32
"""Own objects after which a server with that habit is looked at again."""

HIDDEN = "already there, hidden while the module {} was off; adopted"

RIVALRY = 10
"""Looks without a trace of it after which another run that created the same counts as gone."""
STRIDE = 10
"""So many times the duration of a POST is the longest random pause of two runs that create the same."""


class Seen(Struct):
    """What is known of the newest objects of a kind. Ids up to `top` are accounted for."""

    known: int
    """The greatest id when the plan was read: what is older was compared."""
    counted: bool
    """Whether all ids of the kind are seen, so that a gap in them means something."""
    top: int = 0
    looked: float | None = None
    """When the last look began, or the last own object was answered without a gap."""
    rows: dict[int, Row] = field(default_factory=dict)
    """What others created since the plan was read, or this run, if its answer is still to come."""
    own: set[int] = field(default_factory=set)
    """What this run created or adopted."""
    highest: int = 0
    """The greatest id of these."""
    begun: bool = False
    flying: set[Flight] = field(default_factory=set)
    """This run's POSTs without an answer yet."""
    suspects: set[Flight] = field(default_factory=set)
    """Those among them that may fill the gap."""
    fruitless: int = 0
    patience: int = 0
    slowest: float = 0.0
    """Seconds that the slowest POST took."""
    first: float = math.inf
    """When the first POST was answered."""
    landed: float = -math.inf
    """When the last POST was answered."""
    adopted: bool = False
    """Whether this run adopted an object."""
    rivalry: int = 0
    """How many more looks to be on guard against another run that creates the same."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def gap(self) -> bool:
        """Whether an own object has an id beyond one that nobody accounts for."""
        return self.counted and self.highest > self.top

    @property
    def met(self) -> bool:
        """Whether anybody else created something, once all POSTs of this run are answered."""
        return self.adopted or bool(self.rows)

    def take(self, number: int) -> None:
        """Note an object of this run."""
        self.own.add(number)
        self.rows.pop(number, None)

    def put(self, rows: Mapping[int, Row]) -> None:
        """Note what a list showed."""
        self.rows |= {n: row for n, row in rows.items() if n > self.known and n not in self.own}


class Flight:
    """One POST of this run: from the moment it is decided on to its answer."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.number: Any = None
        """The id of the new object, from the answer."""
        self.began = 0.0

    def take_off(self) -> None:
        """The POST follows."""
        self.began = elapsed()
        self.seen.flying.add(self)

    def __enter__(self) -> None:
        if self not in self.seen.flying:
            self.take_off()

    def __exit__(self, *error: object) -> None:
        seen = self.seen
        seen.flying.discard(self)
        seen.suspects.discard(self)
        seen.landed = elapsed()
        seen.first = min(seen.first, seen.landed)
        if isinstance(self.number, int):
            seen.slowest = max(seen.slowest, elapsed() - self.began)
            _account(seen, self.number)
        seen.answered.set()


class Meanwhile:
    """Looks for what others created, kind by kind. `names` is the name index of the plan."""

    def __init__(self, client: Client, names: Names) -> None:
        self.client = client
        self.names = names
        self.known = {
            k.name: _greatest(names, k) for k in kinds().having(Creation) if not k.capability(Creation).unique
        }
        self.seen: dict[tuple[str, str], Seen] = {}
        self.titles: dict[str, tuple[str, frozenset[str]]] = {}
        self.switched_on = switched_on(names)
        self.shown: set[tuple[str, str]] = set()
        """Kinds and projects of which that was read which a module had hidden."""

    def of(self, kind: Kind, address: Address) -> Seen:
        """What is known of the kind: everywhere, or in one project if only its lists show the objects."""
        counted = kind.capability(Creation).newest is not None
        scope = "" if counted else scope_of(kind, address)
        return self.seen.setdefault((kind.name, scope), Seen(self.known[kind.name], counted))

    @asynccontextmanager
    async def turn(
        self, kind: Kind, address: Address, values: Mapping[str, Any]
    ) -> AsyncIterator[tuple[Row | None, Flight]]:
        """The object, if somebody has created it since the plan was read; else the time to create it is now."""
        seen = self.of(kind, address)
        flight = Flight(seen)
        # One look at a time: whoever waits for the lock finds it done.
        async with seen.lock:
            row = await self._existing(kind, address, values, seen)
            # The first one shows whether there is a rival. Against one, it takes a look for each object.
            if row is not None or seen.rivalry or not seen.begun:
                seen.begun = True
                with flight:
                    yield row, flight
                return
            flight.take_off()
        with flight:
            yield None, flight

    async def _existing(self, kind: Kind, address: Address, values: Mapping[str, Any], seen: Seen) -> Row | None:
        await self._freshen(kind, address, seen)
        await self._show(kind, address, seen)
        while (row := self._match(kind, address, values, seen)) is not None and seen.flying:
            # It may be this run's own: another declared object with the same identity.
            await self._answer(seen)
        if row is not None:
            seen.adopted = True
            seen.take(row["id"])
        return row

    def note(self, kind: Kind, address: Address) -> str:
        """What is said of an object that is adopted; "" for nothing."""
        said = kind.capability(Creation).adoption_note
        return HIDDEN.format(self._hidden_by(kind, address)) if said and self._hidden_by(kind, address) else said

    def _hidden_by(self, kind: Kind, address: Address) -> str:
        """The module without which Redmine hid all objects of a kind in a project when the plan was read, or ""."""
        module = kind.inside.module if kind.inside else ""
        return module if module in self.switched_on.get(address.project, ()) else ""

    async def _show(self, kind: Kind, address: Address, seen: Seen) -> None:
        """Read once what was hidden: it is older than all that a look at the newest objects shows."""
        place = kind.name, address.project
        if place in self.shown or not self._hidden_by(kind, address):
            return
        need = Need({kind.name: frozenset(self._keys(kind, address, True))})
        rows = await self._rows(kind, kind.capability(Creation).since(kind, 0, need, self.names))
        seen.rows |= {row["id"]: row for row in rows if row["id"] not in seen.own}
        self.shown.add(place)

    def listed(self, kind: Kind, address: Address, rows: Sequence[Row], began: float) -> None:
        """Take the rows of a list that shows all new objects of the project, which was read for another reason."""
        seen = self.of(kind, address)
        if not seen.counted:
            # What is shown of this run's own, whose answer this is, must not count as a rival's.
            by_id = {row["id"]: row for row in rows}
            self._note_rivals(kind, seen, by_id)
            seen.put(by_id)
            seen.top = max([seen.top, *by_id])
            seen.looked = began

    async def latest(self, kind: Kind, address: Address) -> list[Row]:
        """The objects of a project that were created since the last look, if its list begins with the newest; else
        []. Older ones may be among them."""
        creation, began = kind.capability(Creation), elapsed()
        if not creation.newest_first:
            return []
        need = Need({kind.name: frozenset({address.key})})
        lists = creation.since(kind, 0, need, self.names)
        rows = await self._rows(kind, lists, self._enough(self._before(kind, address)))
        if lists:
            self.listed(kind, address, rows, began)
        return rows

    def _before(self, kind: Kind, address: Address) -> int:
        seen = self.of(kind, address)
        return max(seen.top, seen.known)

    async def _freshen(self, kind: Kind, address: Address, seen: Seen) -> None:
        if seen.rivalry:
            # Two runs in step would look at the same time, and create the same one after that.
            await asyncio.sleep(random.uniform(0, STRIDE * max(seen.slowest, 0.02)))
        while seen.gap and seen.suspects and seen.fruitless < FRUITLESS:
            await self._answer(seen)
        if _is_stale(seen):
            await self.look(kind, address, seen)

    async def _answer(self, seen: Seen) -> None:
        seen.answered.clear()
        await seen.answered.wait()

    async def look(self, kind: Kind, address: Address, seen: Seen) -> None:
        """Read what was created since the last look."""
        began, before = elapsed(), self._before(kind, address)
        rows = {row["id"]: row for row in await self._newest(kind, address, before)}
        new = {number for number in rows if number > before} - seen.own
        seen.fruitless = 0 if len(new) > len(seen.flying) else seen.fruitless + 1 if seen.looked else 0
        seen.patience = len(seen.own) + PATIENT
        self._note_rivals(kind, seen, rows)
        seen.put(rows)
        seen.top = max([seen.top, seen.highest, *rows])
        seen.looked = began

    def _note_rivals(self, kind: Kind, seen: Seen, rows: Mapping[int, Row]) -> None:
        """Note whether another run creates what this one declares."""
        if kind.name not in self.titles:
            name = kind.capability(Rows).title or kind.identity[0]
            specs = self.names.declared(kind.name).values()
            self.titles[kind.name] = name, frozenset(str(getattr(spec, name, None)) for spec in specs)
        name, titles = self.titles[kind.name]
        new = (row for n, row in rows.items() if n > seen.known and n not in seen.rows and n not in seen.own)
        shown = kind.fields[name].read or name
        rivals = sum(str(row.get(shown)) in titles for row in new) - len(seen.flying)
        seen.rivalry = RIVALRY if rivals > 0 else max(0, seen.rivalry - 1)

    async def _newest(self, kind: Kind, address: Address, before: int) -> list[Row]:
        """The objects with an id greater than `before`; older ones may be among them."""
        creation = kind.capability(Creation)
        need = Need({kind.name: frozenset(self._keys(kind, address, creation.newest is None))})
        lists = creation.since(kind, before, need, self.names)
        if creation.newest is None:
            return await self._rows(kind, lists, self._enough(before) if creation.newest_first else None)
        by_id = ("sort", "id:desc") in creation.newest.params
        enough = self._enough(before, lambda: self._rows(kind, lists), by_id=by_id)
        return await self._rows(kind, [creation.newest], enough)

    def _enough(
        self, before: int, others: Callable[[], Awaitable[Sequence[Row]]] | None = None, *, by_id: bool = False
    ) -> Instead:
        """What takes the first page of a list if it shows all that was created since; else the whole list, or the
        `others`."""

        async def enough(first: Page) -> list[dict[str, Any]] | None:
            if reaches(first.rows, before, self.client.clock.now(), by_id=by_id):
                return first.rows
            return None if others is None else [*first.rows, *map(dict, await others())]

        return enough

    def _keys(self, kind: Kind, address: Address, one: bool) -> Sequence[str]:
        """The keys of the declared objects: of one project, or of all."""
        keys = self.names.declared(kind.name)
        return [k for k in keys if Address(kind.name, k).project == address.project] if one else list(keys)

    async def _rows(self, kind: Kind, listings: Sequence[Listing], instead: Instead | None = None) -> list[Row]:
        # A row that cannot be read is none that could be adopted; reading back reports those that matter.
        note = LeftOut().of(kind)
        lists = await together(fetch(self.client, listing, form_of(kind), note, instead) for listing in listings)
        return [row for listed in lists for row in listed]

    def _match(self, kind: Kind, address: Address, values: Mapping[str, Any], seen: Seen) -> Row | None:
        context = Context(self.names, scope_of(kind, address), address)
        owned = self.names.live(kind.name).keys
        for number, row in seen.rows.items():
            if owned.get(number, address.key) == address.key and identifies(kind, row, address, values, context):
                return row
        return None


SKEW = timedelta(days=1)
"""How far a date may be ahead of the clock: servers keep times in other zones, and clocks are wrong."""


def reaches(rows: Sequence[Row], before: int, now: datetime, *, by_id: bool = False) -> bool:
    """Whether the first page of a list that begins with the newest objects shows all with a greater id than `before`.

    In the order of dates: what is on no page is not newer than the last row. If that is older than the one with the
    last known id, so are they. A date in the future, as an import can set it, shows that dates do not tell.
    """
    ids = [row["id"] for row in rows]
    older = [number for number in ids if number <= before]
    if by_id or not older:
        return bool(older) and ids == sorted(ids, reverse=True)
    made = [str(row.get("created_on", "")) for row in rows]
    known = made[ids.index(max(older))]
    return made == sorted(made, reverse=True) and made[-1] < known and made[0] <= (now + SKEW).isoformat()


def identifies(kind: Kind, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
    """Whether a row has the identity of an object."""
    # What a row names may be something that was not read: then it is another object.
    with suppress(LookupError, Unresolved):
        return kind.capability(ReadBack).identifies(kind, row, address, values, context)
    return False


def _account(seen: Seen, number: int) -> None:
    """Note the id of an own object: without a gap below it, nobody else has created one by now."""
    gap, late = seen.gap, number <= seen.top
    seen.take(number)
    # One that a look was ahead of shows nothing about the time since.
    if late or not seen.counted:
        return
    seen.highest = max(seen.highest, number)
    while seen.top + 1 in seen.own:
        seen.top += 1
    if not seen.gap:
        seen.looked = elapsed()
    elif not gap:
        # Those that were sent before this answer; what is sent later gets a greater id.
        seen.suspects = set(seen.flying)


def _is_stale(seen: Seen) -> bool:
    """Whether somebody may have created an object that was not seen."""
    if seen.looked is None or seen.rivalry:
        return True
    if seen.gap:
        return seen.fruitless < FRUITLESS or len(seen.own) >= seen.patience
    return elapsed() - seen.looked > max(FRESH, 2 * seen.slowest)


def _greatest(names: Names, kind: Kind) -> int:
    return max((n for n in names.live(kind.name).rows if isinstance(n, int)), default=0)
