"""The real Redmines that tests run against.

`redmine` is a started `Sandbox` of each version under test, for the whole run; `world` is that server, back
in the state of `setup.rb`. Which test runs on which version and worker is told in `helpers/servers.py`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import custom_fields
import hypothesis
import pytest
from extent import PROVE
from paths import SETUP
from servers import DATABASE, PER_VERSION, ByVersion, claim, is_chosen, needs_browser, needs_server, to_prove, turn

from reconciler.cli import OBJECTS
from reconciler.sandbox import Running, Sandbox

# How long an example takes is the machine's affair: other work on it must not fail a test.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def unsettled() -> Iterator[None]:
    """No test waits for a rival that it does not have: those that have one start processes of their own."""
    # Not the fixture: it would be undone after those of the tests, some of which rely on the opposite.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reconciler.apply.doubles.SETTLING", 0.0)
        yield


@pytest.fixture(autouse=True)
def unhurried() -> Iterator[None]:
    """What a command prints does not depend on how busy the machine is: nothing is announced because it takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reconciler.cli.progress.MOMENT", 3600.0)
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks of tests that need a server or a browser."""
    config.addinivalue_line(
        "markers", "server: starts a real Redmine (derived from the fixtures; never written by hand)"
    )
    config.addinivalue_line(
        "markers", "custom_fields(*names): what its server has of those in setup.rb (custom_fields)"
    )
    config.addinivalue_line("markers", "slow: takes seconds; not part of `make fast`")
    config.addinivalue_line("markers", "package: builds the package or the site; not part of `make fast`")
    config.addinivalue_line("markers", "prove: has more cases in `make prove`")
    config.addinivalue_line(
        "markers", "prove_only: runs in `make prove` and `make test-all`, as it takes a minute or more"
    )
    config.addinivalue_line("markers", "browser: needs Chromium (derived from the fixtures; never written by hand)")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a server or a browser, and leave each test one version unless versions are asked for."""
    for item in filter(needs_server, items):
        item.add_marker("server")
    for item in filter(needs_browser, items):
        item.add_marker("browser")
    chosen = [item for item in items if is_chosen(item)]
    chosen = to_prove(chosen) if PROVE else chosen
    config.hook.pytest_deselected(items=list(set(items).difference(chosen)))
    items[:] = chosen
    if hasattr(config, "workerinput"):
        items.sort(key=turn)


def pytest_collection_finish() -> None:
    """Leave what is imported and collected to the end of the process: the garbage collector would look through it again
    and again, and find nothing."""
    gc.freeze()
    gc.set_threshold(OBJECTS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByVersion:
    """With `-n`, all tests of a version run on one worker."""
    return ByVersion(config, log)


@pytest.fixture(scope="session", params=PER_VERSION)
def redmine_version(request: pytest.FixtureRequest) -> str:
    """The version of Redmine that a test runs on; whatever starts a server asks for it."""
    return str(request.param)


@contextmanager
def _started(version: str, name: str, setup: Sequence[Path] = (), *, empty: bool = False) -> Iterator[Sandbox]:
    """A running sandbox of a claimed name, in the state that it has after its setup."""
    with claim(name if DATABASE == "sqlite" else f"{name}-{DATABASE}") as claimed:
        sandbox = Sandbox(version, name=claimed, database=DATABASE)
        # A killed run can leave its server, and a world in which no start succeeds. The name is claimed: it is ours.
        sandbox.stop()
        if sandbox.exists():
            sandbox.reset()
        sandbox.start(setup, empty=empty)
        yield sandbox
        sandbox.stop()


@pytest.fixture(scope="session")
def redmine(redmine_version: str) -> Iterator[Sandbox]:
    """A sandbox that runs for the whole session, with what `setup.rb` creates."""
    with _started(redmine_version, f"test-{redmine_version}", [SETUP]) as sandbox:
        yield sandbox


@pytest.fixture
def again(redmine: Sandbox, request: pytest.FixtureRequest) -> custom_fields.Again:
    """Brings the running server back into the state in which `world` gives it to the test."""
    return partial(custom_fields.reset, redmine, custom_fields.wanted(request.node))


@pytest.fixture
def world(again: custom_fields.Again) -> Running:
    """The running server, fresh: nothing in it but Redmine's default data and what `setup.rb` creates.

    Of the custom fields it has those that the test names, see `custom_fields`.
    """
    return again()


@pytest.fixture(scope="session")
def bare(redmine_version: str) -> Iterator[Sandbox]:
    """A running sandbox without Redmine's default data."""
    with _started(redmine_version, f"test-empty-{redmine_version}", empty=True) as sandbox:
        yield sandbox


@pytest.fixture
def empty(bare: Sandbox) -> Running:
    """The running server, fresh: nothing in it but its administrator."""
    return custom_fields.reset(bare, None)


@pytest.fixture
def there(world: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the environment that leads to the server."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(("REDMINE_", "RECONCILER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REDMINE_URL", world.url)
    monkeypatch.setenv("REDMINE_API_KEY", world.api_key)
    return tmp_path
