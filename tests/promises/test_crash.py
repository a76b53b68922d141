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
from custom_fields import named_in, names_in, reset
from everything import CHANGED, EVERYTHING, with_files
from extent import either
from promises import KEY, Api, Tool, child, outcomes, state, tool, troubles
from proxy import Exchange, Fault, FaultFunction, Proxy
from servers import VERSIONS

from reconciler.apply.executor import Applier
from reconciler.model.address import Address
from reconciler.sandbox import Running, Sandbox, sqlite

pytestmark = named_in(repr((EVERYTHING, CHANGED)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder, which child processes have too."""
    monkeypatch.chdir(with_files(tmp_path))


@pytest.fixture(scope="session")
def undisturbed(redmine: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The state that EVERYTHING leads to when nothing goes wrong."""
    world = reset(redmine, names_in(repr(EVERYTHING)))
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


APART = either(40, 7)
"""Writes from one kill to the next; every other one is killed before it gets to Redmine."""
CASES = {"new": ({}, EVERYTHING), "changed": (EVERYTHING, CHANGED)}


@pytest.mark.prove
@pytest.mark.parametrize("case", ["new", pytest.param("changed", marks=pytest.mark.prove_only)])
def test_6_a_run_that_is_killed_at_any_write_is_completed_by_the_next(
    redmine: Sandbox, world: Running, api: Api, proxy: Proxy, case: str
) -> None:
    """Killed at some write, before or after Redmine gets it, then run once more: the state is that of an undisturbed run
    (which leaves nothing to plan), wherever it was killed, with nothing twice. Each version takes writes of its own."""
    given, wanted = CASES[case]
    before, live = Path("before.sqlite3"), world.folder / "redmine.sqlite3"
    tool(world, key_field=KEY).settle(given)
    sqlite.copy(live, before)
    tool(world, key_field=KEY).settle(wanted)
    undisturbed = state(api)
    for write in range(1 + 4 * VERSIONS.index(redmine.version) % APART, 100, APART):
        sqlite.restore(before, live)
        if not killed(proxy, world, wanted, write, forwarded=write // APART % 2 == 0):
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
