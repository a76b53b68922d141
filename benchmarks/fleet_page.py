"""The numbers of many servers, for docs/performance.md, and their plot."""

from __future__ import annotations

from collections.abc import Iterator

from charts import Line, Panel, Point, draw
from fleet import AT_A_TIME, CORES, ISSUES, LATENCIES, POD, START, Check, Measured, Way, mixed, shared, ways
from fleet_model import enough, matrix, one_runner
from page import rows
from words import seconds

FLEETS = (5, 50, 200)
WAYS = (1, 4, 8)
RUNNERS = (5, 20, 50)
EACH = ", ".join(f"{latency * 1000:g} ms" for latency in LATENCIES)
ASSUMED = (
    f"Computed: servers with a latency of {EACH}, a third each. "
    f"A runner takes {START:.0f} s to start and a pod {POD:.0f} s (assumed); each has {CORES} cores."
)


def minutes(value: float) -> str:
    """Seconds for people: minutes, if it takes some."""
    return f"{value / 60:.1f} min" if value >= 100 else f"{value:.0f} s"


def section(found: Measured) -> str:
    """All of it."""
    return "\n\n".join([_job(found), _checked(found), _table(found), _reading(found)])


def _job(found: Measured) -> str:
    profile = found.profile
    alone = ", ".join(f"{seconds(took)} at {latency}" for latency, took in found.alone.items())
    return (
        f"Measured ({found.measured}, {found.machine}): a `plan` of {ISSUES} unchanged issues takes "
        f"{seconds(profile.cpu)} of CPU, {profile.memory:.0f} MB and {profile.requests} requests, which are "
        f"{profile.trips:.1f} round trips one after the other. By the clock it takes {alone} of latency."
    )


def _checked(found: Measured) -> str:
    head = ("really run", "at a time", "measured", "by the model")
    table = rows(head, (_check(check) for check in found.checks))
    return "\n".join(["The model of everything below, beside jobs that were really run:", "", *table])


def _check(check: Check) -> tuple[str, ...]:
    return f"{check.instances} plans", str(check.at_a_time), seconds(check.measured), seconds(check.modeled)


def _table(found: Measured) -> str:
    head = ("servers", "how", "time", "runner minutes", "memory of a runner")
    table = rows(head, (_way(way) for count in FLEETS for way in all_ways(found, count)), left=2)
    return "\n".join([ASSUMED, "", *table])


def all_ways(found: Measured, instances: int) -> Iterator[Way]:
    """Those that make sense for so many servers."""
    yield from ways(found.profile, instances, WAYS, fitting(instances))
    if instances >= 100:
        yield shared(found.profile, instances, 4, WAYS[-1])


def fitting(instances: int) -> tuple[int, ...]:
    """Matrices that have no more runners than there are servers."""
    return tuple(runners for runners in RUNNERS if runners <= instances)


def _way(way: Way) -> tuple[str, ...]:
    return str(way.instances), way.name, minutes(way.seconds), f"{way.runner_minutes:.1f}", f"{way.memory:.0f} MB"


def times(found: Measured, instances: int) -> dict[int, float]:
    """The time of one runner for each number of jobs at a time, without its start."""
    return {number: one_runner(found.profile, mixed(instances), number, CORES) for number in AT_A_TIME}


def _reading(found: Measured) -> str:
    took = times(found, 200)
    number = enough(took)
    many, pods = ways(found.profile, 200, (), RUNNERS[-1:])
    return (
        f"- One runner: {number} at a time are enough. Then its {CORES} cores are busy, and 200 servers take "
        f"{minutes(took[number])} after its start; their CPU alone is {minutes(found.profile.cpu * 200 / CORES)}. "
        f"More at a time only take memory.\n"
        f"- A matrix starts a runner for each server. For 200 servers it is slower than one runner with {number} at a "
        f"time until it has {breakeven(found, 200)} runners at once, and it takes "
        f"{many.runner_minutes * 60 / (START + took[number]):.0f} times the runner minutes.\n"
        f"- Pods start sooner: {pods.name} take {minutes(pods.seconds)} for 200 servers."
    )


def breakeven(found: Measured, instances: int) -> int:
    """The least number of runners of a matrix that is as fast as one runner with enough jobs at a time."""
    took = times(found, instances)
    least = START + took[enough(took)]
    latencies = mixed(instances)
    return next(n for n in range(1, instances + 1) if n == instances or _matrix(found, latencies, n) <= least)


def _matrix(found: Measured, latencies: list[float], runners: int) -> float:
    return matrix(found.profile, latencies, runners, START)


def plot(found: Measured) -> str:
    """The time for 200 servers against the jobs of a runner, and against the runners of a matrix."""
    one = tuple(Point(n, START + took, False) for n, took in times(found, 200).items())
    many = tuple(Point(n, _matrix(found, mixed(200), n), False) for n in (*AT_A_TIME, 200))
    lines = (Line("one runner, so many plans at a time", 0, one), Line("a matrix of so many runners", 2, many))
    panel = Panel("Time for 200 servers, in seconds", lines, "plans at a time, or runners")
    return draw("Time for a plan of 200 servers, with one runner and with a matrix", (panel,))
