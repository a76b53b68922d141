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
    known, left = way.sample(first.rows), pages_left(first)
    if known is None or left <= AROUND:
        return None
    # No more than show that they are too many: thousands of names may be asked for.
    lists = list(islice(way.lists(known), left - AROUND))
    if left <= len(lists) + AROUND:
        return None
    reader = _Reader(client, left - len(lists))
    try:
        last = way.newest()
        newest, rows = await reader.all([last] if last else ()), dict[Any, Row]()
        for found in await together(reader.rows(listing) for listing in lists):
            if known["id"] not in found:
                return None
            rows |= found
        for step in (way.below, way.around):
            new: Mapping[Any, Row] = rows
            while new and (more := step(rows, new)):
                found = await reader.all(more)
                new = {number: row for number, row in found.items() if number not in rows}
                # What was read for its own sake stays as it is.
                rows = {**new, **rows}
    except _TooLong:
        return None
    way.taken = True
    return [dict(row) for row in {**newest, **rows}.values()]


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
