"""Writes the requests that the tool sends: `python record.py FILE plan|apply|export MANIFEST-OR-FOLDER`, as JSON.

It is a process of its own so that the one that measures stays small.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

import reconciler


@contextmanager
def recorded(url: str) -> Iterator[list[Any]]:
    """[method, path, body] of each request meanwhile."""
    seen: list[Any] = []
    send = httpx.AsyncHTTPTransport.handle_async_request

    async def spy(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        path = str(request.url).removeprefix(url)
        seen.append([request.method, path, json.loads(request.content or "null")])
        return await send(self, request)

    httpx.AsyncHTTPTransport.handle_async_request = spy  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        httpx.AsyncHTTPTransport.handle_async_request = send  # type: ignore[method-assign]


def main(file: str, task: str, given: str) -> None:
    """Do it once."""
    with recorded(os.environ["REDMINE_URL"]) as seen:
        if task == "export":
            reconciler.export_to(given)
        elif task == "apply":
            reconciler.load(given).apply()
        else:
            reconciler.load(given).plan()
    if not seen:
        sys.exit("No request was recorded: the tool sends them otherwise than this program expects.")
    Path(file).write_text(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
