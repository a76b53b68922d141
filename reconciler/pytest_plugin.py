"""The pytest plugin: `redmine_world("manifests/")` is a real Redmine in the state of these manifests (docs/pytest.md).

pytest imports this module in every run of an environment with `reconciler` in it, so it imports nothing: the rest
comes with the first test that asks for a world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.testing.servers import Server
    from reconciler.testing.world import World

GIVEN = "REDMINE_API_KEY"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which Redmine tests get."""
    group = parser.getgroup("redmine", "Redmine worlds (reconciler)")
    group.addoption("--redmine-version", metavar="VERSION", help="version of the sandbox: 5.0, 6.0 or 6.1")
    group.addoption("--redmine-database", metavar="NAME", help="database of the sandbox: sqlite or postgresql")
    group.addoption("--redmine-keep", action="store_true", help="leave the sandbox running, with the last test's data")
    group.addoption("--redmine-url", metavar="URL", help=f"use this server, with the key in {GIVEN}; no sandbox")
    group.addoption(
        "--redmine-disposable", action="store_true", help="tests may delete what they like on --redmine-url"
    )
    parser.addini("redmine_version", "version of the sandbox (default: 6.1)", default="6.1")
    parser.addini("redmine_database", "database of the sandbox (default: sqlite)", default="sqlite")
    parser.addini("redmine_setup", "Ruby files for what the API cannot create, run once inside the sandbox", "paths")


@pytest.fixture(scope="session")
def redmine_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of this process: a sandbox that is started once, or that of --redmine-url."""
    from contextlib import ExitStack

    from reconciler.errors import SandboxError
    from reconciler.testing.servers import SandboxServer

    option = request.config.getoption
    if option("--redmine-url"):
        yield _given(option("--redmine-url"), disposable=option("--redmine-disposable"))
        return
    ini = request.config.getini
    version, database = (option(f"--redmine-{name}") or ini(f"redmine_{name}") for name in ("version", "database"))
    kept, setup = tmp_path_factory.mktemp("redmine-worlds"), ini("redmine_setup")
    with ExitStack() as stack:
        said = ""
        try:
            server = SandboxServer(version, setup, kept, database=database, keep_running=option("--redmine-keep"))
            stack.enter_context(server.started())
        except SandboxError as error:
            said = str(error)
        if said:
            pytest.fail(said, pytrace=False)
        yield server


def _given(url: str, *, disposable: bool) -> Server:
    """The server of --redmine-url; fails for one that may be of use to somebody."""
    import os

    from reconciler.testing.servers import GivenServer

    if not disposable:
        pytest.fail(
            f"Tests would create and delete projects, users and groups on {url}. If that is what it is for, add "
            "--redmine-disposable; without --redmine-url, tests get a sandbox.",
            pytrace=False,
        )
    if not os.environ.get(GIVEN):
        pytest.fail(f"--redmine-url needs an administrator's API key in {GIVEN}.", pytrace=False)
    return GivenServer(url, os.environ[GIVEN])


class Worlds:
    """The fixture `redmine_world`: call it with manifests."""

    def __init__(self, world: World, scratch: Path) -> None:
        self._world, self._scratch = world, scratch
        self._texts = 0
        self._begun = False

    def __call__(self, *paths: str | Path, text: str = "", instance: str | None = None) -> World:
        """The world of this test, with these manifests applied: paths beside the test or below pytest's root folder.

        `text` is a manifest in the test itself. A second call adds to the same world.
        """
        given = [*paths, *([self._written(text)] if text else [])]
        if said := self._applied(given, instance):
            pytest.fail(f"The manifests are not applied:\n{said}", pytrace=False)
        return self._world

    def _applied(self, paths: list[str | Path], instance: str | None) -> str:
        """Apply manifests; why that was not possible, or ""."""
        from reconciler.errors import ReconcilerError

        # Only the first ones make a world that another test can begin with.
        begun, self._begun = self._begun, True
        apply: Any = self._world.apply if begun else self._world.apply_once
        try:
            if paths:
                apply(*paths, instance=instance)
        except ReconcilerError as error:
            return str(error)
        return ""

    def _written(self, text: str) -> Path:
        from textwrap import dedent

        self._texts += 1
        path = self._scratch / f"text-{self._texts}.yaml"
        path.write_text(dedent(text), encoding="utf-8")
        return path


@pytest.fixture
def redmine_world(
    request: pytest.FixtureRequest, redmine_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worlds]:
    """A Redmine for this test, with nothing but its default data until it is called with manifests."""
    from contextlib import ExitStack

    from reconciler.testing.world import World

    folders = tuple(dict.fromkeys((request.path.parent, request.config.rootpath)))
    with redmine_server.used(), ExitStack() as opened:
        world = World(redmine_server, opened, folders)
        yield Worlds(world, tmp_path_factory.mktemp("redmine-manifests"))
