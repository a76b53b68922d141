"""Reads a complete paginated list while others write to it.

Redmine's lists are windows (`offset`, `limit`) without a snapshot: an insert before the window repeats a row, a
delete skips one (seen on 5.0.4 and 6.1.5). So consecutive pages overlap by one row. As long as the last row of one
page is the first row of the next, no row that existed the whole time is missing. Where they do not match, the list
is read again. Only a page that is not full ends a list: a count alone is not believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from itertools import pairwise
from math import ceil
from typing import Any, Self

from reconciler.errors import NotRedmine, Unreachable
from reconciler.record import Record

LIMIT = 100
"""Rows requested per page: Redmine caps `limit` at 100."""

MAX_PAGES = 10_000
"""Pages (of about a hundred rows) after which a list counts as endless."""

LAST = 4
"""Pages that are asked for at once even if no others are left."""

MAX_SCANS = 5
"""How often to read a list that keeps changing before giving up."""


class Page(Record):
    """One page: the rows from `offset` on, the limit that the server applied, and its count of the whole list."""

    rows: list[dict[str, Any]]
    offset: int
    limit: int
    total: int

    @property
    def end(self) -> int:
        """The offset after the last row of this page."""
        return self.offset + len(self.rows)

    def consistent(self, limit: int) -> bool:
        """Whether the number of rows agrees with the page's own counts: the server counts and reads in two queries."""
        return self.limit == limit and len(self.rows) == max(0, min(limit, self.total - self.offset))


Fetch = Callable[[int], Coroutine[Any, Any, Page]]
Instead = Callable[[Page], Coroutine[Any, Any, list[dict[str, Any]] | None]]
"""Is told the first page of a long list; the rows that are needed, or None: the list must be read."""


def pages_left(first: Page) -> int:
    """The requests that the rest of a list takes after its first page."""
    return ceil((first.total - first.limit + 1) / max(1, first.limit - 1))


async def complete(
    fetch: Fetch, what: str, instead: Instead | None = None, *, both: bool = False
) -> list[dict[str, Any]]:
    """All rows of the list, each once; or those that are needed, if `instead` gets these in another way.

    `fetch(offset)` gets a page; `what` names the list in errors. `both` asks for the second page with the first, of a
    list that probably has one: else a worker of the server waits for the first.
    Raises Unreachable if the list changes too often, NotRedmine if it has no end; and what `fetch` raises.
    """
    async with _Begun(fetch, (LIMIT - 1,) if both else ()) as begun:
        for attempt in range(MAX_SCANS):
            first = await fetch(0)
            if len(first.rows) == first.total != first.limit:
                return first.rows
            if instead is not None and (found := await instead(first)) is not None:
                return found
            pages = await _scan(fetch if attempt else begun.page, first, what)
            if pages and (rows := _merge(pages)) is not None:
                return rows
    raise Unreachable(
        f"{what} changed during each of {MAX_SCANS} attempts to read it; "
        "try again when fewer people are writing to this Redmine."
    )


async def counted(fetch: Fetch, what: str) -> int:
    """The number of rows of a list, from windows of two rows: the first, and the one that begins with the last row.

    `fetch(offset)` gets a window; `what` names the list in errors. Raises as `complete`.
    """
    for _ in range(MAX_SCANS):
        first = await fetch(0)
        windows = [first, *([await fetch(first.total - 1)] if first.total > 1 else [])]
        if all(page.total == first.total and page.consistent(first.limit) for page in windows):
            return first.total
    raise Unreachable(f"{what} could not be counted: its total_count was wrong in each of {MAX_SCANS} attempts.")


async def _scan(fetch: Fetch, first: Page, what: str) -> list[Page] | None:
    """The pages up to the end of a list that may grow meanwhile; None if it shrank or a page is short."""
    # The limit that the server applied, which may be lower than requested, less the row that pages overlap by.
    pages, fetched, total, step = [first], [first], first.total, first.limit - 1
    while all(page.consistent(first.limit) and page.total >= total for page in fetched):
        total = max(page.total for page in fetched)
        full = len(pages[-1].rows) == first.limit
        if pages[-1].end >= total and not full:
            return pages
        # A page of a single row has no room for the overlap.
        if step < 1 or total > step * MAX_PAGES:
            raise NotRedmine(f"{what} does not end: the server reports {total} rows, {first.limit} per page.")
        # The last page is not full if the list has grown since: read it again from its own offset.
        start = pages[-1].offset + step if full else pages.pop().offset
        # After a page that is full up to the last row, this reads that row once more: there must be no other.
        fetched = await _fetch_concurrently(fetch, range(start, total, step))
        pages += fetched
    return None


class _Begun:
    """Pages that are asked for before it is known whether the list has them.

    When the list is read, those that it does not have are waited for: to cancel them would leave connections behind
    that nobody can use (httpcore 1.0). Their errors are nobody's. They are canceled only if the list cannot be read.
    """

    def __init__(self, fetch: Fetch, offsets: Iterable[int]) -> None:
        self._fetch = fetch
        self._tasks = {offset: asyncio.create_task(fetch(offset)) for offset in offsets}
        self._left = dict(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        for task in self._tasks.values() if kind else ():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def page(self, offset: int) -> Page:
        """The page that was asked for, or that is asked for now."""
        begun = self._left.pop(offset, None)
        return await (self._fetch(offset) if begun is None else begun)


async def _fetch_concurrently(fetch: Fetch, offsets: Sequence[int]) -> list[Page]:
    left = len(offsets)
    turns = asyncio.Semaphore(_at_once(left))

    async def in_turn(offset: int) -> Page:
        nonlocal left
        await turns.acquire()
        page = await fetch(offset)
        left -= 1
        if _at_once(left) == _at_once(left + 1):
            turns.release()
        return page

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(offset)) for offset in offsets]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # callers expect the client's errors, not a group
    return [task.result() for task in tasks]


def _at_once(left: int) -> int:
    """How many of the pages that are left may be asked for at a time: half of them, but always four.

    Puma's workers accept more requests than they can work on, and what one has accepted no other one takes. With eight
    at a time, one of two workers often had the last five pages to itself while the other one had nothing to do (6.1),
    and a plan of eleven pages took an eighth longer.
    """
    return max(LAST, ceil(left / 2))


def _merge(pages: Sequence[Page]) -> list[dict[str, Any]] | None:
    """The rows of overlapping pages, each once; None if two do not overlap, or an unstable order repeats a row."""
    if any(one.rows[-1]["id"] != two.rows[0]["id"] for one, two in pairwise(pages)):
        return None
    # Fewer unique rows than positions: the order of the list is not stable (news of the same second).
    unique = {row["id"]: row for page in pages for row in page.rows}
    return list(unique.values()) if len(unique) == pages[-1].end else None
