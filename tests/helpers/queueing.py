"""Servers that answer in simulated time, for the limiter: requests wait for a worker, and what they take depends on how
many are being worked on."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from reconciler.redmine.limiter import Limiter, Outcome, Sent

TRAVEL = 0.005
"""Seconds that a request or an answer is on its way."""


@dataclass
class Simulated:
    """A server with so many `workers`; `seconds` of work of one request, while so many are inside; with more than
    `capacity` inside, it refuses."""

    workers: int
    seconds: Callable[[int], float] = lambda inside: 0.1
    capacity: int = 1000
    refused: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(7))

    def work(self, requests: int, limiter: Limiter, fixed: int = 0) -> float:
        """The requests that it answers per second: with the limiter, or a fixed number at a time."""
        self.refused, now, left, serial = 0, 0.0, requests, count()
        events: list[tuple[float, int, str, Sent]] = []
        waiting, busy = deque[Sent](), 0

        def later(seconds: float, what: str, sent: Sent) -> None:
            heapq.heappush(events, (now + seconds, next(serial), what, sent))

        while True:
            while left and limiter.under_way < (fixed or limiter.limit):
                left -= 1
                later(TRAVEL, "arrives", limiter.sent("page", now))
            if not events:
                return requests / now
            now, _, what, sent = heapq.heappop(events)
            if what == "arrives" and busy + len(waiting) >= self.capacity:
                later(TRAVEL, "busy", sent)
            elif what == "arrives":
                waiting.append(sent)
            elif what == "done":
                busy -= 1
                later(TRAVEL, "answered", sent)
            else:
                outcome: Outcome = "busy" if what == "busy" else "answered"
                self.refused += what == "busy"
                left += what == "busy"
                limiter.ended(sent, now, outcome)
            while waiting and busy < self.workers:
                busy += 1
                spread = self.random.lognormvariate(0, 0.3)
                later(self.seconds(busy + len(waiting)) * spread, "done", waiting.popleft())


def best(server: Simulated, requests: int, most: int) -> float:
    """The throughput at the best fixed number, of some."""
    numbers = {min(number, most, server.capacity) for number in (1, 2, 4, 8, most)}
    return max(server.work(requests, Limiter(most), fixed) for fixed in numbers)
