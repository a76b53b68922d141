"""The only way to Redmine over HTTP: its answers as data, its refusals and failures as typed errors.

    Client.get / rows / write / upload / whoami     this module; complete lists are put together in `paging`
      └─ httpx.AsyncClient                          adds the credentials
          └─ httpx_retries.RetryTransport           tries again what may be tried again
              └─ wire.Wire                          makes one attempt

Facts about Redmine were seen on 5.0.4 and 6.1.5 unless a comment says otherwise.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote as percent_encode

import httpx
from httpx_retries import RetryTransport

from reconciler.errors import (
    Answered,
    AnswerLost,
    AuthenticationFailed,
    ConfigError,
    Denied,
    Missing,
    NotRedmine,
    ReconcilerError,
    Rejected,
    RestApiDisabled,
    Stale,
    Unreachable,
)
from reconciler.paging import LIMIT, Page, complete
from reconciler.wire import (
    BROKEN,
    NOT_CONNECTED,
    TRY_AGAIN,
    Connection,
    Policy,
    Trail,
    Wire,
    causes,
    checked_header,
    network,
    policy,
)

__all__ = ["Client", "Connection", "Params", "Row", "quote"]

Row = dict[str, Any]
Params = Sequence[tuple[str, str | int]] | Mapping[str, str | int]

_CLASSES: dict[int, type[Answered]] = {401: Denied, 403: Denied, 404: Missing, 409: Stale, 422: Rejected}
_MEANINGS = {
    401: "the credentials are not accepted",
    403: "the account may not do this",
    404: "there is no such object",
    409: "the object was changed meanwhile, and is left as it is: make a new plan",
    412: "the login to act as (X-Redmine-Switch-User) is unknown or locked",
    422: "it is not valid",
    429: "too many requests",
}


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
        answer = _object(response.content)
        if answer is None:
            raise NotRedmine(_no_json(self.connection.url, f"GET {path}", response))
        return answer

    async def content(self, path: str) -> bytes:
        """What a download path gives, within the bound for all answers. Raises as `get`."""
        return (await self._send("GET", path, suffix="")).content

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
            reason = _preflight(self.connection, error)
            if reason is None:
                raise
            raise reason from error
        # By Redmine's source, users have updated_on since 4.2; `live` tells 4.2 from 5.0 by the trackers.
        if "updated_on" not in user:
            raise NotRedmine(f"{self.connection.url} is too old: Redmine 5.0 or later is needed.")
        return user

    async def _write(self, method: str, path: str, *, once: bool, **content: Any) -> Row:
        response = await self._send(method, path, once=once, **content)
        answer = _object(response.content) if response.content.strip() else {}
        if answer is None:
            message = _no_json(self.connection.url, f"{method} {path}", response)
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
        **content: Any,
    ) -> httpx.Response:
        """The successful answer, whole, or an error that tells what is known of the request."""
        trail, what = Trail(), f"{method} {path}"
        extensions = {"retry": retry or (self._once if once else self._repeat), "trail": trail}
        request = self._http.build_request(
            method, f"{self.connection.url}{path}{suffix}", extensions=extensions, **content
        )
        async with self._slots:
            try:
                async with asyncio.timeout(self.connection.deadline):
                    response = await self._http.send(request)
            except (httpx.HTTPError, TimeoutError) as error:
                raise _failure(self.connection, what, error, doubt=trail.doubt and method != "GET") from error
        status = response.status_code
        if method == "DELETE" and status == 404 and trail.doubt:
            return httpx.Response(204)
        if trail.doubt and (once if status >= 500 else status == 409):
            message = f"{what} was sent and answered with status {status}: whether it was done is not known."
            raise AnswerLost(message, timed_out=status == 504)
        if not response.is_success:
            raise _refusal(what, response)
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


def _object(content: bytes) -> Row | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _no_json(url: str, what: str, response: httpx.Response) -> str:
    kind = _clean(response.headers.get("content-type", "no content type"))
    return (
        f"{url} answered {what} with {kind} instead of a JSON object: check `url`, and whether a login page "
        "or a portal stands in between."
    )


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


def _clean(text: str, length: int = 500) -> str:
    """A server's text, safe to show: one line, printable, bounded."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * length]).split())
    return line if len(line) <= length else f"{line[:length]}…"


