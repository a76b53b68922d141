"""The least that any tool must do: the given requests at a given concurrency, with httpx, and nothing else.

`python bare.py URL CONCURRENCY FILE`; the file has a JSON list of [method, path, body]; the key is in REDMINE_API_KEY.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx


async def run(url: str, concurrency: int, requests: list[tuple[str, str, Any]]) -> None:
    """Send all requests, `concurrency` at a time; a failure of the server is an error."""
    slots = asyncio.Semaphore(concurrency)
    headers = {"X-Redmine-API-Key": os.environ["REDMINE_API_KEY"]}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:

        async def send(method: str, path: str, body: Any) -> None:
            async with slots:
                response = await client.request(method, path, json=body)
                if response.is_server_error:
                    response.raise_for_status()
                if response.content and response.is_success:
                    response.json()

        await asyncio.gather(*(send(*request) for request in requests))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())))
