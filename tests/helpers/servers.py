"""Which real Redmines the tests run against."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

VERSIONS = [v.strip() for v in os.environ.get("RECONCILER_TEST_VERSIONS", "5.0,6.1").split(",")]
PER_VERSION = [pytest.param(v, id=v, marks=pytest.mark.xdist_group(f"redmine-{v}")) for v in VERSIONS]


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
