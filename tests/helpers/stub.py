"""A real HTTP server on loopback whose answers are a function of the test: for what a mocked transport cannot show."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""A self-signed certificate for 127.0.0.1 with its key. It protects nothing."""

Answer = tuple[int, bytes] | tuple[int, bytes, Mapping[str, str]]


class Stub:
    """A context manager; `answer(method, path, body)` gives status, body and any headers; `Reason` is the reason phrase.

    `seen` are (method, path, body).
    """

    def __init__(self, answer: Callable[[str, str, bytes], Answer], *, tls: bool = False) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.connections = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(answer))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' * tls}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def wait_for_handlers(self) -> None:
        """At its end, wait until every connection that is made from now on is closed."""
        self._server.daemon_threads = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(stub, answer: Callable[[str, str, bytes], Answer]) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                stub.connections += 1

            def handle(self) -> None:
                # A client may hang up on what it no longer needs; the base class would print it where errors of the product go.
                with suppress(ConnectionError):
                    super().handle()

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                self.close_connection = not self.raw_requestline or not self.parse_request()
                if not self.close_connection:
                    self._serve()

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                stub.seen.append((self.command, self.path, body))
                status, content, *more = answer(self.command, self.path, body)
                headers = {"Content-Type": "application/json", **(more[0] if more else {})}
                self.send_response(status, headers.pop("Reason", None))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Set-Cookie", "_redmine_session=filter")
                if status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the base class would print."""

        return Handler
