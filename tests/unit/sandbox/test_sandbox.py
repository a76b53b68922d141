"""The sandbox's parts: what it reads, runs, locks and refuses, without a Redmine."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import sandbox as cli
from reconciler.errors import SandboxError
from reconciler.sandbox import (
    Sandbox,
    archive,
    base,
    default_home,
    inside,
    process,
    server,
    sqlite,
)

ONE_LINE = """
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.gpg] https://third.example/linux/debian bookworm stable
deb [signed-by=/usr/share/keyrings/other.gpg] https://php.example bookworm main
deb http://deb.example/debian trixie main contrib  # ours
deb-src http://deb.example/source trixie main
"""
DEB822 = """\
# made by the installer
Types: deb deb-src
URIs: cdrom:[Debian] http://deb.example/signed
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main
"""
UBUNTU = "deb http://archive.example/ubuntu noble main\ndeb http://archive.example/ubuntu noble-updates main\n"


def etc_apt(folder: Path, **files: str) -> Path:
    """An /etc/apt with these files in sources.list.d (`_` stands for the dot)."""
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        (folder / "sources.list.d" / name.replace("_", ".")).write_text(text)
    return folder


def test_archive_is_the_machines_own_in_one_line_format(tmp_path: Path) -> None:
    """Comments, third parties and sources of source code are passed over in a .list file."""
    assert archive.debian_archive(etc_apt(tmp_path, a_list=ONE_LINE)) == "http://deb.example/debian"


def test_archive_prefers_what_debians_keyring_signs(tmp_path: Path) -> None:
    """A .sources stanza signed by Debian's keyring wins over an unsigned line, and CD-ROMs do not count."""
    assert archive.debian_archive(etc_apt(tmp_path, a_list=ONE_LINE, b_sources=DEB822)) == "http://deb.example/signed"


def test_archive_of_another_distribution_is_refused(tmp_path: Path) -> None:
    """On a machine without a Debian source the sentence offers --archive and a server of one's own."""
    with pytest.raises(SandboxError, match=r"--archive URL.*REDMINE_URL"):
        archive.debian_archive(etc_apt(tmp_path, ubuntu_list=UBUNTU))


def test_missing_keyring_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Debian's keyring nothing is unpacked unverified: the package to install is named."""
    monkeypatch.setattr(archive, "KEYRINGS", (tmp_path / "none.gpg",))
    with pytest.raises(SandboxError, match="debian-archive-keyring"):
        archive.keyring()


def test_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a machine that is no Debian, the sentence says which program is missing and what else to do."""
    monkeypatch.setattr(process, "PATH", str(tmp_path))
    with pytest.raises(SandboxError, match=r"needs apt-get, dpkg.*REDMINE_URL and REDMINE_API_KEY"):
        Sandbox(home=tmp_path / "home").start()


@pytest.fixture
def keyring(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's keyring, which a machine with another distribution does not have; nothing is verified by it."""
    path = tmp_path_factory.mktemp("keyring") / "debian.gpg"
    path.touch()
    monkeypatch.setattr(archive, "KEYRINGS", (path,))


def test_unreachable_suite_is_explained(keyring: None, tmp_path: Path) -> None:
    """When the packages cannot be fetched, the suite and the other versions are named; no trace is left."""
    with pytest.raises(
        SandboxError, match=r"(?s)Cannot download Redmine's packages from Debian forky.*6\.0 in trixie.*apt-get update"
    ):
        Sandbox("6.1", home=tmp_path, archive=f"file:{tmp_path}/nothing").start()
    assert [path.name for path in tmp_path.iterdir()] == ["6.1.lock"]


def test_archive_option_must_be_an_address(tmp_path: Path) -> None:
    """Text that apt would read as options of the source is not accepted as its address."""
    with pytest.raises(SandboxError, match="is not the URL"):
        Sandbox("6.1", home=tmp_path, archive="[trusted=yes] http://evil.example").start()


@pytest.mark.parametrize("name", ["../x", "_template", "a b", ".", "x" * 41])
def test_names_are_checked(name: str) -> None:
    """A name that is no plain folder name is refused."""
    with pytest.raises(SandboxError, match="Invalid sandbox name"):
        Sandbox("6.0", name=name)


def test_other_versions_are_refused() -> None:
    """A version that Debian does not have is refused with the list of those it has."""
    with pytest.raises(SandboxError, match=r"5\.0, 6\.0, 6\.1"):
        Sandbox("4.2")


