"""Complete lists while they move: what was there all the time is found once, or nothing is claimed."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.errors import NotRedmine, Unreachable
from reconciler.redmine import pagination
from reconciler.redmine.pagination import Page, complete, counted

Move = Callable[[list[int]], None]


class Table:
    """A list on a server. `moves[n]` changes it just before the n-th page is read; reads may overtake each
    other."""

    def __init__(
        self, size: int, limit: int, moves: dict[int, Move] | None = None, delays: tuple[int, ...] = (0,)
    ) -> None:
        self.ids = list(range(0, -1000 * size, -1000))
        self.limit, self.moves, self.delays = limit, moves or {}, delays
        self.calls, self.offsets = 0, list[int]()
        self.always = set(self.ids)

    async def fetch(self, offset: int) -> Page:
        self.calls += 1
        for _ in range(self.delays[self.calls % len(self.delays)]):
            await asyncio.sleep(0)
        if move := self.moves.get(len(self.offsets)):
            move(self.ids)
        self.offsets.append(offset)
        self.always &= set(self.ids)
        rows = [{"id": number} for number in self.ids[offset : offset + self.limit]]
        return Page(rows, offset, self.limit, len(self.ids))

    def read(self, *, both: bool = False) -> list[int]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pagination, "LIMIT", self.limit)
            rows: list[dict[str, Any]] = asyncio.run(complete(self.fetch, "The list", both=both))
        return [row["id"] for row in rows]


new_ids = itertools.count(1)


def insert(place: int) -> Move:
    """A row comes in before the one at `place` (or at the end)."""

    def move(ids: list[int]) -> None:
        ids.insert(place, next(new_ids))

    return move


def delete(place: int) -> Move:
    """The row at `place` goes."""

    def move(ids: list[int]) -> None:
        del ids[place : place + 1]

    return move


def append(ids: list[int]) -> None:
    """A row comes in at the end, as with sort=id."""
    ids.append(next(new_ids))


@given(size=st.integers(0, 60), limit=st.integers(2, 12), both=st.booleans())
def test_a_quiet_list_is_read_with_the_fewest_pages(size: int, limit: int, both: bool) -> None:
    """Without moves every row comes once, in order, in ceil(total / (limit - 1)) requests: the last page is not full.

    If a second page is likely, it is asked for in any case.
    """
    table = Table(size, limit)
    assert table.read(both=both) == table.ids
    assert len(table.offsets) == max(2 if both else 1, math.ceil(size / (limit - 1)))


def test_a_likely_second_page_does_not_wait_for_the_first() -> None:
    """Both are asked for at once, and all others once the first is there."""
    table = Table(30, 10, delays=(0, 3))
    assert table.read(both=True) == table.ids
    assert table.offsets[:2] == [9, 0] and sorted(table.offsets) == [0, 9, 18, 27]


def test_the_other_pages_do_not_wait_for_a_slow_second_one() -> None:
    """That the first page is there is enough to ask for all others."""
    table = Table(30, 10, delays=(0, 0, 50, 0, 0))
    assert table.read(both=True) == table.ids
    assert table.offsets == [0, 18, 27, 9]


@pytest.mark.parametrize(("pages", "most"), [(3, 2), (6, 4), (11, 5), (101, 50)])
def test_the_last_pages_do_not_wait_for_one_worker(pages: int, most: int) -> None:
    """Of the pages that are left, half are under way at most, or four: one worker cannot have all of the last ones."""
    table, under_way, seen = Table(2 * pages, 3), 0, list[tuple[int, int]]()

    async def fetch(offset: int) -> Page:
        nonlocal under_way
        under_way += 1
        seen.append((under_way, pages - len(table.offsets)))
        await asyncio.sleep(0)
        page = await table.fetch(offset)
        under_way -= 1
        return page

    asyncio.run(complete(fetch, "The list"))
    assert max(number for number, _ in seen) == most
    assert all(number <= max(4, math.ceil(left / 2)) for number, left in seen)


@pytest.mark.parametrize(
    ("fails", "canceled"), [(None, False), (99, False), (0, True)], ids=["none", "second", "first"]
)
def test_nothing_is_under_way_after_a_list_was_read(fails: int | None, canceled: bool) -> None:
    """A second page that the list does not have is waited for, whatever becomes of it; it is canceled if the first one
    fails."""
    seen: list[str] = []

    async def fetch(offset: int) -> Page:
        try:
            for _ in range(9 if offset else 2):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            seen.append("canceled")
            raise
        seen.append(f"ended {offset}")
        if offset == fails:
            raise Unreachable("gone")
        return Page([{"id": 1}], 0, 100, 1)

    async def main() -> list[str]:
        with pytest.raises(Unreachable, match="gone") if fails == 0 else nullcontext():
            assert await complete(fetch, "The list", both=True) == [{"id": 1}]
        return list(seen)

    assert asyncio.run(main()) == ["ended 0", "canceled" if canceled else "ended 99"]


def test_a_page_of_an_earlier_attempt_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the list must be read again, so must the second page that was asked for with the first one."""
    monkeypatch.setattr(pagination, "LIMIT", 10)
    table = Table(30, 10)

    async def fetch(offset: int) -> Page:
        page = await table.fetch(offset)
        short = offset == 0 and table.offsets.count(0) == 1
        return replace(page, rows=page.rows[1:]) if short else page

    rows = asyncio.run(complete(fetch, "The list", both=True))
    assert [row["id"] for row in rows] == table.ids
    assert table.offsets.count(9) == table.offsets.count(0) == 2


