"""Hostile manifests and servers: an error or a plan, within a bound on CPU time and memory."""

from __future__ import annotations

import gzip
import io
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from calls import call
from canned import Canned
from click.testing import CliRunner
from plans import plan, project

from reconciler.cli import main
from reconciler.render import html, markdown, text
from reconciler.render.json import dumps, plan_json

pytestmark = pytest.mark.slow

MIB = 2**20
MANIFEST = "projects: [{identifier: shop, name: Shop, %s}]"
NINES = "9" * 5000


@contextmanager
def bounded(seconds: float, mib: float) -> Iterator[None]:
    """Fail if the body takes more CPU time (which other work on the machine does not count to) or memory."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak (Linux)
    began, before = time.process_time(), peak()
    yield
    assert time.process_time() - began < seconds
    assert peak() - before < mib


def peak() -> float:
    """The most memory that this process had since the last reset, in MiB."""
    status = Path("/proc/self/status").read_text()
    (kib,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kib) / 1024


def bomb(levels: int) -> str:
    """Lists of nine aliases to a list of nine aliases …"""
    inner = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, levels))
    return f"l0: &l0 [x]\n{inner}projects: *l{levels - 1}\n"


HOSTILE: dict[str, str] = {
    "a list in a list in a list …": "projects: " + "[" * 100_000,
    "a mapping in a mapping …": "projects: " + "{a: " * 100_000,
    "aliases of aliases": bomb(20),
    "an anchor inside itself": "projects: &a [*a]",
    "a number of 5,000 digits": MANIFEST % f"issues: [{{subject: s, done_ratio: {NINES}}}]",
    "an id of 5,000 digits": MANIFEST % f"time_entries: [{{id: {NINES}, hours: 1}}]",
    "a hexadecimal number of 5,000 digits": MANIFEST % f"issues: [{{subject: s, done_ratio: 0x{NINES}}}]",
    "a number beyond all numbers": MANIFEST % "issues: [{subject: s, estimated_hours: 1e999}]",
    "not a number": MANIFEST % "issues: [{subject: s, estimated_hours: .nan}]",
    "a year of five digits": MANIFEST % "versions: [{name: v, due_date: 99999-01-01}]",
    "a file that is a device": MANIFEST % "description: !file device",
    "a file that is a pipe": MANIFEST % "description: !file pipe",
    "a file at the root": MANIFEST % "description: !file /etc/passwd",
    "a file above": MANIFEST % "description: !file ../secret",
    "an attachment that is a pipe": MANIFEST % "issues: [{subject: s, attachments: [{file: pipe}]}]",
    "a key of 1 MiB": MANIFEST % ("x" * MIB + ": 1"),
    "a misspelled field of 10 MB": MANIFEST % f"descriptio: {'x' * 10_000_000}",
    "a name of 10 MB": "projects: [{identifier: shop, name: " + "x" * 10_000_000 + ", colour: red}]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_manifests(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a manifest may not be is a problem with its place, found soon; nothing outside the folder is read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("canary")
    (tmp_path / "m").mkdir()
    os.mkfifo(tmp_path / "m/pipe")
    (tmp_path / "m/device").symlink_to("/dev/zero")
    (tmp_path / "m/a.yaml").write_text(HOSTILE[name])
    with bounded(10, 300):
        result = CliRunner().invoke(main, ["validate", "m"])
    assert result.exit_code == 3, result.output
    assert "a.yaml" in result.output
    assert "canary" not in result.output
    assert len(result.output) < 100_000


def test_a_file_of_many_nodes_is_refused(tmp_path: Path) -> None:
    """A file of small nodes that would take all memory is refused by its size, before it is read."""
    (tmp_path / "a.yaml").write_text("a: 1\n")
    with (tmp_path / "a.yaml").open("ab") as file:
        file.truncate(10**12)  # a sparse file: it takes no space
    with bounded(2, 20):
        result = CliRunner().invoke(main, ["validate", str(tmp_path)])
    assert "the limit is 67,108,864 bytes" in result.output


LONG: dict[str, tuple[str, str]] = {
    "one line": ("x" * 10_000_000, "y" * 10_000_000),
    "many equal lines": ("a\nb\n" * 20_000, "b\na\n" * 20_000),
    "empty lines": ("\n" * 300_000, "\n" * 300_001 + "x"),
    "a line less": ("".join(f"{n}\n" for n in range(30_000)), "".join(f"{n}\n" for n in range(29_999))),
}


@pytest.mark.parametrize("name", LONG)
def test_long_descriptions(name: str) -> None:
    """A long text is compared and shown in every format in time and memory in proportion to its length."""
    before, after = LONG[name]
    manifest = f"projects: [{{identifier: shop, name: shop, description: {json.dumps(after)}}}]"
    with bounded(30, 800):
        made = plan(manifest, project(1, "shop", description=before))
        rendered = [text.plan(made, color=False), html.plan(made), dumps(plan_json(made))]
        comment = markdown.plan(made)
    assert all("description" in one for one in rendered)
    assert len(comment) < 65_000


# -- servers -----------------------------------------------------------------------------------------------------


class Packed(httpx.AsyncByteStream):
    """128 MiB of zeros, compressed a thousandfold, in pieces."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with io.BytesIO() as file:
            with gzip.GzipFile(fileobj=file, mode="wb") as zipped:
                for _ in range(128):
                    zipped.write(bytes(MIB))
            content = file.getvalue()
        for start in range(0, len(content), 4096):
            yield content[start : start + 4096]


