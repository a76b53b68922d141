"""A loopback proxy that goes wrong on purpose: it stands between the tool and a Redmine, records, and spoils
answers.

    with Proxy("http://127.0.0.1:3000", fault=lambda e: DROPPED if e.write == 3 else None) as proxy:
        ...  # use proxy.url as the Redmine's
    assert [e.method for e in proxy.exchanges] == ["GET"]

The fault function is called in the proxy's thread with each request, before it is forwarded; it may also do
things (kill a process at the n-th write).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import h11
import httpx

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect"}


@dataclass(slots=True)
class Exchange:
    """One request, and the `status` that the server gave it (None until then, or if it was not forwarded).

    `number` counts all requests from 1, `write` those that are not GET (0 for a GET); `path` has the query.
    """

    number: int
    write: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request, in this order: forwarded or not, `call`, `delay` (seconds), then an
    answer.

    The answer is none but a reset (`reset`) or the end of the connection (`close`), `status` with `headers` and `body`,
    what `change` makes of the server's, or the server's own; all but its head may be missing (`head_only`), or half of
    it (`truncate`).
    """

    forward: bool = True
    call: Callable[[], None] | None = None
    delay: float = 0
    reset: bool = False
    close: bool = False
    truncate: bool = False
    head_only: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    change: Callable[[httpx.Response], httpx.Response] | None = None


DROPPED = Fault(reset=True)
"""The server did it; its answer is lost."""
REFUSED = Fault(forward=False, reset=True)
"""The connection breaks before the server sees the request."""
BAD_GATEWAY = Fault(forward=False, status=502)
LOST_BEHIND_502 = Fault(status=502)
UNAVAILABLE = Fault(forward=False, status=503)
TOO_MANY = Fault(forward=False, status=429, headers={"Retry-After": "1"})
TRUNCATED = Fault(truncate=True)

FaultFunction = Callable[[Exchange], Fault | None]


class Proxy:
    """A context manager. `url` is the address to use instead of `target`; `fault` may be replaced at any time.

    What the fault function raises is raised again when the proxy is closed.
    """

    def __init__(self, target: str, fault: FaultFunction | None = None) -> None:
        self.target = target.rstrip("/")
        self.fault = fault
        self.url = ""
        self.exchanges: list[Exchange] = []
        self._failure: Exception | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def writes(self) -> list[Exchange]:
        """The requests that were not GET, in order."""
        return [exchange for exchange in self.exchanges if exchange.method != "GET"]

    @property
    def answered(self) -> list[Exchange]:
        """The requests that the server has carried out. A busy one on SQLite answers 500, and the tool asks again."""
        return [exchange for exchange in self.exchanges if exchange.status is not None and exchange.status < 500]

    def clear(self) -> None:
        """Forget what was recorded; numbers start at 1 again."""
        self.exchanges.clear()

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        if self._failure:
            raise self._failure

    async def _start(self) -> None:
        unlimited = httpx.Limits(max_connections=None)
        self._upstream = httpx.AsyncClient(timeout=120, trust_env=False, limits=unlimited)
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"

    async def _stop(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._upstream.aclose()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the tool went away, or the proxy is being closed
        except Exception as error:
            self._failure = error
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection, until it is closed or a fault breaks it."""
        wire = h11.Connection(h11.SERVER)
        while (exchange := await self._request(wire, reader, writer)) is not None:
            fault = (self.fault(exchange) if self.fault else None) or Fault()
            response = await self._forward(exchange) if fault.forward else httpx.Response(502)
            if fault.call:
                fault.call()
            await asyncio.sleep(fault.delay)
            if fault.reset:
                return _reset(writer)
            if fault.close:
                return None
            response = fault.change(response) if fault.change else response
            if fault.status:
                kept = httpx.ByteStream(fault.body)
                response = httpx.Response(fault.status, headers=dict(fault.headers), stream=kept)
            cut = HEAD if fault.head_only else HALF if fault.truncate else WHOLE
            writer.write(_answer(wire, response, exchange.method, cut))
            await writer.drain()
            if cut != WHOLE or wire.our_state is not h11.DONE or wire.their_state is not h11.DONE:
                return None
            wire.start_next_cycle()
        return None

    async def _request(
        self, wire: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Exchange | None:
        """The next request with its whole body, or None when the tool closes the connection."""
        head, body = None, bytearray()
        while True:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                if wire.they_are_waiting_for_100_continue:
                    writer.write(wire.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                wire.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return self._recorded(head, bytes(body))
            else:
                return None

    def _recorded(self, head: h11.Request, body: bytes) -> Exchange:
        method = head.method.decode()
        headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
        write = 0 if method == "GET" else len(self.writes) + 1
        exchange = Exchange(len(self.exchanges) + 1, write, method, head.target.decode(), headers, body)
        self.exchanges.append(exchange)
        return exchange

    async def _forward(self, exchange: Exchange) -> httpx.Response:
        headers = {name: value for name, value in exchange.headers.items() if name not in HOP_BY_HOP}
        # Of a connection that is kept, Puma answers ten requests in a row, while those of others wait: on a busy machine
        # longer than the time-out of the tool, which asks again.
        headers["Connection"] = "close"
        request = httpx.Request(
            exchange.method, self.target + exchange.path, headers=headers, content=exchange.body or None
        )
        try:
            response = await self._upstream.send(request, stream=True)
            body = b"".join([chunk async for chunk in response.aiter_raw()])
            await response.aclose()
        except httpx.TransportError as error:
            return httpx.Response(502, text=f"the proxy got no answer from the server: {type(error).__name__}")
        exchange.status = response.status_code
        kept = [(name, value) for name, value in response.headers.multi_items() if name not in HOP_BY_HOP]
        return httpx.Response(response.status_code, headers=kept, stream=httpx.ByteStream(body))


HEAD, HALF, WHOLE = "head", "half", "whole"


def _answer(wire: h11.Connection, response: httpx.Response, method: str, cut: str) -> bytes:
    """The bytes of an answer; of HALF, the head and half of the body, or half of the head if it has none."""
    body = b"".join(response.stream) if isinstance(response.stream, httpx.ByteStream) else b""
    headers = [(n, v) for n, v in response.headers.raw if n.lower().decode() not in HOP_BY_HOP]
    if response.status_code != 204:
        headers.append((b"Content-Length", b"%d" % len(body)))
    data = wire.send(h11.Response(status_code=response.status_code, headers=headers)) or b""
    if cut == HEAD and body:
        return data
    if cut != WHOLE:
        return data + body[: len(body) // 2] if body else data[: len(data) // 2]
    data += (wire.send(h11.Data(data=body)) or b"") if body and method != "HEAD" else b""
    return data + (wire.send(h11.EndOfMessage()) or b"")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST instead of FIN: the peer sees `Connection reset by peer`."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
