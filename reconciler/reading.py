"""Listings → rows, and what lists of objects leave out: by rolls for all at once, or by the objects' own pages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reconciler.client import Client
from reconciler.errors import Answered
from reconciler.kind import Kind
from reconciler.names import Names, Row
from reconciler.requests import FEW, Listing, Need, Roll
from reconciler.spec import Id

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


async def fetch(client: Client, listing: Listing) -> list[Row]:
    """The rows of a listing; what its `none` says for the statuses named there."""
    try:
        if listing.single:
            page = (await client.get(listing.path, listing.params))[listing.root]
            rows = page.get(listing.inner, ()) if listing.inner else [page]
        else:
            listed = {"paged": listing.paged, "brief": listing.brief}
            rows = await client.rows(listing.path, listing.root, listing.params, **listed)
    except Answered as error:
        if error.status not in listing.none:
            raise
        instead = listing.none[error.status]
        if isinstance(instead, Listing):
            return await fetch(client, instead)
        return [] if instead is None else [instead]
    return [_marked(listing, row) for row in rows]


def _marked(listing: Listing, row: Row) -> Row:
    number = {"id": listing.number.format(**row)} if listing.number else {}
    return {**row, **number, **listing.mark}


@dataclass(frozen=True, slots=True)
class Told:
    """What rolls told of a kind: field → id → items, or None where only the object's page shows them."""

    kind: Kind
    fields: Mapping[str, Mapping[Id, list[Any] | None]] = field(default_factory=dict)

    def of(self, row: Row, fields: frozenset[str]) -> tuple[Row, frozenset[str]]:
        """The row with what is told of these fields, and the fields that its page has to show."""
        found = {name: self.fields[name].get(row["id"], []) for name in fields & self.fields.keys()}
        told = {self.kind.fields[name].read or name: items for name, items in found.items() if items is not None}
        return {**row, **told}, fields - {name for name, items in found.items() if items is not None}

    async def complete(self, client: Client, row: Row, fields: frozenset[str]) -> Row:
        """The row with everything that lists do not show of these fields."""
        known, left = self.of(row, fields)
        page = self.kind.details(row, left)
        more = await fetch(client, page) if page else []
        return {**known, **(more[0] if more else {})}


async def told(
    client: Client, kind: Kind, rows: Mapping[Id, Row], fields: Iterable[frozenset[str]], need: Need, names: Names
) -> Told:
    """What rolls tell of objects, where that takes fewer requests than the pages of those whose `fields` it tells."""
    counts = Counter(name for wanted in fields for name in wanted)
    rolls = kind.rolls(rows, need, names) if max((counts[f] for f in kind.polls), default=0) > FEW else ()
    cheap = [roll for roll in rolls if len(roll.lists) < counts[roll.field]]
    return Told(kind, {roll.field: await _called(client, roll) for roll in cheap})


async def _called(client: Client, roll: Roll) -> dict[Id, list[Any] | None]:
    lists = await together(fetch(client, listing) for listing, _ in roll.lists)
    found: dict[Id, list[Any] | None] = {}
    for (_, item), rows in zip(roll.lists, lists, strict=True):
        for row in rows:
            found[row["id"]] = None if item is None else [*(found.get(row["id"]) or ()), item]
    return found
