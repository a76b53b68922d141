"""How often a kept-alive connection is given up for a new one.

A connection stays with one worker of Puma, so some workers may have all connections and others none: of two, one did
nothing for seconds with eight connections, and for whole runs with two (Redmine 6.1). A new connection goes to a worker
that is idle. What one costs depends on the way to the server, so it is measured, and paid from a share of the time that
requests take: next to the server hardly any connection is kept, far away nearly all are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

SHARE = 0.02
"""Of the time that requests take, what new connections may."""
MEASURED = 8
"""Connections that are measured. The fastest counts: during others the client had something else to do."""
AHEAD = 8
"""Connections that slow requests pay for in advance, at most: those that follow may be fast."""


class Renewal:
    """What requests have saved for new connections, and what one costs, in seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self._cost = math.inf
        self._saved = 0.0
        self._unmeasured = MEASURED

    def trip(self) -> Trip:
        """A request that is about to be sent."""
        last = self._saved >= self._cost
        if last:
            self._saved -= self._cost
        return Trip(self, last=last, measured=self._unmeasured > 0)

    def took(self, seconds: float, connecting: float) -> None:
        """Note how long a request took, and of that its connection: infinite if it was there, or not measured."""
        self._unmeasured -= connecting < math.inf
        self._cost = min(self._cost, connecting)
        self._saved = min(self._saved + SHARE * seconds, AHEAD * self._cost)


class Trip:
    """One request; `last` says that its connection is closed with it."""

    def __init__(self, renewal: Renewal, *, last: bool, measured: bool) -> None:
        self.last = last
        self._renewal = renewal
        self._measured = measured
        self._sent = renewal.clock()
        self._connects, self._connecting = math.inf, math.inf

    @property
    def extensions(self) -> dict[str, Any]:
        """What httpcore must be told to measure the connection."""
        return {"trace": self._note} if self._measured else {}

    async def _note(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.started"):
            self._connects = self._renewal.clock()
        # After TLS, and of a proxy's tunnel for the second time.
        elif event.endswith("send_request_headers.started") and self._connects < math.inf:
            self._connecting = self._renewal.clock() - self._connects

    def answered(self) -> None:
        """Note that the answer is there."""
        self._renewal.took(self._renewal.clock() - self._sent, self._connecting)