def test_unreadable_setup_is_refused_before_any_work(tmp_path: Path) -> None:
    """A setup file that is not there ends the start before anything is made."""
    with pytest.raises(SandboxError, match=r"Cannot read the Ruby file .*no\.rb"):
        Sandbox(home=tmp_path / "home").start([tmp_path / "no.rb"])
    assert not (tmp_path / "home").exists()


def test_failing_program_is_quoted_without_credentials() -> None:
    """The end of a failed program's output is in the error, and the password of an address is not."""
    script = "import sys; sys.exit('cannot fetch http://me:canary@deb.example/x')"
    with pytest.raises(SandboxError, match=r"(?s)Fetching failed.*http://deb\.example/x") as caught:
        process.run([sys.executable, "-c", script], what="Fetching", timeout=30)
    assert "canary" not in str(caught.value)


def test_ruby_errors_are_quoted_without_the_stack() -> None:
    """Of an uncaught Ruby exception the message is shown, not the frames that follow it."""
    assert (
        process.tail("stdin:1: boom (RuntimeError)\n\tfrom /usr/lib/x.rb:1:in `y'\n")
        == "  stdin:1: boom (RuntimeError)"
    )


@pytest.mark.slow
def test_overdue_program_is_killed_with_its_children(tmp_path: Path) -> None:
    """A program that takes too long is killed, and what it started with it."""
    pid_file = tmp_path / "pid"
    with pytest.raises(SandboxError, match="did not finish within"):
        process.run(["sh", "-c", f'sleep 60 & echo $! >"{pid_file}"; wait'], what="Sleeping", timeout=2)
    assert dies_within(5, Path(f"/proc/{pid_file.read_text().strip()}/stat"))


def dies_within(seconds: float, stat: Path) -> bool:
    """Whether the process of this `/proc/PID/stat` ends in time; one that nobody has reaped yet has ended."""
    deadline = time.monotonic() + seconds
    with suppress(FileNotFoundError, ProcessLookupError):
        while ") Z " not in stat.read_text():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True


