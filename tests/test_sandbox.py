"""The sandbox: its parts, and real Redmines from the first start to the last trace."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from conftest import PER_VERSION, claim

from reconciler.cli import sandbox as cli
from reconciler.errors import SandboxError
from reconciler.sandbox import (
    Running,
    Sandbox,
    archive,
    base,
    database,
    default_home,
    inside,
    process,
    server,
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
UBUNTU = (
    "deb http://archive.example/ubuntu noble main\ndeb http://archive.example/ubuntu noble-updates main\n"
)
FIELD = (
    "IssueCustomField.create!(name: '{}', field_format: 'string', is_for_all: true, trackers: Tracker.all)\n"
)


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
    assert (
        archive.debian_archive(etc_apt(tmp_path, a_list=ONE_LINE, b_sources=DEB822))
        == "http://deb.example/signed"
    )


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


def test_unreachable_suite_is_explained(tmp_path: Path) -> None:
    """When the packages cannot be fetched, the suite and the other versions are named; no trace is left."""
    with pytest.raises(SandboxError, match=r"(?s)forky could not be fetched.*6\.0 in trixie.*apt-get update"):
        Sandbox("6.1", home=tmp_path, archive=f"file:{tmp_path}/nothing").start()
    assert [path.name for path in tmp_path.iterdir()] == ["6.1.lock"]


def test_archive_option_must_be_an_address(tmp_path: Path) -> None:
    """Text that apt would read as options of the source is not accepted as its address."""
    with pytest.raises(SandboxError, match="is not the address"):
        Sandbox("6.1", home=tmp_path, archive="[trusted=yes] http://evil.example").start()


@pytest.mark.parametrize("name", ["../x", "_template", "a b", ".", "x" * 41])
def test_names_are_checked(name: str) -> None:
    """A name that is no plain folder name is refused."""
    with pytest.raises(SandboxError, match="cannot name a sandbox"):
        Sandbox("6.0", name=name)


def test_other_versions_are_refused() -> None:
    """A version that Debian does not have is refused with the list of those it has."""
    with pytest.raises(SandboxError, match=r"5\.0, 6\.0, 6\.1"):
        Sandbox("4.2")


def test_unreadable_setup_is_refused_before_any_work(tmp_path: Path) -> None:
    """A setup file that is not there ends the start before anything is made."""
    with pytest.raises(SandboxError, match=r"no\.rb cannot be read"):
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


def test_overdue_program_is_killed_with_its_children(tmp_path: Path) -> None:
    """A program that takes too long is killed, and what it started with it."""
    pid_file = tmp_path / "pid"
    with pytest.raises(SandboxError, match="did not end within"):
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
        connection.executescript(
            "CREATE TABLE settings (name, updated_on); INSERT INTO settings VALUES ('x', '2000')"
        )
    return path


def test_restore_reaches_a_connection_that_is_open(tmp_path: Path) -> None:
    """A server that has the database open reads the restored rows, with settings marked as changed."""
    live, snapshot = settings_database(tmp_path / "live"), tmp_path / "snapshot"
    database.copy(live, snapshot)
    with closing(sqlite3.connect(live)) as reader:
        reader.execute("UPDATE settings SET name = 'changed'")
        reader.commit()
        database.restore(snapshot, live)
        [(name, updated_on)] = reader.execute("SELECT name, updated_on FROM settings").fetchall()
    assert name == "x"
    assert updated_on.startswith(time.strftime("%Y-%m-%d", time.gmtime()))


def test_restore_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that stays locked ends the restore with an error in the time allowed."""
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    live, snapshot = settings_database(tmp_path / "live"), tmp_path / "snapshot"
    database.copy(live, snapshot)
    with closing(sqlite3.connect(live, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(SandboxError, match="in use"):
            database.restore(snapshot, live)


def test_another_process_is_not_taken_for_the_server(tmp_path: Path) -> None:
    """A recorded pid that the kernel gave to another program is not ours, so it is never killed."""
    (tmp_path / server.PID_FILE).write_text(str(os.getpid()))
    assert server.pid(tmp_path, 3161) is None
    server.stop(tmp_path, 3161)


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


def test_killed_build_is_swept_away(tmp_path: Path) -> None:
    """What a build that was killed left behind is removed by the next one."""
    (tmp_path / "6.1.new-dead" / "root").mkdir(parents=True)
    with pytest.raises(SandboxError, match="could not be fetched"):
        base.make(tmp_path, "6.1", f"file:{tmp_path}/nothing", lambda _: None)
    assert list(tmp_path.glob("6.1.new-*")) == []


def test_commands_without_any_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With no sandbox `status` exits with 1, `stop` has nothing to do and `reset` says how to start one."""
    monkeypatch.setenv("RECONCILER_SANDBOX_HOME", str(tmp_path / "home"))
    run = CliRunner().invoke
    assert run(cli.sandbox, ["status"]).exit_code == 1
    assert "nothing to stop" in run(cli.sandbox, ["stop"]).stderr
    assert run(cli.sandbox, ["stop", "--all", "--destroy"]).exit_code == 0
    assert isinstance(run(cli.sandbox, ["reset"]).exception, SandboxError)
    assert not (tmp_path / "home").exists()


# From here on, real servers.


@pytest.fixture(params=PER_VERSION)
def own(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of this test's own, gone afterwards; the version's base stays."""
    with claim(f"test-life-{request.param}") as name:
        sandbox = Sandbox(request.param, name=name)
        sandbox.destroy()
        yield sandbox
        sandbox.destroy()


def get(running: Running, path: str) -> httpx.Response:
    """The answer to the administrator, or 401 to anyone else."""
    return httpx.get(
        f"{running.url}{path}", headers={"X-Redmine-API-Key": running.api_key}, trust_env=False, timeout=30
    )


def fields(running: Running) -> list[str]:
    """The names of the custom fields on the server."""
    return [field["name"] for field in get(running, "/custom_fields.json").json()["custom_fields"]]


def test_life_of_a_sandbox(own: Sandbox, tmp_path: Path) -> None:
    """Start with a setup, again, with another, with a broken one, stop, destroy: each does what it says."""
    first, second, broken = tmp_path / "1.rb", tmp_path / "2.rb", tmp_path / "3.rb"
    first.write_text(FIELD.format("Grüße"), encoding="utf-8")
    second.write_text(FIELD.format("Other"))
    broken.write_text(FIELD.format("Half") + "raise 'it rains'\n")

    running = own.start([first])
    assert fields(running) == ["Grüße"]
    assert get(running, "/issue_statuses.json").json()["issue_statuses"], "Redmine's default data is loaded"

    said: list[str] = []
    assert own.start([first], say=said.append) == running, "the same setup is no work"
    assert [message for message in said if message.startswith("Running")] == []

    assert own.start([second]).pid == running.pid
    assert fields(running) == ["Other"], "another setup starts over"

    with pytest.raises(SandboxError, match=r"3\.rb in Redmine(?s:.*)it rains"):
        own.start([broken])
    assert fields(own.start()) == [], "half a setup does not survive"

    own.stop()
    assert own.status() is None
    assert server.is_free(running.port)
    assert own.start().port == running.port, "the port is remembered"

    own.destroy()
    assert not own.exists()
    with pytest.raises(SandboxError, match="sandbox start"):
        own.reset()


def test_reset_is_fast_and_complete(redmine: Sandbox, world: Running) -> None:
    """`reset` removes what was created, gives its ids again, and is noticed by the running server."""
    headers = {"X-Redmine-API-Key": world.api_key}
    with httpx.Client(base_url=world.url, headers=headers, trust_env=False, timeout=30) as http:
        for _ in range(3):
            made = http.post("/projects.json", json={"project": {"name": "P", "identifier": "p"}})
            assert (made.status_code, made.json()["project"]["id"]) == (201, 1)
            began = time.monotonic()
            redmine.reset()
            assert time.monotonic() - began < 1
            assert http.get("/projects.json").json()["total_count"] == 0


def test_server_notices_settings_that_reset_brought_back(redmine: Sandbox, world: Running) -> None:
    """A setting that is cached in the server counts again after `reset`, and no mail is ever sent."""
    assert (
        redmine.run("puts Setting.notified_events.inspect; Setting.rest_api_enabled = ENV['REST']", REST="0")
        == "[]\n"
    )
    assert get(world, "/users/current.json").status_code != 200
    redmine.reset()
    assert get(world, "/users/current.json").status_code == 200


def test_administrator_can_log_in_with_a_browser(world: Running) -> None:
    """admin / admin works in the web form, with no change of the password demanded."""
    with httpx.Client(base_url=world.url, trust_env=False, timeout=30, follow_redirects=True) as browser:
        token = browser.get("/login").text.partition('name="authenticity_token" value="')[2].partition('"')[0]
        form = {"username": "admin", "password": "admin", "authenticity_token": token}
        page = browser.post("/login", data=form)
    assert page.url.path == "/my/page"


def test_snapshot_moves_what_reset_returns_to(own: Sandbox) -> None:
    """After `snapshot`, `reset` returns to the contents of that moment; the commands find the sandbox."""
    running, options = own.start(), ["--redmine", own.version, "--name", own.name]
    httpx.post(
        f"{running.url}/projects.json",
        headers={"X-Redmine-API-Key": running.api_key},
        json={"project": {"name": "Kept", "identifier": "kept"}},
        trust_env=False,
        timeout=30,
    ).raise_for_status()
    own.snapshot()
    run = CliRunner().invoke
    assert "Reset Redmine" in run(cli.sandbox, ["reset", *options]).stderr
    assert get(running, "/projects/kept.json").status_code == 200
    started = run(cli.sandbox, ["start", *options])
    assert started.stdout == f"REDMINE_URL={running.url}\nREDMINE_API_KEY={running.api_key}\n"
    assert "admin / admin" in run(cli.sandbox, ["status", *options]).stdout
    assert run(cli.sandbox, ["stop", *options]).exit_code == 0
    assert own.status() is None


def ways_in() -> list[bool]:
    """Whether to use namespaces: what this machine allows, and as root without them too."""
    if os.geteuid() != 0:
        return [True]
    return [True, False] if inside.namespaces() else [False]


@pytest.mark.parametrize("namespaces", ways_in())
def test_either_way_of_entering_serves_writes(
    own: Sandbox, monkeypatch: pytest.MonkeyPatch, namespaces: bool
) -> None:
    """In a user namespace or, as root, by a plain chroot, the server can write its database and files."""
    monkeypatch.setattr(inside, "namespaces", lambda: namespaces)
    running = own.start()
    headers = {"X-Redmine-API-Key": running.api_key, "Content-Type": "application/octet-stream"}
    for _ in range(2):
        sent = httpx.post(
            f"{running.url}/uploads.json", content=b"x", headers=headers, trust_env=False, timeout=30
        )
        assert sent.status_code == 201
        own.reset()


def test_home_is_the_users_cache_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """RECONCILER_SANDBOX_HOME moves everything the sandbox makes."""
    monkeypatch.setenv("RECONCILER_SANDBOX_HOME", str(tmp_path))
    assert Sandbox("6.1").db == tmp_path / "6.1/var/lib/redmine/6.1/redmine.sqlite3"
    monkeypatch.delenv("RECONCILER_SANDBOX_HOME")
    assert default_home().name == "sandbox"
