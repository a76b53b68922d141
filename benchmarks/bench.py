"""How fast `reconciler` is, side by side with other ways to do the same, in one run: `make bench`.

It starts Redmines of its own, lets the contenders do each task in turn, as whole processes, and prints what they took.
With `--write` the results are kept in benchmarks/results, and docs/performance.md and its plots are written from them.
Exits 1 if a goal is missed.

Parts: offline (help, validate), create, re-check, update, export (on a real Redmine), growth (1,000 to 100,000 issues
against a server that answers at once), elsewhere (create, beside a server that shares no core with the client), sizes
(very many objects of each kind), fleet (many servers). The last two are not part of a run that does not name them.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import elsewhere
import fleet
import fleet_page
import growth
import offline
import online
import sizes
from contest import Rules
from goals import verdicts
from publish import publish
from results import Book, Part
from rich.console import Console
from table import of_goals, of_part
from worlds import manifest

__all__ = ["manifest"]

APART = ("sizes", "fleet")
PARTS = ("offline", *online.TASKS, "growth", "elsewhere", *APART)


def main() -> None:
    """Measure and print what is asked for."""
    options = _parser().parse_args()
    # As by Ctrl-C: the Redmines that were started are to be removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    book, console = Book(), Console(width=None if sys.stdout.isatty() else 140)
    if options.publish:
        publish(book)
        return
    only = options.only or [name for name in PARTS if name not in APART]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        parts = list(_told(_measured(Path(name), only, options), console, book if options.write else None))
        found = _fleet(Path(name), console) if "fleet" in only else None
    if options.write:
        if found:
            fleet.write(found)
        publish(book)
    missed = _judge(parts, console)
    sys.exit(1 if missed else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help="only this part; repeatable")
    parser.add_argument("--servers", nargs="+", type=_server, default=online.SERVERS, metavar="VERSION[-DATABASE]")
    parser.add_argument("--issues", type=int, default=1000, help="of create, update, export and the smaller re-check")
    parser.add_argument("--many", type=int, default=10_000, help="issues of the larger re-check")
    parser.add_argument("--growth", nargs="+", type=int, default=growth.SIZES, metavar="N", help="issues of `growth`")
    parser.add_argument("--seconds", type=float, default=30, help="each contender of a task runs for so long (30)")
    parser.add_argument("--rounds", type=int, default=15, help="and at most so many times (15)")
    parser.add_argument("--write", action="store_true", help="keep the results, write the page and plots")
    parser.add_argument("--publish", action="store_true", help="only write them, from the results of earlier runs")
    return parser


def _server(text: str) -> online.Server:
    version, _, database = text.partition("-")
    named = online.Server(version, database or "postgresql")
    # One of the usual ones is measured as usual.
    return next((usual for usual in online.SERVERS if usual.name == named.name), named)


def _measured(folder: Path, only: Sequence[str], options: argparse.Namespace) -> Iterator[Part]:
    """Each part as soon as it is there."""
    rules = Rules(options.seconds, options.rounds)
    issues = online.Sizes(options.issues, options.many)
    tasks = [task for task in online.TASKS if task in only]
    if "offline" in only:
        yield offline.run(folder)
    for server in options.servers if tasks else ():
        yield from online.run(server, folder, rules, issues, tasks)
    if "growth" in only:
        yield growth.run(folder, rules, options.growth)
    if "elsewhere" in only:
        yield elsewhere.run(folder, rules, options.issues)
    if "sizes" in only:
        yield sizes.run()


def _told(parts: Iterable[Part], console: Console, book: Book | None) -> Iterator[Part]:
    """Print each part as soon as it is there, and keep it."""
    for part in parts:
        console.print(of_part(part), "")
        if book:
            book.write(part)
        yield part


def _fleet(folder: Path, console: Console) -> fleet.Measured:
    found = fleet.run(folder)
    console.print(fleet_page.section(found), "", markup=False)
    return found


def _judge(parts: Sequence[Part], console: Console) -> int:
    judged = list(verdicts(parts))
    if judged:
        console.print(of_goals(judged))
    return sum(not verdict.met for verdict in judged)


if __name__ == "__main__":
    main()
