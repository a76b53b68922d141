"""How often a connection is given up for a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from calls import over
from stub import Stub

from reconciler.redmine import renewal
from reconciler.redmine.client import Client
from reconciler.redmine.renewal import AHEAD, Renewal

DIRECT = ("connection.connect_tcp.started", "http11.send_request_headers.started")
WITH_TLS = (*DIRECT[:1], "connection.start_tls.started", "connection.start_tls.complete", *DIRECT[1:])
TUNNEL = (*DIRECT, "http_proxy.start_tls.started", *DIRECT[1:])
SOCKS = ("socks.connect_tcp.started", *DIRECT[1:])


class Line:
    """A way to the server: a connection and a request take so many seconds. With a tunnel, more of the connection is
    `hidden` in its first request."""

    def __init__(self, connecting: float, request: float, events: Sequence[str] = DIRECT, hidden: float = 0) -> None:
        self.now, self.what = 0.0, "page"
        self.connecting, self.request, self.events, self.hidden = connecting, request, events, hidden
        self.renewal = Renewal(lambda: self.now)
        self.connected = False

    async def _send(self) -> bool:
        trip = self.renewal.trip(self.what)
        if not self.connected:
            for event, then in pairwise((*self.events, "")):
                await trip.trace(event, {})
                self.now += self.connecting / (len(self.events) - 1) if then else 0
            self.now += self.hidden
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


def test_the_far_end_of_a_tunnel_counts() -> None:
    """A tunnel takes connections at once, and makes its own only then: that costs as much as without it."""
    tunneled, direct = Line(0.0003, 0.15, hidden=0.1), Line(0.1003, 0.15)
    assert abs(tunneled.closed(300) - direct.closed(300)) <= 2


def test_only_requests_of_the_same_kind_are_compared() -> None:
    """That a long list takes longer over a new connection than a short one over a kept one says nothing."""
    line = Line(0.0005, 0.0125)
    line.closed(1)
    line.what, line.request = "account", 0.0001
    line.closed(1)
    line.what, line.request = "page", 0.0125
    assert line.closed(100) >= 48


def test_slow_requests_pay_for_few_connections_ahead() -> None:
    """After a very slow request, only a few of those that follow make new connections."""
    line = Line(0.001, 0.0)
    line.closed(1)
    line.renewal.took("page", 60, None)
    assert line.closed(50) == AHEAD


@pytest.mark.parametrize(("share", "expected"), [(1e9, 9), (0, 1)])
def test_connections_are_made_over_a_socket(monkeypatch: pytest.MonkeyPatch, share: float, expected: int) -> None:
    """What is decided is done: after the first connection was measured, each request closes its own, or none does."""
    monkeypatch.setattr(renewal, "SHARE", share)

    async def action(client: Client) -> None:
        for _ in range(10):
            await client.get("/a")

    with Stub(lambda method, path, body: (200, b"{}")) as stub:
        over(stub.url, action)
    assert stub.connections == expected
