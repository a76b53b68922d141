"""The benchmarks on a real Redmine: every task and every contender, with few issues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from contest import Rules
from online import TASKS, Sizes, Stage, environment
from servers import disposable

from reconciler.sandbox import Sandbox


@pytest.fixture(scope="module")
def apart(redmine_version: str) -> Iterator[Sandbox]:
    """A sandbox of its own, as the tasks change what `reset` goes back to."""
    with disposable("bench", redmine_version) as sandbox:
        yield sandbox


@pytest.mark.prove_only
def test_each_task_is_done_by_each_contender(apart: Sandbox, tmp_path: Path) -> None:
    """Each contender does what it has to do, as often as the others, and none stands in the way of another one."""
    running = apart.start()
    with environment(running):
        stage = Stage(apart, running, tmp_path, Rules(seconds=0.1, rounds=1), Sizes(small=10, large=0, sample=10))
        scenarios = [scenario for task in TASKS.values() for scenario in task(stage)]
    assert [(scenario.name, len(scenario.series)) for scenario in scenarios] == [
        ("create", 4),
        ("re-check", 5),
        ("update of one in ten", 4),
        ("export", 4),
    ]
