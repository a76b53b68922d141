"""The model of many servers: cores are shared, waiting is not."""

from __future__ import annotations

import fleet_page
import pytest
from fleet import CORES, START, Check, Measured, mixed, profile_of, shared, ways
from fleet_model import Profile, enough, matrix, one_runner
from results import Cost

JOB = Profile(first=0.3, cpu=0.4, fixed=0.1, trips=5, requests=12, memory=50)


def test_one_job_takes_as_long_as_alone() -> None:
    """CPU, round trips and the rest."""
    assert one_runner(JOB, [0.2], 1, CORES) == pytest.approx(JOB.alone(0.2)) == pytest.approx(0.4 + 0.1 + 5 * 0.2)


def test_jobs_one_after_the_other_add_up() -> None:
    """Each with the latency of its server."""
    latencies = mixed(6)
    assert one_runner(JOB, latencies, 1, CORES) == pytest.approx(sum(map(JOB.alone, latencies)))


def test_jobs_that_only_wait_do_not_disturb_each_other() -> None:
    """Ten at once take as long as one."""
    waiting = Profile(first=0, cpu=0, fixed=0, trips=5, requests=5, memory=50)
    assert one_runner(waiting, [0.2] * 10, 10, 1) == pytest.approx(1.0)


def test_jobs_that_only_compute_share_the_cores() -> None:
    """However many there are at a time."""
    computing = Profile(first=0.4, cpu=0.4, fixed=0, trips=1, requests=1, memory=50)
    assert one_runner(computing, [0.0] * 10, 5, 2) == pytest.approx(10 * 0.4 / 2)


def test_more_at_a_time_is_never_slower_and_never_beats_the_cores() -> None:
    """That is where it stops paying."""
    times = {number: one_runner(JOB, mixed(40), number, CORES) for number in (1, 2, 4, 8, 16, 32)}
    assert list(times.values()) == sorted(times.values(), reverse=True)
    assert min(times.values()) >= 40 * JOB.cpu / CORES
    assert times[enough(times)] <= 1.05 * min(times.values())


def test_a_matrix_starts_a_runner_for_each_job() -> None:
    """With as many runners as servers, it takes as long as the slowest of them."""
    latencies = mixed(9)
    assert matrix(JOB, latencies, 9, START) == pytest.approx(START + JOB.alone(0.2))
    assert matrix(JOB, latencies, 1, START) == pytest.approx(9 * START + sum(map(JOB.alone, latencies)))


def test_the_profile_of_a_job_is_that_of_its_times() -> None:
    """Round trips are what latency is multiplied with."""
    alone = {latency: 0.6 + 5 * latency for latency in (0.02, 0.08, 0.2)}
    found = profile_of(alone, [Cost(0.6, 0.4, 50)] * 3, first=0.3, requests=12)
    assert (found.trips, found.fixed, found.first) == (pytest.approx(5), pytest.approx(0.2), 0.3)


def test_all_ways_do_all_servers() -> None:
    """Runner minutes are those of all runners; the memory is that of one."""
    one, eight, many, pods = ways(JOB, 50, (1, 8), (50,))
    assert one.seconds > eight.seconds
    assert (one.memory, eight.memory, many.memory) == (50, 400, 50)
    assert many.runner_minutes > 50 * START / 60 > pods.runner_minutes
    assert shared(JOB, 50, 4, 8).seconds < eight.seconds


def test_the_page_has_the_measured_and_the_computed() -> None:
    """What was really run is beside what the model says."""
    text = fleet_page.section(Measured(JOB, {"20 ms": 0.6}, (Check(12, 4, 2.5, 2.25),), "2026-11-29", "2 cores"))
    assert "| 12 plans | 4 | 2.50 s | 2.25 s |" in text
    assert "a `plan` of 100 unchanged issues takes 400 ms of CPU, 50 MB and 12 requests" in text
    assert all(f"| {count} | one runner, one after the other |" in text for count in fleet_page.FLEETS)
