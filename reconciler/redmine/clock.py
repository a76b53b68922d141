"""The server's clock, by the header `Date` of its answers: the machines that share a lease may disagree on the time.

Puma without a proxy before it sends no such header (5.0.4 and 6.1.5); then the clock of this machine has to do.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

YEARS = range(1970, 9000)
"""A time of other years is none: one could not calculate with it either, as a date ends at the years 1 and 9999."""


def elapsed() -> float:
    """Seconds that only ever increase, also while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(_CLOCK)


def time_in(header: str) -> datetime | None:
    """The time that a header tells; None if it cannot be read."""
    try:
        said = parsedate_to_datetime(header)
        moment = (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for a time zone of years
        return None
    return moment if moment.year in YEARS else None


class ServerClock:
    """The time on the server, as of its last answer plus what has elapsed since."""

    def __init__(self) -> None:
        self._said: tuple[datetime, float] | None = None

    @property
    def known(self) -> bool:
        """Whether an answer has told the time."""
        return self._said is not None

    def note(self, header: str) -> None:
        """Take the time from a header; one that cannot be read is ignored."""
        if (said := time_in(header)) is not None:
            self._said = said, elapsed()

    def now(self) -> datetime:
        """The time on the server, else on this machine."""
        if self._said is None:
            return datetime.now(UTC)
        said, at = self._said
        return said + timedelta(seconds=elapsed() - at)
