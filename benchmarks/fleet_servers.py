"""Many small Redmines in one process, each with a latency of its own and a few workers.

`python fleet_servers.py --issues N --workers N --service SECONDS LATENCY…` prints the address of each and serves until
it is killed. A latency is in seconds, and delays each answer without occupying a worker, as a network does.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from canned_server import Server, World


class Busy(Server):
    """A server with so many workers, each of which takes `service` seconds for a request."""

    def __init__(self, world: World, latency: float, workers: int, service: float) -> None:
        super().__init__(world, latency)
        self.workers, self.service = asyncio.Semaphore(workers), service

    async def pause(self) -> None:
        """The way there and back, and the work."""
        await asyncio.sleep(self.latency)
        async with self.workers:
            await asyncio.sleep(self.service)


async def serve(latencies: Sequence[float], issues: int, workers: int, service: float) -> None:
    """Print the addresses, and answer until the process ends."""
    world = World(issues)
    listening = []
    for latency in latencies:
        busy = Busy(world, latency, workers, service)
        listening.append(await asyncio.start_server(busy.connected, "127.0.0.1", 0, backlog=100))
    print(" ".join(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in listening), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in listening))


@contextmanager
def fleet(latencies: Sequence[float], issues: int, workers: int = 2, service: float = 0.01) -> Iterator[list[str]]:
    """The addresses of servers in a process of their own."""
    options = [f"--issues={issues}", f"--workers={workers}", f"--service={service}", *map(str, latencies)]
    with subprocess.Popen([sys.executable, __file__, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()
        finally:
            process.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("latencies", type=float, nargs="+")
    parser.add_argument("--issues", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--service", type=float, default=0.01)
    given = parser.parse_args()
    asyncio.run(serve(given.latencies, given.issues, given.workers, given.service))
