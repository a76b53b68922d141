"""The only way to Redmine over HTTP: its answers as data, its refusals and failures as typed errors.

    Client.get / rows / write / upload / whoami …   this module; complete lists are put together in `paging`,
                                                    what goes wrong is put into words in `failures`
      └─ httpx.AsyncClient                          adds the credentials
          └─ httpx_retries.RetryTransport           tries again what may be tried again
              └─ wire.Wire                          makes one attempt

Facts about Redmine were seen on 5.0.4 and 6.1.5 unless a comment says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import IO, Any, Literal, Self
from urllib.parse import quote as percent_encode

import httpx
from httpx_retries import RetryTransport

from reconciler.errors import (
    Answered,
    AnswerLost,
    NotRedmine,
    ReconcilerError,
)
from reconciler.redmine.error_messages import failure, json_object, no_json, preflight, refusal
from reconciler.redmine.pagination import LIMIT, Page, complete
from reconciler.redmine.transport import (
    BROKEN,
    NOT_CONNECTED,
    TRY_AGAIN,
    Connection,
    Policy,
    Trail,
    Wire,
    checked_header,
    network,
    policy,
)

__all__ = ["Client", "Connection", "Params", "Row", "quote"]

Row = dict[str, Any]
Params = Sequence[tuple[str, str | int]] | Mapping[str, str | int]


class Client:
    """A Redmine's REST API, as an async context manager. `log` gets a line for each request sent.

    Paths are Redmine's without `.json` (`/projects/web-shop`), made of segments that went through `quote`
    where they are not plain ids. `transport` stands in for the network. Raises ConfigError for certificates
    that cannot be read.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.connection = connection
        self._slots = asyncio.Semaphore(connection.concurrency)
        self._wire = Wire(transport or network(connection), log)
        self._repeat = policy(connection.retries, TRY_AGAIN, BROKEN)
        self._once = policy(connection.retries, (429,), NOT_CONNECTED)
        self._early = policy(min(connection.retries, 1), TRY_AGAIN, BROKEN)
        self._http = httpx.AsyncClient(
            transport=RetryTransport(self._wire),
            headers=connection.headers(),
            auth=connection.basic(),
            timeout=connection.timeout,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    @property
    def requests(self) -> int:
        """The number of HTTP requests that were sent, retries included."""
        return self._wire.requests

    async def get(self, path: str, params: Params = (), *, patient: bool = True) -> Row:
        """The answer's JSON object. Raises Answered or a subclass, Unreachable, or NotRedmine for other data.

        Not `patient`, it is tried twice at most, whatever the `retries`.
        """
        response = await self._send("GET", path, retry=self._repeat if patient else self._early, params=_pairs(params))
        answer = json_object(response.content)
        if answer is None:
            raise NotRedmine(no_json(self.connection.url, f"GET {path}", response))
        return answer

    async def download(self, path: str, file: IO[bytes]) -> None:
        """Put what a download path gives into a file, in the place of what is in it.

        However large it is, and however long it takes while something comes within each `timeout`. Raises as `get`;
        OSError if the file cannot be written.
        """
        await self._send("GET", path, suffix="", into=file)

    async def rows(
        self, path: str, root: str, params: Params = (), *, paged: bool = True, brief: bool = False
    ) -> list[Row]:
        """The complete list under `root`, each row once, even if it changes while it is read (see `paging`).

        With `paged=False` one GET has it all (groups, trackers, …). Otherwise give a `sort` that does not
        change (`id`) where the endpoint has one. `brief` keeps of each row the id alone.
        """
        if not paged:
            return _list(path, await self.get(path, params), root)

        async def fetch(offset: int) -> Page:
            window = [*_pairs(params), ("limit", LIMIT), ("offset", offset)]
            page = _page(path, await self.get(path, window), root, offset)
            return replace(page, rows=[{"id": row["id"]} for row in page.rows]) if brief else page

        return await complete(fetch, f"The list {path} of {self.connection.url}")

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
        """The answer's JSON object, or {} where it has none, as most. `headers` are for this request alone.

        A POST is repeated only if it surely did nothing; with `once` so is a PUT, for one that adds something
        each time (an issue's `notes`). A DELETE that finds nothing succeeds if an earlier attempt's answer was
        lost. Raises AnswerLost if the write may have happened; else as `get`.
        """
        checked = {name: checked_header(name, value) for name, value in headers.items()}
        once = once or method == "POST"
        return await self._write(method, path, once=once, json=body, params=_pairs(params), headers=checked)

    async def upload(self, filename: str, content: bytes) -> Row:
        """Uploads a file; the mapping with its `token` and `id`.

        Repeated like a PUT: an upload that nothing refers to is not visible. Raises as `write`.
        """
        answer = await self._write(
            "POST",
            "/uploads",
            once=False,
            content=content,
            params=[("filename", filename)],
            headers={"Content-Type": "application/octet-stream"},
        )
        return _mapping("/uploads", answer, "upload")

    async def whoami(self) -> Row:
        """The account that the credentials belong to: the preflight. That no server is there is said at once.

        Without it a wrong key would go unnoticed: Redmine shows it what is public, as if that were all.
        Raises AuthenticationFailed, RestApiDisabled, ConfigError (for `switch_user`), NotRedmine,
        Unreachable, Answered.
        """
        try:
            user = _mapping("/users/current", await self.get("/users/current", patient=False), "user")
        except Answered as error:
            reason = preflight(self.connection, error)
            if reason is None:
                raise
            raise reason from error
        # By Redmine's source, users have updated_on since 4.2; `live` tells 4.2 from 5.0 by the trackers.
        if "updated_on" not in user:
            raise NotRedmine(f"{self.connection.url} is too old: Redmine 5.0 or later is needed.")
        return user

    async def _write(self, method: str, path: str, *, once: bool, **content: Any) -> Row:
        response = await self._send(method, path, once=once, **content)
        answer = json_object(response.content) if response.content.strip() else {}
        if answer is None:
            message = no_json(self.connection.url, f"{method} {path}", response)
            raise AnswerLost(f"{message} Whether it was done is not known.", timed_out=False)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        *,
        once: bool = False,
        retry: Policy | None = None,
        suffix: str = ".json",
        into: IO[bytes] | None = None,
        **content: Any,
    ) -> httpx.Response:
        """The successful answer, whole (or what it says, in a file), or an error that tells what is known of the
        request."""
        trail, what = Trail(), f"{method} {path}"
        extensions = {"retry": retry or (self._once if once else self._repeat), "trail": trail, "into": into}
        request = self._http.build_request(
            method, f"{self.connection.url}{path}{suffix}", extensions=extensions, **content
        )
        async with self._slots:
            try:
                async with asyncio.timeout(self.connection.deadline if into is None else None):
                    response = await self._http.send(request)
            except (httpx.HTTPError, TimeoutError) as error:
                raise failure(self.connection, what, error, doubt=trail.doubt and method != "GET") from error
        status = response.status_code
        if method == "DELETE" and status == 404 and trail.doubt:
            return httpx.Response(204)
        if trail.doubt and (once if status >= 500 else status == 409):
            message = f"{what} was sent and answered with status {status}: whether it was done is not known."
            raise AnswerLost(message, timed_out=status == 504)
        if not response.is_success:
            raise refusal(what, response)
        return response


