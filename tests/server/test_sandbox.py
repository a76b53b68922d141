"""The sandbox: real Redmines from the first start to the last trace."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from servers import claim

from reconciler.cli import sandbox as cli
from reconciler.errors import SandboxError
from reconciler.sandbox import (
    Running,
    Sandbox,
    inside,
    server,
    warm,
)

FIELD = "IssueCustomField.create!(name: '{}', field_format: 'string', is_for_all: true, trackers: Tracker.all)\n"


# From here on, real servers.


@pytest.fixture
def own(redmine_version: str) -> Iterator[Sandbox]:
    """A sandbox of this test's own, gone afterwards; the version's base stays."""
    with claim(f"test-life-{redmine_version}") as name:
        sandbox = Sandbox(redmine_version, name=name)
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
