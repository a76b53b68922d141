"""Below `client`: connection settings, single attempts, and the retry policy.

An attempt reads the whole response (up to a limit, or into a file) below the retries, so that a response that breaks
off is retried as well. Each attempt also records whether a write may have been executed.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

import httpx
from httpx_retries import Retry

from reconciler.errors import ConfigError
from reconciler.masking import Secrets
from reconciler.redmine.clock import ServerClock, time_in
from reconciler.redmine.connection import Connection
from reconciler.redmine.json_body import json_value
from reconciler.redmine.renewal import Renewal
from reconciler.redmine.slots import Slots, Turn

MAX_BODY = 64 * 1024 * 1024
"""Maximum size of a decoded response. A page of 100 issues with long descriptions has about 1 MiB."""

KEEP_ALIVE = 4.0
"""Seconds to keep an idle connection. Apache closes it after 5 s, Puma after 20 s by default. Staying below both means
that a POST is hardly ever sent on a connection that the server is closing."""

MAX_WAIT = 30.0
"""Maximum number of seconds between two attempts, whatever Retry-After says."""


class Incomplete(httpx.RemoteProtocolError):
    """The body of a response is not the JSON that it should be, such as the beginning of it."""


NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
NOT_SENT = (*NOT_CONNECTED, httpx.ProxyError)  # a proxy that refuses to connect has forwarded nothing
BROKEN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)

_NUMBER = re.compile("[0-9]+(?:[.][0-9]+)?")


@dataclass(slots=True)
class History:
    """One request, and what its attempts have shown: whether the server may have executed it."""

    method: str
    path: str
    may_be_executed: bool = False
    turn: Turn = field(init=False)

    @property
    def likeness(self) -> tuple[str, ...]:
        """Equal for requests that take about as long: collections and ids take turns in Redmine's paths."""
        return self.method, *self.path.split("/")[1::2]


class Into(NamedTuple):
    """Where a response is written to, and its expected size in bytes."""

    file: IO[bytes]
    size: int | None


class Attempt(httpx.AsyncBaseTransport):
    """Makes one attempt: counts and logs it, reads the response, drops its cookies, and masks what an error echoes."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, log: Callable[[str], None] | None, secrets: Secrets, slots: Slots
    ) -> None:
        self.requests = 0
        self.answered = False
        self.clock = ServerClock()
        self._transport = transport
        self._secrets = secrets
        self._log = log
        self._slots = slots
        self._renewal = Renewal()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        history: History = request.extensions["history"]
        async with self._slots.attempt(history.turn, history.likeness):
            trip = self._renewal.trip(history.likeness)
            request.headers["Connection"] = "close" if trip.last else "keep-alive"
            request.extensions["trace"] = trip.trace
            response = await self._made(request, history)
            trip.answered()
            return response

    async def _made(self, request: httpx.Request, history: History) -> httpx.Response:
        # True from here on, also if this task is canceled: only a response or a failed connection proves otherwise.
        started, before, history.may_be_executed = time.monotonic(), history.may_be_executed, True
        try:
            response = await self._response(request)
        except BaseException as error:
            if isinstance(error, NOT_SENT):
                history.may_be_executed = before
            self._mask(error)
            # Nobody needs it any more, or its time is over.
            outcome = "canceled" if isinstance(error, asyncio.CancelledError) else type(error).__name__
            self._note(request, outcome, started, sent=not isinstance(error, NOT_SENT))
            raise
        # A status below 500 settles this attempt. A 502, 504 or 520 comes from a proxy: Redmine may have executed it.
        if response.status_code < 500:
            history.may_be_executed = before
        told, timed = "retry-after" in response.headers, request.extensions["into"] is None
        history.turn.answered(response.status_code, retry_after=told, timed=timed)
        self._note(request, str(response.status_code), started, sent=True)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _response(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        self.answered = True
        self.clock.note(response.headers.get("date", ""))
        into: Into | None = request.extensions.get("into")
        try:
            if into is not None and response.is_success:
                await _stream(response, into)
                body = b""
            else:
                body = await _read(response)
        finally:
            await response.aclose()
        # Dropping cookies matters: 5.0.4 stores a list's filter in the session cookie, which overflows (500).
        kept, masked = ("content-type", "retry-after", "www-authenticate"), self._masked
        # Encoded here: httpx would encode them as ASCII, which the mask is not.
        headers = {name.encode(): masked(response.headers[name]).encode() for name in kept if name in response.headers}
        # Not as a header: httpx would build the redirected request, and fail on a malformed URL.
        known = {"location": masked(response.headers.get("location", "")), "origin": str(request.url)}
        data = _data(request, response, body) if response.is_success and into is None else None
        # Data stays as it is. Before a message is made of an error, and shortened: half a secret is not recognized.
        body = body if response.is_success else self._secrets.masked_bytes(body)
        return httpx.Response(response.status_code, headers=headers, content=body, extensions={**known, "json": data})

    def _masked(self, text: str) -> str:
        return self._secrets.masked(text, common=True)

    def _mask(self, error: BaseException) -> None:
        """Mask the texts of an error, which may quote what the server sent, for whoever logs its traceback."""
        for cause in causes(error) if isinstance(error, httpx.HTTPError | OSError) else ():
            cause.args = tuple(self._masked(arg) if isinstance(arg, str) else arg for arg in cause.args)

    def _note(self, request: httpx.Request, outcome: str, started: float, *, sent: bool) -> None:
        self.requests += sent
        if self._log:
            path, spent = request.url.raw_path.decode("ascii"), (time.monotonic() - started) * 1000
            self._log(f"{request.method} {self._secrets.masked(path)} {outcome} {spent:.0f} ms")


async def _read(response: httpx.Response) -> bytes:
    """The body of a response, up to MAX_BODY."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        # Counted after decompression: a small response can become a huge one.
        if len(body) > MAX_BODY:
            raise httpx.DecodingError(f"the response is larger than {MAX_BODY // 2**20} MiB")
    return bytes(body)