def quote(segment: str) -> str:
    """A path segment, percent-encoded. Raises ReconcilerError for one that would lead to another object's
    path."""
    if segment in ("", ".", ".."):
        raise ReconcilerError(
            f"{segment!r} cannot be part of an address in Redmine: give the object another key."
        )
    return percent_encode(segment, safe="")


def _pairs(params: Params) -> list[tuple[str, str | int]]:
    return list(params.items() if isinstance(params, Mapping) else params)


def _mapping(path: str, answer: Row, key: str) -> Row:
    value = answer.get(key)
    if not isinstance(value, dict):
        raise NotRedmine(
            f"The answer to {path} has no object {key!r} in it, so this is not a Redmine: check `url`."
        )
    return value


def _list(path: str, answer: Row, root: str) -> list[Row]:
    rows = answer.get(root)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotRedmine(
            f"The answer to {path} has no list {root!r} of objects, so this is not a Redmine: check `url`."
        )
    return rows


def _page(path: str, answer: Row, root: str, offset: int) -> Page:
    rows, total, limit = _list(path, answer, root), answer.get("total_count"), answer.get("limit", LIMIT)
    if (
        type(total) is not int
        or type(limit) is not int
        or not all(type(row.get("id")) is int for row in rows)
    ):
        raise NotRedmine(
            f"The answer to {path} is no page of a list: its total_count, limit or a row's id is missing."
        )
    return Page(rows, offset, min(limit, LIMIT), total)
