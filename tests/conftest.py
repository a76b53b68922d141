"""The real Redmines that tests run against.

`redmine` is a started `Sandbox` of each version under test, for the whole run; `world` is that server, back
in the state of `setup.rb`. All tests of a version run on one worker (`--dist loadgroup`).

The tests of promises and traps run on 5.0 and on 6.1, every other one on one of the two, by its name: the whole matrix
takes twice as long. With RECONCILER_TEST_VERSIONS (`make test-all`: `5.0,6.0,6.1`) each test runs on each of these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from paths import SETUP
from servers import PER_VERSION, VERSIONS, claim

from reconciler.sandbox import Running, Sandbox

BOTH = ("promises", "traps")
"""Folders whose tests run on every version in any case."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave each test one version, unless versions are asked for."""
    if "RECONCILER_TEST_VERSIONS" in os.environ:
        return
    left_out = [item for item in items if not _chosen(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _chosen(item: pytest.Item) -> bool:
    version = getattr(item, "callspec", None) and item.callspec.params.get("redmine")  # type: ignore[attr-defined]
    if version is None or item.path.parent.name in BOTH:
        return True
    name = item.nodeid.replace(str(version), "", 1)
    return bool(VERSIONS[crc32(name.encode()) % len(VERSIONS)] == version)


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


@pytest.fixture
def there(world: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the environment that leads to the server."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(("REDMINE_", "RECONCILER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REDMINE_URL", world.url)
    monkeypatch.setenv("REDMINE_API_KEY", world.api_key)
    return tmp_path
