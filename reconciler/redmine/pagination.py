"""Reads a complete list by pages, while others write to it, through a function that fetches a page.

Redmine's lists are windows (`offset`, `limit`) without a snapshot: an insert before the window repeats a row,
a delete loses one (seen on 5.0.4 and 6.1.5). So neighbouring pages overlap by one row: while the last row of
one page is the first of the next, whatever was in the list all the time is in the pages. Where they do not
meet, the list is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from reconciler.errors import NotRedmine, Unreachable

LIMIT = 100
"""Rows asked for per page: the most that Redmine gives."""

MAX_PAGES = 10_000
"""Pages (of about a hundred rows) after which a list counts as endless."""

MAX_SCANS = 5
"""How often a list that moves is read before it is given up."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: rows from `offset` on, the limit that the server applied, its count of the whole list."""

    rows: list[dict[str, Any]]
    offset: int
    limit: int
    total: int

    @property
    def end(self) -> int:
        """The offset after the last row of this page."""
        return self.offset + len(self.rows)

    def whole(self, limit: int) -> bool:
        """Whether it has the rows that its own numbers promise: the server counts and reads in two steps."""
        return self.limit == limit and len(self.rows) == max(0, min(limit, self.total - self.offset))


Fetch = Callable[[int], Coroutine[Any, Any, Page]]


async def complete(fetch: Fetch, what: str) -> list[dict[str, Any]]:
    """All rows of the list, each once.

    `fetch(offset)` gets a page; `what` names the list in errors.
    Raises Unreachable when the list moves too much, NotRedmine when it has no end; and what `fetch` raises.
    """
    for _ in range(MAX_SCANS):
        first = await fetch(0)
        if len(first.rows) >= first.total:
            return first.rows
        pages = await _scan(fetch, first, what)
        if pages and (rows := _joined(pages)) is not None:
            return rows
    raise Unreachable(
        f"{what} changed each of the {MAX_SCANS} times it was read, so no complete list could be had; "
        "try again when fewer others write to this Redmine."
    )


async def _scan(fetch: Fetch, first: Page, what: str) -> list[Page] | None:
    """The pages to the end of a list that may grow meanwhile; None if it shrank or a page is short."""
    pages, fetched, total, step = [first], [first], first.total, first.limit - 1
    while all(page.whole(first.limit) and page.total >= total for page in fetched):
        total = max(page.total for page in fetched)
        if pages[-1].end >= total:
            return pages
        if step < 1 or total > step * MAX_PAGES:
            raise NotRedmine(f"{what} does not end: the server counts {total} rows, {first.limit} to a page.")
        full = len(pages[-1].rows) == first.limit
        start = pages[-1].offset + step if full else pages.pop().offset
        fetched = await _together(fetch, range(start, total - 1, step))
        pages += fetched
    return None


async def _together(fetch: Fetch, offsets: Iterable[int]) -> list[Page]:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(offset)) for offset in offsets]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _joined(pages: Sequence[Page]) -> list[dict[str, Any]] | None:
    """The rows of overlapping pages, each once; None if two do not meet, or an unstable order repeats one."""
    if any(one.rows[-1]["id"] != two.rows[0]["id"] for one, two in pairwise(pages)):
        return None
    unique = {row["id"]: row for page in pages for row in page.rows}
    return list(unique.values()) if len(unique) == pages[-1].end else None
