"""Waits for a server that is still starting. What waiting cannot mend, such as a wrong key, ends at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace

from reconciler.errors import Answered, Unreachable
from reconciler.redmine.client import Client, Row
from reconciler.redmine.clock import elapsed
from reconciler.redmine.slots import BUSY
from reconciler.redmine.transport import causes

PAUSE = 1.0
"""Seconds between two attempts."""


async def whoami(client: Client, seconds: float, say: Callable[[str], None]) -> Row:
    """The account, as soon as the server answers. Raises as `Client.whoami` after so many seconds.

    `say` is told why it waits, each reason once.
    """
    if not seconds:
        return await client.whoami()
    end, told = elapsed() + seconds, ""
    while True:
        try:
            return await _attempt(client, end)
        except (Unreachable, Answered) as error:
            if not _passes(error):
                raise
            if elapsed() + PAUSE > end:
                say(f"The server was not ready within {seconds:g} s.")
                raise
            reason = str(error)
        if reason != told:
            say(f"Waiting for the server: {reason}")
        told = reason
        await asyncio.sleep(PAUSE)


async def _attempt(client: Client, end: float) -> Row:
    """One attempt, which ends in time also if the server is silent."""
    left = max(end - elapsed(), PAUSE)
    before = client.connection
    # A client of its own, without retries: the connection of the run keeps its patience for the real work.
    patience = replace(before, retries=0, deadline=min(before.deadline, left), timeout=min(before.timeout, left))
    async with client.like(patience) as own:
        return await own.whoami()


def _passes(error: Unreachable | Answered) -> bool:
    """Whether an error can be over in a moment."""
    if isinstance(error, Answered):
        return error.status in BUSY  # 500 while its database is migrated
    # A host name may come into being with its container; a certificate stays as it is.
    return not any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error))