def _data(request: httpx.Request, response: httpx.Response, body: bytes) -> Any:
    """The JSON of a response: {} for a write without a body, as most are, and None for anything else.

    Raises Incomplete for what says that it is JSON: a proxy may end a body that breaks off as if it were whole.
    """
    if not body.strip() and request.method != "GET":
        return {}
    try:
        return json_value(body)
    except ValueError as error:
        # A page is one, whatever it is said to be.
        if "json" in response.headers.get("content-type", "").lower() and not body.lstrip().startswith(b"<"):
            raise Incomplete("no valid JSON", request=request) from error
        return None


async def _stream(response: httpx.Response, into: Into) -> None:
    """Write the body of a response to a file, overwriting what an earlier attempt wrote."""
    into.file.seek(0)
    into.file.truncate()
    # One byte more than expected shows that the size is wrong; a hostile server may never stop sending.
    left = None if into.size is None else into.size + 1
    async for chunk in response.aiter_bytes():
        into.file.write(chunk[:left])
        left = None if left is None else left - len(chunk)
        if left is not None and left <= 0:
            return


class Policy(Retry):
    """When to retry: after up to 0.5, 1, 2, 4, 8 … seconds with jitter, or as Retry-After says."""

    def is_retryable_exception(self, exception: Exception) -> bool:
        """All but permanent errors: an untrusted certificate, a host name that does not exist."""
        return super().is_retryable_exception(exception) and not any(map(self._is_permanent, causes(exception)))

    def _is_permanent(self, cause: BaseException) -> bool:
        # EAI_AGAIN, a failing name server, is temporary; EAI_NONAME is not, unless the name was known before.
        unknown_name = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME
        return (unknown_name and not self.answered()) or isinstance(cause, ssl.SSLCertVerificationError)

    waits: Callable[[float], None] = staticmethod(lambda seconds: None)
    """Is told how long a wait is going to be."""
    answered: Callable[[], bool] = staticmethod(lambda: False)
    """Whether the server has answered any request so far."""

    def increment(self) -> Policy:
        """The policy of the next attempt."""
        following = super().increment()
        assert isinstance(following, Policy)
        following.waits, following.answered = self.waits, self.answered
        return following

    def backoff_strategy(self) -> float:
        """The seconds to wait if the server does not say how long."""
        seconds = super().backoff_strategy()
        self.waits(seconds)
        return seconds

    def parse_retry_after(self, retry_after: str) -> float:
        """The seconds to wait as the server says; 0 if it says nothing of use, and `backoff_strategy` decides then."""
        seconds = min(_seconds(retry_after.strip()), MAX_WAIT)
        if seconds > 0:
            self.waits(seconds)
        return seconds


def _seconds(retry_after: str) -> float:
    """The seconds in a Retry-After: a number, or a date. Not by httpx_retries, which fails on some dates."""
    if _NUMBER.fullmatch(retry_after):
        return float(retry_after)
    until = time_in(retry_after)
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until is not None else 0.0


def policy(
    retries: int,
    statuses: Collection[int],
    exceptions: Sequence[type[Exception]],
    waits: Callable[[float], None],
    answered: Callable[[], bool],
) -> Policy:
    """A policy that retries after these statuses and exceptions; `waits` is told how long it waits before that."""
    made = Policy(
        total=retries,
        # POST too, unlike httpx_retries' default: each policy's statuses and exceptions decide what is safe to repeat.
        allowed_methods=["GET", "POST", "PUT", "DELETE"],
        status_forcelist=statuses,
        retry_on_exceptions=exceptions,
        backoff_factor=0.25,
        backoff_jitter=0.5,
        max_backoff_wait=MAX_WAIT,
    )
    made.waits, made.answered = waits, answered
    return made


def network(connection: Connection) -> httpx.AsyncHTTPTransport:
    """The real transport. Raises ConfigError for certificates that cannot be read."""
    secure = any((url or "").lower().startswith("https:") for url in (connection.url, connection.proxy))
    tls = _tls(connection) if secure else None
    limit = connection.concurrency
    return httpx.AsyncHTTPTransport(
        verify=tls or False,
        trust_env=False,  # HTTP_PROXY and the like in the environment must not redirect the credentials
        # As many as the client's own slots: waiting for a slot is not part of a deadline, waiting for a connection
        # would be.
        limits=httpx.Limits(max_connections=limit, max_keepalive_connections=limit, keepalive_expiry=KEEP_ALIVE),
        proxy=_proxy(connection.proxy, tls),
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it was raised from, including members of exception groups."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from causes(member)
    if cause := error.__cause__ or error.__context__:
        yield from causes(cause)


def _tls(connection: Connection) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if connection.ca_file:
            context.load_verify_locations(connection.ca_file)
        if connection.client_cert:
            # With password=None, OpenSSL would prompt on the terminal for the password of an encrypted key.
            context.load_cert_chain(connection.client_cert, connection.client_key, password="")
    except OSError as error:
        files = ", ".join(str(f) for f in (connection.ca_file, connection.client_cert, connection.client_key) if f)
        raise ConfigError(f"Cannot use the certificates and keys in {files}: {error.strerror or error}.") from error
    return context


def _proxy(url: str | None, tls: ssl.SSLContext | None) -> httpx.Proxy | None:
    if url is None:
        return None
    return httpx.Proxy(url, ssl_context=tls if url.lower().startswith("https:") else None)
