"""Listings → rows, and details that lists omit: from bulk lists for all objects at once, or from each object's page."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from msgspec import field
from msgspec.structs import replace

from reconciler.errors import Answered, OddResponse
from reconciler.model.address import Row
from reconciler.model.capabilities import BulkDetails
from reconciler.model.forms import MISSING, Each, Fields
from reconciler.model.kind import Kind
from reconciler.model.name_index import Names
from reconciler.model.requests import FEW, FieldLists, Listing, Need
from reconciler.model.row_form import form_of
from reconciler.model.spec import Id
from reconciler.record import Record
from reconciler.redmine.client import Client
from reconciler.redmine.pagination import Instead
from reconciler.state.shortcuts import shortcut

S = TypeVar("S")
T = TypeVar("T")


Watch = Callable[[str, int, int], None]
"""A progress callback: what is read, how many are done, and how many there are."""


def unwatched(what: str, done: int, total: int) -> None:
    """The default: progress is not reported."""


async def over(
    items: Collection[S], action: Callable[[S], Coroutine[Any, Any, T]], size: int, what: str, watch: Watch
) -> AsyncIterator[T]:
    """The result of `action` for each item, in order, with at most `size` running at a time. Raises as `together`."""
    done, remaining, running = 0, iter(items), deque[asyncio.Task[T]]()

    async def one(item: S) -> T:
        nonlocal done
        result = await action(item)
        done += 1
        watch(what, done, len(items))
        return result

    try:
        running.extend(asyncio.create_task(one(item)) for item in islice(remaining, size))
        while running:
            # The oldest, not the first to finish: in the order of the items, two exports of the same data are equal.
            yield await running.popleft()
            # Only after the result was taken: a slow consumer never has more than `size` results waiting.
            running.extend(asyncio.create_task(one(item)) for item in islice(remaining, 1))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


ANYTHING = Fields()
"""A row of which nothing is relied on."""
Spoiled = Callable[[Listing, Row, str], None]
"""Is told of a row that cannot be used, and why."""


def refuse(listing: Listing, row: Row, why: str) -> None:
    """Raise OddResponse for a row that cannot be used."""
    raise OddResponse(f"The response to GET {listing.path} is not as Redmine's are: {why}.")


async def fetch(
    client: Client,
    listing: Listing,
    form: Fields = ANYTHING,
    spoiled: Spoiled = refuse,
    instead: Instead | None = None,
) -> list[Row]:
    """The rows of a listing. An error status in `Listing.none` gives no rows, or the row or listing named there.

    Unless the status is expected, it is asked once more: an accident of the server must not look like an absence.

    A row that is not of the `form` is left out, and `spoiled` is told of it. Raises OddResponse without that, and for a
    page that is no object. Of a list with further pages, `instead` is told the first one, and may have the rows.
    """
    rows: Iterable[Row]
    look = _Look(listing, ANYTHING if listing.brief else form)
    try:
        if listing.single:
            rows = _single(listing, await client.get(listing.path, listing.params))
        else:
            how: dict[str, Any] = {"paged": listing.paged, "brief": listing.brief, "likely": listing.likely}
            way = instead or shortcut(client, listing)
            rows = await client.rows(listing.path, listing.root, listing.params, **how, instead=way, shown=look.take)
    except Answered as error:
        if error.status not in listing.none:
            raise
        if error.status not in listing.expected:
            return await fetch(client, replace(listing, expected=listing.none.keys()), form, spoiled, instead)
        other = listing.none[error.status]
        if isinstance(other, Listing):
            return await fetch(client, other, form, spoiled)
        return [] if other is None else [other]
    return list(_usable(listing, rows, look, spoiled))


def _single(listing: Listing, body: Row) -> list[Row]:
    """The row of an object's own page, or the rows inside it."""
    page = body.get(listing.root, MISSING)
    for why in Fields(of={listing.inner: ROWS.optional} if listing.inner else {}).faults(page, listing.root):
        raise OddResponse(f"The response to GET {listing.path} is not as Redmine's are: {why}.")
    return list(page.get(listing.inner) or ()) if listing.inner else [page]


ROWS = Each(of=Fields())


