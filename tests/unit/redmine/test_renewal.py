"""How often a connection is given up for a new one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from calls import over
from stub import Stub

from reconciler.redmine.client import Client
from reconciler.redmine.renewal import AHEAD, MEASURED, Renewal

DIRECT = ("connection.connect_tcp.started", "http11.send_request_headers.started")
WITH_TLS = (*DIRECT[:1], "connection.start_tls.started", "connection.start_tls.complete", *DIRECT[1:])
TUNNEL = (*DIRECT, "http_proxy.start_tls.started", *DIRECT[1:])
SOCKS = ("socks.connect_tcp.started", *DIRECT[1:])


class Line:
    """A way to the server: a connection and a request take so many seconds."""

    def __init__(self, connecting: float, request: float, events: Sequence[str] = DIRECT) -> None:
        self.now = 0.0
        self.connecting, self.request, self.events = connecting, request, events
        self.renewal = Renewal(lambda: self.now)
        self.connected, self.measured = False, 0

    async def _send(self) -> bool:
        trip = self.renewal.trip()
        told = trip.extensions.get("trace")
        self.measured += told is not None
        if not self.connected:
            for event, then in pairwise((*self.events, "")):
                if told:
                    await told(event, {})
                self.now += self.connecting / (len(self.events) - 1) if then else 0
        self.now += self.request
        trip.answered()
        self.connected = not trip.last
        return trip.last

    def closed(self, requests: int) -> int:
        """Of so many requests, those that closed their connection."""
        return asyncio.run(self._all(requests))

    async def _all(self, requests: int) -> int:
        return sum([await self._send() for _ in range(requests)])


@pytest.mark.parametrize("events", [DIRECT, WITH_TLS, TUNNEL, SOCKS])
@pytest.mark.parametrize(
    ("connecting", "request_takes", "of_100"),
    [(0.0005, 0.2, (98, 99)), (0.0005, 0.0125, (48, 52)), (0.1, 0.2, (3, 6)), (0.3, 0.1, (0, 1))],
    ids=["next to it, slow", "next to it, fast", "far away", "farther than fast"],
)
def test_connections_cost_a_fiftieth_of_the_time(
    connecting: float, request_takes: float, of_100: tuple[int, int], events: Sequence[str]
) -> None:
    """The more a connection costs beside a request, the more seldom a new one is made."""
    least, most = of_100
    assert least <= Line(connecting, request_takes, events).closed(100) <= most


def test_a_connection_of_which_nothing_is_known_is_kept() -> None:
    """Without a measured connection, as through a transport that tells nothing, none is closed."""
    assert Line(0.001, 10, events=("other.started", "other.complete")).closed(50) == 0


def test_slow_requests_pay_for_few_connections_ahead() -> None:
    """After a very slow request, only a few of those that follow make new connections."""
    line = Line(0.001, 0.0)
    line.closed(1)
    line.now += 1
    line.renewal.took(60, float("inf"))
    assert line.closed(50) == AHEAD


def test_only_the_first_connections_are_measured() -> None:
    """Measuring takes time of each request, and the way to the server stays as it is."""
    line = Line(0.0001, 0.1)
    assert line.closed(3 * MEASURED) > 2 * MEASURED
    assert line.measured <= MEASURED + 2


@pytest.mark.parametrize(("seconds", "expected"), [(0.1, range(8, 11)), (0, range(1, 8))], ids=["slow", "fast"])
def test_slow_requests_go_to_new_connections(seconds: float, expected: range) -> None:
    """Over a socket, next to the server, nearly each slow request has a connection of its own; fast ones share some."""

    async def action(client: Client) -> None:
        for _ in range(10):
            await client.get("/a")

    def answer(method: str, path: str, body: object) -> tuple[int, bytes]:
        time.sleep(seconds)
        return 200, b"{}"

    with Stub(answer) as stub:
        over(stub.url, action)
    assert stub.connections in expected
