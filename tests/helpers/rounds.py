"""A server that counts round trips one after the other: it answers only when nothing else is being sent.

    redmine = Canned()
    with counted(redmine) as rounds:
        plan_of(redmine, text)
    rounds      # the requests of each round trip

So nothing depends on the clock: what is asked for without having waited for an answer is in the same round trip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import httpx
from canned import Canned

from reconciler.redmine.slots import Slots

PASSES = 100
"""So many passes of the loop without a new request mean that all wait for an answer."""
AT_ONCE = 10_000
"""Requests under way, so that the rounds do not depend on how many are allowed."""

Round = list[tuple[str, str]]


class Rounds(httpx.AsyncBaseTransport):
    """The network before a canned server."""

    def __init__(self, server: Canned, rounds: list[Round]) -> None:
        self.server, self.rounds = server, rounds
        self.waiting: list[tuple[httpx.Request, asyncio.Future[None]]] = []
        self.keeper: asyncio.Task[None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        answered = asyncio.get_running_loop().create_future()
        self.waiting.append((request, answered))
        if self.keeper is None or self.keeper.done():
            self.keeper = asyncio.create_task(self._round())
        await answered
        return self.server(request)

    async def _round(self) -> None:
        sent = 0
        while sent < len(self.waiting):
            sent = len(self.waiting)
            for _ in range(PASSES):
                await asyncio.sleep(0)
        done, self.waiting, self.keeper = self.waiting, [], None
        self.rounds.append([(request.method, request.url.raw_path.decode()) for request, _ in done])
        for _, answered in done:
            if not answered.done():
                answered.set_result(None)


@contextmanager
def counted(server: Canned) -> Iterator[list[Round]]:
    """The round trips of what is done meanwhile with the server."""
    rounds: list[Round] = []
    with (
        patch.object(Canned, "transport", property(lambda self: Rounds(self, rounds))),
        patch("reconciler.redmine.limiter.START", AT_ONCE),
        patch("reconciler.redmine.client.Slots", lambda most: Slots(AT_ONCE)),
    ):
        yield rounds
