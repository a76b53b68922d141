"""Below `client`: how a request gets to Redmine, what is tried again, what is kept of the answer.

An attempt reads its answer whole, within a bound or into a file, below the retries, so that one that breaks off is
retried as well. Each attempt also settles what is known of a write: nothing was sent, it was refused, or it may have
happened.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
from httpx_retries import Retry
from pydantic import SecretStr

from reconciler.errors import ConfigError

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one decoded answer. A page of 100 issues with long texts has about 1 MiB."""

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept. Apache closes them after 5 s, Puma after 20 s by default: below both, a
POST is hardly ever sent on a connection that the server is just closing."""

MAX_WAIT = 30.0
"""Seconds between two attempts at most, whatever Retry-After says."""

TRY_AGAIN = (429, 500, 502, 503, 504)
NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
NOT_SENT = (*NOT_CONNECTED, httpx.ProxyError)
BROKEN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a Redmine, and as whom: with an API key, user and password (Basic), or a bearer (6.1+).

    `url` may have a path. `switch_user` is a login to act as (Redmine ignores it from others than
    administrators). `ca_file` is trusted besides the system's authorities; `proxy` is an http or https URL.
    `timeout` is in seconds for each network operation, `deadline` in seconds for one request with its
    `retries`. Raises ConfigError, without repeating a value, for one that cannot be used.
    """

    url: str
    api_key: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    bearer: SecretStr | None = None
    switch_user: str | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    deadline: float = 120.0
    concurrency: int = 8
    retries: int = 5

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _checked_url("url", self.url).rstrip("/"))
        if re.search(r"[@?#]", self.url):
            raise ConfigError(
                "url must have no user, password, query or fragment in it: give credentials by themselves."
            )
        if self.proxy is not None:
            _checked_url("proxy", self.proxy)
        if (self.username is None) != (self.password is None):
            raise ConfigError("username and password go together: give both, or an api_key instead.")
        if sum(secret is not None for secret in (self.api_key, self.password, self.bearer)) > 1:
            raise ConfigError("Give one of api_key, username with password, or bearer, not several.")
        if min(self.timeout, self.deadline) <= 0 or self.concurrency < 1 or self.retries < 0:
            raise ConfigError(
                "timeout, deadline and concurrency must be more than 0, and retries not less than 0."
            )
        self.headers()

    @property
    def credentials(self) -> str:
        """What kind of credentials these are, for a sentence; empty if there are none."""
        given = {"API key": self.api_key, "user and password": self.password, "bearer token": self.bearer}
        return next((kind for kind, secret in given.items() if secret is not None), "")

    def headers(self) -> dict[str, str]:
        """What each request carries, apart from Basic."""
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "redmine-reconciler",
        }
        if self.api_key is not None:
            headers["X-Redmine-API-Key"] = checked_header("api_key", self.api_key.get_secret_value())
        if self.bearer is not None:
            headers["Authorization"] = "Bearer " + checked_header("bearer", self.bearer.get_secret_value())
        if self.switch_user is not None:
            headers["X-Redmine-Switch-User"] = checked_header("switch_user", self.switch_user)
        return headers

    def basic(self) -> httpx.BasicAuth | None:
        """User and password, if these are the credentials."""
        if self.username is None or self.password is None:
            return None
        return httpx.BasicAuth(self.username, self.password.get_secret_value())


@dataclass(slots=True)
class Trail:
    """What is known of one request after some attempts: with `doubt`, the server may have done it."""

    doubt: bool = False


class Wire(httpx.AsyncBaseTransport):
    """Makes one attempt: counts and logs it, and keeps what the client reads of its answer, and no cookie."""

    def __init__(self, transport: httpx.AsyncBaseTransport, log: Callable[[str], None] | None) -> None:
        self.requests = 0
        self._transport = transport
        self._log = log

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trail: Trail = request.extensions["trail"]
        started, before, trail.doubt = time.monotonic(), trail.doubt, True
        try:
            response = await self._answer(request)
        except BaseException as error:
            if isinstance(error, NOT_SENT):
                trail.doubt = before
            self._note(request, type(error).__name__, started, sent=not isinstance(error, NOT_SENT))
            raise
        if response.status_code < 500:
            trail.doubt = before
        self._note(request, str(response.status_code), started, sent=True)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        into: IO[bytes] | None = request.extensions.get("into")
        try:
            if into is not None and response.is_success:
                body = await _stream(response, into)
            else:
                body = await _whole(response)
        finally:
            await response.aclose()
        # No cookie survives this: 5.0.4 keeps the list's filter in its session cookie, which overflows (500).
        kept = ("content-type", "retry-after")
        headers = {name: response.headers[name] for name in kept if name in response.headers}
        # Not as a header: httpx would build the redirected request, and fail on a malformed one.
        target = {"location": response.headers.get("location", "")}
        return httpx.Response(response.status_code, headers=headers, content=body, extensions=target)

    def _note(self, request: httpx.Request, outcome: str, started: float, *, sent: bool) -> None:
        self.requests += sent
        if self._log:
            path, spent = request.url.raw_path.decode("ascii"), (time.monotonic() - started) * 1000
            self._log(f"{request.method} {path} {outcome} {spent:.0f} ms")


