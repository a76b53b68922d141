"""What the client tells of its progress, and what it asks for ahead."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from pydantic import SecretStr

from reconciler.redmine.client import Client, Connection
from tests.helpers.calls import KEY, URL, Server, call, says


def test_waits_are_told() -> None:
    """How long the next attempt is away: what the server says, or else the client's own pause."""
    told: list[float] = []

    async def action(client: Client) -> None:
        client.waits = told.append
        await client.get("/a")

    call(Server(says(429, headers={"Retry-After": "4"}), says(503), says(502), says(200, {})), action, waits=[])
    assert told[0] == 4
    assert len(told) == 3
    assert 0 < told[1] <= told[2]


def test_pages_are_told() -> None:
    """After each page of a list: how many of how many are read."""
    told: list[tuple[str, int, int]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        rows = [{"id": number} for number in range(offset, min(offset + 100, 250))]
        return httpx.Response(200, json={"issues": rows, "total_count": 250, "limit": 100})

    async def action(client: Client) -> None:
        client.page = lambda *seen: told.append(seen)
        assert len(await client.rows("/issues", "issues")) == 250

    call(answer, action)
    assert told == [("/issues", 1, 3), ("/issues", 2, 3), ("/issues", 3, 3)]


def test_what_is_asked_ahead_is_asked_once() -> None:
    """The first `get` takes the answer; the next one asks again, as the state may be another by then."""
    server = Server(says(200, {"n": 1}), says(200, {"n": 2}))

    async def action(client: Client) -> list[Any]:
        client.ahead("/a", {"b": 1})
        return [await client.get("/a", {"b": 1}), await client.get("/a", {"b": 1})]

    assert call(server, action) == [{"n": 1}, {"n": 2}]
    assert len(server.seen) == 2


def test_an_error_of_what_nobody_needs_is_no_error() -> None:
    """What was asked ahead for nothing fails in silence when the client is closed."""

    async def action(client: Client) -> None:
        client.ahead("/a")

    call(Server(says(404)), action)


def test_what_nobody_needs_any_more_is_logged_as_canceled() -> None:
    """A request that is given up while it is under way is no failure."""
    lines: list[str] = []

    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(600)
        raise AssertionError

    async def action() -> None:
        connection = Connection(URL, SecretStr(KEY))
        async with Client(connection, transport=httpx.MockTransport(never), log=lines.append) as client:
            client.ahead("/a")
            while not client.slots.limiter.under_way:
                await asyncio.sleep(0)

    asyncio.run(action())
    assert [line.rsplit(" ", 2)[0] for line in lines] == ["GET /sub/a.json canceled"]
