"""`make prove`: every write of an apply and every read of a plan, with every fault.

make prove                                  all cases on Redmine 6.1 that are not finished yet
make prove REDMINE=5.0 JOBS=4               another version, with more sandboxes at a time
make prove PART=3                           one tenth of the cases
make prove PROVE=apply/create/17/lost-reset one case (or several: `apply/create/*`), whether finished or not
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any

from cases import PARTS
from ledger import Entry, Ledger, version_of_code
from paths import ROOT
from worker import work

SPAWN = multiprocessing.get_context("spawn")
EVERY = 30.0
"""Seconds between two lines that say how far it is."""


def main() -> int:
    """Runs the cases in several processes; 0 if all hold."""
    options = _options()
    path = ROOT / ".prove" / f"{options.redmine}.jsonl"
    Ledger(path, version_of_code())
    queue: Queue[Any] = SPAWN.Queue()
    workers = [SPAWN.Process(target=work, args=(options, path, n, queue)) for n in range(options.jobs)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for worker in workers:
        worker.start()
    progress = Progress(options)
    try:
        _watch(workers, queue, progress)
    except KeyboardInterrupt:
        print("Interrupted. The next `make prove` goes on here.")
    finally:
        # Otherwise they would go on by themselves.
        for worker in workers:
            worker.terminate()
    return progress.conclude()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redmine", default="6.1")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--part", type=int, help=f"0 to {PARTS - 1}")
    parser.add_argument("--only", default="")
    parser.add_argument("--minutes", type=float, default=0, help="stop then; the next run goes on")
    return parser.parse_args()


class Progress:
    """What the workers have told."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.total = 0
        self.entries: list[Entry] = []
        self.broken = False
        self._said = time.monotonic()

    def take(self, told: Any) -> None:
        """A worker's traceback, its number of cases with those finished before, or a finished case."""
        if isinstance(told, str):
            self.broken = True
            print(told, file=sys.stderr)
        elif isinstance(told, tuple):
            self.total += told[0]
            self.entries += told[1]
        else:
            self.entries.append(told)
            self._failed(told)
        if time.monotonic() - self._said > EVERY:
            self.say()

    def _failed(self, entry: Entry) -> None:
        if entry["wrong"]:
            print(f"FAILED {entry['case']}  ({entry['request']}, {entry['word']})")
            print("".join(f"    {line}\n" for text in entry["wrong"] for line in text.splitlines()), end="")
            print(f"    again: make prove REDMINE={self.options.redmine} PROVE={entry['case']}", flush=True)

    def say(self) -> None:
        """How far it is."""
        self._said = time.monotonic()
        failed = sum(bool(entry["wrong"]) for entry in self.entries)
        print(f"{len(self.entries)} of {self.total} cases, {failed} failed", flush=True)

    def conclude(self) -> int:
        """The counts by fault and by how the run ended; the exit code."""
        counts: dict[str, Counter[str]] = {}
        for entry in self.entries:
            subject, _, _, fault = entry["case"].split("/")
            word = "FAILED" if entry["wrong"] else entry["word"]
            counts.setdefault(f"{subject} {fault}", Counter())[word] += 1
        for name, words in sorted(counts.items()):
            print(f"{name:28}{words.total():6}  {', '.join(f'{w} {n}' for w, n in sorted(words.items()))}")
        self.say()
        return int(self.broken or any(entry["wrong"] for entry in self.entries))


def _watch(workers: list[Any], queue: Queue[Any], progress: Progress) -> None:
    """Takes what the workers tell until all have ended."""
    while any(worker.is_alive() for worker in workers) or not queue.empty():
        with suppress(Empty):
            progress.take(queue.get(timeout=0.5))
    progress.broken |= any(worker.exitcode for worker in workers)


if __name__ == "__main__":
    sys.exit(main())
