"""Many Redmines: one job is measured, and a few of them together, which check the model of all others."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fleet_model import Profile, matrix, one_runner
from fleet_servers import fleet
from process import TOOL, measure, output_of, python, say
from pydantic import TypeAdapter
from results import FOLDER, Cost, machine
from worlds import write_manifest

LATENCIES = (0.02, 0.08, 0.2)
ISSUES = 100
CORES = 2
START = 30.0
"""Seconds until a runner of a CI system has the manifests and the tool: assumed, as systems differ."""
POD = 3.0
"""The same for a pod whose image is on its node."""
PODS = 10
"""Of the Argo Workflow in examples/ci."""
AT_A_TIME = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Check:
    """So many jobs that were really run, so many at a time: seconds by the clock, and what the model says."""

    instances: int
    at_a_time: int
    measured: float
    modeled: float


@dataclass(frozen=True)
class Measured:
    """What was measured; all else is computed from it."""

    profile: Profile
    alone: dict[str, float]
    checks: tuple[Check, ...]
    measured: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))
    machine: str = field(default_factory=machine)


FILE = FOLDER / "fleet" / "fleet.json"


def write(found: Measured, path: Path = FILE) -> None:
    """Keep it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TypeAdapter(Measured).dump_json(found, indent=1) + b"\n")


def read(path: Path = FILE) -> Measured | None:
    """What was measured last."""
    return TypeAdapter(Measured).validate_json(path.read_bytes()) if path.is_file() else None


def mixed(count: int) -> list[float]:
    """Latencies of so many servers: a third each is near, in the same country, and far away."""
    return [LATENCIES[n % len(LATENCIES)] for n in range(count)]


def run(folder: Path, instances: int = 12, at_a_time: Sequence[int] = (1, 4, 8)) -> Measured:
    """Measure one job at each latency, then some jobs together."""
    say(f"Servers with latency: {instances} …")
    path = write_manifest(folder / "fleet.yaml", ISSUES)
    profile, alone = _profile(path, folder)
    checks = tuple(_check(profile, path, instances, number) for number in at_a_time)
    return Measured(profile, {f"{latency * 1000:g} ms": seconds for latency, seconds in alone.items()}, checks)


def _job(url: str, manifest: Path) -> tuple[str, ...]:
    return ("env", f"REDMINE_URL={url}", "REDMINE_API_KEY=canned", *TOOL, "plan", "--detailed-exitcode", str(manifest))


def _profile(manifest: Path, folder: Path, rounds: int = 5) -> tuple[Profile, dict[float, float]]:
    costs: dict[float, list[Cost]] = {latency: [] for latency in LATENCIES}
    with fleet(LATENCIES, ISSUES) as urls:
        for _ in range(rounds):
            for latency, url in zip(LATENCIES, urls, strict=True):
                costs[latency].append(measure(_job(url, manifest))[0])
        requests = _requests(urls[0], manifest, folder)
    first = statistics.median(measure([*TOOL, "validate", str(manifest)])[0].cpu for _ in range(rounds))
    alone = {latency: statistics.median(cost.wall for cost in some) for latency, some in costs.items()}
    return profile_of(alone, [cost for some in costs.values() for cost in some], first, requests), alone


def _requests(url: str, manifest: Path, folder: Path) -> int:
    seen = folder / "fleet-requests.json"
    output_of(["env", f"REDMINE_URL={url}", "REDMINE_API_KEY=canned", *python("record.py", seen, "plan", manifest)])
    return len(json.loads(seen.read_text()))


def profile_of(alone: dict[float, float], costs: Iterable[Cost], first: float, requests: int) -> Profile:
    """The profile of a job, from the time that it takes at each latency: its slope are the round trips."""
    costs = list(costs)
    slope, start = statistics.linear_regression(list(alone), list(alone.values()))
    cpu = statistics.median(cost.cpu for cost in costs)
    memory = max(cost.memory for cost in costs)
    return Profile(min(first, cpu), cpu, max(0.0, start - cpu), slope, requests, memory)


def _check(profile: Profile, manifest: Path, instances: int, at_a_time: int) -> Check:
    latencies = mixed(instances)
    with fleet(latencies, ISSUES) as urls, ThreadPoolExecutor(at_a_time) as pool:
        started = time.monotonic()
        list(pool.map(lambda url: measure(_job(url, manifest)), urls))
        took = time.monotonic() - started
    return Check(instances, at_a_time, took, one_runner(profile, latencies, at_a_time, CORES))


@dataclass(frozen=True)
class Way:
    """One way to drive all servers: its time, and the minutes of runners that it takes; MB of one runner."""

    name: str
    instances: int
    seconds: float
    runner_minutes: float
    memory: float


def ways(profile: Profile, instances: int, at_a_time: Sequence[int], runners: Sequence[int]) -> Iterator[Way]:
    """One runner that does so many at a time; a matrix of so many runners with one job each."""
    latencies = mixed(instances)
    for number in at_a_time:
        seconds = START + one_runner(profile, latencies, number, CORES)
        name = "one runner, one after the other" if number == 1 else f"one runner, {number} at a time"
        yield Way(name, instances, seconds, seconds / 60, profile.memory * min(number, instances))
    yield from (_matrix(profile, latencies, f"a matrix, {number} runners", number, START) for number in runners)
    yield _matrix(profile, latencies, f"{PODS} pods at a time", PODS, POD)


def _matrix(profile: Profile, latencies: Sequence[float], name: str, runners: int, start: float) -> Way:
    seconds = matrix(profile, latencies, runners, start)
    used = sum(start + profile.alone(latency) for latency in latencies)
    return Way(name, len(latencies), seconds, used / 60, profile.memory)


def shared(profile: Profile, instances: int, runners: int, at_a_time: int) -> Way:
    """So many runners, each of which has its share of the servers and does so many at a time."""
    latencies = mixed(instances)
    shares = [START + one_runner(profile, latencies[n::runners], at_a_time, CORES) for n in range(runners)]
    name = f"{runners} runners, {at_a_time} at a time on each"
    return Way(name, instances, max(shares), sum(shares) / 60, profile.memory * at_a_time)
