"""Manifests and server are read at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from reconciler.cli import session
from reconciler.cli.options import State
from reconciler.cli.progress import Progress
from reconciler.cli.session import in_thread, opened
from reconciler.errors import ConfigError
from tests.helpers.stub import Stub


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder with a manifest, and no settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("REDMINE_URL", "REDMINE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    Path("a.yaml").write_text("projects: [{identifier: shop, name: Shop}]")


def test_the_first_requests_are_sent_while_the_manifests_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading ends only after the server was asked for the account and the trackers; both answers are then used."""
    asked = Event()

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if len(stub.seen) == 2:
            asked.set()
        return 200, b"{}"

    def slowly(*given: Any) -> Any:
        assert asked.wait(20)
        return read(*given)

    read = session.manifests
    monkeypatch.setattr(session, "manifests", slowly)

    async def main() -> None:
        state = State(url=stub.url)
        monkeypatch.setenv("REDMINE_API_KEY", "x")
        async with opened(state, ("a.yaml",), Progress(state)) as found:
            assert len(found.manifests.desired.objects) == 1
            assert await found.client.get("/trackers") == {}

    with Stub(answer) as stub:
        asyncio.run(main())
        assert sorted(path for _, path, _ in stub.seen) == ["/trackers.json", "/users/current.json"]


def test_without_a_url_the_manifests_are_read_all_the_same() -> None:
    """Their problems are reported before what is missing in the configuration."""

    async def main() -> None:
        state = State()
        async with opened(state, ("a.yaml",), Progress(state)) as found:
            assert not found.manifests.problems
            with pytest.raises(ConfigError):
                _ = found.client

    asyncio.run(main())


def test_an_error_in_the_thread_is_raised() -> None:
    """As if the work had been done without a thread."""

    def fails() -> None:
        raise ConfigError("wrong")

    with pytest.raises(ConfigError, match="wrong"):
        asyncio.run(in_thread(fails))
