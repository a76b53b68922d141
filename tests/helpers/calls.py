"""A client with a function or a loopback server in the network's place, for the tests of the client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx
from pydantic import SecretStr

from reconciler.redmine.client import Client, Connection

KEY = "canary-7d1f0c"
URL = "http://redmine.test/sub"
USER = {"user": {"id": 1, "login": "admin", "admin": True, "updated_on": "2026-11-22T05:13:02Z"}}
TRACKERS = {"trackers": [{"id": 1, "name": "Bug", "enabled_standard_fields": ["due_date"]}]}

Action = Callable[[Client], Awaitable[Any]]


class Server:
    """A function as the server: gives its answers one after the other, the last one for ever; keeps the
    requests."""

    def __init__(self, *answers: Callable[[], httpx.Response] | Exception) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer()


def says(status: int, data: Any = None, **more: Any) -> Callable[[], httpx.Response]:
    """An answer with JSON, or `content=`, `headers=` as they are."""
    return lambda: httpx.Response(status, **({"json": data} if data is not None else {}), **more)


def call(
    server: Any,
    action: Action,
    *,
    log: Callable[[str], None] | None = None,
    waits: list[float] | None = None,
    **settings: Any,
) -> Any:
    """The result of an action with a client whose network is `server`. `waits` gets the seconds between
    attempts."""
    connection = Connection(**{"url": URL, "api_key": SecretStr(KEY), **settings})
    return _run(connection, action, httpx.MockTransport(server), log, waits)


def over(url: str, action: Action, **settings: Any) -> Any:
    """The result of an action over a real connection."""
    return _run(Connection(url, api_key=SecretStr(KEY), **settings), action)


def _run(
    connection: Connection,
    action: Action,
    transport: httpx.AsyncBaseTransport | None = None,
    log: Callable[[str], None] | None = None,
    waits: list[float] | None = None,
) -> Any:
    """Runs the action in a loop of its own, in which retries do not really wait."""

    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    async def main() -> Any:
        async with Client(connection, transport=transport, log=log) as client:
            return await action(client)

    with patch("httpx_retries.retry.asyncio", SimpleNamespace(sleep=sleep)):
        return asyncio.run(main())


def get(client: Client) -> Awaitable[Any]:
    return client.get("/projects/1")


def post(client: Client) -> Awaitable[Any]:
    return client.write("POST", "/projects", {"project": {"name": "A"}})


def put(client: Client) -> Awaitable[Any]:
    return client.write("PUT", "/projects/1", {"project": {"name": "A"}})


def delete(client: Client) -> Awaitable[Any]:
    return client.write("DELETE", "/projects/1")


def whoami(client: Client) -> Awaitable[Any]:
    return client.whoami()