def _sentences(response: httpx.Response) -> tuple[str, ...]:
    """The server's own, of {"errors": [...]} or {"error": "..."}; none of an empty body or an HTML page."""
    body = _object(response.content) or {}
    errors = body.get("errors", body.get("error"))
    found = errors if isinstance(errors, list) else [errors]
    return tuple(filter(None, (_clean(text) for text in found[:50] if isinstance(text, str))))


def _refusal(what: str, response: httpx.Response) -> Answered:
    status, errors = response.status_code, _sentences(response)
    if 300 <= status < 400:
        # A query is left out like user and password: login pages are given the whole first address in it.
        target = re.sub(r"//[^/]*@", "//", re.split(r"[?#]", response.extensions["location"])[0])
        hint = "redirects are not followed; if the Redmine has moved, set `url` to where it is now."
        return Answered(f"{what} is redirected to {_clean(target) or 'nowhere'}: {hint}", status=status)
    meaning = _MEANINGS.get(status, "the server failed" if status >= 500 else "it was not accepted")
    unsaid = ", and Redmine gave no reason" if status == 422 else ""
    reasons = f": {'; '.join(errors)}" if errors else unsaid
    message = f"{what} got status {status}, {meaning}{reasons}."
    return _CLASSES.get(status, Answered)(message, status=status, errors=errors)


def _preflight(connection: Connection, error: Answered) -> ReconcilerError | None:
    """What an error status of /users/current means; None for what it means everywhere."""
    url, kind, basic = connection.url, connection.credentials, connection.username is not None
    if error.status == 401:
        factor = " A user with two-factor authentication needs the API key instead." if basic else ""
        hint = f"Redmine shows a user's API key at {url}/my/account.{factor}"
        given = f"does not accept the {kind}" if kind else "needs credentials, and none were given"
        return AuthenticationFailed(f"The Redmine at {url} {given}. {hint}")
    if error.status == 403:
        expired = " Or the user's password must be changed first." if basic else ""
        hint = f"An administrator enables it under Administration, Settings, API.{expired}"
        return RestApiDisabled(f"The REST web service of the Redmine at {url} is disabled. {hint}")
    if error.status == 412:
        return ConfigError(f"switch_user: {connection.switch_user!r} is no active user's login in {url}.")
    if error.status == 404:
        return NotRedmine(
            f"There is no Redmine at {url}: it has no /users/current.json. Check `url`, also its path."
        )
    return NotRedmine(f"{url}: {error}") if 300 <= error.status < 400 else None


def _failure(connection: Connection, what: str, error: Exception, *, doubt: bool) -> Unreachable | NotRedmine:
    """The error of a request that got no usable answer; with `doubt` it is a write that may have happened."""
    why, timed_out = _why(connection, error), isinstance(error, TimeoutError | httpx.TimeoutException)
    if doubt:
        message = f"{what} was sent to {connection.url}, but {why}. Whether it was done is not known."
        return AnswerLost(message, timed_out=timed_out)
    kind = NotRedmine if isinstance(error, httpx.DecodingError) else Unreachable
    return kind(f"{connection.url} could not be used for {what}: {why}.")


def _why(connection: Connection, error: Exception) -> str:
    """What went wrong, as the end of a sentence; no text of errors that could repeat what was sent."""
    for cause in causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                hint = "if its authority is your own, set `ca_file` to the authority's certificate"
                return f"the TLS certificate is not trusted ({_clean(cause.verify_message)}); {hint}"
            case ssl.SSLError():
                return f"TLS failed ({cause.reason}); check `client_cert`, and if the port speaks https"
            case socket.gaierror():
                return "the host's name could not be resolved; check `url` (or `proxy`) and the name service"
            case ConnectionRefusedError():
                return "the connection was refused; check the port in `url` (or `proxy`) and the server"
    match error:
        case TimeoutError():
            return f"there was no answer in {connection.deadline:g} seconds, retries included (`deadline`)"
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return f"no connection was made within {connection.timeout:g} seconds; check `url` and firewalls"
        case httpx.TimeoutException():
            return f"there was no answer within {connection.timeout:g} seconds (`timeout`)"
        case httpx.ProxyError():
            return "the proxy refused to connect; check `proxy` and its credentials"
        case httpx.ConnectError():
            return "no connection could be made; check `url` and the network"
        case httpx.DecodingError():
            return f"the answer could not be read ({_clean(str(error))})"
    return "the connection broke before the answer was complete"
