"""The REST client: responses as data, error statuses and network failures as typed errors.

    Client.get / rows / write / upload / whoami …   this module; `pagination` assembles complete lists,
                                                    `error_messages` turns failures into messages
      └─ httpx_retries.RetryTransport               retries what is safe to retry
          └─ transport.Attempt                      makes one attempt

There is no httpx.AsyncClient: of what it adds, redirects and cookies must not be used, and it takes a tenth of the time
that a request costs.

Statements about Redmine were verified on 5.0.4 and 6.1.5 unless a comment says otherwise.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import IO, Any, Literal, Self

import httpx
from httpx_retries import RetryTransport
from msgspec.structs import replace

from reconciler.catalog.session import Session
from reconciler.catalog.transport import Command
from reconciler.errors import Answered, AnswerLost, NotRedmine, OddResponse, ReconcilerError
from reconciler.masking import Secrets
from reconciler.redmine import gateway
from reconciler.redmine.account import ACCOUNT, checked_account
from reconciler.redmine.clock import ServerClock, elapsed
from reconciler.redmine.connection import Connection, checked_header
from reconciler.redmine.error_messages import error_status, network_failure, not_json, preflight
from reconciler.redmine.pagination import LIMIT, Instead, Page, complete, counted
from reconciler.redmine.slots import BUSY, TIMED_OUT, Slots
from reconciler.redmine.transport import (
    BROKEN,
    NOT_CONNECTED,
    Attempt,
    History,
    Into,
    Policy,
    network,
    policy,
)
from reconciler.redmine.urls import quote

__all__ = ["Client", "Connection", "Params", "Row", "quote"]

Row = dict[str, Any]
Params = Sequence[tuple[str, str | int]] | Mapping[str, str | int]


async def unguarded() -> None:
    """The default guard: nothing stands in the way of a write."""


def _unwatched(path: str, done: int, total: int) -> None:
    """The default: progress is not reported."""


class Client:
    """The REST API of one Redmine, as an async context manager. `log` is called with a line for each request.

    Paths are Redmine's without `.json` (`/projects/web-shop`); segments other than ids must go through `quote`.
    `transport` replaces the network. What the server says about a failed request is masked where it repeats one of the
    `secrets`, to which those of the connection are added. Raises ConfigError for certificates that cannot be read.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        log: Callable[[str], None] | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.connection = connection
        self.guard: Callable[[], Awaitable[None]] = unguarded
        """Is awaited before each write, and may raise: without its lease, a run must not write (`apply.lease`)."""
        self.secrets = Secrets() if secrets is None else secrets
        self.secrets.include(connection.secrets())
        self.page: Callable[[str, int, int], None] = _unwatched
        """Is told, after each page of a list, its path, and how many of how many are read."""
        self.waits: Callable[[float], None] = lambda seconds: None
        """Is told when a request is sent again only after so many seconds."""
        self._account = (-1, 0.0)
        """The number of requests at the last answer of `whoami`, and when that came."""
        self.slots = Slots(connection.concurrency)
        self._ahead: dict[tuple[str, tuple[tuple[str, str | int], ...]], asyncio.Task[Row]] = {}
        self._given, self._log = transport, log
        self._attempt = Attempt(transport or network(connection), log, self.secrets, self.slots)

        # 429 and a connection that was never made are safe to retry even for a POST: nothing was executed.
        def waits(seconds: float) -> None:
            self.waits(seconds)

        def answered() -> bool:
            return self._attempt.answered

        self._retry = policy(connection.retries, BUSY, BROKEN, waits, answered)
        self._retry_unexecuted = policy(connection.retries, (429,), NOT_CONNECTED, waits, answered)
        # For the first request: that a URL is wrong must not take minutes to find out.
        self._fail_fast = policy(min(connection.retries, 1), BUSY, BROKEN, waits, answered)
        # Redirects are not followed: the header with the API key would go to any host that they lead to.
        self._transport = RetryTransport(self._attempt)
        # Its copies: an attribute with the headers would show the key to whoever prints the attributes.
        self._headers = connection.headers().copy
        self._timeout = httpx.Timeout(connection.timeout).as_dict()

    def like(self, connection: Connection) -> Client:
        """Another client with the same network and log, and slots of its own."""
        return Client(connection, transport=self._given, log=self._log, secrets=self.secrets)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Those that nobody has asked for again: their errors are nobody's either.
        left = list(self._ahead.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._transport.aclose()

    @cached_property
    def catalog(self) -> Session | None:
        """The program inside the same Redmine, if there is one."""
        argv = self.connection.catalog_command()
        command = Command(argv, self.connection.catalog_timeout, self.secrets)
        return Session(command, self.connection.api_key) if argv else None

    @property
    def requests(self) -> int:
        """The number of HTTP requests sent, including retries."""
        return self._attempt.requests

    @property
    def account_age(self) -> float:
        """The seconds since the last answer of `whoami`; infinite if anything was asked since."""
        requests, answered = self._account
        return elapsed() - answered if requests == self.requests else math.inf

    @property
    def clock(self) -> ServerClock:
        """The server's clock."""
        return self._attempt.clock

    async def get(self, path: str, params: Params = (), *, patient: bool = True) -> Row:
        """The JSON object of the response. Raises Answered, Unreachable, or NotRedmine for anything but an object.

        Without `patient`, it is retried at most once, whatever `retries` is set to.
        """
        early = self._ahead.pop((path, tuple(_pairs(params))), None)
        return await (early or self._get(path, params, patient=patient))

    def ahead(self, path: str, params: Params = (), *, patient: bool = True) -> None:
        """Send a request that `get` is going to be called for, once, before it is: it gets this answer then."""
        self._ahead[path, tuple(_pairs(params))] = asyncio.create_task(self._get(path, params, patient=patient))

    async def _get(self, path: str, params: Params, *, patient: bool) -> Row:
        retry = self._retry if patient else self._fail_fast
        response = await self._send("GET", path, retry=retry, params=_pairs(params))
        body = response.extensions["json"]
        if not isinstance(body, dict):
            raise NotRedmine(not_json(self.connection.url, f"GET {path}", response))
        return body

    async def download(self, path: str, file: IO[bytes], size: int | None = None) -> None:
        """Download to a file, replacing its contents.

        With a `size` in bytes, it ends one byte after it: enough to see that there is more. There is no limit on the
        duration as long as data keeps arriving within `timeout`. Raises as `get`; OSError if the file cannot be
        written.
        """
        await self._send("GET", path, suffix="", into=Into(file, size))

    async def rows(
        self,
        path: str,
        root: str,
        params: Params = (),
        *,
        paged: bool = True,
        brief: bool = False,
        likely: int = 0,
        instead: Instead | None = None,
        shown: Callable[[Sequence[Row]], None] = lambda rows: None,
    ) -> list[Row]:
        """The complete list under `root`, each row once, even if it changes while being read (see `pagination`).

        With `paged=False` a single GET returns everything: Redmine does not paginate groups, trackers, roles, ….
        Otherwise pass a stable `sort` (`id`) where the endpoint supports one. `brief` keeps only the id of each row.
        If the list has further pages, `instead` can get the needed rows in another way. If so many rows are `likely`
        that there is a second page, it is asked for with the first. `shown` is told of what is kept of each page as it
        arrives.
        """
        if not paged:
            return _list(path, await self.get(path, params), root)

        read = 0

        async def fetch(offset: int) -> Page:
            nonlocal read
            page = await self._window(path, root, params, offset, LIMIT)
            read += 1
            self.page(path, read, max(1, -(-page.total // max(1, page.limit - 1))))
            page = replace(page, rows=[{"id": row["id"]} for row in page.rows]) if brief else page
            shown(page.rows)
            return page

        both = likely >= LIMIT and self.connection.concurrency > 1
        return await complete(fetch, f"The list {path} of {self.connection.url}", instead, both=both)

    async def count(self, path: str, root: str, params: Params = ()) -> int:
        """The number of rows of a paginated list, confirmed by its last row. Raises as `get`."""

        async def fetch(offset: int) -> Page:
            return await self._window(path, root, params, offset, 2)

        return await counted(fetch, f"The list {path} of {self.connection.url}")

    async def _window(self, path: str, root: str, params: Params, offset: int, limit: int) -> Page:
        body = await self.get(path, [*_pairs(params), ("limit", limit), ("offset", offset)])
        return _page(path, body, root, offset)

    async def write(
        self,
        method: Literal["POST", "PUT", "DELETE"],
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Params = (),
        headers: Mapping[str, str] = {},
        *,
        once: bool = False,
    ) -> Row:
        """The JSON object of the response, or {} for an empty body (most PUTs and DELETEs).

        A POST is retried only if it was certainly not executed; with `once` the same holds for a PUT that is not
        idempotent (an issue's `notes`, an upload's token). A DELETE that gets 404 succeeds if the response to an
        earlier attempt was lost. `headers` are added to this request only. Raises AnswerLost if the write may have been
        executed; otherwise as `get`.
        """
        checked = {name: checked_header(name, value) for name, value in headers.items()}
        once = once or method == "POST"
        return await self._write(method, path, once=once, json=body, params=_pairs(params), headers=checked)

    async def upload(self, filename: str, content: bytes) -> Row:
        """Upload a file; returns the mapping with its `token` and `id`.

        Retried like a PUT: an upload that nothing refers to is invisible. Raises as `write`.
        """
        body = await self._write(
            "POST",
            "/uploads",
            once=False,
            content=content,
            params=[("filename", filename)],
            headers={"Content-Type": "application/octet-stream"},  # else 406, or 400 for JSON
        )
        upload = _mapping("/uploads", body, "upload")
        if not isinstance(upload.get("token"), str):
            raise OddResponse("The response to POST /uploads is not as Redmine's are: upload.token is no text.")
        return upload

    async def whoami(self) -> Row:
        """The account that the credentials belong to. Called before everything else; fails fast without a server.

        Without this check a wrong key would go unnoticed: with a wrong key, a locked user's key, or the REST API
        disabled, Redmine answers GET /projects with 200 and the public projects only.
        Raises AuthenticationFailed, RestApiDisabled, ConfigError (for `switch_user`), NotRedmine, OddResponse,
        Unreachable, Answered.
        """
        try:
            user = _mapping(ACCOUNT, await self.get(ACCOUNT, patient=False), "user")
        except Answered as error:
            reason = preflight(self.connection, error)
            if reason is None:
                raise
            raise reason from error
        # Users have updated_on since 4.2 (from Redmine's source); `state.live` tells 4.2 from 5.0 by the trackers.
        if "updated_on" not in user:
            raise NotRedmine(f"{self.connection.url} is too old: Redmine 5.0 or later is required.")
        self._account = self.requests, elapsed()
        return checked_account(user)

    async def _write(self, method: str, path: str, *, once: bool, **content: Any) -> Row:
        await self.guard()
        response = await self._send(method, path, once=once, **content)
        body = response.extensions["json"]
        # Probably a proxy's page: the request may or may not have reached Redmine.
        if not isinstance(body, dict):
            message = not_json(self.connection.url, f"{method} {path}", response)
            raise AnswerLost(f"{message} The outcome is unknown.", timed_out=False)
        return body

    async def _send(
        self,
        method: str,
        path: str,
        *,
        once: bool = False,
        retry: Policy | None = None,
        suffix: str = ".json",
        into: Into | None = None,
        **content: Any,
    ) -> httpx.Response:
        """The successful response, fully read (or written to `into`). Raises an error that tells whether the request
        may have been executed."""
        history, what = History(method, path), f"{method} {path}"
        retry = retry or (self._retry_unexecuted if once else self._retry)
        request = self._request(method, f"{path}{suffix}", **content)
        request.extensions.update(retry=retry, history=history, into=into)
        try:
            # Waiting for a slot does not count toward the deadline. A download has none, as its size is unknown.
            async with asyncio.timeout(self.connection.deadline if into is None else None) as deadline:
                with self.slots.request(deadline) as history.turn:
                    response = await self._transport.handle_async_request(request)
        except (httpx.HTTPError, TimeoutError) as error:
            lost = history.may_be_executed and method != "GET"
            raise network_failure(self.connection, what, error, lost=lost) from error
        status = response.status_code
        # The object is gone: an earlier attempt deleted it, although its response was lost.
        if method == "DELETE" and status == 404 and history.may_be_executed and not gateway.answers(response):
            return httpx.Response(204, extensions={"json": {}})
        # 409 after a lost response: the earlier attempt itself may have raised the version (wiki pages).
        if history.may_be_executed and (once if status >= 500 else status == 409):
            message = f"{what} was sent and got status {status}: the outcome is unknown."
            raise AnswerLost(message, timed_out=status in TIMED_OUT)
        if not response.is_success:
            refusal = error_status(what, response)
            refusal.repeated = history.may_be_executed and method != "GET"
            raise refusal
        return response

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str | int]] = (),
        headers: Mapping[str, str] = {},
        **content: Any,
    ) -> httpx.Request:
        try:
            return httpx.Request(
                method,
                self.connection.url + path,
                params=list(params) or None,  # with an empty list, httpx would parse the URL twice
                headers=self._headers() | dict(headers),
                extensions={"timeout": self._timeout},
                **content,
            )
        except httpx.InvalidURL as error:
            what = f"{method} {path.removesuffix('.json')}"
            raise ReconcilerError(f"{what!r} cannot be asked for: it makes no URL.") from error


def _pairs(params: Params) -> list[tuple[str, str | int]]:
    return list(params.items() if isinstance(params, Mapping) else params)


def _mapping(path: str, body: Row, key: str) -> Row:
    value = body.get(key)
    if not isinstance(value, dict):
        raise NotRedmine(f"The response to {path} has no object {key!r}, so this is not a Redmine: check `url`.")
    return value


def _list(path: str, body: Row, root: str) -> list[Row]:
    rows = body.get(root)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotRedmine(
            f"The response to {path} has no list {root!r} of objects, so this is not a Redmine: check `url`."
        )
    return rows


def _page(path: str, body: Row, root: str, offset: int) -> Page:
    rows, total, limit = _list(path, body, root), body.get("total_count"), body.get("limit", LIMIT)
    if type(total) is not int or type(limit) is not int or not all(type(row.get("id")) is int for row in rows):
        raise NotRedmine(
            f"The response to {path} is not a page of a list: its total_count, limit or a row's id is missing."
        )
    return Page(rows, offset, min(limit, LIMIT), total)
