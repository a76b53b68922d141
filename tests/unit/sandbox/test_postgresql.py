"""A sandbox with PostgreSQL: what is downloaded, started, refused, put back and stopped, without a PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import Sandbox, base, inside, packages, postgresql, process, server
from reconciler.sandbox.postgresql import PostgreSQL
from reconciler.sandbox.sqlite import SQLite

DUMP = "--\n-- PostgreSQL database dump\n--\nCOPY public.users (id) FROM stdin;\n1\n\\.\nCOPY public.settings (id) FROM stdin;\n\\.\n"


def instance(home: Path, name: str, **state: str | int) -> Path:
    """The folder of an instance with this state."""
    folder = home / "6.1" / base.INSTANCES / name
    folder.mkdir(parents=True)
    (folder / "instance.json").write_text(json.dumps({"port": 1, "api_key": "k", **state}))
    return folder


def cluster(tmp_path: Path) -> PostgreSQL:
    """A database whose programs are there by name."""
    (tmp_path / "usr/lib/postgresql/15/bin").mkdir(parents=True)
    for name in ("psql", "pg_dump", "pg_ctl", "pg_isready"):
        (tmp_path / "usr/lib/postgresql/15/bin" / name).touch()
    (tmp_path / "x" / postgresql.CLUSTER).mkdir(parents=True)
    return PostgreSQL(tmp_path, tmp_path / "x")


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works in the cluster's folder, as those of its server do."""
    folder = tmp_path / "x" / postgresql.CLUSTER
    folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], cwd=folder) as started:
        yield started
        started.kill()


def test_default_name_tells_the_database(tmp_path: Path) -> None:
    """Sandboxes of both databases stand side by side without --name."""
    names = [Sandbox("6.1", database=asked, home=tmp_path).name for asked in (None, "sqlite", "postgresql")]
    assert names == ["6.1", "6.1", "6.1-postgresql"]


def test_unknown_database_is_refused() -> None:
    """The databases that there are, are named."""
    with pytest.raises(SandboxError, match="mysql; available: sqlite, postgresql"):
        Sandbox("6.1", database="mysql")


@pytest.mark.parametrize(
    ("database", "workers", "said"),
    [("sqlite", 2, r"SQLite has 1 worker.*--database postgresql"), ("postgresql", 0, "1 to 32 workers, not 0")],
)
def test_numbers_of_workers_are_checked_before_any_work(tmp_path: Path, database: str, workers: int, said: str) -> None:
    """What a database cannot serve is refused, with the one that can."""
    with pytest.raises(SandboxError, match=said):
        Sandbox("6.1", database=database, workers=workers, home=tmp_path / "home").start()
    assert not (tmp_path / "home").exists()


def test_a_sandbox_keeps_its_database(tmp_path: Path) -> None:
    """Another database than it has is refused, and what to do is said; none asked for is that which it has."""
    instance(tmp_path, "x", database="postgresql")
    with pytest.raises(SandboxError, match=r"has PostgreSQL, and keeps it. For SQLite, choose another --name, or"):
        Sandbox("6.1", name="x", database="sqlite", home=tmp_path).start()
    with pytest.raises(SandboxError, match=r"is stopped. Start it: reconciler sandbox start --redmine 6.1 --name x"):
        Sandbox("6.1", name="x", home=tmp_path).runner()


def test_a_sandbox_of_an_older_version_has_sqlite(tmp_path: Path) -> None:
    """A state that does not say a database is that of one worker with SQLite."""
    instance(tmp_path, "x")
    with pytest.raises(SandboxError, match="has SQLite"):
        Sandbox("6.1", name="x", database="postgresql", home=tmp_path).start()


@pytest.mark.parametrize("namespaces", [True, False])
def test_its_server_does_not_run_as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, namespaces: bool) -> None:
    """PostgreSQL refuses root: it gets another user, in a namespace of its own where everybody is root."""
    monkeypatch.setattr(inside, "namespaces", lambda: namespaces)
    argv = " ".join(inside.unprivileged(tmp_path, ["initdb"]))
    assert ("--map-user=33" if namespaces else "--userspec=+33:+33") in argv
    assert argv.endswith(" initdb")


