"""The pytest plugin: what it costs, and worlds on a given server (in memory, behind a port)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from canned import Canned
from stub import Stub

from reconciler import pytest_plugin

pytestmark = pytest.mark.slow

SUITE = """
import asyncio
import pytest

SHOP = "projects: [{identifier: extra, name: Extra, versions: [{name: '1.0'}]}]"

def test_ids_by_name(redmine_world):
    world = redmine_world("manifests/")
    assert world.get("/projects/web")["project"]["id"] == world.id("project web") == world.id("project/web")
    assert world.plan("manifests/").changes == ()
    with pytest.raises(LookupError, match="there is version web/1.0"):
        world.id("version web/2.0")

def test_what_another_test_did_is_gone(redmine_world):
    world = redmine_world(text=SHOP)
    assert [row["identifier"] for row in world.get("/projects")["projects"]] == ["shop", "extra"]

def test_nothing_is_there_at_first(redmine_world):
    assert [row["identifier"] for row in redmine_world().get("/projects")["projects"]] == ["shop"]

def test_a_second_call_adds(redmine_world):
    redmine_world("manifests/")
    world = redmine_world(text=SHOP)
    assert len(world.get("/projects")["projects"]) == 3
    assert world.id("version web/1.0") != world.id("version extra/1.0")

def test_in_an_event_loop(redmine_world):
    async def within():
        return redmine_world("manifests/").id("version web/1.0")
    assert asyncio.run(within())

def test_invalid_manifests_fail_the_test(redmine_world):
    redmine_world(text="projects: [{identifier: extra, nmae: x}]")

def test_a_path_that_is_nowhere_fails_the_test(redmine_world):
    redmine_world("nowhere/")

def test_the_environment_of_programs(redmine_world):
    world = redmine_world()
    assert world.environ == {"REDMINE_URL": world.url, "REDMINE_API_KEY": world.api_key}
"""


@pytest.fixture
def server() -> Iterator[Stub]:
    """A Redmine with a project `shop`."""
    canned = Canned()
    canned.add("projects", identifier="shop")
    with Stub(canned.answer) as stub:
        yield stub


def run(folder: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """pytest with the suite in a folder, as in another project."""
    tests = folder / "tests"
    (tests / "manifests").mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (tests / "test_suite.py").write_text(SUITE)
    # The team's own server: nothing of it is used.
    own = "url: https://redmine.invalid\napi_key: ${NOT_SET}\nlease: {project: ops}\nheaders: {X-Gate: '${NOT_SET}'}\n"
    (tests / "manifests" / "reconciler.yaml").write_text(own)
    (tests / "manifests" / "web.yaml").write_text("projects: [{identifier: web, name: Web, versions: [{name: '1.0'}]}]")
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("REDMINE_", "RECONCILER_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, env=kept | environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_worlds_on_a_given_server(server: Stub, tmp_path: Path) -> None:
    """Each test begins with what was there before the run; only the two that must fail do, in a few words."""
    url = f"--redmine-url={server.url}"
    code, said = run(tmp_path, url, "--redmine-disposable", REDMINE_API_KEY="canned")
    assert (code, said.splitlines()[-1].partition(" in ")[0]) == (1, "2 failed, 6 passed"), said
    assert 'unknown field "nmae"' in said
    assert "nowhere/ is neither in" in said
    assert "Traceback" not in said
    assert "another exception" not in said


def test_a_given_server_must_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was not called disposable, or without a key for it, is refused before any request."""
    monkeypatch.delenv("REDMINE_API_KEY", raising=False)
    with pytest.raises(pytest.fail.Exception, match="add --redmine-disposable"):
        pytest_plugin._given("http://127.0.0.1:1", disposable=False)
    with pytest.raises(pytest.fail.Exception, match="an administrator's API key in REDMINE_API_KEY"):
        pytest_plugin._given("http://127.0.0.1:1", disposable=True)


def test_an_address_in_the_environment_is_not_used(server: Stub, tmp_path: Path) -> None:
    """REDMINE_URL alone, which may be that of the team's Redmine, never makes tests run on it."""
    where = {"REDMINE_URL": server.url, "REDMINE_API_KEY": "canned", "RECONCILER_SANDBOX_HOME": str(tmp_path / "home")}
    code, said = run(tmp_path, "--redmine-version=4.2", "-k", "nothing_is_there", **where)
    assert code == 1
    assert "No sandbox for Redmine 4.2; available: 5.0, 6.0, 6.1." in said
    assert server.seen == []


def test_other_runs_pay_nothing(tmp_path: Path) -> None:
    """pytest imports the plugin in every run, and with it nothing but the package itself."""
    code = "import pytest, sys; before = set(sys.modules); import reconciler.pytest_plugin; print(set(sys.modules) - before)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert eval(shown) == {"reconciler", "reconciler.pytest_plugin"}
