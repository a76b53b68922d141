"""A SQLite database, and consistent copies of it while a server has it open.

SQLite's backup API writes through the destination's journal, so a server always sees a complete database. Copying the
file would not guarantee that, least of all in WAL mode (Redmine 6.x).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import ClassVar

from reconciler.errors import SandboxError
from reconciler.sandbox.database import CONFIGURE, DEFAULT_DATA, DEFAULT_SETTINGS, INSTANCES

FILE, HEADER = "redmine.sqlite3", b"SQLite format 3\0"
PATIENCE = 10.0  # seconds to wait while a server is writing

# Redmine caches its settings until the latest `updated_on` changes (Setting.check_cache); the sandbox runs in UTC.
TOUCH = "UPDATE settings SET updated_on = strftime('%Y-%m-%d %H:%M:%f', 'now')"


class SQLite:
    """SQLite: one file, no server (see `database.Database`)."""

    name: ClassVar[str] = "sqlite"
    title: ClassVar[str] = "SQLite"
    packages: ClassVar[Sequence[str]] = ()  # redmine-sqlite is one of those of every Redmine
    suffix: ClassVar[str] = ".sqlite3"
    files: ClassVar[Sequence[str]] = (f"{FILE}*",)
    workers: ClassVar[int] = 1
    # Only one at a time can write. With two, Redmine 5.0 answers up to 42 % of concurrent writes with 500
    # (SQLite3::BusyException), and 6.x lets some of them wait for ten seconds.
    most_workers: ClassVar[int] = 1

    def __init__(self, root: Path, folder: Path) -> None:
        self._file = folder / FILE

    def threads(self, version: str) -> str:
        # The same among threads of 5.0; 6.x uses WAL.
        return "1:1" if version == "5.0" else "5:5"

    def yml(self, name: str) -> str:
        # SQLite waits 5 s for a lock before Redmine answers 500.
        return f"production:\n  adapter: sqlite3\n  database: /{INSTANCES}/{name}/{FILE}\n  timeout: 5000\n"

    def check(self) -> None:
        """Nothing: it comes with Redmine."""

    def initialize(self) -> None:
        """Nothing: the first program that opens it creates it."""

    def copy_from(self, template: Path) -> None:
        copy(template / FILE, self._file)

    def start(self) -> None:
        """Nothing: it has no server."""

    def stop(self) -> None:
        """Nothing: it has no server."""

    def opened(self) -> AbstractContextManager[None]:
        return nullcontext()

    def reachable(self) -> bool:
        return True

    def configure(self, api_key: str) -> None:
        with closing(_open(self._file)) as connection:
            connection.executescript(CONFIGURE.format(api_key=api_key))

    def empty(self) -> None:
        with closing(_open(self._file)) as connection, connection:
            for table in DEFAULT_DATA:
                connection.execute(f"DELETE FROM {table}")
                connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            connection.execute(DEFAULT_SETTINGS)

    def save(self, file: Path) -> None:
        copy(self._file, file)

    def restore(self, file: Path) -> None:
        # Not left to SQLite: it takes a file that does not exist for an empty database.
        if _header(file) != HEADER:
            raise SandboxError(f"{file} is not a snapshot of a sandbox with SQLite.")
        restore(file, self._file)


def _header(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(len(HEADER))
    except OSError as error:
        raise SandboxError(f"Cannot read the snapshot {file}: {error.strerror}.") from None


def copy(source: Path, target: Path) -> None:
    """Make `target` a copy of `source`; both may be in use. Raises SandboxError if one stays locked."""
    # `closing`, as a connection's own `with` ends a transaction and leaves the file open.
    with closing(_open(source)) as old, closing(_open(target)) as new:
        _backup(old, new)


def restore(snapshot: Path, live: Path) -> None:
    """Replace the contents of the `live` database with `snapshot`, in milliseconds, even while Redmine is running."""
    with closing(_open(snapshot)) as old, closing(_open(live)) as new:
        # Not by replacing the file: a server keeps the old one open, and would go on writing there.
        _backup(old, new)
        with new:
            new.execute(TOUCH)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE)
    connection.execute("PRAGMA synchronous = OFF")  # faster; a power cut may lose data, which is disposable
    return connection


def _backup(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    deadline = time.monotonic() + PATIENCE

    def check(_status: int, _remaining: int, _total: int) -> None:
        if time.monotonic() > deadline:
            raise SandboxError(f"The sandbox's database was locked for {PATIENCE:.0f} s; try again.")

    # Without `pages` it copies all at once; `sleep` is the pause after a locked database, which calls `check`.
    old.backup(new, progress=check, sleep=0.005)
