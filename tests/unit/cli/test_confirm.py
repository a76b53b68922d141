"""The question on a terminal: no signal is missed while it waits for its answer."""

from __future__ import annotations

import os
import pty
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.cli import confirm


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


@pytest.mark.slow
def test_a_signal_that_no_system_call_sees_ends_the_question(keyboard: int) -> None:
    """Ctrl-C in the moment before the read, or for another thread, ends the question at once, not after an answer."""
    with signalled(signal.SIGINT, keyboard) as typed, pytest.raises(KeyboardInterrupt):
        confirm.said_yes()
    assert not typed.is_set()


@pytest.mark.slow
def test_a_signal_that_ends_nothing_is_no_answer(keyboard: int) -> None:
    """A signal whose handler goes on, a changed window's size say, does not answer the question."""
    seen = []
    before = signal.signal(signal.SIGWINCH, lambda number, frame: seen.append(number))
    try:
        with signalled(signal.SIGWINCH, keyboard):
            assert confirm.said_yes()
    finally:
        signal.signal(signal.SIGWINCH, before)
    assert seen == [signal.SIGWINCH]
