"""How the cost grows with the number of objects, against a server that answers at once: it is the client's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from canned_server import served
from contest import Contender, Rules, contest
from online import AT_A_TIME, LOOKED_UP, did_all, environment, looking_up, refreshing, shown
from process import TOOL, output_of, python, say
from results import BARE, LISTING, REFRESH, SCRIPT, Part, Scenario
from results import TOOL as NAME
from worlds import items, write_manifest, write_table

from reconciler.sandbox import Running

SIZES = (1000, 10_000, 100_000)
SAMPLE = 1000
"""So many objects are done by those that send a request for each; the rest is computed."""


def run(folder: Path, rules: Rules, sizes: Sequence[int] = SIZES) -> Part:
    """A plan of unchanged issues, for each number of them."""
    scenarios = tuple(unchanged(folder, rules, count) for count in sizes)
    return Part("growth", "a server that answers at once", scenarios)


@contextmanager
def stand_in(issues: int) -> Iterator[str]:
    """The URL of a server with so many issues, for all processes that are started meanwhile."""
    with served(issues=issues) as url, environment(Running("", "", url, "canned", 0, 0, Path())):
        yield url


def unchanged(folder: Path, rules: Rules, count: int) -> Scenario:
    """One number of issues."""
    say(f"A server that answers at once: {count:,} issues …")
    full = write_manifest(folder / "full.yaml", count)
    with stand_in(count) as url:
        contenders = list(_contenders(folder, url, full, count))
        series = contest(contenders, rules)
    return Scenario("plan", count, series)


def _contenders(folder: Path, url: str, full: Path, count: int) -> Iterator[Contender]:
    recorded, some = folder / "recorded.json", min(count, SAMPLE)
    output_of(python("record.py", recorded, "plan", full))
    sent = json.loads(recorded.read_text())
    table, all_rows = (write_table(folder / f"{n}.csv", items(n)) for n in (some, count))
    yield Contender(NAME, (*TOOL, "plan", "--detailed-exitcode", str(full)), len(sent))
    yield Contender(BARE, python("bare.py", url, 8, recorded), len(sent), concurrency=8)
    seed, nothing = looking_up(table)
    unchanged = partial(did_all, "unchanged", some)
    yield Contender(SCRIPT, seed, count + LOOKED_UP, scale=count / some, check=unchanged, idle=nothing)
    listing, lists = python("script.py", "seed", all_rows, "--list-first"), -(-count // 100) + LOOKED_UP
    yield Contender(LISTING, listing, lists, check=partial(did_all, "unchanged", count))
    refresh, nothing = refreshing(url, folder, shown(range(1, some + 1)))
    yield Contender(REFRESH, refresh, count, scale=count / some, concurrency=AT_A_TIME, idle=nothing)
