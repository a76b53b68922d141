"""What SIGINT and SIGTERM do: both the same; in an event loop nested, so that the outer handler is back when the inner
one ends."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

# asyncio is imported where it is used, as the help does without it.
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_handlers: list[Callable[[], None]] = []
_before: dict[signal.Signals, Any] = {}
"""What the signals did before the outermost handler."""


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """SIGTERM does meanwhile what Ctrl-C does, so that it ends no command without its report."""
    try:
        before = signal.signal(signal.SIGTERM, _as_ctrl_c)
    except ValueError:  # in another thread than the main one, which has the signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    # What it does at this moment: asyncio cancels its task.
    action = signal.getsignal(signal.SIGINT)
    # A shell has its jobs in the background ignore Ctrl-C, and nothing else.
    (action if callable(action) else signal.default_int_handler)(signal.SIGINT, frame)


@contextmanager
def handled(action: Callable[[], None]) -> Iterator[None]:
    """Both signals call `action` meanwhile."""
    _handlers.append(action)
    _install()
    try:
        yield
    finally:
        _handlers.pop()
        _install()


def _install() -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        # Not `signal.signal`: a handler that raises could interrupt the loop at any point, a request included.
        if _handlers:
            _before.setdefault(number, signal.getsignal(number))
            loop.add_signal_handler(number, _handlers[-1])
        else:
            loop.remove_signal_handler(number)
            # The loop restores Python's own, instead of what `asyncio.run` and `sigterm_as_ctrl_c` have set.
            signal.signal(number, _before.pop(number))


@contextmanager
def ending() -> Iterator[None]:
    """Both signals end what is done meanwhile as Ctrl-C does, so that what has to be given back is."""
    import asyncio

    task, ended = asyncio.current_task(), False

    def end() -> None:
        nonlocal ended
        ended = True
        if task is not None:
            task.cancel()

    try:
        with handled(end):
            yield
    except asyncio.CancelledError as error:
        if not ended:
            raise
        raise click.Abort from error