class _Look:
    """Looks at rows: at those of a page as soon as it is there, while the server works on the next."""

    def __init__(self, listing: Listing, form: Fields) -> None:
        self.listing = listing
        self.form = form
        self._ready: dict[int, tuple[Row, Row | None]] = {}
        """What has become of rows, by identity; with the row itself, so that no other one gets its identity."""

    def take(self, rows: Iterable[Row]) -> None:
        """Look at the rows of a page."""
        self._ready.update((id(row), (row, self._made(row))) for row in rows)

    def ready(self, row: Row) -> Row | None:
        """The row as it is used; None if it is not of the form."""
        taken, made = self._ready.get(id(row), (None, None))
        return made if taken is row else self._made(row)

    def _made(self, row: Row) -> Row | None:
        mark = self.listing.mark
        fits = self.form.accepts({**row, **mark} if mark else row)
        return _marked(self.listing, self.form.without_nulls(row)) if fits else None


def _usable(listing: Listing, rows: Iterable[Row], look: _Look, spoiled: Spoiled) -> Iterator[Row]:
    for number, row in enumerate(rows):
        ready = look.ready(row)
        if ready is not None:
            yield ready
        else:
            place = f"{listing.root}.{listing.inner}" if listing.inner else listing.root
            place = place if listing.single and not listing.inner else f"{place}[{number}]"
            spoiled(listing, row, next(look.form.faults({**row, **listing.mark}, place)))


def _marked(listing: Listing, row: Row) -> Row:
    number = {"id": listing.number.format(**row)} if listing.number else {}
    return {**row, **number, **listing.mark} if number or listing.mark else row


class Bulk(Record):
    """The details of a kind from bulk lists: field → id → items, or None if only the object's own page has them."""

    kind: Kind
    fields: Mapping[str, Mapping[Id, list[Any] | None]] = field(default_factory=dict)

    def of(self, row: Row, fields: frozenset[str]) -> tuple[Row, frozenset[str]]:
        """The row with the known details of these fields, and the fields that still need the object's page."""
        # In none of the lists means empty, not unknown: together they show all items of a field.
        listed = {name: self.fields[name].get(row["id"], []) for name in fields & self.fields.keys()}
        known = {name: items for name, items in listed.items() if items is not None}
        return {**row, **{self.kind.fields[n].read or n: items for n, items in known.items()}}, fields - known.keys()

    async def complete(self, client: Client, row: Row, fields: frozenset[str]) -> Row | None:
        """The row with all details of these fields. None if the object was deleted meanwhile."""
        known, left = self.of(row, fields)
        page = self.kind.details(row, left)
        if page is None:
            return known
        # The object can be deleted between the list and its page. A kind's own meaning of 404 takes precedence.
        more = await fetch(client, replace(page, none={404: None, **page.none}), form_of(self.kind))
        # A listing that expects 404 is of a kind whose objects can lack a page: the object exists all the same.
        return {**known, **more[0]} if more else known if 404 in page.none else None


async def bulk_details(
    client: Client,
    kind: Kind,
    rows: Mapping[Id, Row],
    fields: Iterable[frozenset[str]],
    need: Need,
    names: Names,
    watch: Watch = unwatched,
) -> Bulk:
    """The details from bulk lists, for the fields for which that takes fewer requests than one page for each object."""
    counts = Counter(name for wanted in fields for name in wanted)
    bulk = kind.capability(BulkDetails)
    # Checked first: `lists` uses names that are only read completely if there are many objects (`Desired.need`).
    many = max((counts[name] for name in bulk.needs), default=0) > FEW
    candidates = bulk.lists(kind, rows, need, names) if many else ()
    cheaper = [one for one in candidates if len(one.lists) < counts[one.field]]
    return Bulk(kind, {one.field: await _read_lists(client, kind, one, watch) for one in cheaper})


async def _read_lists(client: Client, kind: Kind, bulk: FieldLists, watch: Watch) -> dict[Id, list[Any] | None]:
    """The items of a field by the id of the object. A list for the item None marks objects whose page must be read."""
    items: dict[Id, list[Any] | None] = {}

    async def read(listed: tuple[Listing, Any]) -> tuple[Any, list[Row]]:
        return listed[1], await fetch(client, listed[0], form_of(kind))

    what = f"lists of {bulk.field} of {kind.plural}"
    async for item, rows in over(bulk.lists, read, client.connection.concurrency, what, watch):
        for row in rows:
            items[row["id"]] = None if item is None else [*(items.get(row["id"]) or ()), item]
    return items