@pytest.mark.parametrize("said", [0, 3, 4])
@pytest.mark.parametrize("lies", [1, 100])
def test_a_count_that_is_too_small_hides_no_row(said: int, lies: int) -> None:
    """A full page is not the last one, whatever the count says; a count that is below the rows is not believed."""
    table, left = Table(9, 4), lies

    async def fetch(offset: int) -> Page:
        nonlocal left
        page = await table.fetch(offset)
        left -= 1
        return replace(page, total=said) if left >= 0 else page

    try:
        found = asyncio.run(complete(fetch, "The list"))
    except Unreachable:
        assert lies == 100
    else:
        assert [row["id"] for row in found] == table.ids


moves = st.dictionaries(
    st.integers(0, 40), st.builds(lambda how, place: how(place), st.sampled_from([insert, delete]), st.integers(0, 30))
)


@given(st.integers(0, 30), st.integers(2, 6), moves, st.lists(st.integers(0, 5), min_size=1).map(tuple), st.booleans())
def test_what_stays_in_a_moving_list_is_never_lost_nor_doubled(
    size: int, limit: int, moves: dict[int, Move], delays: tuple[int, ...], both: bool
) -> None:
    """Under any inserts and deletes between pages, all rows that stayed come exactly once, or the list is
    given up."""
    table = Table(size, limit, moves, delays)
    try:
        found = table.read(both=both)
    except Unreachable:
        assert moves
        return
    assert len(found) == len(set(found))
    assert table.always <= set(found)


@given(st.integers(3, 40), st.integers(2, 6), st.sets(st.integers(0, 12)), st.lists(st.integers(0, 5), min_size=1))
def test_appended_rows_are_read_without_starting_again(
    size: int, limit: int, when: set[int], delays: list[int]
) -> None:
    """Rows that are appended while the list is read are in the result, and the first page is read once
    only."""
    table = Table(size, limit, dict.fromkeys(when, append), tuple(delays))
    found = table.read()
    assert found == table.ids
    assert table.offsets.count(0) == 1


def test_a_row_that_comes_after_the_last_page_was_read_is_fetched() -> None:
    """When a page that is answered late counts more rows than the last one, the last one is read again."""
    table = Table(9, 4, {2: append}, delays=(0, 0, 3, 0))
    assert table.read() == table.ids
    assert table.offsets == [0, 6, 3, 6, 9]


@pytest.mark.parametrize("move", [delete(0), insert(0), delete(5)])
def test_a_list_that_moves_once_is_read_again(move: Move) -> None:
    """A row that goes or comes before a page boundary makes the pages miss each other: the scan starts
    again."""
    table = Table(12, 4, {2: move})
    assert table.read() == table.ids
    assert table.offsets.count(0) == 2


def test_a_list_that_always_moves_is_given_up() -> None:
    """After five scans that did not fit together the error says what to do."""
    table = Table(40, 4, {number: delete(0) for number in range(1, 100)})
    with pytest.raises(Unreachable, match="The list changed during each of 5 attempts to read it"):
        table.read()
    assert table.offsets.count(0) == 5