def test_a_compressed_download_is_bounded(tmp_path: Path) -> None:
    """A file that is declared with 6 bytes and unpacks to 128 MiB is neither written to disk nor kept in memory."""
    answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Packed())
    with (tmp_path / "file").open("w+b") as file, bounded(10, 30):
        call(lambda request: answer, lambda client: client.download("/attachments/download/7", file, 6))
    assert (tmp_path / "file").stat().st_size == 7


def test_an_address_in_an_answer_is_never_asked(canned: Canned) -> None:
    """A file is downloaded from the server itself, whatever `content_url` its row has."""
    Path("a.txt").write_text("hello")
    number = canned.add("issues", project="shop", subject="s")
    attachment = {"id": 7, "filename": "a.txt", "filesize": 5, "description": "", "content_url": "http://evil.test/7"}
    canned.row("issues", number)["attachments"] = [attachment]
    Path("a.yaml").write_text("issues: [{project: shop, subject: s, attachments: [{file: a.txt}]}]")
    result = CliRunner().invoke(main, ["plan"])
    assert all(target.startswith("/") for _, target in canned.seen)
    assert any(target.startswith("/attachments/download/7") for _, target in canned.seen), result.output


NUMBERS = ["1e999", "-1", "10" * 400, '"12"', "1.5", "true", "null", "[1]", "{}", '"' + NINES + '"']


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("where", ["id", "total_count", "limit", "offset"])
def test_odd_numbers_in_an_answer(where: str, number: str) -> None:
    """A number that no Redmine gives is an error of the server, or has no effect; never a loop or an internal error."""
    row = {"id": '"id": %s, "identifier": "shop", "name": "Shop", "status": 1'}.get(where, '"id": 1')
    listed = {"total_count": "1", "offset": "0", "limit": "100", **({where: number} if where != "id" else {})}
    envelope = ", ".join(f'"{key}": {value}' for key, value in listed.items())
    body = f'{{"projects": [{{{row % number if "%" in row else row}}}], {envelope}}}'.encode()
    with bounded(10, 100):
        outcome = attempt(lambda request: httpx.Response(200, content=body))
    assert outcome in ("rows", "error")


DEEP = [b"[" * 100_000, b'{"projects":' + b"[" * 100_000, b'{"projects": [' + b'{"a":' * 100_000, b'{"a": "' * 10]


@pytest.mark.parametrize("body", DEEP)
def test_deep_answers(body: bytes) -> None:
    """An answer of brackets is an error of the server."""
    with bounded(10, 100):
        assert attempt(lambda request: httpx.Response(200, content=body)) == "error"


def attempt(answer: Callable[[httpx.Request], httpx.Response]) -> str:
    """What becomes of reading a list."""
    from reconciler.errors import ServerError

    async def read(client: Any) -> str:
        try:
            await client.rows("/projects", "projects")
        except ServerError:
            return "error"
        return "rows"

    result: str = call(answer, read)
    return result