async def _whole(response: httpx.Response) -> bytes:
    """The body of an answer, within the bound."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY:
            raise httpx.DecodingError(f"the answer is larger than {MAX_BODY // 2**20} MiB")
    return bytes(body)


async def _stream(response: httpx.Response, file: IO[bytes]) -> bytes:
    """Put the body of an answer into a file, in the place of what an earlier attempt left there; nothing is kept."""
    file.seek(0)
    file.truncate()
    async for chunk in response.aiter_bytes():
        file.write(chunk)
    return b""


class Policy(Retry):
    """What is repeated; after at most 0.5, 1, 2, 4, 8 … seconds with jitter, or what Retry-After says."""

    def is_retryable_exception(self, exception: Exception) -> bool:
        """Not what no repetition mends: a certificate that is not trusted, a name that does not exist."""
        return super().is_retryable_exception(exception) and not any(map(_hopeless, causes(exception)))


def policy(retries: int, statuses: Sequence[int], exceptions: Sequence[type[Exception]]) -> Policy:
    """A Policy that repeats after these statuses and exceptions."""
    return Policy(
        total=retries,
        allowed_methods=["GET", "POST", "PUT", "DELETE"],
        status_forcelist=statuses,
        retry_on_exceptions=exceptions,
        backoff_factor=0.25,
        backoff_jitter=0.5,
        max_backoff_wait=MAX_WAIT,
    )


def network(connection: Connection) -> httpx.AsyncHTTPTransport:
    """The real transport. Raises ConfigError for certificates that cannot be read."""
    secure = any((url or "").lower().startswith("https:") for url in (connection.url, connection.proxy))
    tls = _tls(connection) if secure else None
    limit = connection.concurrency
    return httpx.AsyncHTTPTransport(
        verify=tls or False,
        trust_env=False,
        limits=httpx.Limits(
            max_connections=limit, max_keepalive_connections=limit, keepalive_expiry=KEEP_ALIVE
        ),
        proxy=_proxy(connection.proxy, tls),
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all it was raised from, members of groups too."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from causes(member)
    if cause := error.__cause__ or error.__context__:
        yield from causes(cause)


def checked_header(name: str, value: str) -> str:
    """The value, if a header can carry it. Raises ConfigError: the HTTP library's own error would repeat
    it."""
    if not re.fullmatch(r"[!-~]+", value):
        raise ConfigError(
            f"{name} is empty, or has a blank, a line break or a character outside ASCII in it."
        )
    return value


def _checked_url(name: str, text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    plain = re.fullmatch(rb"[A-Za-z0-9._:-]+", url.raw_host) and not re.search(r"\s", text)
    if url.scheme not in ("http", "https") or not plain or not 0 < (url.port or 80) < 65536:
        raise ConfigError(
            f"{name} is not an address like https://redmine.example.net or http://127.0.0.1:3000/redmine."
        )
    return text


def _hopeless(cause: BaseException) -> bool:
    unknown_name = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME
    return unknown_name or isinstance(cause, ssl.SSLCertVerificationError)


def _tls(connection: Connection) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if connection.ca_file:
            context.load_verify_locations(connection.ca_file)
        if connection.client_cert:
            # Without a password here, OpenSSL would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(connection.client_cert, connection.client_key, password="")
    except OSError as error:
        files = ", ".join(
            str(f) for f in (connection.ca_file, connection.client_cert, connection.client_key) if f
        )
        raise ConfigError(
            f"The certificates and keys in {files} could not be used: {error.strerror or error}."
        ) from error
    return context


def _proxy(url: str | None, tls: ssl.SSLContext | None) -> httpx.Proxy | None:
    if url is None:
        return None
    return httpx.Proxy(url, ssl_context=tls if url.lower().startswith("https:") else None)
