"""A long list or a look-up, whichever takes fewer requests.

The first page of a list tells how long it is. If filtered lists (`Listing.instead`) show the needed rows with fewer
requests than the pages that are left, these are read. What they do not show does not exist, just as with the whole
list: each of them is read with the same checks (`redmine.pagination`), and must show a row that is known to be there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from reconciler.model.address import Row
from reconciler.model.requests import Listing, Shortcut
from reconciler.redmine.client import Client
from reconciler.redmine.pagination import Instead, Page, pages_left
from reconciler.state.together import together

AROUND = 2
"""Requests that a look-up takes besides its lists, at least: for the newest row, and for what is below those found."""


def shortcut(client: Client, listing: Listing) -> Instead | None:
    """What `Client.rows` asks once it knows that the list has further pages."""
    return None if listing.instead is None else partial(_look_up, client, listing.instead)


class _TooLong(Exception):
    """The look-up would take as many requests as the list."""


async def _look_up(client: Client, way: Shortcut, first: Page) -> list[dict[str, Any]] | None:
    """The needed rows; None if the list takes fewer requests, or if a filter does not do what it should."""
    reader = _Reader(client, pages_left(first) - AROUND)
    try:
        some, known = await _known(reader, way, first)
        if some and known and (proof := some.proof(known)):
            shown = await reader.all([proof])
            known = known if some.proves(shown.values(), known) else None
        # No more than show that they are too many: thousands of names may be asked for.
        lists = list(islice(some.lists(known), max(0, reader.left))) if some and known else []
        reader.spend(len(lists))
        rows = await _rows(reader, some, known, lists) if some and known and lists else None
    except _TooLong:
        return None
    way.taken = rows is not None
    return rows


async def _known(reader: _Reader, way: Shortcut, first: Page) -> tuple[Shortcut | None, Row | None]:
    """What is to be looked up, and the row that all lists must show."""
    known = way.sample(first.rows)
    if known is not None or (more := way.samples()) is None:
        return way, known
    if samples := await reader.all([more]):
        return way, way.sample([*samples.values()])
    rest = way.rest(first.rows)
    return rest, rest.sample(first.rows) if rest else None


async def _rows(reader: _Reader, way: Shortcut, known: Row, lists: Sequence[Listing]) -> list[dict[str, Any]] | None:
    """The rows that the lists show, with the newest one and those around them; None if the known one is not there."""
    # They are asked for now, and counted as they are.
    reader.left += AROUND
    last = way.newest()
    newest, rows = await reader.all([last] if last else ()), dict[Any, Row]()
    for found in await together(reader.rows(listing) for listing in lists):
        if known["id"] not in found:
            return None
        rows |= found
    rows = await _with_others(reader, way, rows)
    return [dict(row) for row in {**newest, **rows}.values()]


async def _with_others(reader: _Reader, way: Shortcut, rows: dict[Any, Row]) -> dict[Any, Row]:
    """The rows, what is below them, and what they name."""
    for step in (way.below, way.around):
        new: Mapping[Any, Row] = rows
        while new and (more := step(rows, new)):
            found = await reader.all(more)
            new = {number: row for number, row in found.items() if number not in rows}
            # What was read for its own sake stays as it is.
            rows = {**new, **rows}
    return rows


class _Reader:
    """Reads lists, as long as they are fewer than `left`."""

    def __init__(self, client: Client, left: int) -> None:
        self.client = client
        self.left = left

    def spend(self, number: int) -> None:
        """Take that many requests off. Raises _TooLong if none is left."""
        self.left -= number
        if self.left <= 0:
            raise _TooLong

    async def all(self, listings: Sequence[Listing]) -> dict[Any, Row]:
        """The rows of several lists, by id; of two with one id, that of the first list."""
        self.spend(len(listings))
        found = dict[Any, Row]()
        for rows in await together(self.rows(listing) for listing in listings):
            found = {**rows, **found}
        return found

    async def rows(self, listing: Listing) -> dict[Any, Row]:
        """The rows of one list, by id."""
        rows = await self.client.rows(listing.path, listing.root, listing.params, paged=listing.paged)
        return {row["id"]: {**row, **listing.mark} for row in rows}
