"""A PostgreSQL server of the instance's own, in its folder.

    initdb   a cluster in the folder `postgresql`, owned by the user who runs the sandbox and closed to all others
    access   by a Unix socket in that folder only, and by the kernel's word for who connects (`peer`): no port,
             no password
    states   the contents as text (`pg_dump`), put back into the tables that are there: their connections stay open

Its processes are found by their current folder, which is the cluster's: a pid in a file may be another program's.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from reconciler.errors import SandboxError
from reconciler.sandbox import inside, process
from reconciler.sandbox.database import CONFIGURE, DEFAULT_DATA, DEFAULT_SETTINGS, INSTANCES

CLUSTER, LOG, LOCK = "postgresql", "postgresql.log", "postgresql.lock"
PID_FILE, SOCKET = "postmaster.pid", ".s.PGSQL.5432"
PROGRAMS = "usr/lib/postgresql"
USER, DATABASE = "www-data", "redmine"
START_TIMEOUT, STOP_TIMEOUT, SQL_TIMEOUT = 60.0, 20.0, 600.0  # seconds

# As on most servers: texts are sorted as people do it, not by code points.
INITDB = (
    *(f"--username={USER}", "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8"),
    *("--locale-provider=icu", "--icu-locale=en-US"),
    # Small files of the log of changes, as each new instance copies one.
    *("--no-sync", "--wal-segsize=4"),
)
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '.'
unix_socket_permissions = 0700
dynamic_shared_memory_type = mmap  # a plain chroot has no /dev/shm
# A crash of the machine may lose data, which is disposable. A killed server loses nothing.
fsync = off
full_page_writes = off
synchronous_commit = off
jit = off  # its compiler is not unpacked
timezone = 'UTC'
"""
HEADER = "-- PostgreSQL database dump"
COPIED = re.compile(r"^COPY (public\.\S+) \(", re.MULTILINE)  # a dump has this line for every table, also an empty one
CLEAR = """
SET client_min_messages = warning;
SET session_replication_role = replica;  -- no checks of foreign keys: the order of the tables does not matter
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
        IF name <> ALL (ARRAY[{tables}]) THEN
            EXECUTE 'DROP TABLE ' || name || ' CASCADE';
        END IF;
    END LOOP;
END $$;
TRUNCATE {names};
"""
# As of a server that has run for long. Without statistics, which it makes by itself only later, and of tables with few
# rows never, pages of issues with their relations take a quarter longer (6.1, 10,000 issues).
ANALYZE = "\nANALYZE;\n"
# Redmine caches its settings until the latest `updated_on` changes (Setting.check_cache).
TOUCH = "\nUPDATE public.settings SET updated_on = clock_timestamp() AT TIME ZONE 'UTC';\n"


