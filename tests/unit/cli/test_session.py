"""Manifests and server are read at the same time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
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


def test_the_first_requests_are_sent_while_standard_input_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """What writes the manifests may take its time: the server is asked before anything is written."""
    asked, early = Event(), []

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        asked.set()
        return 200, b"{}"

    def produce() -> None:
        early.append(asked.wait(20))
        with os.fdopen(write, "wb") as manifest:
            manifest.write(Path("a.yaml").read_bytes())

    async def main() -> None:
        state = State(url=stub.url)
        monkeypatch.setenv("REDMINE_API_KEY", "x")
        async with opened(state, ("-",), Progress(state)) as found:
            assert len(found.manifests.desired.objects) == 1

    read, write = os.pipe()
    with Stub(answer) as stub, os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        producer = Thread(target=produce)
        producer.start()
        asyncio.run(main())
        producer.join()
    assert early == [True]


@pytest.mark.slow
def test_an_interrupt_ends_the_wait_for_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """One Ctrl-C is enough, and nothing is said but that: Python crashes if it closes `sys.stdin` under a thread."""
    monkeypatch.setenv("REDMINE_API_KEY", "x")
    with Stub(lambda method, path, body: (200, b"{}")) as stub:
        command = [sys.executable, "-m", "reconciler", "plan", "--url", stub.url, "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None and process.stderr is not None
            # More than a pipe holds: some of it has been read when all is written, and more is waited for.
            process.stdin.write("#\n" * 500_000)
            process.stdin.flush()
            process.send_signal(signal.SIGINT)
            # Not `communicate`, which would end standard input.
            assert process.wait(20) == 130
            said = process.stderr.read().splitlines()
    assert [line for line in said if line and not line.startswith("Reading")] == ["Interrupted."]


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


def test_the_first_request_is_sent_before_the_rest_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """What compares manifests with the server is imported while the account is asked for."""
    asked = Event()

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        asked.set()
        return 200, b"{}"

    def imported(name: str) -> None:
        assert asked.wait(20)
        names.append(name)

    names: list[str] = []
    monkeypatch.setattr(session, "import_module", imported)

    async def main() -> None:
        state = State(url=stub.url)
        monkeypatch.setenv("REDMINE_API_KEY", "x")
        async with opened(state, ("a.yaml",), Progress(state)):
            assert names == ["reconciler.pipeline"]

    with Stub(answer) as stub:
        asyncio.run(main())


def test_the_beginning_imports_no_kind_and_no_plan() -> None:
    """Before the first request there are the configuration and the client, and nothing else."""
    code = "import sys, reconciler.cli.session, reconciler.redmine.client, reconciler.config; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    parts = {name.split(".")[1] for name in done.stdout.split() if name.startswith("reconciler.")}
    assert parts.isdisjoint({"pipeline", "plan", "apply", "state", "kinds", "model", "render", "export"})
