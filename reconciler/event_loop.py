"""How coroutines are run from synchronous code."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, which formats the whole result of its task when it ends (3.11: it asks for the signal handler,
    and the enumeration of handlers describes what is none of them). Of a plan, that is as long as to make it."""
    results: list[T] = []

    async def main() -> None:
        results.append(await coroutine)

    asyncio.run(main())
    return results[0]
