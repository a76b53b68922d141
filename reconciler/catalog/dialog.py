"""One run of a command: what is written to it, what it prints, and its end; bounded in time and memory."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

GRACE = 2.0
"""Seconds for a command to end after its answer, and for its answer to arrive after its end."""


class Dialog(asyncio.SubprocessProtocol):
    """What a command printed. The answer is what is between the nonce and a dot, wherever that is.

    The nonce is in the request only in another encoding, so that no echo of it looks like an answer.
    """

    LARGEST: ClassVar[int] = 64 << 20
    """Bytes of standard output after which a command is ended."""
    KEPT: ClassVar[int] = 64 << 10
    """Bytes of noise, and at each end of standard error, that are kept to be quoted."""

    def __init__(self, nonce: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.heard: asyncio.Future[None] = loop.create_future()
        """Done when no more answer can come: it is complete, the output has ended or is too long."""
        self.exited: asyncio.Future[None] = loop.create_future()
        self.told: asyncio.Future[None] = loop.create_future()
        """Done when standard error has ended."""
        self.answer: bytes | None = None
        self.noise, self.said = bytearray(), bytearray()
        self.code: int | None = None
        self.timed_out = self.too_much = False
        self._nonce, self._printed, self._answering = nonce, 0, False

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take a part of standard output or error."""
        if fd == 1:
            self._hear(data)
            return
        self.said += data
        # Messages are at one of the ends.
        if len(self.said) > 4 * self.KEPT:
            del self.said[self.KEPT : -self.KEPT]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Take note of the end of standard output or error."""
        if fd > 0:
            _done(self.heard if fd == 1 else self.told)

    def process_exited(self) -> None:
        """Take note of the end of the command; what it started may go on."""
        _done(self.exited)

    def _hear(self, data: bytes) -> None:
        if self.heard.done():
            return
        self._printed += len(data)
        self.noise += data
        start = self.noise.find(self._nonce)
        if start >= 0:
            # From here on, it is the answer that is collected.
            del self.noise[: 0 if self._answering else start]
            end = self.noise.find(b".", max(0, len(self.noise) - len(data)) if self._answering else 0)
            self._answering = True
            if end >= 0:
                self.answer = bytes(self.noise[len(self._nonce) : end])
                _done(self.heard)
        elif len(self.noise) > 2 * self.KEPT:
            del self.noise[: -self.KEPT]
        if self.answer is None and self._printed > self.LARGEST:
            self.too_much = True
            _done(self.heard)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def converse(argv: Sequence[str], text: bytes, nonce: bytes, timeout: float) -> Dialog:
    """Run a command with `text` as its standard input, for at most `timeout` seconds.

    However it ends, also by a cancellation: unless it has answered, nothing that it started in its session goes on.
    Raises OSError, or ValueError, if it cannot be run.
    """
    pipe, loop = asyncio.subprocess.PIPE, asyncio.get_running_loop()
    # A session of its own, so that all that it starts can be ended with it.
    transport, dialog = await loop.subprocess_exec(
        lambda: Dialog(nonce), *argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    try:
        _send(transport, text)
        await asyncio.wait({dialog.heard, dialog.exited}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        dialog.timed_out = not dialog.heard.done() and not dialog.exited.done()
        # Not without limit: pipes that a command hands to what it leaves behind do not end; ssh's master has them.
        if dialog.answer is not None:
            await asyncio.wait({dialog.exited}, timeout=GRACE)
        elif not dialog.timed_out and not dialog.too_much:
            await asyncio.wait({dialog.heard, dialog.exited, dialog.told}, timeout=GRACE)
        dialog.code = transport.get_returncode()
    finally:
        await _end(transport, dialog)
    return dialog


def _send(transport: asyncio.SubprocessTransport, text: bytes) -> None:
    stdin = transport.get_pipe_transport(0)
    assert isinstance(stdin, asyncio.WriteTransport)
    stdin.write(text)
    stdin.write_eof()


async def _end(transport: asyncio.SubprocessTransport, dialog: Dialog) -> None:
    try:
        if dialog.answer is None or not dialog.exited.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(transport.get_pid(), signal.SIGKILL)
            await asyncio.wait({dialog.exited}, timeout=GRACE)
    finally:
        transport.close()
