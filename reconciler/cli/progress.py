"""Progress on stderr: a bar on a terminal, otherwise an occasional line."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from reconciler.cli import output
from reconciler.cli.options import State

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from reconciler.apply.report import Outcome
    from reconciler.model.address import Address

REQUESTS = 50
"""Requests between two lines while reading the server."""
LINES = 20
"""Maximum number of lines while applying, without a terminal."""
PAUSE = 5.0
"""Seconds between two lines while reading many objects."""


class Progress(AbstractContextManager["Progress"]):
    """Lines for a log; with `verbose`, one for each request."""

    def __init__(self, state: State) -> None:
        self.verbose = state.verbose
        self.requests = self.done = self.total = 0
        self.counting, self.started, self.last_line = ("", 0), 0.0, 0.0

    def __exit__(self, *error: object) -> None:
        self.stop()

    def reading(self, what: str) -> None:
        """Announce what is read next."""
        output.say(f"Reading {what} …")

    def request(self, line: str) -> None:
        """Record one request; `line` is the client's log line."""
        self.requests += 1
        if self.verbose:
            output.say(line)
        elif not self.total and self.requests % REQUESTS == 0:
            output.say(f"{self.requests} requests …")

    def counted(self, what: str, done: int, total: int) -> None:
        """Record that `done` of `total` objects are read."""
        self.total = total if done < total else 0  # 0 ends the count, so that requests are reported again
        if (what, total) != self.counting:
            self.counting, self.started = (what, total), monotonic()
            self.last_line = self.started
        self.step(what, done, total)

    def step(self, what: str, done: int, total: int) -> None:
        """Show progress and the estimated time left, at most every `PAUSE` seconds."""
        now = monotonic()
        if self.total and not self.verbose and now - self.last_line >= PAUSE:
            self.last_line, left = now, (now - self.started) / done * (total - done)
            output.say(f"{what}: {done:,} of {total:,}, about {timedelta(seconds=round(left))} remaining …")

    def applying(self, total: int) -> None:
        """Start counting changes."""
        self.total = total
        output.say(f"Applying {output.plural(total, 'change')} …")

    def ended(self, address: Address, outcome: Outcome) -> None:
        """Record a change whose outcome is known."""
        self.done += 1
        # At least ten changes a line, and about twenty lines for very many.
        if self.done % max(10, self.total // LINES) == 0:
            output.say(f"{self.done} of {self.total} …")

    def stop(self) -> None:
        """Free the terminal for other output."""


class Live(Progress):
    """A progress bar with the time remaining."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.bar: Bar | None = None
        self.shown = ("", 0)

    def reading(self, what: str) -> None:
        super().reading(what)
        self._start()

    def request(self, line: str) -> None:
        self.requests += 1
        if self.bar is not None and not self.total:
            self.bar.update(self.bar.task_ids[0], description=output.plural(self.requests, "request"))

    def step(self, what: str, done: int, total: int) -> None:
        if (what, self.total) != self.shown:
            self.shown = (what, self.total)
            self._start()
        if self.bar is not None and self.total:
            self.bar.update(self.bar.task_ids[0], completed=done, description=what)

    def applying(self, total: int) -> None:
        super().applying(total)
        self._start()

    def ended(self, address: Address, outcome: Outcome) -> None:
        from reconciler.render.safe import terminal

        self.done += 1
        if self.bar is not None:
            # Keys come from manifests and the server, and may contain control sequences.
            shown = terminal(output.masked(str(address)))[:40]
            self.bar.update(self.bar.task_ids[0], completed=self.done, description=shown)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.stop()
        counted = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) if self.total else ()
        text = TextColumn("{task.description}", markup=False)  # names of objects may contain [brackets]
        # Transient: the bar disappears, so that the output that follows starts on a clean line.
        self.bar = Bar(SpinnerColumn(), text, *counted, console=Console(stderr=True), transient=True)
        self.bar.add_task(output.plural(self.requests, "request") if self.requests else "", total=self.total or None)
        self.bar.start()

    def stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def progress(state: State) -> Progress:
    """A bar on a terminal; lines otherwise, and with --verbose."""
    # With --verbose each request is a line, which would tear the bar.
    return Live(state) if sys.stderr.isatty() and not state.verbose else Progress(state)
