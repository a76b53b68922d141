"""The real Redmines that tests run against.

`redmine` is a started `Sandbox` of each version under test, for the whole run; `world` is that server, back
in the state of `setup.rb`. A test that asks for either runs once per version, and all tests of a version run
on one worker (`--dist loadgroup`). The versions are 5.0 and 6.1, or those in RECONCILER_TEST_VERSIONS
(`5.0,6.0,6.1`).
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from reconciler.sandbox import Running, Sandbox

SETUP = Path(__file__).with_name("setup.rb")
VERSIONS = [v.strip() for v in os.environ.get("RECONCILER_TEST_VERSIONS", "5.0,6.1").split(",")]
PER_VERSION = [pytest.param(v, id=v, marks=pytest.mark.xdist_group(f"redmine-{v}")) for v in VERSIONS]


@pytest.fixture(scope="session", params=PER_VERSION)
def redmine(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox that runs for the whole session, with what `setup.rb` creates."""
    with claim(f"test-{request.param}") as name:
        sandbox = Sandbox(request.param, name=name)
        sandbox.start([SETUP])
        yield sandbox
        sandbox.stop()


@pytest.fixture
def world(redmine: Sandbox) -> Running:
    """The running server, fresh: nothing in it but Redmine's default data and what `setup.rb` creates."""
    redmine.reset()
    running = redmine.status()
    assert running is not None, "the test server died; see its puma.log"
    return running


@contextmanager
def claim(name: str) -> Iterator[str]:
    """`name`, or `name-2`, `name-3` … while other workers or runs on this machine use it."""
    for number in count(1):
        candidate = name if number == 1 else f"{name}-{number}"
        with Path(tempfile.gettempdir(), f"reconciler-{os.getuid()}-{candidate}.claim").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield candidate
            return