class PostgreSQL:
    """PostgreSQL from Debian's packages (see `database.Database`)."""

    name: ClassVar[str] = "postgresql"
    title: ClassVar[str] = "PostgreSQL"
    # Not redmine-pgsql, which only depends on ruby-pg, and which Debian forbids beside redmine-sqlite.
    packages: ClassVar[Sequence[str]] = ("postgresql", "ruby-pg")
    suffix: ClassVar[str] = ".sql"
    files: ClassVar[Sequence[str]] = (f"{CLUSTER}*",)
    workers: ClassVar[int] = 2
    most_workers: ClassVar[int] = 32

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder, self._data = root, folder, folder / CLUSTER

    def threads(self, version: str) -> str:
        return "1:1"

    def yml(self, name: str) -> str:
        host = f"/{INSTANCES}/{name}/{CLUSTER}"
        return (
            f"production:\n  adapter: postgresql\n  database: {DATABASE}\n  host: {host}\n  username: {USER}\n"
            "  encoding: utf8\n"
        )

    def check(self) -> None:
        self._unprivileged("Checking PostgreSQL's programs", [self._program("postgres"), "--version"])
        ruby = inside.command(self._root, ["ruby", "-e", "require 'pg'"], {})
        process.run(ruby, what="Checking PostgreSQL's library for Ruby", timeout=START_TIMEOUT)

    def initialize(self) -> None:
        inside.prepare(self._root, self._folder)
        self._unprivileged("initdb", [self._program("initdb"), *INITDB, "-D", self._inner(self._data)])
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        with self.opened():
            self._sql(f"CREATE DATABASE {DATABASE}", "--dbname=postgres")

    def copy_from(self, template: Path) -> None:
        shutil.copytree(template / CLUSTER, self._data)
        inside.prepare(self._root, self._folder)

    def start(self) -> None:
        with self._locked():
            self._start()

    def stop(self) -> None:
        if not self._data.is_dir():
            return
        with self._locked():
            self._stop()

    @contextmanager
    def opened(self) -> Iterator[None]:
        if self.reachable():
            yield
            return
        # Held for the whole time: another process must not rely on a server that is about to be stopped.
        with self._locked():
            started = self._start()
            try:
                yield
            finally:
                if started:
                    self._stop()

    def reachable(self) -> bool:
        return self._postmaster() is not None and self._postmaster_file()[7:8] == ["ready"]

    def configure(self, api_key: str) -> None:
        self._sql(CONFIGURE.format(api_key=api_key))

    def empty(self) -> None:
        self._sql(f"TRUNCATE {', '.join(DEFAULT_DATA)} RESTART IDENTITY;\n{DEFAULT_SETTINGS};")

    def save(self, file: Path) -> None:
        self._sql(ANALYZE)
        argv = [self._program("pg_dump"), *self._login(), "--data-only", f"--dbname={DATABASE}"]
        text = process.run(inside.command(self._root, argv, {}), what="pg_dump", timeout=SQL_TIMEOUT)
        file.write_text(text, encoding="utf-8", newline="")

    def restore(self, file: Path) -> None:
        # The tables are emptied and filled, not replaced by others: Redmine keeps its connections and statements.
        text = _read(file)
        names = COPIED.findall(text)
        clear = CLEAR.format(names=", ".join(names), tables=", ".join(f"'{name}'" for name in names))
        self._sql(f"{clear}{text}{TOUCH}{ANALYZE}")

    def _start(self) -> bool:
        """Whether it was not running before."""
        if self._postmaster() is not None and self._answers():
            return False
        # Of a server that was killed: processes that are about to end, and a file that would stand in the way.
        self._stop()
        inside.prepare(self._root, self._folder)
        options = ["-D", self._inner(self._data), "-l", self._inner(self._folder / LOG), "-w", "-t", "60", "-s"]
        try:
            self._unprivileged("Starting PostgreSQL", [self._program("pg_ctl"), *options, "start"])
        except SandboxError as error:
            raise SandboxError(f"{error}\nFrom its log:\n{self._log()}") from None
        return True

    def _answers(self) -> bool:
        """Whether it accepts connections: one that is just being killed has its process for a moment longer."""
        argv = [self._program("pg_isready"), "--quiet", *self._login(), "--timeout=10"]
        try:
            process.run(inside.command(self._root, argv, {}), what="pg_isready", timeout=START_TIMEOUT)
        except SandboxError:
            return False
        return True

    def _stop(self) -> None:
        leader = self._postmaster()
        deadline = time.monotonic() + STOP_TIMEOUT
        if leader is not None:
            _send(leader, signal.SIGINT)  # a fast shutdown: transactions are rolled back, connections closed
        while self._postmaster() is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        while left := self._processes():
            for number in left:
                _send(number, signal.SIGKILL)
            time.sleep(0.02)
        # A new server would believe them if another process, or a dead one that nobody has reaped, has that pid.
        for leftover in (PID_FILE, f"{SOCKET}.lock"):
            (self._data / leftover).unlink(missing_ok=True)

    def _postmaster(self) -> int | None:
        """The process id of the running server, or None."""
        with suppress(IndexError, ValueError):
            number = int(self._postmaster_file()[0])
            if _works_in(f"/proc/{number}", self._data):
                return number
        return None

    def _postmaster_file(self) -> list[str]:
        with suppress(OSError):
            return [line.strip() for line in (self._data / PID_FILE).read_text().splitlines()]
        return []

    def _processes(self) -> list[int]:
        """All processes of its server."""
        return [int(p.name) for p in Path("/proc").glob("[0-9]*") if _works_in(str(p), self._data)]

    def _sql(self, text: str, database: str = f"--dbname={DATABASE}") -> None:
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        # CREATE DATABASE cannot be part of a transaction.
        one = ["--single-transaction"] if database.endswith(f"={DATABASE}") else []
        argv = [self._program("psql"), *self._login(), *options, *one, database]
        process.run(inside.command(self._root, argv, {}), what="psql", timeout=SQL_TIMEOUT, text=text)

    def _login(self) -> list[str]:
        return [f"--host={self._inner(self._data)}", f"--username={USER}"]

    def _unprivileged(self, what: str, argv: Sequence[str]) -> None:
        command = inside.unprivileged(self._root, argv)
        process.run(command, what=what, timeout=START_TIMEOUT + 10)

    def _program(self, name: str) -> str:
        # The client's wrappers in /usr/bin need Perl and Debian's own registry of clusters.
        found = sorted((self._root / PROGRAMS).glob(f"*/bin/{name}"))
        if not found:
            raise SandboxError(f"{self._root} has no PostgreSQL; start the sandbox again to download it.")
        return self._inner(found[-1])

    def _inner(self, path: Path) -> str:
        return f"/{path.relative_to(self._root)}"

    def _log(self) -> str:
        with suppress(OSError):
            return process.tail((self._folder / LOG).read_text(errors="replace"))
        return ""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _read(file: Path) -> str:
    try:
        # Carriage returns of texts are escaped; any others are the file's own.
        with file.open(encoding="utf-8", newline="") as opened:
            text = opened.read()
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        raise SandboxError(f"Cannot read the snapshot {file}: {error.strerror}.") from None
    if HEADER not in text[:200]:
        raise SandboxError(f"{file} is not a snapshot of a sandbox with PostgreSQL.")
    return text


def _works_in(process_folder: str, folder: Path) -> bool:
    """Whether a process of /proc has this current folder. By what it is: it is seen from another place inside."""
    with suppress(OSError):
        return Path(process_folder, "cwd").samefile(folder)
    return False


def _send(number: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(number, sign)
