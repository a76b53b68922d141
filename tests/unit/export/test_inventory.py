"""What an export reads, without a server: rows on disk, keys from subjects, portions of work."""

from __future__ import annotations

import asyncio

import pytest
from engine import offline
from hypothesis import given
from hypothesis import strategies as st
from plans import live_of

from reconciler.errors import RefusedError
from reconciler.export.disk_dict import DiskDict
from reconciler.kinds._queries import LENGTH, portions
from reconciler.kinds.issues.made_keys import SLUG, slug
from reconciler.plan.planner import make
from reconciler.state.fetch import over


@given(st.dictionaries(st.integers(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=20))
def test_rows_on_disk_are_the_same_rows(found: dict[int, dict[str, object]]) -> None:
    """A spool gives every row back as it was put in, whatever is in it; of two with one number, the later."""
    spool = DiskDict()
    for number in found:
        spool[number] = {"id": "earlier"}
    for number, row in found.items():
        spool[number] = row
    assert dict(spool) == found
    for number in list(found):
        del spool[number]
    assert len(spool) == 0


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Login fails", "login-fails"),
        ("  Überall: Ärger!  ", "überall-ärger"),
        ("🛒", "issue"),
        ("a/b \\ c", "a-b-c"),
        ("x" * 100, "x" * SLUG),
    ],
)
def test_a_key_is_made_of_the_subject(subject: str, expected: str) -> None:
    """Words in small letters, joined by hyphens, not too long; never empty."""
    assert slug(subject) == expected


@given(st.lists(st.text(max_size=300), max_size=60))
def test_keys_are_asked_for_in_portions(keys: list[str]) -> None:
    """Every key is asked for once, in order, and no request is longer than Redmine takes, but for a single long key."""
    found = list(portions(keys))
    assert [key for portion in found for key in portion] == keys
    assert all(len(p) == 1 or sum(len(k.encode()) + 10 for k in p) <= LENGTH for p in found)


def test_much_work_is_done_some_at_a_time() -> None:
    """Every item once, in order, never more than so many at once; how many are done is told after each."""
    under_way, most, told = 0, 0, list[tuple[str, int, int]]()

    async def double(item: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return 2 * item

    async def main() -> list[int]:
        return [n async for n in over(range(5), double, 2, "numbers", lambda *said: told.append(said))]

    assert asyncio.run(main()) == [0, 2, 4, 6, 8]
    assert most == 2
    assert told == [("numbers", n, 5) for n in range(1, 6)]


def test_what_waits_for_itself_is_refused_with_a_sentence() -> None:
    """Changes that can only be made after each other are named, before anything is written."""
    text = """
      projects: [{identifier: shop, name: Shop}]
      issues:
        - {project: shop, subject: p, status: Closed, relations: [{blocks: a}]}
        - {project: shop, subject: b, parent: p, status: Closed, relations: [{blocked: a}]}
        - {project: shop, subject: a, status: Closed}
    """
    wanted = offline(text)
    with pytest.raises(RefusedError, match="form a dependency cycle"):
        make(wanted, live_of(wanted), "http://redmine.test")
