"""Progress on stderr: on a terminal a bar that moves all the time, otherwise a line every few seconds."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from threading import Event, Lock, Thread, Timer
from time import monotonic
from typing import TYPE_CHECKING, Self

from reconciler.cli import output
from reconciler.cli.options import State

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from reconciler.apply.report import Outcome
    from reconciler.model.address import Address

PAUSE = 5.0
"""Seconds between two lines without a terminal."""
LOOK = 1.0
"""Seconds between two looks whether a line is due, also while nothing happens."""
MOMENT = 0.5
"""Seconds that need no progress: what mostly takes less is announced only after them."""
READING_BACK = "reading back"


class Progress(AbstractContextManager["Progress"]):
    """Lines for a log; with `verbose`, one for each request."""

    def __init__(self, state: State) -> None:
        self.verbose, self.no_color = state.verbose, state.no_color
        self.requests = self.done = self.total = 0
        self.phase = ""
        """What is being done; "" while nothing is, such as during a question."""
        self.lists: dict[str, tuple[int, int]] = {}
        """The pages of each long list: how many are read, of how many."""
        self.until = -math.inf
        """Until when a request waits to be sent again."""
        self.counting, self.started, self.last_line = ("", 0), 0.0, monotonic()
        self._ended, self._lock = Event(), Lock()

    def __enter__(self) -> Self:
        Thread(target=self._watch, daemon=True, name="progress").start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self.stop()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK):
            self.tick()

    def tick(self) -> None:
        """Print a line if one is due."""
        with self._lock:
            now = monotonic()
            if self.phase and now - self.last_line >= PAUSE:
                self.last_line = now
                output.say(f"{self.status()} …")

    def status(self) -> str:
        """What is being done, how far it is, and what it waits for."""
        parts = [self._far(), *([] if self._counts else [self.pages_read()]), self.waiting()]
        return ", ".join(filter(None, parts))

    @property
    def _counts(self) -> bool:
        return 0 < self.done < self.total

    def _far(self) -> str:
        what = self.counting[0] or self.phase
        if self._counts:
            left = (monotonic() - self.started) / self.done * (self.total - self.done)
            return f"{what}: {self.done:,} of {self.total:,}, about {timedelta(seconds=round(left))} remaining"
        what = f"{self.phase}: {READING_BACK}" if self.total and self.done else self.phase
        return f"{what}: {output.plural(self.requests, 'request')}" if self.requests else what

    def pages_read(self) -> str:
        """How many pages of the long lists are read, of how many."""
        done, total = (sum(counts) for counts in zip(*self.lists.values(), strict=True)) if self.lists else (0, 0)
        return f"{min(done, total):,} of {total:,} pages" if total > len(self.lists) else ""

    def waiting(self) -> str:
        """Why a request is not sent at once."""
        left = self.until - monotonic()
        return f"the server is busy: waiting {math.ceil(left)} s" if left > 0 else ""

    def reading(self, what: str) -> None:
        """Announce what is read next."""
        self.announce(f"Reading {what}")

    def announce(self, phase: str) -> None:
        """Say what is done next."""
        self._begin(phase, f"{phase} …")

    @contextmanager
    def late(self, phase: str, *, long: bool = False) -> Iterator[None]:
        """Announce what is done meanwhile, unless that ends soon; at once if it is known to take `long`."""
        if long:
            self.announce(phase)
            yield
            return
        timer = Timer(MOMENT, self.announce, (phase,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            # It may be about to announce, which must not happen after the end.
            timer.join()

    def resume(self, phase: str) -> None:
        """Something takes a moment that is not worth a line."""
        self.phase = phase

    def _begin(self, phase: str, line: str) -> None:
        self.phase, self.counting, self.done, self.total = phase, ("", 0), 0, 0
        self.lists.clear()
        self.last_line = monotonic()
        output.say(line)

    def request(self, line: str) -> None:
        """Record one request; `line` is the client's log line."""
        self.requests += 1
        if self.verbose:
            self.last_line = monotonic()
            output.say(line)

    def page(self, path: str, done: int, total: int) -> None:
        """Record that so many pages of a list are read."""
        self.lists[path] = done, total

    def waits(self, seconds: float) -> None:
        """Record that a request is sent again only after so many seconds."""
        self.until = max(self.until, monotonic() + seconds)

    def counted(self, what: str, done: int, total: int) -> None:
        """Record that `done` of `total` objects are read."""
        self.phase = self.phase or "Reading"
        if (what, total) != self.counting:
            self.counting, self.started = (what, total), monotonic()
        # 0 ends the count, so that requests are reported again.
        self.done, self.total = (done, total) if done < total else (0, 0)
        if done >= total:
            self.counting = ("", 0)
        self.step(what, done, total)

    def step(self, what: str, done: int, total: int) -> None:
        """Show how far it is."""
        if self.total:
            self.tick()

    def applying(self, total: int) -> None:
        """Start counting changes."""
        self._begin("Applying", f"Applying {output.plural(total, 'change')} …")
        self.total, self.started, self.requests = total, monotonic(), 0

    def ended(self, address: Address, outcome: Outcome) -> None:
        """Record a change whose outcome is known."""
        self.done += 1
        self.tick()

    def stop(self) -> None:
        """Free the terminal for other output."""
        self.phase = ""


class Live(Progress):
    """A progress bar with the time remaining."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.bar: Bar | None = None
        self.shown = ("", 0)

    def announce(self, phase: str) -> None:
        super().announce(phase)
        self._start()

    def resume(self, phase: str) -> None:
        super().resume(phase)
        self._start()

    def tick(self) -> None:
        """Nothing: the bar moves by itself."""

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
            shown = READING_BACK if self.done >= self.total else shown
            self.bar.update(self.bar.task_ids[0], completed=self.done, description=shown)

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        shown = self

        class Notes(TextColumn):
            """Read whenever the bar is drawn: a wait counts down while nothing else happens."""

            def render(self, task: Task) -> Text:
                return Text(", ".join(filter(None, (shown.pages_read(), shown.waiting()))))

        from rich.text import Text

        self._clear()
        counted = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) if self.total else ()
        text = TextColumn("{task.description}", markup=False)  # names of objects may contain [brackets]
        console = Console(stderr=True, no_color=self.no_color or None)
        columns = (SpinnerColumn(), text, Notes(""), *counted)
        # Transient: the bar disappears, so that the output that follows starts on a clean line.
        # Nothing goes to stdout meanwhile, and what renders a result asks stdout for its colors and its encoding.
        self.bar = Bar(*columns, console=console, transient=True, redirect_stdout=False)
        self.bar.add_task(output.plural(self.requests, "request") if self.requests else "", total=self.total or None)
        self.bar.start()

    def stop(self) -> None:
        super().stop()
        self._clear()

    def _clear(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def progress(state: State) -> Progress:
    """A bar on a terminal; lines otherwise, and with --verbose."""
    # With --verbose each request is a line, which would tear the bar; a dumb terminal cannot move the cursor.
    moves = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Live(state) if moves and not state.verbose else Progress(state)


@contextmanager
def if_long(state: State, phase: str, paths: Collection[str] = (), *, long: bool = False) -> Iterator[None]:
    """Progress during something that mostly takes a moment: nothing is shown then.

    It is shown at once if it is known to take `long`, and never over standard input, which somebody may be typing.
    """
    with progress(state) as shown, nullcontext() if "-" in paths else shown.late(phase, long=long):
        yield
