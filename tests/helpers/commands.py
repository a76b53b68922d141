"""Commands as users run them, against a server in a few lines (`fake.py`): in this process, as one, or on a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner, Result
from fake import Fake
from stub import Stub

from reconciler.cli import main

KEY, PASSWORD = "canary-key-5d1", "canary-password-5d2"
SHOP = "projects: [{identifier: shop, name: Shop}]\n"


@pytest.fixture
def fake() -> Fake:
    """What answers at the address in REDMINE_URL."""
    return Fake()


@pytest.fixture
def server(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """The server, with a folder for manifests as the current one and the environment that leads to it."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(("REDMINE_", "RECONCILER_"))] + ["NO_COLOR", "FORCE_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    with Stub(fake.answer) as stub:
        for name, value in {"URL": stub.url, "API_KEY": KEY, "RETRIES": "0"}.items():
            monkeypatch.setenv(f"REDMINE_{name}", value)
        yield stub


def run(*args: str, manifest: str | None = None, **options: Any) -> Result:
    """One command; `manifest` is written into the current folder first. A secret is never printed."""
    if manifest is not None:
        Path("a.yaml").write_text(manifest, encoding="utf-8")
    result = CliRunner().invoke(main, args, **options)
    assert KEY not in result.output
    assert PASSWORD not in result.output
    return result


def written(server: Stub) -> list[tuple[str, str]]:
    """Method and path of every request that was no GET."""
    return [(method, path) for method, path, _ in server.seen if method != "GET"]


SITUATIONS: dict[str, tuple[int, int, str]] = {
    # name: exit code of plan, of apply --yes, and how far it gets
    "something to do": (0, 0, "done"),
    "nothing to do": (0, 0, "done"),
    "the server refuses": (0, 4, "done"),
    "the server drops a field": (0, 4, "done"),
    "invalid": (3, 3, "problems"),
    "a name without an object": (3, 3, "problems"),
    "no manifest": (3, 3, "problems"),
    "wrong key": (1, 1, "error"),
    "unreachable": (1, 1, "error"),
    "no address": (1, 1, "error"),
    "faulty configuration": (1, 1, "error"),
    "a pattern without an object": (1, 1, "error"),
}


def prepare(situation: str, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make it so; further arguments of the command."""
    manifests = {"invalid": "projects: [{identifier: shop, nmae: x}]", "no manifest": None}
    named = (
        "projects: [{identifier: shop, name: Shop, parent: nowhere}]"
        if situation == "a name without an object"
        else SHOP
    )
    text = manifests.get(situation, named)
    if text:
        Path("a.yaml").write_text(text, encoding="utf-8")
    faults = {"wrong key": "key", "the server refuses": "refuse", "the server drops a field": "drop"}
    fake.fault = faults.get(situation, "")
    if situation == "nothing to do":
        fake.projects["shop"] = {"id": 1, "status": 1, "identifier": "shop", "name": "Shop"}
    if situation == "no address":
        monkeypatch.delenv("REDMINE_URL")
    if situation == "unreachable":
        monkeypatch.setenv("REDMINE_URL", "http://127.0.0.1:1")
    if situation == "faulty configuration":
        Path("reconciler.yaml").write_text("ulr: x", encoding="utf-8")
    return ["--target", "user/nobody"] if situation == "a pattern without an object" else []


def start(args: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """The program as a process, in the current folder."""
    return subprocess.Popen([sys.executable, "-m", "reconciler", *args], text=True, **options)


def wait_for(stream: IO[str], text: str) -> None:
    """Read lines until one has `text` in it."""
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"{text!r} was not printed")


MANY = "projects: [" + ", ".join(f"{{identifier: p{n}, name: P}}" for n in range(8)) + "]"


def on_a_terminal(args: Sequence[str], prompt: str, answer: str | Callable[[int], str]) -> tuple[str, int]:
    """Run with a terminal of its own; what it showed, and its exit code.

    `answer` is typed at the prompt: a text, or what a function of the process's id gives then.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "reconciler", *args])
    shown = b""
    while True:
        if not select.select([terminal], [], [], 30)[0]:
            os.kill(pid, signal.SIGKILL)
        try:
            shown += os.read(terminal, 4096)
        except OSError:
            break
        if answer and prompt.encode() in shown:
            typed, answer = answer(pid) if callable(answer) else answer, ""
            os.write(terminal, typed.encode())
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
