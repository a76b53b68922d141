"""A run that is killed or interrupted anywhere, and run again: promise 6."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from promises import KEY, Api, Tool, child, fields, outcomes, state, tool, troubles
from proxy import Exchange, Fault, FaultFunction, Proxy

from reconciler.apply import Applier
from reconciler.sandbox import Running, Sandbox

MODULES = ["issue_tracking", "wiki"]
TRACKERS = ["Bug", "Feature"]
EVERYTHING: dict[str, Any] = {
    "users": [
        {
            "login": "amy",
            "firstname": "Amy",
            "lastname": "Able",
            "mail": "amy@example.net",
            "password": "correct horse",
        },
        {"login": "bob", "firstname": "Bob", "lastname": "Bold", "mail": "bob@example.net", "status": "locked"},
    ],
    "projects": [
        {
            "identifier": "hq",
            "name": "HQ",
            "enabled_modules": MODULES,
            "trackers": TRACKERS,
            "default_version": "2.0",
            "members": [{"user": "amy", "roles": ["Manager", "Developer"]}],
            "versions": [{"name": "2.0", "sharing": "descendants"}],
            "custom_fields": {"Project list": "red"},
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
            "issues": [
                {
                    "key": "top",
                    "subject": "Top",
                    "tracker": "Bug",
                    "status": "Closed",
                    "fixed_version": "1.0",
                    "assigned_to": "bob",
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
                },
                {"key": "shared", "subject": "Shared", "tracker": "Feature", "fixed_version": "2.0", "done_ratio": 30},
            ],
        },
    ],
}


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


@pytest.fixture
def proxy(world: Running) -> Iterator[Proxy]:
    with Proxy(world.url) as proxy:
        yield proxy


def killed(proxy: Proxy, world: Running, write: int, *, forwarded: bool) -> bool:
    """Applies EVERYTHING in a child process that is killed at a write, before or after that write gets to Redmine;
    false if there is no such write any more."""
    proxy.clear()
    with subprocess.Popen(child(proxy.url, world.api_key, KEY), stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        proxy.fault = _killer(process, write, forwarded)
        json.dump(EVERYTHING, process.stdin)
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


def test_6_a_run_that_is_killed_at_any_write_is_completed_by_the_next(
    redmine: Sandbox, world: Running, api: Api, proxy: Proxy
) -> None:
    """Killed at every other write, by turns before and after Redmine gets it, then run once more: the state is that of
    an undisturbed run, wherever it was killed, with nothing twice."""
    tool(world, key_field=KEY).settle(EVERYTHING)
    undisturbed = state(api)
    for write in range(1, 100, 2):
        redmine.reset()
        if not killed(proxy, world, write, forwarded=write % 4 == 1):
            break
        report = tool(world, key_field=KEY).apply(EVERYTHING)
        assert troubles(report) == {}, f"killed at write {write}"
        assert state(api) == undisturbed, f"killed at write {write}"
        assert fields(tool(world, key_field=KEY).plan(EVERYTHING)) == {}, f"killed at write {write}"
    assert write > 15


@pytest.mark.parametrize("concurrency", [1, 4])
def test_6_an_interrupted_run_finishes_what_it_began_and_starts_nothing(
    world: Running, api: Api, proxy: Proxy, concurrency: int
) -> None:
    """After a stop in the middle no further change is begun, none is left half told: each is done, or skipped as
    interrupted, or failed with what was not set; one more run completes them."""
    begun: list[int] = []

    def watch(applier: Applier) -> None:
        def listener(_address: object, _outcome: str) -> None:
            if len(proxy.writes) >= 6 and not applier.stopping:
                applier.stop()
                begun.append(len(proxy.writes))

        applier.listener = listener

    report = Tool(proxy.url, world.api_key, key_field=KEY, concurrency=concurrency).apply(EVERYTHING, watch)
    assert report.interrupted
    assert set(outcomes(report).values()) <= {"done", "skipped", "failed"}
    assert {r.because for r in report.results if r.outcome == "skipped"} == {"the run was interrupted"}
    half = [r for r in report.results if r.outcome == "failed"]
    assert all(r.id and "interrupted before this was set" in r.errors[-1] for r in half)
    assert len(proxy.writes) < begun[0] + concurrency
    assert all(exchange.status in (201, 204) for exchange in proxy.writes)

    tool(world, key_field=KEY).settle(EVERYTHING)
    assert sorted(issue["subject"] for issue in api.get("/issues?status_id=*")) == ["Below", "Shared", "Top"]


def test_6_an_interrupted_run_says_what_is_left(world: Running) -> None:
    """A run that is stopped before it starts writes nothing and reports every change as skipped."""
    report = tool(world).apply(EVERYTHING, Applier.stop)
    assert set(outcomes(report).values()) == {"skipped"}
    assert len(tool(world).plan(EVERYTHING).changes) == len(report.results)
