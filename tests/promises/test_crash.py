"""A run that is killed or interrupted anywhere, and run again: promise 6."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from promises import KEY, Api, Tool, child, outcomes, state, tool, troubles
from proxy import Exchange, Fault, FaultFunction, Proxy
from servers import VERSIONS

from reconciler.apply.executor import Applier
from reconciler.model.address import Address
from reconciler.sandbox import Running, Sandbox, database

MODULES = ["issue_tracking", "wiki", "time_tracking", "news", "files"]
TRACKERS = ["Bug", "Feature"]
AMY = {"login": "amy", "firstname": "Amy", "lastname": "Able", "mail": "amy@example.net", "password": "correct horse"}
BOB = {"login": "bob", "firstname": "Bob", "lastname": "Bold", "mail": "bob@example.net"}
FILES = {"note.txt": b"a note", "blob.bin": bytes(range(256)), "new.txt": b"another note"}
EVERYTHING: dict[str, Any] = {
    "users": [AMY, {**BOB, "status": "locked"}],
    "groups": [{"name": "Support", "users": ["amy", "bob"], "custom_fields": {"Group string": "x"}}, {"name": "Empty"}],
    "projects": [
        {
            "identifier": "hq",
            "name": "HQ",
            "enabled_modules": MODULES,
            "trackers": TRACKERS,
            "default_version": "2.0",
            "default_issue_query": "Updated issues",
            "issue_custom_fields": ["Some projects"],
            "members": [
                {"user": "amy", "roles": ["Manager", "Developer"]},
                {"group": "Support", "roles": ["Reporter"]},
            ],
            "versions": [{"name": "2.0", "sharing": "descendants"}],
            "custom_fields": {"Project list": "red"},
            "wiki_pages": [
                {"title": "Home", "text": "h1. Home", "start_page": True, "comments": "the first"},
                {
                    "title": "Below",
                    "text": "below\nhome\n",
                    "parent": "Home",
                    "attachments": [{"file": "note.txt", "description": "A note"}],
                },
            ],
            "news": [
                {
                    "title": "Open",
                    "summary": "We are open",
                    "description": "text",
                    "attachments": [{"file": "note.txt"}, {"file": "blob.bin"}],
                }
            ],
            "files": [{"path": "blob.bin", "version": "2.0", "description": "A blob"}],
            "time_entries": [{"user": "amy", "spent_on": "2026-11-02", "activity": "Design", "hours": 2}],
        },
        {
            "identifier": "shop",
            "name": "Shop",
            "parent": "hq",
            "enabled_modules": MODULES,
            "trackers": TRACKERS,
            "status": "closed",
            "members": [{"user": "bob", "roles": ["Developer"]}, {"user": "amy", "roles": ["Reporter"]}],
            "versions": [{"name": "1.0", "status": "locked", "due_date": "2030-06-01"}],
            "issue_categories": [{"name": "Backend", "assigned_to": "bob"}],
            "wiki_pages": [{"title": "Wiki", "text": "its only page"}],
            "news": [{"title": "Open", "description": "text"}],
            "files": [{"path": "note.txt"}],
            "issues": [
                {
                    "key": "top",
                    "subject": "Top",
                    "tracker": "Bug",
                    "status": "Closed",
                    "fixed_version": "1.0",
                    "assigned_to": "bob",
                    "watchers": ["amy"],
                    "custom_fields": {
                        "Issue user": "amy",
                        "Issue version": "1.0",
                        "Issue bool": True,
                        "Bugs only": "x",
                    },
                },
                {
                    "key": "below",
                    "subject": "Below",
                    "parent": "top",
                    "status": "Rejected",
                    "category": "Backend",
                    "assigned_to": None,
                    "fixed_version": None,
                    "description": "one\ntwo\n",
                    "estimated_hours": 1.5,
                    "watchers": [],
                    "relations": [{"relates": "shared"}],
                },
                {
                    "key": "shared",
                    "subject": "Shared",
                    "tracker": "Feature",
                    "fixed_version": "2.0",
                    "done_ratio": 30,
                    "watchers": [],
                    "notes": ["first", {"text": "from amy", "author": "amy"}, {"text": "secret", "private": True}],
                },
                {
                    "key": "first",
                    "subject": "First",
                    "author": "amy",
                    "status": "Closed",
                    "watchers": ["amy"],
                    "relations": [{"blocks": "top"}, {"copied_to": "shared"}],
                    "attachments": [
                        {"file": "note.txt"},
                        {"file": "blob.bin", "filename": "b.bin", "description": "B"},
                    ],
                },
            ],
            "time_entries": [
                {
                    "issue": "top",
                    "user": "amy",
                    "spent_on": "2026-11-03",
                    "activity": "Development",
                    "comments": "done",
                    "hours": 1.5,
                    "custom_fields": {"TimeEntry string": "x"},
                }
            ],
        },
    ],
}
CHANGED: dict[str, Any] = {
    "users": [AMY, {**BOB, "lastname": "Bald", "status": "active"}],
    "groups": [{"name": "Helpers", "renamed_from": "Support", "users": ["bob"]}, {"name": "Empty", "users": ["amy"]}],
    "projects": [
        {
            "identifier": "hq",
            "members": [{"group": "Helpers", "roles": ["Developer"]}],
            "wiki_pages": [
                {"title": "Start", "renamed_from": "Home", "text": "h1. Start"},
                {
                    "title": "Below",
                    "parent": None,
                    "attachments": [{"file": "new.txt", "filename": "note.txt"}, {"file": "blob.bin"}],
                },
                {"title": "Lower", "text": "below", "parent": "Below"},
            ],
            "news": [
                {
                    "title": "Shut",
                    "renamed_from": "Open",
                    "summary": None,
                    "attachments": [
                        {"filename": "note.txt", "state": "absent"},
                        {"file": "blob.bin", "description": "B"},
                    ],
                }
            ],
            "files": [{"path": "new.txt", "filename": "blob.bin", "version": "2.0"}],
            "time_entries": [{"user": "amy", "spent_on": "2026-11-02", "activity": "Design", "hours": 3.25}],
            "issues": [
                {
                    "key": "shared",
                    "subject": "Moved",
                    "watchers": ["amy", "bob"],
                    "relations": [],
                    "notes": ["second"],
                }
            ],
        },
        {
            "identifier": "shop",
            "status": "closed",
            "news": [{"title": "Open", "state": "absent"}],
            "files": [{"filename": "note.txt", "state": "absent"}],
            "issues": [
                {"key": "below", "state": "absent"},
                {
                    "key": "first",
                    "watchers": ["bob"],
                    "relations": [{"precedes": "top", "delay": 2}],
                    "attachments": [
                        {"file": "new.txt", "filename": "note.txt"},
                        {"filename": "b.bin", "state": "absent"},
                    ],
                    "notes": [{"text": "late", "author": "amy"}],
                },
            ],
            "time_entries": [
                {
                    "issue": "top",
                    "user": "amy",
                    "spent_on": "2026-11-03",
                    "activity": "Development",
                    "comments": "done",
                    "state": "absent",
                }
            ],
        },
    ],
}


def with_files(folder: Path) -> Path:
    """The folder, with the files that the manifests name."""
    for name, content in FILES.items():
        Path(folder, name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder, which child processes have too."""
    monkeypatch.chdir(with_files(tmp_path))


