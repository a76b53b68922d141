"""The client: downloads, which go into a file piece by piece, however large and slow they are."""

from __future__ import annotations

import asyncio
import io
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from calls import Server, call, over, says
from proxy import TRUNCATED, Fault, Proxy
from stub import Stub

from reconciler import errors
from reconciler.redmine import transport
from reconciler.redmine.client import Client

PATH = "/attachments/download/7"
PIECE = b"x" * 65536


class Pieces(httpx.AsyncByteStream):
    """A body that comes in pieces, with a pause before each."""

    def __init__(self, count: int, pause: float = 0) -> None:
        self.count, self.pause = count, pause

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            await asyncio.sleep(self.pause)
            yield PIECE


def downloaded(server: object, **settings: float) -> bytes:
    """What a download gives."""
    file = io.BytesIO()
    call(server, lambda client: client.download(PATH, file), **settings)
    return file.getvalue()


def test_a_download_may_be_larger_than_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no bound on a file, as there is on what is kept in memory."""
    monkeypatch.setattr(transport, "MAX_BODY", 1000)
    assert downloaded(Server(says(200, content=PIECE))) == PIECE


def test_a_download_ends_after_its_expected_size() -> None:
    """Of a server that never stops sending, one byte more than expected is taken, which shows that the size is wrong."""
    file = io.BytesIO()
    call(
        lambda request: httpx.Response(200, stream=Pieces(10**9)),
        lambda client: client.download(PATH, file, 6),
    )
    assert file.getvalue() == b"x" * 7


def test_a_download_is_never_whole_in_memory(tmp_path: Path) -> None:
    """Of a file of 32 MiB, a few pieces are held at a time."""
    with (tmp_path / "file").open("wb") as file:
        tracemalloc.start()
        call(
            lambda request: httpx.Response(200, stream=Pieces(512)),
            lambda client: client.download(PATH, file),
        )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (tmp_path / "file").stat().st_size == 32 * 2**20
    assert most < 2**20 * 2


def test_a_download_may_take_longer_than_an_answer() -> None:
    """As long as something comes, it is waited for."""
    assert len(downloaded(lambda request: httpx.Response(200, stream=Pieces(4, 0.05)), deadline=0.1)) == 4 * len(PIECE)


def test_a_download_of_which_nothing_comes_any_more() -> None:
    """A server that is silent for longer than the time-out is an error."""
    with (
        Stub(lambda method, path, body: (200, PIECE)) as stub,
        Proxy(stub.url, lambda e: Fault(delay=1)) as proxy,
        pytest.raises(errors.Unreachable, match=r"no response within 0\.1 seconds"),
    ):
        over(proxy.url, lambda client: client.download(PATH, io.BytesIO()), timeout=0.1, retries=0)


def test_a_download_that_breaks_off_begins_again() -> None:
    """What the first attempt gave is not in the file, nor is the page of an error."""
    faults = [TRUNCATED, Fault(status=502), None]
    file = io.BytesIO()
    with Stub(lambda method, path, body: (200, PIECE)) as stub, Proxy(stub.url, lambda e: faults.pop(0)) as proxy:
        over(proxy.url, lambda client: client.download(PATH, file))
    assert file.getvalue() == PIECE
    assert [method for method, _, _ in stub.seen] == ["GET"] * 3


def test_a_shorter_answer_after_a_longer_one() -> None:
    """A file that has something in it is emptied first."""
    file = io.BytesIO(PIECE)
    call(Server(says(200, content=b"short")), lambda client: client.download(PATH, file))
    assert file.getvalue() == b"short"


@pytest.mark.parametrize(
    ("status", "error"), [(403, errors.Denied), (404, errors.Missing), (410, errors.Answered), (302, errors.Answered)]
)
def test_a_download_that_is_refused(status: int, error: type[Exception]) -> None:
    """The error is that of any GET; nothing of the answer is in the file."""
    file = io.BytesIO()
    with pytest.raises(error):
        call(Server(says(status, content=b"no")), lambda client: client.download(PATH, file))
    assert file.getvalue() == b""


def test_a_download_to_a_full_disk() -> None:
    """An error of the file is raised as it is, and nothing is sent again."""

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    server = Server(says(200, content=b"x"))
    with pytest.raises(OSError, match="No space left"):
        call(server, lambda client: client.download(PATH, Full()))
    assert len(server.seen) == 1


def test_downloads_take_turns() -> None:
    """Of many downloads, as many are under way as `concurrency` allows."""
    most, now = 0, 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return httpx.Response(200, content=b"x")

    async def many(client: Client) -> None:
        await asyncio.gather(*(client.download(PATH, io.BytesIO()) for _ in range(6)))

    call(answer, many, concurrency=2)
    assert most == 2
