"""What is said on stderr while much is read."""

from __future__ import annotations

import io
import sys
from threading import Event

import pytest

from reconciler.cli import progress as module
from reconciler.cli.options import State
from reconciler.cli.progress import Live, Progress, progress
from reconciler.model.address import Address


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which only the test moves."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Every few seconds: how many of how many, and how long the rest will take at that speed."""
    shown = Progress(State())
    for done in range(1, 2001):
        clock[0] += 0.0625
        shown.counted("issues", done, 2000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "issues: 80 of 2,000, about 0:01:58 remaining …"
    assert lines[-1] == "issues: 1,920 of 2,000, about 0:00:05 remaining …"
    assert len(lines) == 24


def test_what_is_read_at_once_makes_no_line(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to be told of what takes a moment; requests are counted again afterwards."""
    shown = Progress(State())
    shown.reading("the server")
    for done in range(1, 4):
        shown.counted("lists", done, 3)
    for _ in range(50):
        shown.request("GET /issues")
    shown.tick()
    assert capsys.readouterr().err == "Reading the server …\n"
    clock[0] += module.PAUSE
    shown.tick()
    assert capsys.readouterr().err == "Reading the server: 50 requests …\n"


def test_a_log_gets_a_line_while_nothing_happens(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """A server that takes its time is no silence: a line every five seconds, and none during a question."""
    shown = Progress(State())
    shown.reading("the manifests")
    for _ in range(12):
        clock[0] += 1
        shown.tick()
    shown.stop()
    clock[0] += 60
    shown.tick()
    assert capsys.readouterr().err.splitlines() == ["Reading the manifests …"] * 3


class Watched(io.StringIO):
    """A terminal, or with `lines` a log, that tells when something is written after it was `left` alone."""

    def __init__(self, *, lines: bool = False) -> None:
        super().__init__()
        self.lines, self.left, self.moved = lines, Event(), Event()

    def isatty(self) -> bool:
        return not self.lines

    def write(self, text: str) -> int:
        if self.left.is_set():
            self.moved.set()
        return super().write(text)


ENOUGH = 30
"""Seconds after which something does not happen any more, however busy the machine is."""


def test_a_log_is_told_without_being_asked(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is due is printed while the program is busy with something else, and none before."""
    log = Watched(lines=True)
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(module, "LOOK", 0.001)
    with progress(State()) as shown:
        shown.reading("the manifests")
        log.left.set()
        assert not log.moved.wait(0.05)
        clock[0] += module.PAUSE
        assert log.moved.wait(ENOUGH)
    assert log.getvalue() == "Reading the manifests …\n" * 2


def test_a_bar_moves_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is written to again and again, also while the program is busy with something else."""
    monkeypatch.setenv("TERM", "xterm")
    terminal = Watched()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress(State()) as shown:
        shown.reading("the manifests")
        terminal.left.set()
        for _ in range(2):
            terminal.moved.clear()
            assert terminal.moved.wait(ENOUGH)


def test_pages_and_waits_are_named(clock: list[float]) -> None:
    """How many pages of how many, and how long a busy server is left alone; both disappear when they are over."""
    shown = Progress(State())
    shown.reading("the server")
    shown.request("GET /issues")
    shown.page("/versions", 1, 1)
    assert shown.status() == "Reading the server: 1 request"
    shown.page("/issues", 3, 102)
    shown.waits(4)
    assert shown.status() == "Reading the server: 1 request, 4 of 103 pages, the server is busy: waiting 4 s"
    clock[0] += 2.5
    assert shown.waiting() == "the server is busy: waiting 2 s"
    clock[0] += 2
    assert shown.status() == "Reading the server: 1 request, 4 of 103 pages"
    shown.reading("it again")
    assert shown.status() == "Reading it again: 1 request"


def test_changes_are_counted_in_a_log(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """How many changes of how many, with the time left, every five seconds; at the end, that they are read back."""
    shown = Progress(State())
    shown.applying(10)
    for _ in range(10):
        clock[0] += 2
        shown.ended(Address("project", "shop"), "done")
    shown.request("GET /issues")
    clock[0] += 5
    shown.tick()
    assert capsys.readouterr().err.splitlines() == [
        "Applying 10 changes …",
        "Applying: 3 of 10, about 0:00:14 remaining …",
        "Applying: 6 of 10, about 0:00:08 remaining …",
        "Applying: 9 of 10, about 0:00:02 remaining …",
        "Applying: reading back: 1 request …",
    ]


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot move the cursor gets the lines of a log."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert isinstance(progress(State()), Live)
    monkeypatch.setenv("TERM", "dumb")
    assert not isinstance(progress(State()), Live)


def test_a_terminal_gets_a_bar(clock: list[float]) -> None:
    """The bar counts what is read, with the time left; when all is there, it turns into the count of requests again."""
    shown = Live(State())
    shown.request("GET /issues")
    shown.counted("issues", 40, 100)
    assert shown.bar is not None
    (task,) = shown.bar.tasks
    assert (task.description, task.completed, task.total) == ("issues", 40, 100)
    shown.counted("issues", 100, 100)
    (task,) = shown.bar.tasks
    assert (task.description, task.total) == ("1 request", None)
    shown.stop()
