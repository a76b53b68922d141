"""How often a kept-alive connection is given up for a new one.

A connection stays with one worker of Puma, so some workers may have all connections and others none: of two, one did
nothing for seconds with eight connections, and for whole runs with two (Redmine 6.1). A new connection goes to a worker
that is idle. What one costs depends on the way to the server, so it is measured, and paid from a share of the time that
requests take: next to the server nearly every slow request has its own, far away most share one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from time import monotonic
from typing import Any

SHARE = 0.02
"""The share of the time that requests take which may go into new connections."""
AHEAD = 8
"""How many connections slow requests may pay for in advance: those that follow may be fast."""


class Renewal:
    """What requests have saved for new connections, and what one costs, in seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self._saved = 0.0
        # The fastest of each, as the client or the server had something else to do during others.
        self._connecting = math.inf
        self._over_new, self._over_kept = dict[Hashable, float](), dict[Hashable, float]()

    @property
    def cost(self) -> float:
        """What a new connection costs; infinite as long as none was seen.

        That is the time to make it, or the time that answers over it take longer: a tunnel accepts connections on this
        machine, and makes its own only then.
        """
        both = self._over_new.keys() & self._over_kept.keys()
        return max(self._connecting, min((self._over_new[what] - self._over_kept[what] for what in both), default=0))

    def trip(self, what: Hashable) -> Trip:
        """A request that is about to be sent; `what` is equal for requests that take equally long."""
        last = self._saved >= self.cost
        if last:
            self._saved -= self.cost
        return Trip(self, what, last=last)

    def took(self, what: Hashable, seconds: float, connecting: float | None) -> None:
        """Note how long a request took, and of that its connection; None if the connection was there."""
        fastest = self._over_kept if connecting is None else self._over_new
        fastest[what] = min(fastest.get(what, math.inf), seconds)
        if connecting is not None:
            self._connecting = min(self._connecting, connecting)
        self._saved = min(self._saved + SHARE * seconds, AHEAD * self.cost)


class Trip:
    """One request; `last` says that its connection is closed with it."""

    def __init__(self, renewal: Renewal, what: Hashable, *, last: bool) -> None:
        self.what, self.last = what, last
        self._renewal = renewal
        self._sent = renewal.clock()
        self._connects: float | None = None
        self._connecting: float | None = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Be told by httpcore what happens to the request."""
        if event.endswith("connect_tcp.started"):
            self._connects = self._renewal.clock()
        # Comes after TLS. Through a tunnel it comes twice, first for the tunnel itself: the last one counts.
        elif event.endswith("send_request_headers.started") and self._connects is not None:
            self._connecting = self._renewal.clock() - self._connects

    def answered(self) -> None:
        """Note that the answer is there."""
        self._renewal.took(self.what, self._renewal.clock() - self._sent, self._connecting)
