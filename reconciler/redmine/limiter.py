"""How many requests may be under way at a time: as many as the server can use, never more than is configured.

No server says how many that is, so it is tried. The throughput of one limit is compared with that of another, by the
time that requests of the same kind take: with N under way, a server that is not yet busy takes as long as with fewer;
one that is takes N times as long as for one, and a database that is written by too many at once even longer. Two rules:

- Throughput: more, as long as it grows; fewer, as long as it does not shrink. A trial that fails is taken back, and the
  next one waits longer.
- Refusals (429, 5xx, a timeout): half, at once; the number at which it happened is a ceiling that is tried again later
  and later.

Pure: the caller tells the time. The ideas are those of TCP's congestion control and of Netflix's concurrency-limits.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable
from typing import Literal

from msgspec import Struct, field

from reconciler.record import Record

START = 8
"""Requests at a time before anything is known: most servers have two to eight workers, and a queue does no harm."""
FLOOR = 2
"""Fewer are not tried to gain throughput: while one answer is on its way, the server has something to do."""
GROWS = 0.02
"""By how much (as a logarithm: about 2 %) throughput must grow for more requests at a time to be kept."""
BETTER = 0.03
"""By how much it must grow for fewer to be kept: a queue at the server does no harm, an idle server does."""
IDLE = 0.7
"""The share of the possible growth from which on the server counts as not busy yet."""
SLOWER = 0.4
"""By how much requests may become slower, at the same limit, before fewer are tried at once."""
ROUND = 24
"""Answers, at least, that a trial is judged by; the first ones, by as many as are under way."""
LONGEST = 32
"""Rounds until the next trial, at most."""

Outcome = Literal["answered", "busy", "other"]
"""`busy` is a refusal that fewer requests may prevent; `other` says nothing about the server's speed."""


class Sent(Record):
    """A request under way: what it is like, when it was sent, and in which round."""

    what: Hashable
    at: float
    round: int


class Level(Struct):
    """What was seen at one limit: the seconds that requests took, by what they are like."""

    limit: int
    seconds: defaultdict[Hashable, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def count(self) -> int:
        """The number of requests seen."""
        return sum(map(len, self.seconds.values()))

    def gain(self, other: Level) -> float | None:
        """The logarithm of this throughput over that of another level; None if nothing can be compared."""
        common = self.seconds.keys() & other.seconds.keys()
        weights = {what: min(len(self.seconds[what]), len(other.seconds[what])) for what in common}
        if not weights:
            return None
        # By Little's law: what is under way, over the mean time that it takes. As if both had had the same mixture.
        took, before = (sum(_mean(one.seconds[what]) * n for what, n in weights.items()) for one in (self, other))
        return math.log(self.limit / other.limit * before / took)


class Limiter:
    """The limit, as of what has been seen so far; `most` is the configured maximum."""

    def __init__(self, most: int) -> None:
        self.most = self._ceiling = most
        self.limit = min(START, most)
        self.under_way = 0
        self._round, self._reduced = 0, -math.inf
        self._seen = Level(self.limit)
        self._base: Level | None = None
        """What a trial is compared with, and goes back to."""
        self._starting, self._up = True, True
        self._idle = False
        """Whether the server was not busy yet at this limit."""
        self._rest, self._pause = 0, 1
        """Rounds until the next trial, and after the next one that fails."""
        self._quiet, self._patience = 0, 4
        """Rounds without a refusal, and how many it takes to raise the ceiling."""

    def sent(self, what: Hashable, now: float) -> Sent:
        """Note that a request is sent."""
        self.under_way += 1
        return Sent(what, now, self._round)

    def ended(self, sent: Sent, now: float, outcome: Outcome) -> None:
        """Note that it has ended."""
        full = self.under_way >= self.limit
        self.under_way -= 1
        if outcome == "busy":
            self._refused(sent, now)
        # With fewer under way than allowed, their speed says nothing about the limit; neither does that of requests
        # that were sent at another one.
        elif outcome == "answered" and full and sent.round == self._round:
            self._seen.seconds[sent.what].append(max(now - sent.at, 1e-4))
            if self._seen.count >= (self.limit if self._starting else max(ROUND, 4 * self.limit)):
                self._compare()

    def _refused(self, sent: Sent, now: float) -> None:
        # Those that were under way already when the limit was lowered are answered for.
        if sent.at < self._reduced:
            return
        self._ceiling = max(1, self.limit - 1)
        self._patience = min(2 * self._patience, 64) if self._reduced > -math.inf else self._patience
        self._reduced, self._quiet, self._base = now, 0, None
        self._starting, self._up, self._rest, self._pause = True, True, 0, 1
        self._set(max(1, self.limit // 2))

    def _compare(self) -> None:
        """Draw the conclusion of a round, and begin the next one."""
        seen, base = self._seen, self._base
        self._quiet += 1
        if self._quiet >= self._patience and self._ceiling < self.most:
            self._quiet, self._ceiling = 0, self._ceiling + 1
        gain = seen.gain(base) if base is not None else None
        if base is not None and gain is None and seen.limit != base.limit:
            # Other requests by now: the trial says nothing.
            self._base = None
            self._set(base.limit)
        elif base is None or gain is None or seen.limit == base.limit:
            slower = gain is not None and gain < -SLOWER
            self._idle, self._up = self._idle and not slower, self._up and not slower
            # A round in which the server became slower says how fast it was, too: fewer are compared with the next one.
            self._base, self._rest = (None, 1) if slower else (seen, self._rest - 1)
            if self._rest <= 0:
                self._try()
            else:
                self._set(self.limit)
        elif gain > (GROWS if seen.limit > base.limit else BETTER):
            self._idle = gain > IDLE * math.log(seen.limit / base.limit) > 0
            self._base, self._pause = seen, 1
            self._try()
        else:
            self._starting, self._up = False, not self._up
            self._rest, self._pause = self._pause, min(2 * self._pause, LONGEST)
            self._set(base.limit)

    def _try(self) -> None:
        """Another limit: in the direction that was right last, or the other one at its end."""
        target = self._next()
        if target == self.limit:
            # Fewer would be a loss for certain where the last ones that were added took no time from the others.
            self._up, self._starting = self._idle and not self._up, False
            self._rest, self._pause = self._pause, min(2 * self._pause, LONGEST)
        self._set(target)

    def _next(self) -> int:
        if self._up:
            more = 2 * self.limit if self._starting else max(self.limit + 1, round(1.5 * self.limit))
            return max(min(more, self._ceiling), self.limit)
        fewer = min(self.limit - 1, round(0.7 * self.limit))
        return min(max(fewer, FLOOR), self.limit)

    def _set(self, limit: int) -> None:
        # Requests under way count for the same limit, else for none.
        self._round += limit != self.limit
        self.limit, self._seen = limit, Level(limit)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
