"""The servers that worlds are on: a sandbox of this process, or one that somebody gives.

Both are used by one test at a time: a sandbox is claimed by the process that starts it, a given server is locked
while a test uses it. So tests can run in several processes (`pytest -n`), and several runs on one machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import httpx

from reconciler.errors import SandboxError
from reconciler.model.address import Address
from reconciler.sandbox import Sandbox

Ids = Mapping[Address, int | str]
DATABASE = "sqlite"
"""What a sandbox has that is not asked for another one."""
DELETION = 60.0
"""Seconds until a deleted project must be gone: from Redmine 5.1 on, a background job deletes it."""


class Server(Protocol):
    """A Redmine that can be brought back into the state in which the session found it."""

    url: str
    api_key: str

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep it for one test, and give it to the next one as it was."""

    def restore(self, world: str) -> Ids | None:
        """Bring it into a state that was kept under this name; the ids that are known of it, or None without one."""

    def keep(self, world: str, ids: Ids) -> None:
        """Keep its state under a name, where that is possible."""

    def created(self, project: str) -> None:
        """Note that a test has created a project, by its identifier."""


@contextmanager
def claim(name: str) -> Iterator[str]:
    """`name`, or `name-2`, `name-3` … while other processes on this machine use it."""
    for number in count(1):
        candidate = name if number == 1 else f"{name}-{number}"
        with _lock_file(candidate).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield candidate
            return


def _lock_file(name: str) -> Path:
    return Path(tempfile.gettempdir(), f"reconciler-{os.getuid()}-{name}.claim")


class SandboxServer:
    """A sandbox that this process alone uses, from `started` to the end. Its states are kept in a folder."""

    def __init__(
        self,
        version: str,
        setup: Sequence[Path],
        folder: Path,
        *,
        database: str | None = None,
        keep_running: bool = False,
    ) -> None:
        self._version, self._setup, self._folder, self._keep_running = version, setup, folder, keep_running
        self._database = database or DATABASE
        self.url = self.api_key = ""
        self._kept: dict[str, Ids] = {}

    @contextmanager
    def started(self) -> Iterator[SandboxServer]:
        """Start it, with a name that no other process uses. Raises SandboxError."""
        kind = "" if self._database == DATABASE else f"-{self._database}"
        with claim(f"pytest-{self._version}{kind}{self._suffix()}") as name:
            self._sandbox = Sandbox(self._version, name=name, database=self._database)
            running = self._sandbox.start(self._setup)
            self.url, self.api_key = running.url, running.api_key
            try:
                yield self
            finally:
                if not self._keep_running:
                    self._sandbox.stop()

    def _suffix(self) -> str:
        """Of the name: other setups have sandboxes of their own, so that none starts over for another one."""
        if not self._setup:
            return ""
        try:
            contents = b"\0".join(path.read_bytes() for path in self._setup)
        except OSError as error:
            raise SandboxError(f"Cannot read the Ruby file {error.filename}: {error.strerror}.") from None
        return f"-{hashlib.sha256(contents).hexdigest()[:6]}"

    @contextmanager
    def used(self) -> Iterator[None]:
        # Before a test, not after it: what a failed test left can be looked at with --redmine-keep.
        self._sandbox.reset()
        yield

    def restore(self, world: str) -> Ids | None:
        if world in self._kept:
            self._sandbox.reset(self._file(world))
        return self._kept.get(world)

    def keep(self, world: str, ids: Ids) -> None:
        self._sandbox.snapshot(self._file(world))
        self._kept[world] = dict(ids)

    def created(self, project: str) -> None:
        """Nothing: a sandbox forgets everything."""

    def _file(self, world: str) -> Path:
        return self._folder / f"{world}.snapshot"


LISTS = ("projects", "groups", "users")
"""What is deleted after a test, in this order; what is inside a project goes with it."""
FILTERS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "projects": ({"status": "1|5"},),
    "groups": ({},),
    # Redmine 5.0 takes one status at a time: active, registered, locked.
    "users": tuple({"status": status} for status in "123"),
}
"""With which filters all of them are listed, but for archived projects."""


class GivenServer:
    """A server of somebody else's. After each test, the projects, groups and users that it created are deleted."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url, self.api_key = url.rstrip("/"), api_key
        self._created: set[str] = set()

    @contextmanager
    def used(self) -> Iterator[None]:
        name = f"server-{hashlib.sha256(self.url.encode()).hexdigest()[:12]}"
        with ExitStack() as stack:
            lock = stack.enter_context(_lock_file(name).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            http = stack.enter_context(client(self.url, self.api_key))
            before = {name: set(_ids(http, name)) for name in LISTS}
            self._created.clear()
            stack.callback(self._clean, http, before)
            yield

    def created(self, project: str) -> None:
        self._created.add(project)

    def restore(self, world: str) -> Ids | None:
        return None

    def keep(self, world: str, ids: Ids) -> None:
        """Nothing: only what a sandbox contains can be kept."""

    def _clean(self, http: httpx.Client, before: dict[str, set[int]]) -> None:
        for name in LISTS:
            # The last first: it may be inside another one.
            for number in sorted(set(_ids(http, name)) - before[name], reverse=True):
                http.delete(f"/{name}/{number}.json")
        # Archived ones are in no list, and are not shown.
        for identifier in self._created:
            if http.get(f"/projects/{identifier}.json").status_code == httpx.codes.FORBIDDEN:
                http.delete(f"/projects/{identifier}.json")
        deadline = time.monotonic() + DELETION
        while self._created and time.monotonic() < deadline and self._left(http):
            time.sleep(0.2)

    def _left(self, http: httpx.Client) -> bool:
        """Whether a project is still there: Redmine deletes it in a job."""
        shown = (http.get(f"/projects/{identifier}.json").status_code for identifier in self._created)
        return any(status != httpx.codes.NOT_FOUND for status in shown)


def client(url: str, api_key: str, **headers: str) -> httpx.Client:
    """An HTTP client for the REST API of a server; paths are relative to its URL."""
    # The proxies of the environment do not lead to a sandbox on this machine.
    local = url.startswith(("http://127.", "http://localhost"))
    headers = {"X-Redmine-API-Key": api_key, **headers}
    return httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=not local)


def _ids(http: httpx.Client, name: str) -> Iterator[int]:
    """The ids of all rows of a list."""
    for chosen in FILTERS[name]:
        seen, total = 0, 1
        while seen < total:
            window: dict[str, str | int] = {**chosen, "limit": 100, "offset": seen}
            page = http.get(f"/{name}.json", params=window).raise_for_status().json()
            yield from (row["id"] for row in page[name])
            # Groups are not paged; an empty page ends a list that got shorter.
            seen, total = seen + len(page[name]), page.get("total_count", 0) if page[name] else 0
