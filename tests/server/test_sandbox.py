"""The sandbox: real Redmines from the first start to the last trace."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from servers import disposable

from reconciler.cli import sandbox as cli
from reconciler.errors import SandboxError
from reconciler.sandbox import (
    Running,
    Sandbox,
    inside,
    server,
    warm,
)
from reconciler.sandbox.postgresql import PostgreSQL

FIELD = "IssueCustomField.create!(name: '{}', field_format: 'string', is_for_all: true, trackers: Tracker.all)\n"


# From here on, real servers.


@pytest.fixture
def own(redmine_version: str) -> Iterator[Sandbox]:
    """A sandbox of this test's own, gone afterwards; the version's base stays."""
    with disposable("life", redmine_version) as sandbox:
        yield sandbox


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


def test_reset_is_complete_and_keeps_the_server(redmine: Sandbox, world: Running) -> None:
    """`reset` removes what was created, gives its ids again, and is noticed by the server, which goes on running."""
    headers = {"X-Redmine-API-Key": world.api_key}
    with httpx.Client(base_url=world.url, headers=headers, trust_env=False, timeout=30) as http:
        for _ in range(3):
            made = http.post("/projects.json", json={"project": {"name": "P", "identifier": "p"}})
            assert (made.status_code, made.json()["project"]["id"]) == (201, 1)
            redmine.reset()
            # Starting another server would take seconds.
            assert redmine.status() == world
            assert http.get("/projects.json").json()["total_count"] == 0


def test_server_notices_settings_that_reset_brought_back(redmine: Sandbox, world: Running) -> None:
    """A setting that is cached in the server counts again after `reset`, and no mail is ever sent."""
    assert (
        redmine.run("puts Setting.notified_events.inspect; Setting.rest_api_enabled = ENV['REST']", REST="0") == "[]\n"
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


PROGRAM = (
    "puts ENV['GIVEN'], ENV['REDMINE_INSTANCE'], User.current.login, Process.ppid; warn 'said'; exit ENV['CODE'].to_i"
)


def test_programs_share_a_process_that_has_redmine_loaded(redmine: Sandbox, world: Running) -> None:
    """Programs have environment, streams, exit code and current settings as of their own; `stop` ends the process."""
    parents = set()
    for given, code in (("one", 0), ("two words", 0), ("three", 3)):
        ran = subprocess.run(
            redmine.runner(GIVEN=given, CODE=str(code)), input=PROGRAM, capture_output=True, text=True, check=False
        )
        *said, parent = ran.stdout.splitlines()
        assert (said, ran.stderr, ran.returncode) == ([given, redmine.name, ""], "said\n", code)
        parents.add(int(parent))
    assert parents == {warm.pid(redmine.folder)}
    with pytest.raises(SandboxError, match=r"exit code -9"):
        redmine.run("Process.kill(:KILL, Process.pid)")
    redmine.run("Setting.app_title = 'New'")
    assert redmine.run("puts Setting.app_title") == "New\n"
    warm.stop(redmine.folder)
    assert warm.pid(redmine.folder) is None
    assert redmine.run("puts 'again'") == "again\n"


def test_a_program_ends_with_its_caller(redmine: Sandbox, world: Running) -> None:
    """A caller that is killed takes its program along, which otherwise would go on writing."""
    program = "puts Process.pid; $stdout.flush; sleep"
    with subprocess.Popen(
        redmine.runner(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as caller:
        assert caller.stdin is not None and caller.stdout is not None
        caller.stdin.write(program)
        caller.stdin.close()
        number = int(caller.stdout.readline())
        caller.kill()
    until = time.monotonic() + 30
    while Path(f"/proc/{number}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{number}").exists()


def ways_in() -> list[bool]:
    """Whether to use namespaces: what this machine allows, and as root without them too."""
    if os.geteuid() != 0:
        return [True]
    return [True, False] if inside.namespaces() else [False]


@pytest.mark.parametrize("namespaces", ways_in())
def test_either_way_of_entering_serves_writes(own: Sandbox, monkeypatch: pytest.MonkeyPatch, namespaces: bool) -> None:
    """In a user namespace or, as root, by a plain chroot, the server can write its database and files."""
    monkeypatch.setattr(inside, "namespaces", lambda: namespaces)
    running = own.start()
    headers = {"X-Redmine-API-Key": running.api_key, "Content-Type": "application/octet-stream"}
    for _ in range(2):
        sent = httpx.post(f"{running.url}/uploads.json", content=b"x", headers=headers, trust_env=False, timeout=30)
        assert sent.status_code == 201
        own.reset()


@pytest.fixture(scope="module")
def large(redmine_version: str) -> Iterator[Sandbox]:
    """A sandbox with PostgreSQL and two workers, one for all of its tests; gone afterwards."""
    with disposable("pg", redmine_version, database="postgresql", workers=2) as sandbox:
        yield sandbox


def database_of(sandbox: Sandbox) -> PostgreSQL:
    """The database of a sandbox, to see its processes."""
    return PostgreSQL(sandbox.folder.parents[3], sandbox.folder)


def post(running: Running, path: str, body: object) -> httpx.Response:
    """The answer to a write of the administrator."""
    headers = {"X-Redmine-API-Key": running.api_key}
    return httpx.post(f"{running.url}{path}", headers=headers, json=body, trust_env=False, timeout=60)


PROJECT = {"project": {"name": "P", "identifier": "p"}}


def issue(number: int) -> object:
    """The body that creates an issue."""
    return {"issue": {"project_id": "p", "subject": f"Issue {number}", "tracker_id": 1}}


def test_several_workers_write_at_the_same_time(large: Sandbox, tmp_path: Path) -> None:
    """Concurrent writes all succeed, `reset` removes them for all workers, and ids start again."""
    setup = tmp_path / "setup.rb"
    setup.write_text(FIELD.format("Grüße"), encoding="utf-8")
    running = large.start([setup])
    assert (running.database, running.workers, fields(running)) == ("postgresql", 2, ["Grüße"])
    for _ in range(2):
        assert post(running, "/projects.json", PROJECT).json()["project"]["id"] == 1
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda number: post(running, "/issues.json", issue(number)), range(12)))
        assert [answer.status_code for answer in made] == [201] * 12
        assert sorted(answer.json()["issue"]["id"] for answer in made) == list(range(1, 13))
        large.run("Setting.rest_api_enabled = '0'")
        large.reset()
        # New connections each time: both workers answer.
        assert {get(running, "/projects.json").json()["total_count"] for _ in range(6)} == {0}


def test_postgresql_knows_how_its_tables_are_filled(large: Sandbox, tmp_path: Path) -> None:
    """After a snapshot and after a reset, queries are planned as on a server that has run for long: each table has
    statistics, also an empty one."""
    unknown = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
    unknown += "AND reltuples < 0"
    ask = f'puts ActiveRecord::Base.connection.select_value("{unknown}")'
    large.start()
    large.snapshot(tmp_path / "kept")
    assert large.run(ask) == "0\n"
    large.reset()
    assert large.run(ask) == "0\n"


def test_a_snapshot_of_postgresql_in_a_file(large: Sandbox, tmp_path: Path) -> None:
    """A file keeps texts with any characters for `reset(file)`; `reset` without one goes back to the setup."""
    running, name = large.start(), "Tab\tand \\N \\. ü\r\nline 🎈"
    assert post(running, "/projects.json", {"project": {**PROJECT["project"], "description": name}}).status_code == 201
    large.snapshot(tmp_path / "kept")
    large.reset()
    assert get(running, "/projects/p.json").status_code == 404
    large.reset(tmp_path / "kept")
    assert get(running, "/projects/p.json").json()["project"]["description"] == name
    large.reset()


@pytest.mark.prove_only
def test_postgresql_and_its_data_survive_what_is_killed(large: Sandbox) -> None:
    """After `kill -9` of either server or both, a start finds the same data on the same port; so after a stop."""
    running, database = large.start(), database_of(large)
    assert post(running, "/projects.json", PROJECT).status_code == 201
    for victims in (("puma",), ("postgres",), ("puma", "postgres")):
        for victim in victims:
            number = (
                running.pid
                if victim == "puma"
                else int((large.folder / "postgresql/postmaster.pid").read_text().split()[0])
            )
            os.kill(number, signal.SIGKILL)
        running = large.start(port=running.port)
        assert get(running, "/projects/p.json").status_code == 200
    large.stop()
    assert (database.reachable(), large.status()) == (False, None)
    assert large.run("puts Project.count") == "1\n", "also while it is stopped"
    large.reset()
    assert not database.reachable()
    assert get(large.start(), "/projects.json").json()["total_count"] == 0


def test_another_number_of_workers_restarts_the_server(large: Sandbox) -> None:
    """With another number, the server is started again on its port; `status` shows it."""
    before = large.start()
    other = Sandbox(large.version, name=large.name, workers=1)
    after = other.start()
    assert (after.port, after.workers) == (before.port, 1)
    assert after.pid != before.pid
    shown = CliRunner().invoke(cli.sandbox, ["status", "--name", large.name]).stdout
    assert "database PostgreSQL" in shown
    assert "workers  1" in shown
    assert large.start().workers == 2


def test_both_databases_side_by_side(large: Sandbox, world: Running) -> None:
    """A sandbox with SQLite and one with PostgreSQL serve at the same time."""
    running = large.start()
    assert [get(each, "/users/current.json").status_code for each in (running, world)] == [200, 200]
    large.destroy()
    assert (large.exists(), get(world, "/users/current.json").status_code) == (False, 200)
