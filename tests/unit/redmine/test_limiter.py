"""How many requests are under way at a time, in simulated time."""

from __future__ import annotations

from itertools import count

import pytest

from reconciler.redmine.limiter import Limiter
from tests.helpers.queueing import Simulated, best


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("most", [8, 16])
def test_the_server_is_the_only_limit(workers: int, most: int) -> None:
    """However many workers a server has, at least 95 % of what it can do with the best number is done."""
    server, limiter = Simulated(workers), Limiter(most)
    assert server.work(1500, limiter) >= 0.95 * best(server, 300, most)
    assert min(workers, most) <= 1.5 * limiter.limit


def test_a_single_thread_is_kept_busy_by_few() -> None:
    """A server that works on one request at a time loses nothing with two: one is worked on, one is on its way."""
    server = Simulated(1)
    assert server.work(500, Limiter(2)) >= 0.95 * best(server, 300, 16)


def test_a_database_that_contention_slows_gets_fewer() -> None:
    """If many at a time are done later than few, there are few at the end, and most of the best throughput is reached."""
    server, limiter = Simulated(100, lambda inside: 0.05 * (inside + inside * (inside - 1) / 6)), Limiter(8)
    assert server.work(2000, limiter) >= 0.85 * best(server, 300, 8)
    assert limiter.limit <= 3


@pytest.mark.parametrize("when", [1080, 1089, 1100, 1206, 1467])
def test_a_server_that_becomes_slower_gets_fewer(when: int) -> None:
    """If requests begin to take longer in the middle of a run, the more the more there are, there are fewer soon."""
    answered = count()

    def seconds(inside: int) -> float:
        return 0.1 if next(answered) < when else 0.05 * (inside + inside * (inside - 1) / 6)

    limiter = Limiter(16)
    Simulated(16, seconds).work(when + 700, limiter)
    assert limiter.limit <= 8


def test_a_server_that_has_recovered_gets_more() -> None:
    """A number that was refused once is tried again."""
    server, limiter = Simulated(16, capacity=4), Limiter(16)
    server.work(500, limiter)
    assert limiter.limit <= 5
    server.capacity = 1000
    server.work(4000, limiter)
    assert limiter.limit >= 7


@pytest.mark.parametrize("capacity", [1, 3, 5, 12])
def test_refusals_make_no_storm(capacity: int) -> None:
    """A server that answers 429 above a limit is soon asked for no more; of 1000 requests, hardly any is refused."""
    server, limiter = Simulated(capacity, capacity=capacity), Limiter(16)
    assert server.work(1000, limiter) >= 0.85 * best(server, 300, 16)
    assert server.refused <= 30
    assert limiter.limit <= capacity + 1


def test_refusals_of_the_same_moment_count_once() -> None:
    """The limit is halved once for all requests that were under way when the server began to refuse."""
    limiter = Limiter(8)
    sent = [limiter.sent("page", 0.0) for _ in range(8)]
    for one in sent:
        limiter.ended(one, 1.0, "busy")
    assert limiter.limit == 4
    limiter.ended(limiter.sent("page", 2.0), 3.0, "busy")
    assert limiter.limit == 2


def test_the_configured_number_is_never_exceeded() -> None:
    """Whatever the server can do."""
    server, limiter = Simulated(100), Limiter(3)
    assert limiter.limit == 3
    server.work(1000, limiter)
    assert limiter.limit == 3


def test_few_requests_say_nothing() -> None:
    """As long as fewer are under way than allowed, their speed does not change how many are allowed."""
    limiter = Limiter(16)
    for moment in range(200):
        limiter.ended(limiter.sent("page", float(moment)), moment + 0.5, "answered")
    assert limiter.limit == 8


def test_slow_requests_of_another_kind_are_no_sign_of_a_slow_server() -> None:
    """Pages take longer than small answers: only requests of the same kind are compared."""
    limiter, now = Limiter(8), 0.0
    for what, seconds in [("small", 0.01)] * 40 + [("page", 1.0)] * 40:
        sent = [limiter.sent(what, now) for _ in range(limiter.limit)]
        now += seconds
        for one in sent:
            limiter.ended(one, now, "answered")
    assert limiter.limit == 8
