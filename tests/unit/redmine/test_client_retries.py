"""The client: what is sent again, what is in doubt, and when it ends."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from calls import URL, Action, Server, call, delete, get, over, post, put, says
from proxy import DROPPED, LOST_BEHIND_502, REFUSED, TOO_MANY, TRUNCATED, Fault, Proxy
from stub import Stub

from reconciler import errors
from reconciler.redmine import transport
from reconciler.redmine.client import Client, Connection

JSON = {"Content-Type": "application/json; charset=utf-8"}

# What is sent again


@pytest.mark.parametrize("action", [get, put, delete])
@pytest.mark.parametrize(
    "trouble",
    [
        500,
        502,
        503,
        504,
        520,
        524,
        408,
        429,
        httpx.ReadError("x"),
        httpx.ConnectError("x"),
        httpx.ReadTimeout("x"),
        httpx.RemoteProtocolError("x"),
    ],
)
def test_reads_and_idempotent_writes_are_repeated(action: Action, trouble: int | Exception) -> None:
    """GET, PUT and DELETE go on after errors of the server or the connection."""
    bad = trouble if isinstance(trouble, Exception) else says(trouble)
    server = Server(bad, bad, says(200, {"ok": 1}))
    assert call(server, action) == {"ok": 1}
    assert len(server.seen) == 3


@pytest.mark.parametrize("action", [get, put])
@pytest.mark.parametrize("body", [b'{"ok":', b'{"ok": 1}}', b"[" * 100_000])
def test_json_that_breaks_off_is_asked_for_again(action: Action, body: bytes) -> None:
    """A proxy may end a response that breaks off as if it were whole."""
    server = Server(says(200, content=body, headers=JSON), says(200, {"ok": 1}))
    assert call(server, action) == {"ok": 1}
    assert len(server.seen) == 2


@pytest.mark.parametrize("body", [b"", b'{"ok":'])
def test_json_that_stays_incomplete_is_told(body: bytes) -> None:
    """What is no JSON, and says so, is not taken for the page of another server."""
    with pytest.raises(
        errors.Unreachable, match=r"GET /projects/1 failed at .*: the response is incomplete or not valid"
    ):
        call(Server(says(200, content=body, headers=JSON)), get)


def test_waits_grow_and_have_jitter() -> None:
    """The n-th wait is between half and all of 0.5, 1, 2, 4, 8 seconds, and no two runs are alike."""
    waits: list[float] = []
    with pytest.raises(errors.Answered):
        call(Server(says(503)), get, waits=waits)
    assert all(whole / 2 <= wait <= whole for wait, whole in zip(waits, [0.5, 1, 2, 4, 8], strict=True))
    assert waits != [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("100000", transport.MAX_WAIT, transport.MAX_WAIT),
        ("1.5", 1.5, 1.5),
        ("9" * 400, transport.MAX_WAIT, transport.MAX_WAIT),
        *((odd, 0.25, 0.5) for odd in ("nonsense", "-5", "inf", "nan", "1_0", "\N{ARABIC-INDIC DIGIT THREE}", "0")),
        *(
            (f"Mon, 01 Jan {when}", 0.25, 0.5)
            for when in ("2024 00:00:00 +99999999999999999999", "0001 00:00:00 +0100")
        ),
        ("Mon, 01 Jan 2024 00:00:00", 0.25, 0.5),
    ],
)
def test_retry_after_is_respected(header: str, least: float, most: float, caplog: pytest.LogCaptureFixture) -> None:
    """Retry-After in seconds sets the wait, up to 30 seconds; what makes no sense is ignored without a word."""
    server = Server(says(429, headers={"Retry-After": header.encode()}), says(200, {}))
    waits: list[float] = []
    call(server, get, waits=waits)
    assert least <= waits[0] <= most
    assert not caplog.records


def test_retry_after_can_be_a_date() -> None:
    """Retry-After as a date sets the wait until then."""
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    waits: list[float] = []
    call(Server(says(429, headers={"Retry-After": then}), says(200, {})), get, waits=waits)
    assert 5 <= waits[0] <= 20


@pytest.mark.parametrize("action", [get, put, delete])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_status_that_stays_is_reported(action: Action, status: int) -> None:
    """After `retries` repetitions the error has the last status."""
    server = Server(says(status))
    with pytest.raises(errors.Answered) as caught:
        call(server, action, retries=2)
    assert caught.value.status == status
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 412, 413, 422, 501])
def test_refusals_are_not_repeated(status: int) -> None:
    """An answer that another try would not change is final."""
    server = Server(says(status))
    with pytest.raises(errors.Answered):
        call(server, put)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("trouble", "timed_out"),
    [
        (says(500), False),
        (says(502), False),
        (says(503), False),
        (says(504), True),
        (says(520), False),
        (says(524), True),
        (httpx.ReadError("reset"), False),
        (httpx.WriteError("reset"), False),
        (httpx.RemoteProtocolError("closed"), False),
        (httpx.ReadTimeout("slow"), True),
        (httpx.WriteTimeout("slow"), True),
        (says(201, content=b"<html>"), False),
        (says(201, content=b'{"issue":'), False),
        (says(201, content=b'{"issue":', headers=JSON), False),
        (says(200, content=b"[1]"), False),
        (says(201, content=b"not gzip", headers={"Content-Encoding": "gzip"}), False),
    ],
)
def test_a_post_in_doubt_is_sent_once(trouble: Any, timed_out: bool) -> None:
    """When a POST may have happened it is not repeated, and the error says that it is not known."""
    server = Server(trouble)
    with pytest.raises(errors.AnswerLost, match="he outcome is unknown") as caught:
        call(server, post)
    assert caught.value.timed_out is timed_out
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "trouble",
    [says(429), httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x")],
)
def test_a_post_that_did_nothing_is_repeated(trouble: Any) -> None:
    """A POST that was turned away with 429, or never sent, is sent again."""
    server = Server(trouble, trouble, says(201, {"project": {}}))
    assert call(server, post) == {"project": {}}
    assert len(server.seen) == 3


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ProxyError("407")])
def test_a_post_that_could_never_be_sent_is_not_in_doubt(error: Exception) -> None:
    """If no attempt reached the server the error is that of the connection, not a lost answer."""
    with pytest.raises(errors.Unreachable) as caught:
        call(Server(error), post)
    assert not isinstance(caught.value, errors.AnswerLost)


def test_a_put_that_adds_something_is_sent_once() -> None:
    """With `once`, a PUT is treated as a POST: its answer is lost after one attempt."""
    server = Server(httpx.ReadError("reset"))
    with pytest.raises(errors.AnswerLost):
        call(server, lambda client: client.write("PUT", "/issues/1", {"issue": {"notes": "n"}}, once=True))
    assert len(server.seen) == 1


@pytest.mark.parametrize("action", [put, delete])
def test_a_write_whose_answers_are_all_lost_is_in_doubt(action: Action) -> None:
    """PUT and DELETE are repeated, then their answer counts as lost."""
    server = Server(httpx.ReadError("reset"))
    with pytest.raises(errors.AnswerLost):
        call(server, action, retries=3)
    assert len(server.seen) == 4


def test_a_doubt_stays_when_the_server_goes_away() -> None:
    """A PUT that was lost once, and then found nobody listening, may have happened."""
    with pytest.raises(errors.AnswerLost):
        call(Server(httpx.ReadError("reset"), httpx.ConnectError("refused")), put)


def test_a_lost_get_is_unreachable() -> None:
    """A GET changes nothing, so nothing is in doubt."""
    with pytest.raises(errors.Unreachable) as caught:
        call(Server(httpx.ReadError("reset")), get)
    assert not isinstance(caught.value, errors.AnswerLost)


@pytest.mark.parametrize("first", [httpx.ReadError("reset"), says(502)])
def test_a_delete_that_its_lost_attempt_did_succeeds(first: Any) -> None:
    """404 to a repeated DELETE means that it is gone, as was asked."""
    assert call(Server(first, says(404)), delete) == {}


@pytest.mark.parametrize("first", [says(429), httpx.ConnectError("refused")])
def test_a_delete_of_what_never_was_is_missing(first: Any) -> None:
    """404 to a DELETE whose earlier attempts surely did nothing is an error."""
    with pytest.raises(errors.Missing):
        call(Server(first, says(404)), delete)


def test_a_put_that_finds_its_own_change_is_in_doubt() -> None:
    """409 to a PUT whose earlier answer was lost may be the conflict with itself."""
    with pytest.raises(errors.AnswerLost):
        call(Server(httpx.ReadError("reset"), says(409)), put)


def test_an_untrusted_certificate_is_not_tried_again() -> None:
    """No repetition mends a certificate, so the error comes at once and says how to trust it."""
    refused = httpx.ConnectError("x")
    refused.__cause__ = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refused.__cause__.verify_message = "self-signed certificate"
    server = Server(refused)
    with pytest.raises(errors.Unreachable, match=r"not trusted \(self-signed certificate\).*`ca_file`"):
        call(server, get)
    assert len(server.seen) == 1


def test_requests_are_counted_as_sent() -> None:
    """`requests` has every attempt that left, and none that found no connection."""

    async def count(client: Client) -> int:
        await get(client)
        return client.requests

    assert call(Server(httpx.ConnectError("x"), httpx.ReadError("x"), says(503), says(200, {})), count) == 3


# Faults on a real connection


@pytest.mark.parametrize("fault", [DROPPED, REFUSED, TRUNCATED, LOST_BEHIND_502, TOO_MANY])
@pytest.mark.parametrize("action", [get, put])
def test_faults_are_survived(action: Action, fault: Fault) -> None:
    """Dropped, refused, truncated and replaced answers to GET and PUT do not show."""
    with Stub(lambda method, path, body: (200, b'{"ok": 1}')) as stub, Proxy(stub.url) as proxy:
        proxy.fault = lambda exchange: fault if exchange.number < 3 else None
        assert over(proxy.url, action) == {"ok": 1}
        assert len(proxy.exchanges) == 3


@pytest.mark.parametrize("fault", [DROPPED, REFUSED, TRUNCATED, LOST_BEHIND_502])
def test_a_lost_post_reaches_the_server_at_most_once(fault: Fault) -> None:
    """However the answer to a POST is lost, there is one attempt, and the loss is told."""
    with Stub(lambda method, path, body: (201, b'{"project": {}}')) as stub, Proxy(stub.url) as proxy:
        proxy.fault = lambda exchange: fault
        with pytest.raises(errors.AnswerLost):
            over(proxy.url, post)
        assert len(proxy.exchanges) == 1
        assert len(stub.seen) == fault.forward


def test_a_dropped_delete_succeeds_in_the_end() -> None:
    """A DELETE that was done and not answered is repeated, answered 404, and is a success."""
    with Stub(lambda method, path, body: (204 if len(stub.seen) == 1 else 404, b"")) as stub:
        with Proxy(stub.url, lambda exchange: DROPPED if exchange.number == 1 else None) as proxy:
            assert over(proxy.url, delete) == {}
        assert len(stub.seen) == 2


@pytest.mark.parametrize(("action", "sent"), [(post, 1), (put, 2)])
def test_a_slow_answer_is_lost_by_time(action: Action, sent: int) -> None:
    """An answer that does not come within `timeout` makes the write unknown, with `timed_out`."""
    started = time.monotonic()
    with Stub(lambda method, path, body: (204, b"")) as stub:
        late = pytest.raises(errors.AnswerLost, match=r"no response within 0\.1 seconds")
        with Proxy(stub.url, lambda exchange: Fault(delay=30)) as proxy, late as caught:
            over(proxy.url, action, timeout=0.1, retries=1)
        assert time.monotonic() - started < 4
        assert caught.value.timed_out
        assert len(stub.seen) == sent


# Deadlines and bounds


@pytest.mark.parametrize(("action", "error"), [(get, errors.Unreachable), (post, errors.AnswerLost)])
def test_the_deadline_ends_a_request(action: Action, error: type[Exception]) -> None:
    """A request ends after `deadline` seconds, however patient its single operations are."""
    started = time.monotonic()
    with Stub(lambda method, path, body: (200, b"{}")) as stub:
        late = pytest.raises(error, match=r"no response within 0\.2 seconds")
        with Proxy(stub.url, lambda exchange: Fault(delay=30)) as proxy, late:
            over(proxy.url, action, deadline=0.2)
    assert time.monotonic() - started < 5


def test_the_deadline_counts_retries() -> None:
    """Waiting for the next attempt is part of the deadline; a POST that was turned away is not in doubt."""

    async def main() -> None:
        server = Server(says(429, headers={"Retry-After": "20"}))
        async with Client(Connection(URL, deadline=0.1), transport=httpx.MockTransport(server)) as client:
            await post(client)

    with pytest.raises(errors.Unreachable, match="including retries") as caught:
        asyncio.run(main())
    assert not isinstance(caught.value, errors.AnswerLost)


def test_waiting_for_a_turn_is_not_part_of_the_deadline() -> None:
    """A queue of requests longer than the deadline is worked off."""

    async def slowly(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.05)
        return httpx.Response(200, json={})

    async def many(client: Client) -> int:
        return len(await asyncio.gather(*(client.get("/x") for _ in range(8))))

    assert call(slowly, many, deadline=0.2, concurrency=1) == 8


def test_concurrency_is_bounded() -> None:
    """No more than `concurrency` requests are under way at a time, and as many are."""
    now: list[int] = [0]
    most: list[int] = []

    async def count(request: httpx.Request) -> httpx.Response:
        now[0] += 1
        most.append(now[0])
        await asyncio.sleep(0.001)
        now[0] -= 1
        return httpx.Response(200, json={})

    async def many(client: Client) -> None:
        await asyncio.gather(*(client.get("/x") for _ in range(12)))

    call(count, many, concurrency=3)
    assert max(most) == 3


@pytest.mark.parametrize("packed", [False, True])
def test_a_giant_answer_is_refused(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    """An answer of more than the bound is not read on, also when compression makes it small; once is
    enough."""
    monkeypatch.setattr(transport, "MAX_BODY", 2**20)
    data = b" " * (3 * 2**20) + b"{}"
    server = Server(
        says(200, content=gzip.compress(data), headers={"Content-Encoding": "gzip"})
        if packed
        else says(200, content=data)
    )
    with pytest.raises(errors.NotRedmine, match="larger than 1 MiB"):
        call(server, get)
    assert len(server.seen) == 1


def test_a_compressed_answer_is_read() -> None:
    """gzip, which a web server before Redmine may add, is understood."""
    packed = says(200, content=gzip.compress(b'{"a": "\xc3\xa4"}'), headers={"Content-Encoding": "gzip"})
    assert call(Server(packed), get) == {"a": "ä"}