def test_only_what_is_missing_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beside Redmine's packages, PostgreSQL's are fetched without what no sandbox uses."""
    downloaded: list[str] = []
    needed = {"redmine": "redmine libssl3", "postgresql": "postgresql-18 libpq5 libllvm19 libperl5.42 libssl3"}

    def apt(_settings: Path, _suite: str, _timeout: float, *arguments: str, **_: object) -> str:
        if arguments[0] == "download":
            downloaded.extend(arguments[1:])
        names = " ".join(needed.get(argument, "") for argument in arguments).split()
        return "Reading lists\n" + "".join(f"'http://h/{n}_1_all.deb' {n}_1_all.deb 9 SHA256:0\n" for n in names)

    monkeypatch.setattr(packages, "_apt", apt)
    monkeypatch.setattr(packages, "_lists", lambda *_: tmp_path)
    packages.add(PostgreSQL.packages, "forky", tmp_path / "root", None, lambda _: None, "PostgreSQL")
    assert downloaded == ["libpq5", "postgresql-18"]


def test_a_reset_refills_the_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tables of the snapshot are emptied and filled in one transaction, others dropped, settings touched."""
    runs: list[tuple[list[str], str]] = []
    monkeypatch.setattr(process, "run", lambda argv, text="", **_: runs.append((argv, text)))
    (tmp_path / "kept.sql").write_text(DUMP)
    cluster(tmp_path).restore(tmp_path / "kept.sql")
    [(argv, text)] = runs
    assert "--single-transaction" in argv
    steps = (
        "public.users', 'public.settings'",
        "DROP TABLE",
        "TRUNCATE public.users, public.settings;",
        DUMP,
        "UPDATE",
    )
    places = [text.index(step) for step in steps]
    assert places == sorted(places)


@pytest.mark.parametrize("contents", [b"SQLite format 3\0\xff", b"SELECT 1", None])
def test_other_files_are_no_snapshots(tmp_path: Path, contents: bytes | None) -> None:
    """A file of another database, of something else or of nothing is refused before anything is emptied."""
    if contents is not None:
        (tmp_path / "kept").write_bytes(contents)
    with pytest.raises(SandboxError, match="snapshot"):
        cluster(tmp_path).restore(tmp_path / "kept")


def test_its_processes_are_known_by_their_folder(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """A recorded process is its server only in its folder, and `stop` leaves none there, nor what a start obeys."""
    database, data = PostgreSQL(tmp_path, tmp_path / "x"), tmp_path / "x" / postgresql.CLUSTER
    (data / postgresql.PID_FILE).write_text("1\n")
    (data / f"{postgresql.SOCKET}.lock").touch()
    assert not database.reachable()
    (data / postgresql.PID_FILE).write_text(f"{sleeper.pid}\n" + "\n" * 6 + "ready   \n")
    assert database.reachable()
    database.stop()
    assert sleeper.wait(10) < 0
    assert list(data.iterdir()) == []


def test_sqlite_has_no_server(tmp_path: Path) -> None:
    """With SQLite, programs inside can always use it, and there is nothing to start or stop."""
    database = SQLite(tmp_path, tmp_path)
    database.check()
    database.initialize()
    database.start()
    database.stop()
    assert database.reachable()
    assert list(tmp_path.iterdir()) == []


def test_workers_of_a_killed_server_are_stopped(tmp_path: Path) -> None:
    """Processes whose server was killed are found by its process id and port, and killed with it."""
    port, pid_file = server.free_port(server.ANY), tmp_path / server.PID_FILE
    pid_file.write_text("4194400\n")
    # The name of a process is its first argument.
    title = f"puma: cluster worker 0: 4194400 [{server.HOST}:{port}]"
    with subprocess.Popen([title, "60"], executable="/bin/sleep") as worker:
        # Empty for a moment after the start.
        while not Path(f"/proc/{worker.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        # The same port may be given twice, as nothing listens on it.
        server.stop(
            tmp_path, next(other for other in iter(partial(server.free_port, server.ANY), None) if other != port)
        )
        assert worker.poll() is None, "that of another port"
        pid_file.write_text("4194400\n")
        server.stop(tmp_path, port)
        assert worker.wait(10) < 0
