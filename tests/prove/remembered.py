"""A real Redmine that is asked each question once: how it answers a request in a given state is remembered.

Redmine is a function: an answer follows from the request and from what is in the database. So after a request that was
sent before, in a state that was there before, the remembered answer is given, and the remembered state is the new one.
Only what is new goes to the server, whose database is first brought into that state. That makes an apply of 140
requests, of which a fault changes a few, several times as fast; nothing is answered that Redmine has not answered.

What differs from run to run and no client relies on (times, random tokens, names of files on the disk) is not part of
a state.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from proxy import HOP_BY_HOP, Exchange, Proxy

from reconciler.sandbox import Running, sqlite

NEVER_THE_SAME = frozenset(
    {"created_on", "updated_on", "closed_on", "passwd_changed_on", "last_login_on", "salt", "hashed_password"}
    | {"disk_filename", "disk_directory", "downloads"}
)
"""Columns that are not part of a state."""
NOT_WRITTEN = frozenset(
    {"ar_internal_metadata", "schema_migrations", "settings", "sqlite_sequence", "tokens", "workflows"}
)
"""Tables that are not part of a state: no request of the tool changes what an answer has from them."""
SAID_BY = ("content-type", "x-redmine-switch-user", "x-redmine-api-key")
"""The headers that an answer depends on."""
DELETING = 10  # Project::STATUS_SCHEDULED_FOR_DELETION (5.1 and later)
PATIENCE = 30.0  # seconds for a job that deletes a project


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer, and the state after it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    after: str

    def response(self) -> httpx.Response:
        return httpx.Response(self.status, headers=list(self.headers), stream=httpx.ByteStream(self.body))


class Remembered:
    """The states and answers of a running server. `state` is the current one, and may be set to any that was seen.

    `folder` is for the databases of the states. One request at a time.
    """

    def __init__(self, server: Running, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.asked = 0
        """How many requests went to the server."""
        self._db = server.folder / "redmine.sqlite3"
        self._answers: dict[tuple[str, ...], _Answer] = {}
        self._kept: set[str] = set()
        self._queries = _queries(self._db)
        self._http = httpx.Client(base_url=server.url, trust_env=False, timeout=120)
        self.state = self._live = self._look()

    def close(self) -> None:
        """Close the connections to the server."""
        self._http.close()

    def keep(self) -> None:
        """Keep all states and answers seen so far for good."""
        self._kept = {path.name for path in self.folder.iterdir() if path.is_file()}

    def forget(self) -> None:
        """Forget the states that are not kept for good: there are thousands, and other cases do not get into them."""
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in self._kept | {self.state, self._live}:
                path.unlink()
        known = self._kept | {self.state, self._live}
        self._answers = {k: a for k, a in self._answers.items() if k[0] in known and a.after in known}

    def select(self, state: str, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database of a state: for what the API does not show."""
        with closing(sqlite3.connect(self.folder / state, timeout=10)) as connection:
            return connection.execute(query).fetchall()

    def answer(self, exchange: Exchange) -> httpx.Response:
        """The server's answer in the current state, which may change by it."""
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        said = (headers.get(name, "") for name in SAID_BY)
        question = (self.state, exchange.method, exchange.path, _hash(exchange.body), *said)
        known = self._answers.get(question)
        if known is None:
            known = self._ask(exchange)
            # An error of the server's own is an accident, not an answer.
            if known.status < 500:
                self._answers[question] = known
        self.state = known.after
        return known.response()

    def _ask(self, exchange: Exchange) -> _Answer:
        self.asked += 1
        if self._live != self.state:
            sqlite.restore(self.folder / self.state, self._db)
            self._live = self.state
        self._files(back=True)
        headers = {name: value for name, value in exchange.headers.items() if name not in HOP_BY_HOP}
        request = self._http.build_request(
            exchange.method, exchange.path, headers=headers, content=exchange.body or None
        )
        self._http.cookies.clear()
        response = self._http.send(request, stream=True)
        with closing(response):
            body = b"".join(response.iter_raw())
        if exchange.method != "GET":
            self._live = self._look()
        kept = tuple((n, v) for n, v in response.headers.multi_items() if n not in HOP_BY_HOP | {"set-cookie"})
        return _Answer(response.status_code, kept, body, self._live)

    def _look(self) -> str:
        """The state of the server by now; one that was never seen is stored."""
        with closing(sqlite3.connect(self._db, timeout=10)) as connection:
            _wait_for_jobs(connection)
            hasher = hashlib.sha256()
            for query in self._queries:
                for row in connection.execute(query):
                    hasher.update(repr(row).encode())
        state = hasher.hexdigest()[:24]
        if not (self.folder / state).exists():
            sqlite.copy(self._db, self.folder / f"{state}.new")
            (self.folder / f"{state}.new").replace(self.folder / state)
        self._files(back=False)
        return state

    def _files(self, *, back: bool) -> None:
        """Keep a link to each attached file, or with `back` bring those back that were deleted in another state."""
        store = self.folder / "files"
        store.mkdir(exist_ok=True)
        with closing(sqlite3.connect(self._db, timeout=10)) as connection:
            rows = connection.execute("SELECT coalesce(disk_directory, ''), disk_filename FROM attachments").fetchall()
        for folder, name in rows:
            live, kept = self.server.folder / "files" / folder / name, store / f"{folder.replace('/', '-')}-{name}"
            source, target = (kept, live) if back else (live, kept)
            if source.exists() and not target.exists():
                os.link(source, target)


def _queries(path: Path) -> list[str]:
    """What shows the state of a database, table by table."""
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        tables = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = []
        for table in sorted(set(tables) - NOT_WRITTEN):
            names = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
            shown = ", ".join(f'"{name}"' for name in names if name not in NEVER_THE_SAME)
            found.append(f"SELECT {shown} FROM {table} ORDER BY rowid")
    return found


def _wait_for_jobs(connection: sqlite3.Connection) -> None:
    """Redmine deletes a project in the background: until that is done, it has no state."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute(f"SELECT 1 FROM projects WHERE status = {DELETING}").fetchone():
        assert time.monotonic() < deadline, "a project is being deleted for too long"
        time.sleep(0.01)


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest() if body else ""


class RememberingProxy(Proxy):
    """The proxy before a `Remembered`. `page` limits the rows of a page; `seen` gets each request and its answer."""

    def __init__(self, memory: Remembered) -> None:
        super().__init__(memory.server.url)
        self.memory = memory
        self.page: int | None = None
        self.seen: list[tuple[Exchange, httpx.Response]] | None = None

    async def _forward(self, exchange: Exchange) -> httpx.Response:
        if self.page:
            exchange.path = re.sub(r"\blimit=100\b", f"limit={self.page}", exchange.path)
        response = self.memory.answer(exchange)
        exchange.status = response.status_code
        if self.seen is not None:
            self.seen.append((exchange, response))
        return response

    def drop(self) -> None:
        """Break all connections: those in which an answer hangs, too."""

        async def cancel() -> None:
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel(), self._loop).result(10)
