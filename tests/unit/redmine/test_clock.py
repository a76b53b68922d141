"""The server's clock: which headers tell the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.redmine.clock import ServerClock


def test_the_clock_goes_on_from_what_the_server_said() -> None:
    """The header `Date` of an answer is the time from then on."""
    clock = ServerClock()
    clock.note("Sun, 06 Nov 2044 08:49:37 GMT")
    assert timedelta() <= clock.now() - datetime(2044, 11, 6, 8, 49, 37, tzinfo=UTC) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        "Mon, 99 Jan 2024 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
def test_a_date_that_makes_no_sense_is_ignored(header: str) -> None:
    """A header `Date` that tells no time leaves the clock to this machine."""
    clock = ServerClock()
    clock.note(header)
    assert not clock.known
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
