"""One of the processes that carry out the cases, on a sandbox of its own."""

from __future__ import annotations

import argparse
import shutil
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import groupby
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from bench import Bench
from cases import PARTS, Case, cases, judge
from ledger import Entry, Ledger, version_of_code
from paths import SETUP
from servers import claim

from reconciler.sandbox import Running, Sandbox


def work(options: argparse.Namespace, path: Path, number: int, queue: Queue[Any]) -> None:
    """Every n-th request with all its faults, on a sandbox of its own."""
    try:
        with (
            claim(f"prove-{options.redmine}") as name,
            _sandbox(options.redmine, name) as (running, folder),
            Bench(running, folder) as bench,
        ):
            _prove(bench, options, Ledger(path, version_of_code()), number, queue)
    except BaseException:
        queue.put(traceback.format_exc())
        raise


@contextmanager
def _sandbox(redmine: str, name: str) -> Iterator[tuple[Running, Path]]:
    """A running server in the state of `setup.rb`, and a folder."""
    sandbox = Sandbox(redmine, name=name)
    # Below the server's own folder: on its disk, so that attached files can be linked.
    folder = sandbox.folder / "prove"
    sandbox.stop()
    running = sandbox.start([SETUP])
    sandbox.reset()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield running, folder
    finally:
        sandbox.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _prove(bench: Bench, options: argparse.Namespace, ledger: Ledger, number: int, queue: Queue[Any]) -> None:
    bench.record()
    wanted = [case for case in cases(bench) if _is_wanted(case, options)]
    groups = {group: n for n, group in enumerate(sorted({case.group for case in wanted}))}
    own = [case for case in wanted if groups[case.group] % options.jobs == number]
    known = {} if options.only else ledger.entries()
    # Those that failed are tried again.
    left = [case for case in own if case.id not in known or known[case.id]["wrong"]]
    queue.put((len(own), [known[case.id] for case in own if case not in left]))
    deadline = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    for _, cases_of_one in groupby(left, lambda case: case.group):
        for case in cases_of_one:
            if time.monotonic() > deadline:
                return
            entry = _entry(bench, case)
            ledger.add(entry)
            queue.put(entry)
        bench.forget()


def _entry(bench: Bench, case: Case) -> Entry:
    try:
        verdict = judge(bench, case)
        word, wrong = verdict.word, list(verdict.wrong)
    except Exception:
        word, wrong = "broken", [traceback.format_exc()]
    return Entry(case=case.id, request=case.request, word=word, wrong=wrong)


def _is_wanted(case: Case, options: argparse.Namespace) -> bool:
    if options.only:
        return any(fnmatchcase(case.id, pattern) for pattern in options.only.split())
    return options.part is None or case.part == options.part % PARTS
