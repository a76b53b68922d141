"""Which real Redmines the tests run against, and which pytest worker runs what.

A test needs a server when it uses the fixture `redmine_version`, directly or by another one: that gives it the mark
`server` and a part of its id (`redmine-6.1`). Without RECONCILER_TEST_VERSIONS it runs on one version, by its name:
the whole matrix takes twice as long. Tests of traps, which are how versions differ, run on all in any case, and those of
promises and the catalog on the others in `make prove`, except those of secrets, which no version treats differently.
With it (`make test-all`: `5.0,6.0,6.1`) every test runs on each of these.

RECONCILER_TEST_DATABASE=postgresql gives them all PostgreSQL and two workers.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import pytest
from extent import PARTS, PROVE
from xdist.scheduler import LoadScopeScheduling

from reconciler.sandbox import Sandbox
from reconciler.testing.servers import claim as claim

DATABASE = os.environ.get("RECONCILER_TEST_DATABASE", "sqlite")
"""What the shared servers have. Tests that open the file of SQLite themselves fail with `postgresql`."""
VERSIONS = [v.strip() for v in os.environ.get("RECONCILER_TEST_VERSIONS", "5.0,6.1").split(",")]
PER_VERSION = [pytest.param(v, id=f"redmine-{v}") for v in VERSIONS]
ON_ALL_VERSIONS = ("traps",)
"""The folders whose tests run on every version in any case."""
PROVED = ("promises", "catalog")
"""Those whose tests run on one version in `make test`, and on the others in `make prove`."""
MARKS = ("prove", "prove_only")
"""Of the tests that `make prove` runs."""
ON_ONE_VERSION = ("test_secrets",)
"""Files in them for which one is enough."""
LONGEST = ("test_copy", "test_sandbox", "test_examples", "test_crash", "test_random", "test_kinds")
"""Files of tests with a server that take longest."""
TOGETHER = 10
"""Tests of a file that a worker gets at once: what they share is made once, and dealing them out takes no time."""
SLOWEST = ("unit/test_scale.py", "unit/cli/test_echoes.py", "unit/plan/test_narrow.py", "unit/plan/test_plan_random.py")
"""Files without a server whose tests take longest, of those that are not marked as slow."""


@contextmanager
def disposable(purpose: str, version: str, **options: Any) -> Iterator[Sandbox]:
    """A sandbox that nobody else has, without data of an earlier run; gone afterwards."""
    with claim(f"test-{purpose}-{version}") as name:
        sandbox = Sandbox(version, name=name, **options)
        sandbox.destroy()
        yield sandbox
        sandbox.destroy()


def needs_server(item: pytest.Item) -> bool:
    """Whether a real Redmine is started for a test."""
    return "redmine_version" in getattr(item, "fixturenames", ())


def needs_browser(item: pytest.Item) -> bool:
    """Whether a browser is started for a test."""
    return "chromium" in getattr(item, "fixturenames", ())


def is_chosen(item: pytest.Item) -> bool:
    """Whether a test runs, on the version that it was collected for."""
    if "RECONCILER_TEST_VERSIONS" in os.environ:
        return True
    if not PROVE and any(item.iter_markers("prove_only")):
        return False
    return not needs_server(item) or is_own(item) or is_on_all(item)


def is_on_all(item: pytest.Item) -> bool:
    """Whether a test runs on all versions; what takes very long does so in `make prove` alone."""
    if item.path.stem in ON_ONE_VERSION:
        return False
    if PROVE:
        return item.path.parent.name in (*ON_ALL_VERSIONS, *PROVED)
    return item.path.parent.name in ON_ALL_VERSIONS and not any(item.iter_markers("prove"))


def is_own(item: pytest.Item) -> bool:
    """Whether a test was collected for the one version that it runs on in `make test`."""
    version = version_of(item.nodeid)
    name = item.nodeid.replace(f"redmine-{version}", "", 1)
    # Tests that share a server of their own share the version, too.
    shared = item.nodeid.partition("::")[0] if "large" in getattr(item, "fixturenames", ()) else name
    return VERSIONS[crc32(shared.encode()) % len(VERSIONS)] == version


def to_prove(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests that have more cases in `make prove`, or that `make test` leaves out; or the tenth of them that it takes."""
    more = [item for item in items if is_proved(item)]
    return [item for number, item in enumerate(more) if PROVE == "all" or number % PARTS == int(PROVE)]


def is_proved(item: pytest.Item) -> bool:
    """Whether a test is one of those of `make prove`."""
    marked = any(any(item.iter_markers(name)) for name in MARKS)
    return marked or (item.path.parent.name in PROVED and needs_server(item) and not is_own(item))


def version_of(nodeid: str) -> str | None:
    """The version of Redmine that a test runs on, by its id."""
    found = re.search(r"[\[-]redmine-(\d+\.\d+)[\]-]", nodeid)
    return found and found[1]


def turn(item: pytest.Item) -> int:
    """Which tests a worker gets first: the longest. Short ones at the end leave no worker without work."""
    if needs_server(item):
        return 0 if item.path.stem in LONGEST else 1
    if needs_browser(item):
        return 2
    if any(item.iter_markers("slow")) or any(item.iter_markers("package")):
        return 3
    return 4 if item.path.as_posix().endswith(SLOWEST) else 5


def portions(collection: Sequence[str]) -> dict[str, str]:
    """The portion that each test belongs to: those of a file on one version of Redmine, those of pages, and of other
    files at most TOGETHER at once."""
    found, seen = {}, Counter[str]()
    for nodeid in collection:
        file, version = nodeid.partition("::")[0], version_of(nodeid)
        if version:
            found[nodeid] = f"{version} {file}"
        # One browser: all of its tests are in one folder.
        elif "browser/" in nodeid:
            found[nodeid] = "browser"
        else:
            found[nodeid] = f"{file} {seen[file] // TOGETHER}"
            seen[file] += 1
    return found


class ByVersion(LoadScopeScheduling):
    """A worker gets tests of one version of Redmine, file by file, so that it starts one server; when there are none
    left, tests without a server. So several workers share a version, and none waits for the others at the end.

    More workers than cores are of use: a test that waits for a time-out leaves its core to another one.

    The tests are dealt out in their order (see `turn`). (`--dist loadgroup` cannot do it: xdist 3.8 puts the group into
    an attribute that pytest 9 does not have any more.)
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

    def _assign_work_unit(self, node: Any) -> None:
        chosen = self._next(node)
        if chosen is None:
            # What is left is for the workers that have its server.
            node.shutdown()
            return
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)

    def _next(self, node: Any) -> str | None:
        """The next portion for a worker: of the version that it has, of one that needs a worker, or without a server."""
        own, others = self._versions(node), [self._versions(other) for other in self.nodes]
        left = Counter(served_by(portion) for portion in self.workqueue)
        served = {version: sum(version in other for other in others) for version in left if version}
        free = [version for version in served if not own or not served[version]]
        free.sort(key=lambda version: served[version] / left[version])
        for version in (*own, *free[:1], ""):
            if left[version]:
                return next(portion for portion in self.workqueue if served_by(portion) == version)
        return None

    def _versions(self, node: Any) -> list[str]:
        """The versions of Redmine that a worker has started, or is about to."""
        return sorted({served_by(portion) for portion in self.assigned_work.get(node, ())} - {""})


def served_by(portion: str) -> str:
    """The version of Redmine of a portion; empty without one."""
    found = re.match(r"\d+\.\d+ ", portion)
    return found[0].strip() if found else ""
