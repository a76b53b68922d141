"""Several things at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all coroutines, run concurrently. The first error cancels the others and is raised unchanged.

    Not a TaskGroup, which would wrap the error in an ExceptionGroup.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        # Until they have ended: otherwise a canceled request could still be under way while the error is handled.
        await asyncio.gather(*tasks, return_exceptions=True)