def test_an_unstable_order_is_noticed() -> None:
    """If equal sort keys change places between pages, a row comes twice and another not at all: read
    again."""

    def swap(ids: list[int]) -> None:
        ids[2], ids[4] = ids[4], ids[2]

    table = Table(7, 4, {1: swap})
    assert set(table.read()) == set(table.ids)
    assert table.offsets.count(0) == 2


@pytest.mark.parametrize("torn", [[], [3, 4], [2, 4, 5, 6], [3, 4, 5, 6, 7]])
def test_pages_that_do_not_fit_are_read_again(torn: list[int]) -> None:
    """A page that is short or long by its own numbers, or does not meet its neighbour, spoils that scan only."""
    second = [torn, [3, 4, 5, 6]]

    async def fetch(offset: int) -> Page:
        numbers = {0: [0, 1, 2, 3], 6: [6]}.get(offset) or second.pop(0)
        return Page([{"id": number} for number in numbers], offset, 4, 7)

    rows = asyncio.run(complete(fetch, "The list"))
    assert [row["id"] for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    assert second == []


def test_the_servers_smaller_limit_sets_the_step() -> None:
    """Pages follow the limit that the server applied, not the one that was asked for."""
    table = Table(10, 4)
    table.read()
    assert table.offsets == [0, 3, 6, 9]


def test_a_list_that_always_grows_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that always says there is more is not followed for ever."""
    monkeypatch.setattr(pagination, "MAX_PAGES", 20)

    async def fetch(offset: int) -> Page:
        return Page([{"id": offset + place} for place in range(4)], offset, 4, offset + 5)

    with pytest.raises(NotRedmine, match="does not end: the server reports 62 rows, 4 per page"):
        asyncio.run(complete(fetch, "The list"))


@pytest.mark.parametrize(("limit", "total"), [(100, 10**9), (1, 5), (0, 5), (-3, 5)])
def test_absurd_numbers_end_with_an_error(limit: int, total: int) -> None:
    """A total beyond reason, or a limit that leaves no step, is refused after the first page."""
    offsets: list[int] = []

    async def fetch(offset: int) -> Page:
        offsets.append(offset)
        return Page([{"id": place} for place in range(max(limit, 0))], offset, limit, total)

    with pytest.raises(NotRedmine, match="does not end"):
        asyncio.run(complete(fetch, "The list"))
    assert offsets == [0]


def test_the_error_of_one_page_is_the_error_of_the_list() -> None:
    """When a page fails, its own error comes out, not a group."""

    async def fetch(offset: int) -> Page:
        if offset:
            raise Unreachable("page failed")
        return Page([{"id": place} for place in range(4)], 0, 4, 40)

    with pytest.raises(Unreachable, match="page failed"):
        asyncio.run(complete(fetch, "The list"))


@pytest.mark.parametrize("size", [0, 1, 2, 250])
@pytest.mark.parametrize("lie", [-1000, -1, 1, 1000])
def test_a_count_that_the_rows_do_not_confirm_is_asked_for_again(size: int, lie: int) -> None:
    table = Table(size, 2)

    async def fetch(offset: int) -> Page:
        page = await table.fetch(offset)
        return replace(page, total=max(0, page.total + lie)) if table.calls == 1 else page

    assert asyncio.run(counted(fetch, "The list")) == size


@pytest.mark.parametrize("lie", [1, 1000])
def test_a_count_that_the_rows_never_confirm_is_an_error(lie: int) -> None:
    table = Table(5, 2)

    async def fetch(offset: int) -> Page:
        page = await table.fetch(offset)
        return replace(page, total=page.total + lie)

    with pytest.raises(Unreachable, match="The list could not be counted"):
        asyncio.run(counted(fetch, "The list"))


@given(size=st.integers(0, 20), moves=st.dictionaries(st.integers(0, 3), st.just(insert(0)), max_size=2))
def test_a_list_that_moves_is_counted_as_it_was_at_some_moment(size: int, moves: dict[int, Move]) -> None:
    assert size <= asyncio.run(counted(Table(size, 2, moves).fetch, "The list")) <= size + len(moves)
