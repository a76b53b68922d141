"""Listings → rows, and what lists of objects leave out: by bulk lists for all at once, or by the objects' own pages."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from reconciler.errors import Answered, OddResponse
from reconciler.model.address import Row
from reconciler.model.capabilities import BulkDetails
from reconciler.model.forms import MISSING, Each, Fields
from reconciler.model.kind import Kind
from reconciler.model.name_index import Names
from reconciler.model.requests import FEW, FieldLists, Listing, Need
from reconciler.model.spec import Id
from reconciler.redmine.client import Client

S = TypeVar("S")
T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all, made concurrently; the first error ends the others and is raised as it is."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


Watch = Callable[[str, int, int], None]
"""Is told what is read, and how many of how many are done."""


def unwatched(what: str, done: int, total: int) -> None:
    """Nobody watches."""


async def over(
    items: Collection[S], action: Callable[[S], Coroutine[Any, Any, T]], size: int, what: str, watch: Watch
) -> AsyncIterator[T]:
    """What `action` makes of each item, in order; so many are under way at the same time. Raises as `together`."""
    done, left, under_way = 0, iter(items), deque[asyncio.Task[T]]()

    async def one(item: S) -> T:
        nonlocal done
        result = await action(item)
        done += 1
        watch(what, done, len(items))
        return result

    try:
        under_way.extend(asyncio.create_task(one(item)) for item in islice(left, size))
        while under_way:
            yield await under_way.popleft()
            under_way.extend(asyncio.create_task(one(item)) for item in islice(left, 1))
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


ANYTHING = Fields()
"""A row of which nothing is relied on."""
Spoiled = Callable[[Listing, Row, str], None]
"""Is told of a row that cannot be used, and why."""


def refuse(listing: Listing, row: Row, why: str) -> None:
    """Raise OddResponse for a row that cannot be used."""
    raise OddResponse(f"The response to GET {listing.path} is not as Redmine's are: {why}.")


async def fetch(client: Client, listing: Listing, form: Fields = ANYTHING, spoiled: Spoiled = refuse) -> list[Row]:
    """The rows of a listing; what its `none` says for the statuses named there.

    A row that is not of the `form` is left out, and `spoiled` is told of it. Raises OddResponse without that, and for a
    page that is no object.
    """
    rows: Iterable[Row]
    try:
        if listing.single:
            rows = _single(listing, await client.get(listing.path, listing.params))
        else:
            listed = {"paged": listing.paged, "brief": listing.brief}
            rows = await client.rows(listing.path, listing.root, listing.params, **listed)
    except Answered as error:
        if error.status not in listing.none:
            raise
        instead = listing.none[error.status]
        if isinstance(instead, Listing):
            return await fetch(client, instead, form, spoiled)
        return [] if instead is None else [instead]
    return list(_usable(listing, rows, ANYTHING if listing.brief else form, spoiled))


def _single(listing: Listing, body: Row) -> list[Row]:
    """The row of an object's own page, or the rows inside it."""
    page = body.get(listing.root, MISSING)
    for why in Fields(of={listing.inner: ROWS.optional} if listing.inner else {}).faults(page, listing.root):
        raise OddResponse(f"The response to GET {listing.path} is not as Redmine's are: {why}.")
    return list(page.get(listing.inner) or ()) if listing.inner else [page]


ROWS = Each(of=Fields())


def _usable(listing: Listing, rows: Iterable[Row], form: Fields, spoiled: Spoiled) -> Iterator[Row]:
    for number, row in enumerate(rows):
        place = listing.root if listing.single else f"{listing.root}[{number}]"
        wrong = next(form.faults({**row, **listing.mark}, place), None)
        if wrong is None:
            yield _marked(listing, form.without_nulls(row))
        else:
            spoiled(listing, row, wrong)


def _marked(listing: Listing, row: Row) -> Row:
    number = {"id": listing.number.format(**row)} if listing.number else {}
    return {**row, **number, **listing.mark}


@dataclass(frozen=True, slots=True)
class Told:
    """What bulk lists show of a kind: field → id → items, or None where only the object's page shows them."""

    kind: Kind
    fields: Mapping[str, Mapping[Id, list[Any] | None]] = field(default_factory=dict)

    def of(self, row: Row, fields: frozenset[str]) -> tuple[Row, frozenset[str]]:
        """The row with what is told of these fields, and the fields that its page has to show."""
        found = {name: self.fields[name].get(row["id"], []) for name in fields & self.fields.keys()}
        told = {self.kind.fields[name].read or name: items for name, items in found.items() if items is not None}
        return {**row, **told}, fields - {name for name, items in found.items() if items is not None}

    async def complete(self, client: Client, row: Row, fields: frozenset[str]) -> Row | None:
        """The row with everything that lists do not show of these fields; None if the object was deleted meanwhile."""
        known, left = self.of(row, fields)
        page = self.kind.details(row, left)
        if page is None:
            return known
        more = await fetch(client, replace(page, none={404: None, **page.none}), self.kind.form)
        # Some kinds have objects without a page.
        return {**known, **more[0]} if more else known if 404 in page.none else None


async def told(
    client: Client,
    kind: Kind,
    rows: Mapping[Id, Row],
    fields: Iterable[frozenset[str]],
    need: Need,
    names: Names,
    watch: Watch = unwatched,
) -> Told:
    """What bulk lists show of objects, where that takes fewer requests than the pages of those that have `fields`."""
    counts = Counter(name for wanted in fields for name in wanted)
    bulk = kind.capability(BulkDetails)
    many = max((counts[name] for name in bulk.needs), default=0) > FEW
    every = bulk.lists(kind, rows, need, names) if many else ()
    cheap = [one for one in every if len(one.lists) < counts[one.field]]
    return Told(kind, {one.field: await _called(client, kind, one, watch) for one in cheap})


async def _called(client: Client, kind: Kind, bulk: FieldLists, watch: Watch) -> dict[Id, list[Any] | None]:
    found: dict[Id, list[Any] | None] = {}

    async def call(listed: tuple[Listing, Any]) -> tuple[Any, list[Row]]:
        return listed[1], await fetch(client, listed[0], kind.form)

    what = f"lists of {bulk.field} of {kind.plural}"
    async for item, rows in over(bulk.lists, call, client.connection.concurrency, what, watch):
        for row in rows:
            found[row["id"]] = None if item is None else [*(found.get(row["id"]) or ()), item]
    return found
