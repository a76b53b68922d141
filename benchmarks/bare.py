"""The least that any tool must do: the given requests at a given concurrency, with httpx, and nothing else.

`python bare.py URL CONCURRENCY FILE [--fresh] [--read-back]`; the file has a JSON list of [method, path, body]; the key
is in REDMINE_API_KEY. With `--read-back`, a GET follows each POST that created an object, and each PUT.

With `--fresh`, each request has a connection of its own. One that is kept stays with a worker of Puma: in some runs one
of two had all of them, and the run took twice as long.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx


async def run(
    url: str, concurrency: int, requests: list[tuple[str, str, Any]], *, fresh: bool = False, read_back: bool = False
) -> None:
    """Send all requests, `concurrency` at a time; a failure of the server is an error."""
    headers = {"X-Redmine-API-Key": os.environ["REDMINE_API_KEY"], "Connection": "close" if fresh else "keep-alive"}
    waiting = iter(requests)
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120, limits=limits) as client:

        async def send(method: str, path: str, body: Any) -> None:
            response = await client.request(method, path, json=body)
            if response.is_server_error or (method != "GET" and response.is_error):
                response.raise_for_status()
            if response.content and response.is_success:
                shown = response.json()
                if method == "POST" and read_back and "issue" in shown:
                    await send("GET", f"/issues/{shown['issue']['id']}.json", None)
            if method == "PUT" and read_back:
                await send("GET", path, None)

        async def work() -> None:
            for request in waiting:
                await send(*request)

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())


if __name__ == "__main__":
    url, concurrency, path, *rest = sys.argv[1:]
    options = {"fresh": "--fresh" in rest, "read_back": "--read-back" in rest}
    asyncio.run(run(url, int(concurrency), json.loads(Path(path).read_text()), **options))
