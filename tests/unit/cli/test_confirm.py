"""The question on a terminal: no signal is missed while it waits for its answer."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.cli import confirm, lease
from reconciler.cli.signals import ending


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What writes into the terminal that is the standard input."""
    keys, screen = pty.openpty()
    with os.fdopen(screen) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield keys
    os.close(keys)


@contextmanager
def signalled(number: int, keyboard: int) -> Iterator[threading.Event]:
    """Soon a signal comes that the waiting thread's system call does not see; if nothing comes of it, a yes does.

    The event says whether the yes had to be typed.
    """
    over, typed = threading.Event(), threading.Event()

    def send() -> None:
        signal.pthread_kill(threading.get_ident(), number)
        if not over.wait(1):
            typed.set()
            os.write(keyboard, b"y\n")

    thread = threading.Timer(0.2, send)
    thread.start()
    try:
        yield typed
    finally:
        over.set()
        thread.join()


def asked(keyboard: int, number: int) -> tuple[bool, bool]:
    """A question in an event loop that handles signals, as in every command: whether the answer was yes, and whether it
    had to be typed."""

    async def command() -> tuple[bool, bool]:
        with ending(), signalled(number, keyboard) as typed:
            before = wakes()
            try:
                return confirm.said_yes("Sure?"), typed.is_set()
            except KeyboardInterrupt:
                return False, typed.is_set()
            finally:
                assert wakes() == before

    return asyncio.run(command())


def wakes() -> int:
    """What the loop hears of signals by."""
    number = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(number)
    return number


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_no_system_call_sees_ends_the_question(keyboard: int, number: int) -> None:
    """One that comes in the moment before the read, or to another thread, ends it at once, not after an answer."""
    assert asked(keyboard, number) == (False, False)


@pytest.mark.slow
def test_a_signal_that_ends_nothing_is_no_answer(keyboard: int) -> None:
    """A signal whose handler goes on, a changed window's size say, does not answer the question."""
    seen = []
    before = signal.signal(signal.SIGWINCH, lambda number, frame: seen.append(number))
    try:
        assert asked(keyboard, signal.SIGWINCH) == (True, True)
    finally:
        signal.signal(signal.SIGWINCH, before)
    assert seen == [signal.SIGWINCH]


@pytest.mark.slow
def test_the_question_of_the_lease_ends_with_ctrl_c_too(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is asked in the same way."""
    monkeypatch.setattr("sys.stderr", Terminal())

    async def command() -> None:
        with ending(), signalled(signal.SIGINT, keyboard) as typed:
            with pytest.raises(KeyboardInterrupt):
                lease._confirmed()
            assert not typed.is_set()

    asyncio.run(command())


class Terminal(io.StringIO):
    """It is one."""

    def isatty(self) -> bool:
        return True