@pytest.fixture(scope="session")
def undisturbed(redmine: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state that EVERYTHING leads to when nothing goes wrong."""
    redmine.reset()
    world = redmine.status()
    assert world is not None
    with chdir(with_files(tmp_path_factory.mktemp("files"))), Api(world) as api:
        tool(world, key_field=KEY).settle(EVERYTHING)
        return state(api)


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


@pytest.fixture
def proxy(world: Running) -> Iterator[Proxy]:
    with Proxy(world.url) as proxy:
        yield proxy


def killed(proxy: Proxy, world: Running, data: dict[str, Any], write: int, *, forwarded: bool) -> bool:
    """Applies a manifest in a child process that is killed at a write, before or after that write gets to Redmine;
    false if there is no such write any more."""
    proxy.clear()
    with subprocess.Popen(child(proxy.url, world.api_key, KEY), stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        proxy.fault = _killer(process, write, forwarded)
        json.dump(data, process.stdin)
        process.stdin.close()
        code = process.wait(60)
    proxy.fault = None
    _quiet(proxy, write, forwarded)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def _killer(process: subprocess.Popen[str], write: int, forwarded: bool) -> FaultFunction:
    def choose(exchange: Exchange) -> Fault | None:
        if exchange.write != write:
            return None
        if not forwarded:
            process.kill()
        return Fault(forward=forwarded, call=process.kill, reset=True)

    return choose


def _quiet(proxy: Proxy, write: int, forwarded: bool) -> None:
    """Waits until Redmine has answered what the dead process had under way."""
    deadline = time.monotonic() + 20
    while any(e.status is None for e in proxy.exchanges if forwarded or e.write != write):
        assert time.monotonic() < deadline
        time.sleep(0.01)


CASES = {"new": ({}, EVERYTHING), "changed": (EVERYTHING, CHANGED)}


@pytest.mark.parametrize("case", CASES)
def test_6_a_run_that_is_killed_at_any_write_is_completed_by_the_next(
    redmine: Sandbox, world: Running, api: Api, proxy: Proxy, case: str
) -> None:
    """Killed at some write, before or after Redmine gets it, then run once more: the state is that of an undisturbed run
    (which leaves nothing to plan), wherever it was killed, with nothing twice. Each version takes writes of its own."""
    given, wanted = CASES[case]
    before, live = Path("before.sqlite3"), world.folder / "redmine.sqlite3"
    tool(world, key_field=KEY).settle(given)
    database.copy(live, before)
    tool(world, key_field=KEY).settle(wanted)
    undisturbed = state(api)
    for write in range(1 + 4 * VERSIONS.index(redmine.version) % 31, 100, 31):
        database.restore(before, live)
        if not killed(proxy, world, wanted, write, forwarded=write // 31 % 2 == 0):
            break
        report = tool(world, key_field=KEY).apply(wanted)
        assert troubles(report) == {}, f"killed at write {write}"
        assert state(api) == undisturbed, f"killed at write {write}"
    assert write > 30


def begun(applier: Applier) -> set[Address]:
    """The objects that something was done to, or is being done."""
    return {address for address, progress in applier.progress.items() if progress.begun}


@pytest.mark.parametrize(("concurrency", "writes"), [(1, 30), (4, 12)])
def test_6_an_interrupted_run_finishes_what_it_began_and_starts_nothing(
    undisturbed: dict[str, Any], world: Running, api: Api, proxy: Proxy, concurrency: int, writes: int
) -> None:
    """After a stop in the middle no further change is begun, none is left half told: each is done, or not
    started, or failed with what was not set; one more run completes them."""
    seen: list[tuple[Applier, set[Address]]] = []

    def watch(applier: Applier) -> None:
        def listener(_address: object, _outcome: str) -> None:
            if len(proxy.writes) >= writes and not applier.stopping:
                applier.stop()
                seen.append((applier, begun(applier)))

        applier.listener = listener

    report = Tool(proxy.url, world.api_key, key_field=KEY, concurrency=concurrency).apply(EVERYTHING, watch)
    assert report.interrupted
    assert set(outcomes(report).values()) <= {"done", "left", "failed"}
    half = [r for r in report.results if r.outcome == "failed"]
    assert all(r.id and "the run ended before setting" in r.errors[-1].message for r in half)
    ((applier, before),) = seen
    assert begun(applier) == before
    assert all(exchange.status is not None for exchange in proxy.writes)

    tool(world, key_field=KEY).settle(EVERYTHING)
    assert state(api) == undisturbed


def test_6_an_interrupted_run_says_what_is_left(world: Running) -> None:
    """A run that is stopped before it starts writes nothing and reports every change as left."""
    report = tool(world).apply(EVERYTHING, Applier.stop)
    assert set(outcomes(report).values()) == {"left"}
    assert len(tool(world).plan(EVERYTHING).changes) == len(report.results)