def settings_database(path: Path) -> Path:
    """A database with what `restore` touches, in the journal mode of Redmine 6."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript("CREATE TABLE settings (name, updated_on); INSERT INTO settings VALUES ('x', '2000')")
    return path


def test_restore_reaches_a_connection_that_is_open(tmp_path: Path) -> None:
    """A server that has the database open reads the restored rows, with settings marked as changed."""
    live, snapshot = settings_database(tmp_path / "live"), tmp_path / "snapshot"
    sqlite.copy(live, snapshot)
    with closing(sqlite3.connect(live)) as reader:
        reader.execute("UPDATE settings SET name = 'changed'")
        reader.commit()
        sqlite.restore(snapshot, live)
        [(name, updated_on)] = reader.execute("SELECT name, updated_on FROM settings").fetchall()
    assert name == "x"
    assert updated_on.startswith(time.strftime("%Y-%m-%d", time.gmtime()))


def test_restore_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that stays locked ends the restore with an error in the time allowed."""
    monkeypatch.setattr(sqlite, "PATIENCE", 0.2)
    live, snapshot = settings_database(tmp_path / "live"), tmp_path / "snapshot"
    sqlite.copy(live, snapshot)
    with closing(sqlite3.connect(live, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(SandboxError, match="was locked"):
            sqlite.restore(snapshot, live)


def test_another_process_is_not_taken_for_the_server(tmp_path: Path) -> None:
    """A recorded pid that the kernel gave to another program is not ours, so it is never killed."""
    (tmp_path / server.PID_FILE).write_text(str(os.getpid()))
    assert server.pid(tmp_path, 3161) is None
    server.stop(tmp_path, 3161)


def test_a_server_that_gives_itself_a_title_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment its command line is empty, or cut off: it is read again before the server counts as gone."""
    lines = [b"", b"puma 5.6.5 (tcp://127", b"puma 5.6.5 (tcp://127.0.0.1:3161)"]
    monkeypatch.setattr(process, "command_line", lambda number: lines.pop(0))
    (tmp_path / server.PID_FILE).write_text("12")
    assert server.pid(tmp_path, 3161) == 12


def test_a_server_that_nobody_has_waited_for_is_gone(tmp_path: Path) -> None:
    """It has ended, although it is still in the list of processes, without a command line."""
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        (tmp_path / server.PID_FILE).write_text(str(ended.pid))
        with pytest.raises(OSError, match="exe"):
            process.command_line(ended.pid)
        assert server.pid(tmp_path, 3161) is None


@pytest.mark.parametrize(("written", "said"), [("", ""), ("4194304\n", "exited while starting; start it again")])
def test_a_server_has_exited_once_its_process_is_gone(tmp_path: Path, written: str, said: str) -> None:
    """Not while its file is there and still empty: the shell makes it before it writes to it."""
    (tmp_path / server.PID_FILE).write_text(written)
    assert server._why_failed(tmp_path, 3161, 0, time.monotonic() + 60) == said


def test_taken_port_is_replaced() -> None:
    """A port in use gives way to a free one."""
    with closing(socket.create_server((server.HOST, 0))) as taken:
        port = taken.getsockname()[1]
        assert not server.is_free(port)
        assert server.free_port(port) not in (port, 0)


@pytest.mark.parametrize(("namespaces", "first"), [(True, "unshare"), (False, "chroot")])
def test_programs_inside_get_a_clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, namespaces: bool, first: str
) -> None:
    """Whichever way the folder is entered, the caller's environment stays outside."""
    monkeypatch.setattr(inside, "namespaces", lambda: namespaces)
    argv = inside.command(tmp_path, ["puma"], {"REDMINE_INSTANCE": "x"})
    assert argv[0] == first
    assert argv[argv.index("/usr/bin/env") :][:2] == ["/usr/bin/env", "-i"]
    assert argv[-2:] == ["REDMINE_INSTANCE=x", "puma"]


def test_lock_makes_others_wait(tmp_path: Path) -> None:
    """While one start holds a version's lock, another says that it waits, and goes on when it is let go."""
    said: list[str] = []
    with (tmp_path / "6.1.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        def let_go(message: str) -> None:
            said.append(message)
            fcntl.flock(other, fcntl.LOCK_UN)

        with base.lock(tmp_path, "6.1", let_go):
            assert [m.partition(" ")[0] for m in said] == ["Waiting"]


def test_unusable_folder_is_named(tmp_path: Path) -> None:
    """A folder that is a file, below one or not writable is an error that names it and what to set instead."""
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        with (
            pytest.raises(SandboxError, match=f"folder {home} cannot be used.*RECONCILER_SANDBOX_HOME"),
            base.lock(home, "6.1", lambda _: None),
        ):
            pass


def test_killed_build_is_swept_away(keyring: None, tmp_path: Path) -> None:
    """What a build that was killed left behind is removed by the next one."""
    (tmp_path / "6.1.new-dead" / "root").mkdir(parents=True)
    with pytest.raises(SandboxError, match="Cannot download"):
        base.make(tmp_path, "6.1", f"file:{tmp_path}/nothing", lambda _: None)
    assert list(tmp_path.glob("6.1.new-*")) == []


def test_commands_without_any_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With no sandbox `status` exits with 1, `stop` has nothing to do and `reset` says how to start one."""
    monkeypatch.setenv("RECONCILER_SANDBOX_HOME", str(tmp_path / "home"))
    run = CliRunner().invoke
    assert run(cli.sandbox, ["status"]).exit_code == 1
    assert "No sandbox to stop" in run(cli.sandbox, ["stop"]).stderr
    assert run(cli.sandbox, ["stop", "--all", "--destroy"]).exit_code == 0
    assert isinstance(run(cli.sandbox, ["reset"]).exception, SandboxError)
    assert not (tmp_path / "home").exists()


def test_home_is_the_users_cache_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """RECONCILER_SANDBOX_HOME moves everything the sandbox makes."""
    monkeypatch.setenv("RECONCILER_SANDBOX_HOME", str(tmp_path))
    assert Sandbox("6.1").db == tmp_path / "6.1/var/lib/redmine/6.1/redmine.sqlite3"
    monkeypatch.delenv("RECONCILER_SANDBOX_HOME")
    assert default_home().name == "sandbox"


def test_a_snapshot_in_a_file(tmp_path: Path) -> None:
    """`snapshot(file)` keeps the contents for `reset(file)`, and does not move what `reset()` returns to."""
    sandbox = Sandbox("6.1", name="x", home=tmp_path)
    sandbox.db.parent.mkdir(parents=True)
    (sandbox.folder / "instance.json").write_text('{"port": 1, "api_key": "k"}')
    settings_database(sandbox.db)
    sandbox.snapshot()

    def values() -> list[str]:
        with closing(sqlite3.connect(sandbox.db)) as live:
            return [name for (name,) in live.execute("SELECT name FROM settings")]

    first = values()
    with closing(sqlite3.connect(sandbox.db)) as live, live:
        live.execute("UPDATE settings SET name = 'kept'")
    sandbox.snapshot(tmp_path / "kept")
    sandbox.reset()
    assert values() == first
    sandbox.reset(tmp_path / "kept")
    assert values() == ["kept"] * len(first)
    for other in (tmp_path / "no", Path(__file__)):
        with pytest.raises(SandboxError, match="snapshot"):
            sandbox.reset(other)
