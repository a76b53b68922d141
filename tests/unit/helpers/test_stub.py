"""The HTTP server of the tests: what a client does to it is not an error of the product."""

from __future__ import annotations

import socket
import struct
from urllib.parse import urlsplit

import httpx
import pytest
from stub import Stub

ABORT = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing sends a reset."""


SENT = (b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize("sent", SENT, ids=("nothing", "a part of the head", "a part of the body", "a whole request"))
def test_a_client_that_hangs_up_is_not_reported(sent: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that is reset at any moment of a request prints nothing, and the server goes on."""
    with Stub(lambda *_: (200, b"{}" * 1_000_000)) as server:
        server.wait_for_handlers()
        for _ in range(5):
            _hang_up_after(sent, server.url)
        assert httpx.get(server.url).is_success
    assert capsys.readouterr() == ("", "")


def _hang_up_after(sent: bytes, url: str) -> None:
    client = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0))
    client.sendall(sent)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    client.close()
