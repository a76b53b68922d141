"""Whose turn it is to be sent, while others wait before they are sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from pydantic import SecretStr

from reconciler import errors
from reconciler.redmine.client import Client, Connection
from tests.helpers.calls import KEY, URL

OK = httpx.Response(200, json={})


def run(
    answers: dict[str, list[httpx.Response]],
    action: Callable[[Client], Awaitable[Any]],
    meanwhile: dict[str, list[str]],
    **settings: Any,
) -> list[str]:
    """The paths in the order in which they are sent. `meanwhile`: a pause ends only when these were sent, if any."""
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/sub/").removesuffix(".json")
        sent.append(path)
        left = answers.get(path, [])
        return left.pop(0) if left else OK

    async def sleep(seconds: float) -> None:
        # Whoever may be sent meanwhile is sent: some turns of the loop are enough.
        for _ in range(50):
            await asyncio.sleep(0)
        meanwhile["sent"] = list(sent)

    async def main() -> None:
        connection = Connection(**{"url": URL, "api_key": SecretStr(KEY), "concurrency": 1, **settings})
        async with Client(connection, transport=httpx.MockTransport(answer)) as client:
            await action(client)

    with patch("httpx_retries.retry.asyncio", SimpleNamespace(sleep=sleep)):
        asyncio.run(main())
    return sent


async def three(client: Client) -> None:
    await asyncio.gather(*(client.get(f"/{name}") for name in "abc"))


def test_a_request_that_waits_to_be_sent_again_has_no_slot() -> None:
    """With one slot, the others are sent while the first one waits; it is sent when its wait is over."""
    seen: dict[str, list[str]] = {}
    assert run({"a": [httpx.Response(502)]}, three, seen) == ["a", "b", "c", "a"]
    assert seen["sent"] == ["a", "b", "c"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_the_server_asks_for_holds_for_all(status: int) -> None:
    """Retry-After of a server that has too much to do: nothing is sent until then, and the one that was told is first."""
    seen: dict[str, list[str]] = {}
    answers = {"a": [httpx.Response(status, headers={"Retry-After": "4"})]}
    assert run(answers, three, seen) == ["a", "a", "b", "c"]
    assert seen["sent"] == ["a"]


def test_a_request_that_is_given_up_holds_nobody() -> None:
    """When its attempts are used up, the others go on."""

    async def action(client: Client) -> None:
        one, two = await asyncio.gather(client.get("/a"), client.get("/b"), return_exceptions=True)
        assert isinstance(one, errors.Answered)
        assert two == {}

    again = [httpx.Response(429, headers={"Retry-After": "1"}) for _ in range(9)]
    assert run({"a": again}, action, {}, retries=1) == ["a", "a", "b"]


def test_a_cancelled_request_gives_its_slot_back() -> None:
    """Whether it has one already or only waits for one."""

    async def action(client: Client) -> None:
        tasks = [asyncio.ensure_future(client.get(f"/{name}")) for name in "ab"]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.get("/c")

    assert run({}, action, {})[-1] == "c"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_gets_fewer_at_a_time(status: int) -> None:
    """What a server or its proxy answers if it has too much to do halves the number of requests under way."""
    limits: list[int] = []

    async def action(client: Client) -> None:
        await client.get("/a")
        limits.append(client.slots.limiter.limit)

    run({"a": [httpx.Response(status)]}, action, {}, concurrency=8)
    assert limits == [4]
