"""The slots in which requests are sent: as many at a time as the limiter allows, first come, first served.

A request that waits before it is sent again has no slot meanwhile. While one waits because the server said how long
(Retry-After), no other is sent either.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic

from msgspec import Struct

from reconciler.redmine.limiter import Limiter, Outcome

BUSY = frozenset({408, 429, 500, 502, 503, 504, *range(520, 525)})
"""Statuses that may be others in a moment, of a server that has too much to do or is not ready, or of a gateway that
does not reach it (520 to 524: Cloudflare's). 500 too: Redmine on SQLite answers concurrent writes with it (5.0)."""
TIMED_OUT = frozenset({504, 522, 524})
"""Those of a gateway whose time is over, while the server may still be at work."""
TOLD = frozenset({429, 503})
"""Those of which a Retry-After holds for all requests."""


class Turn(Struct):
    """One request with its attempts; `outcome` is that of the current one."""

    deadline: asyncio.Timeout
    """Is put off while the request waits for a slot."""
    outcome: Outcome = "busy"
    attempts: int = 0
    told: bool = False
    """Whether the server said how long to wait."""

    def answered(self, status: int, *, retry_after: bool, timed: bool) -> None:
        """Note the answer; only of those that are `timed` does the time say something about the server."""
        self.outcome = "busy" if status in BUSY else "answered" if timed else "other"
        self.told = retry_after and status in TOLD


class Slots:
    """The slots of one client; `most` is the configured maximum."""

    def __init__(self, most: int) -> None:
        self.limiter = Limiter(most)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._requests, self._granted, self._told = 0, 0, 0

    @property
    def pausing(self) -> int:
        """Requests that wait to be sent again, without a slot."""
        return self._requests - self._granted - len(self._waiting)

    def room(self, running: int) -> bool:
        """Whether more work can be begun while so many pieces of it, of one request at a time each, are running."""
        return running < self.limiter.limit + self.pausing

    @contextmanager
    def request(self, deadline: asyncio.Timeout) -> Iterator[Turn]:
        """A request, from before its first attempt until after its last."""
        turn = Turn(deadline)
        self._requests += 1
        try:
            yield turn
        finally:
            self._requests -= 1
            self._resume(turn)

    @asynccontextmanager
    async def attempt(self, turn: Turn, what: Hashable) -> AsyncIterator[None]:
        """A slot for one attempt; `what` is equal for requests that take equally long."""
        if not self._taken(turn):
            with _paused(turn.deadline):
                await self._granted_to(turn)
        turn.attempts, turn.outcome, sent = turn.attempts + 1, "busy", self.limiter.sent(what, monotonic())
        try:
            yield
        except asyncio.CancelledError:
            turn.outcome = "other"
            raise
        finally:
            self._granted -= 1
            self._told += turn.told
            self.limiter.ended(sent, monotonic(), turn.outcome)
            self._grant()

    def _taken(self, turn: Turn) -> bool:
        """Whether a slot is free, and nobody waits for it: it is taken, at a fraction of what waiting costs."""
        if self._waiting or self._granted >= self.limiter.limit or self._told > turn.told:
            return False
        self._granted += 1
        self._resume(turn)
        return True

    async def _granted_to(self, turn: Turn) -> None:
        waiting = asyncio.get_running_loop().create_future()
        # One that was under way before comes first: it has waited longest.
        (self._waiting.appendleft if turn.attempts else self._waiting.append)(waiting)
        self._resume(turn)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._granted -= 1
                self._grant()
            else:
                with suppress(ValueError):
                    self._waiting.remove(waiting)
            raise

    def _grant(self) -> None:
        while self._waiting and self._granted < self.limiter.limit and not self._told:
            waiting = self._waiting.popleft()
            if not waiting.done():
                self._granted += 1
                waiting.set_result(None)

    def _resume(self, turn: Turn) -> None:
        """Let others go on that waited because this one was told to."""
        self._told -= turn.told
        turn.told = False
        self._grant()


@contextmanager
def _paused(deadline: asyncio.Timeout) -> Iterator[None]:
    """What is done meanwhile does not count toward the deadline."""
    when, clock = deadline.when(), asyncio.get_running_loop().time
    began = clock()
    deadline.reschedule(None)
    try:
        yield
    finally:
        deadline.reschedule(None if when is None else when + clock() - began)
