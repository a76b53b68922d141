"""What SIGINT and SIGTERM do in an event loop: nested, so that the outer handler is back when the inner one ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_handlers: list[Callable[[], None]] = []


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
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        # Not `signal.signal`: a handler that raises could interrupt the loop at any point, a request included.
        if _handlers:
            loop.add_signal_handler(number, _handlers[-1])
        else:
            loop.remove_signal_handler(number)


@contextmanager
def ending() -> Iterator[None]:
    """Both signals end what is done meanwhile as Ctrl-C does, so that what has to be given back is."""
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
