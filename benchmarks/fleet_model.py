"""How long many jobs take on a few runners: a simulation of what was measured of one job.

A job computes, asks and waits in turn. Jobs of one runner share its cores; they wait without using them. Nothing here
measures: `fleet.py` does, and checks the model against a small case.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Profile:
    """One job: CPU before its first request and in all, other time that no latency explains, and round trips.

    `trips` are those one after the other, fewer than `requests` because some leave together. Seconds, and MB.
    """

    first: float
    cpu: float
    fixed: float
    trips: float
    requests: int
    memory: float

    def steps(self, latency: float) -> tuple[tuple[float, float], ...]:
        """What it does in turn: so many seconds of CPU, then so many of waiting."""
        count = max(1, round(self.trips))
        wait = (self.trips * latency + self.fixed) / count
        rest = max(0.0, self.cpu - self.first) / count
        return ((self.first, wait), *((rest, wait) for _ in range(count - 1)), (rest, 0.0))

    def alone(self, latency: float) -> float:
        """Seconds by the clock when it has a core to itself."""
        return max(self.first, self.cpu) + self.fixed + self.trips * latency


@dataclass
class _Job:
    """Where a job is: `computing` until `left` seconds of CPU are done, then waiting for `left` seconds."""

    steps: deque[tuple[float, float]]
    computing: bool = True
    left: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.steps[0][0]

    def go_on(self) -> bool:
        """Begin the next phase; False if there is none."""
        if not self.computing:
            self.steps.popleft()
        self.computing = not self.computing
        if not self.steps:
            return False
        self.left = self.steps[0][0 if self.computing else 1]
        return True


def one_runner(profile: Profile, latencies: Sequence[float], at_a_time: int, cores: int) -> float:
    """Seconds until one runner has done a job for each latency, so many at a time."""
    waiting = deque(_Job(deque(profile.steps(latency))) for latency in latencies)
    running: list[_Job] = []
    now = 0.0
    while waiting or running:
        while waiting and len(running) < at_a_time:
            running.append(waiting.popleft())
        now += _advance(running, cores)
        running = [job for job in running if job.left > 1e-9 or job.go_on()]
    return now


def _advance(running: Iterable[_Job], cores: int) -> float:
    """Let all jobs go on until the first of them is done with its phase; the seconds until then."""
    jobs = list(running)
    computing = sum(job.computing for job in jobs)
    rate = min(1.0, cores / computing) if computing else 1.0
    step = min(job.left / rate if job.computing else job.left for job in jobs)
    for job in jobs:
        job.left -= step * rate if job.computing else step
    return step


def matrix(profile: Profile, latencies: Sequence[float], runners: int, start: float) -> float:
    """Seconds until so many runners at once have done the jobs; each job has to start its runner first."""
    free = [0.0] * runners
    for latency in latencies:
        first = free.index(min(free))
        free[first] += start + profile.alone(latency)
    return max(free)


def enough(times: dict[int, float], slack: float = 1.05) -> int:
    """The least number of jobs at a time that takes no more than `slack` times the shortest time."""
    return min(number for number, seconds in times.items() if seconds <= slack * min(times.values()))
