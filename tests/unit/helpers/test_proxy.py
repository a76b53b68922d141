"""The fault proxy itself: what it forwards, records and spoils."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from proxy import (
    BAD_GATEWAY,
    DROPPED,
    LOST_BEHIND_502,
    REFUSED,
    TOO_MANY,
    TRUNCATED,
    UNAVAILABLE,
    Exchange,
    Fault,
    Proxy,
)
from stub import Stub


def _echo(method: str, path: str, body: bytes) -> tuple[int, bytes]:
    return (204, b"") if method == "DELETE" else (201 if method == "POST" else 200, b"[" + body + b"]")


@pytest.fixture
def server() -> Iterator[Stub]:
    with Stub(_echo) as stub:
        yield stub


@pytest.fixture
def proxy(server: Stub) -> Iterator[Proxy]:
    with Proxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def test_forwards_and_records_requests_on_one_connection(proxy: Proxy, server: Stub, http: httpx.Client) -> None:
    """Requests with and without bodies pass unchanged over a kept connection, and are recorded in order."""
    answers = [
        http.get(f"{proxy.url}/a?b=%20c"),
        http.post(f"{proxy.url}/d", content=b"long" * 50_000),
        http.delete(f"{proxy.url}/e"),
        http.get(f"{proxy.url}/f"),
    ]
    assert [(a.status_code, a.content[:5]) for a in answers] == [
        (200, b"[]"),
        (201, b"[long"),
        (204, b""),
        (200, b"[]"),
    ]
    assert [(e.number, e.write, e.method, e.path, e.status) for e in proxy.exchanges] == [
        (1, 0, "GET", "/a?b=%20c", 200),
        (2, 1, "POST", "/d", 201),
        (3, 2, "DELETE", "/e", 204),
        (4, 0, "GET", "/f", 200),
    ]
    assert proxy.writes[0].body == b"long" * 50_000 == server.seen[1][2]


def test_chunked_request_bodies_arrive_whole(proxy: Proxy, server: Stub, http: httpx.Client) -> None:
    """A body sent in chunks without a length reaches the server with all its parts."""
    http.post(f"{proxy.url}/x", content=iter([b"one", b"two"]))
    assert server.seen == [("POST", "/x", b"onetwo")]


@pytest.mark.parametrize(
    ("fault", "forwarded", "error"),
    [
        (DROPPED, True, httpx.ReadError),
        (REFUSED, False, httpx.ReadError),
        (TRUNCATED, True, httpx.RemoteProtocolError),
    ],
)
def test_faults_that_break_the_connection(
    proxy: Proxy, server: Stub, http: httpx.Client, fault: Fault, forwarded: bool, error: type[Exception]
) -> None:
    """A dropped, refused or truncated answer breaks off, and only a refused request misses the server."""
    proxy.fault = lambda exchange: fault
    with pytest.raises(error):
        http.post(f"{proxy.url}/x", content=b"body")
    assert len(server.seen) == forwarded == (proxy.exchanges[0].status == 201)


@pytest.mark.parametrize(
    ("fault", "status", "forwarded"),
    [(BAD_GATEWAY, 502, False), (UNAVAILABLE, 503, False), (LOST_BEHIND_502, 502, True)],
)
def test_faults_that_answer_in_the_servers_place(
    proxy: Proxy, server: Stub, http: httpx.Client, fault: Fault, status: int, forwarded: bool
) -> None:
    """An error of a gateway replaces the server's answer, whether the server saw the request or not."""
    proxy.fault = lambda exchange: fault
    assert http.get(f"{proxy.url}/x").status_code == status
    assert len(server.seen) == forwarded


def test_too_many_requests_has_retry_after(proxy: Proxy, http: httpx.Client) -> None:
    """A 429 carries its Retry-After header, and the connection goes on afterwards."""
    proxy.fault = lambda exchange: TOO_MANY if exchange.number == 1 else None
    answer = http.get(f"{proxy.url}/x")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert http.get(f"{proxy.url}/x").status_code == 200


def test_delay_comes_after_forwarding(proxy: Proxy, server: Stub, http: httpx.Client) -> None:
    """A delayed answer is late, while the server has seen the request: a time-out then loses the answer."""
    proxy.fault = lambda exchange: Fault(delay=0.3)
    with pytest.raises(httpx.ReadTimeout):
        http.post(f"{proxy.url}/x", content=b"body", timeout=0.1)
    assert [method for method, _, _ in server.seen] == ["POST"]


def test_callback_at_the_nth_write(proxy: Proxy, server: Stub, http: httpx.Client) -> None:
    """A fault can call back at the n-th write after the server did it and before it is answered."""
    moments: list[int] = []

    def at_second(exchange: Exchange) -> Fault | None:
        return Fault(call=lambda: moments.append(len(server.seen))) if exchange.write == 2 else None

    proxy.fault = at_second
    for method in ("GET", "POST", "GET", "PUT", "POST"):
        http.request(method, f"{proxy.url}/x")
    assert moments == [4]


def test_clear_starts_counting_again(proxy: Proxy, http: httpx.Client) -> None:
    """After `clear` the next request is the first."""
    http.put(f"{proxy.url}/x")
    proxy.clear()
    http.put(f"{proxy.url}/y")
    assert [(e.number, e.write, e.path) for e in proxy.exchanges] == [(1, 1, "/y")]


def test_errors_of_the_fault_function_are_not_swallowed(server: Stub, http: httpx.Client) -> None:
    """What a test's own fault function raises comes out when the proxy is closed."""

    def broken(exchange: Exchange) -> Fault | None:
        raise LookupError("in the test")

    proxy = Proxy(server.url, broken)
    proxy.__enter__()
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(f"{proxy.url}/x")
    with pytest.raises(LookupError, match="in the test"):
        proxy.__exit__(None, None, None)


def test_closes_with_requests_under_way(server: Stub) -> None:
    """Leaving the proxy does not wait for answers that it holds back."""
    started = time.monotonic()
    with Proxy(server.url, lambda exchange: Fault(delay=60)) as proxy, pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{proxy.url}/x", timeout=0.1, trust_env=False)
    assert time.monotonic() - started < 5
