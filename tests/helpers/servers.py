"""Which real Redmines the tests run against, and which pytest worker runs what.

A test needs a server when it uses the fixture `redmine_version`, directly or by another one: that gives it the mark
`server` and a part of its id (`redmine-6.1`). Without RECONCILER_TEST_VERSIONS it runs on one version, by its name:
the whole matrix takes twice as long. Tests of promises, traps and the catalog, and those that start a server of their
own, run on all versions in any case. With it (`make test-all`: `5.0,6.0,6.1`) every test runs on each of these.

RECONCILER_TEST_DATABASE=postgresql gives them all PostgreSQL and two workers.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import pytest
from xdist.scheduler import LoadScopeScheduling

from reconciler.testing.servers import claim as claim

DATABASE = os.environ.get("RECONCILER_TEST_DATABASE", "sqlite")
"""What the shared servers have. Tests that open the file of SQLite themselves fail with `postgresql`."""
VERSIONS = [v.strip() for v in os.environ.get("RECONCILER_TEST_VERSIONS", "5.0,6.1").split(",")]
PER_VERSION = [pytest.param(v, id=f"redmine-{v}") for v in VERSIONS]
ON_ALL_VERSIONS = ("promises", "traps", "catalog")
"""The folders whose tests run on every version in any case."""
LONG = ("test_a_server_is_copied", "test_a_random_world_is_copied")
"""Tests of a minute that run on the last version, whatever their names: so both workers end at about the same time."""
TOGETHER = 10
"""Tests of a file that a worker gets at once: what they share is made once, and dealing them out takes no time."""
SLOWEST = ("unit/test_scale.py", "unit/cli/test_echoes.py", "unit/plan/test_narrow.py", "unit/plan/test_plan_random.py")
"""Files without a server whose tests take longest, of those that are not marked as slow."""


def needs_server(item: pytest.Item) -> bool:
    """Whether a real Redmine is started for a test."""
    return "redmine_version" in getattr(item, "fixturenames", ())


def needs_browser(item: pytest.Item) -> bool:
    """Whether a browser is started for a test."""
    return "chromium" in getattr(item, "fixturenames", ())


def is_chosen(item: pytest.Item) -> bool:
    """Whether a test runs on the version that it was collected for."""
    shares_server = "redmine" in getattr(item, "fixturenames", ())
    if "RECONCILER_TEST_VERSIONS" in os.environ or not shares_server or item.path.parent.name in ON_ALL_VERSIONS:
        return True
    version = version_of(item.nodeid)
    if item.nodeid.partition("[")[0].endswith(LONG):
        return version == VERSIONS[-1]
    name = item.nodeid.replace(f"redmine-{version}", "", 1)
    return VERSIONS[crc32(name.encode()) % len(VERSIONS)] == version


def version_of(nodeid: str) -> str | None:
    """The version of Redmine that a test runs on, by its id."""
    found = re.search(r"[\[-]redmine-(\d+\.\d+)[\]-]", nodeid)
    return found and found[1]


def turn(item: pytest.Item) -> int:
    """Which tests a worker gets first: the longest. Short ones at the end leave no worker without work."""
    path = item.path.as_posix()
    if needs_server(item) or needs_browser(item):
        return 0
    if any(item.iter_markers("slow")) or any(item.iter_markers("package")):
        return 1
    return 2 if path.endswith(SLOWEST) else 3


def portions(collection: Sequence[str]) -> dict[str, str]:
    """The portion that each test belongs to, in their order: those of a version of Redmine, those of pages, and else at
    most TOGETHER of one file."""
    found, seen = {}, Counter[str]()
    for nodeid in collection:
        file = nodeid.partition("::")[0]
        # One browser, too: all of its tests are in one folder.
        shared = version_of(nodeid) or ("browser" if "browser/" in nodeid else "")
        found[nodeid] = shared or f"{file} {seen[file] // TOGETHER}"
        seen[file] += 1
    return found


class ByVersion(LoadScopeScheduling):
    """All tests of one version of Redmine go to one worker, so that each server is started once; those of pages, too.

    They are the first in the order of the tests (see `turn`): every worker gets a version, and then, portion by portion,
    the tests without a server, of which whoever is done first does more. (`--dist loadgroup` cannot do it: xdist 3.8
    puts the group into an attribute that pytest 9 does not have any more.)
    """

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        self._portions: Mapping[str, str] = {}
        # Not the portions with most tests first: the order of the tests says what takes longest.
        config.option.loadscopereorder = False

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Note the tests that a worker knows; all know the same."""
        self._portions = self._portions or portions(collection)
        super().add_node_collection(node, collection)

    def _split_scope(self, nodeid: str) -> str:
        return self._portions[nodeid]
