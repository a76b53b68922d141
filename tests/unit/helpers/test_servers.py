"""How the tests of this suite are told apart and dealt out to pytest's workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import servers
from paths import TESTS
from servers import TOGETHER, is_chosen, portions, to_prove, version_of

SUITE = """
import os
import time

import pytest

def log(line):
    with open(os.environ["SEEN"], "a") as file:
        print(os.environ.get("PYTEST_XDIST_WORKER", "main"), line, file=file)

@pytest.fixture(scope="session")
def redmine(redmine_version):
    log(f"starts {redmine_version}")

@pytest.mark.parametrize("n", range(4))
def test_on_a_server(redmine, n):
    pass

@pytest.mark.parametrize("n", range(60))
def test_without(n):
    log("plain")
    # A worker that is late gets its share all the same.
    while open(os.environ["SEEN"]).read().count("starts") == 1:
        time.sleep(0.01)
    time.sleep(0.01)
"""


def more(folder: Path, name: str) -> None:
    """One more file of tests on a server."""
    (folder / "promises").mkdir(exist_ok=True)
    (folder / "promises" / f"test_{name}.py").write_text(SUITE.partition('@pytest.mark.parametrize("n", range(60))')[0])


def outcome(folder: Path, *options: str) -> tuple[str, list[str]]:
    """What pytest prints for a suite with this suite's conftest, and what its tests log."""
    (folder / "promises").mkdir(exist_ok=True)
    (folder / "promises" / "test_suite.py").write_text(SUITE)
    seen = folder / "seen"
    seen.touch()
    env = {**os.environ, "SEEN": str(seen), "PYTHONPATH": str(TESTS / "helpers"), "RECONCILER_TEST_VERSIONS": "5.0,6.1"}
    (folder / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--import-mode=importlib",
        "--rootdir",
        str(folder),
        *options,
        folder,
    ]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout, seen.read_text().splitlines()


@pytest.mark.slow
def test_each_worker_starts_the_server_of_one_version(tmp_path: Path) -> None:
    """Two workers start one server each, and share the tests that need none."""
    printed, seen = outcome(tmp_path, "-n", "2")
    assert "68 passed" in printed
    started = [line.split() for line in seen if "starts" in line]
    assert sorted(version for _, _, version in started) == ["5.0", "6.1"]
    assert len({worker for worker, *_ in started}) == 2
    plain: dict[str, int] = defaultdict(int)
    for line in seen:
        plain[line.split()[0]] += line.endswith("plain")
    assert min(plain.values()) >= 4


@pytest.mark.slow
def test_a_run_without_servers_starts_none(tmp_path: Path) -> None:
    """The mark `server` is on what uses the version of a server by way of its fixtures, and on nothing else."""
    printed, seen = outcome(tmp_path, "-m", "not server")
    assert "60 passed" in printed
    assert {line.split()[1] for line in seen} == {"plain"}


@pytest.mark.parametrize(
    ("nodeid", "version"),
    [
        ("tests/a.py::test_b[redmine-6.1]", "6.1"),
        ("tests/a.py::test_b[redmine-5.0-case: 6.1]", "5.0"),
        ("tests/a.py::test_b[x-redmine-5.0]", "5.0"),
        ("tests/a.py::test_b[6.1]", None),
        ("tests/a.py::test_redmine", None),
    ],
)
def test_the_version_of_a_test_is_in_its_id(nodeid: str, version: str | None) -> None:
    """A version that is only a value of a test is not taken for its server's."""
    assert version_of(nodeid) == version


class Item(SimpleNamespace):
    """A test on one version, with a mark or without."""

    def iter_markers(self, name: str) -> list[str]:
        return [name] if self.mark == name else []


@pytest.mark.parametrize(
    ("folder", "mark", "usual", "proved"),
    [
        ("promises", "", 1, 1),
        ("catalog", "", 1, 1),
        ("promises", "prove", 1, 2),
        ("traps", "", 2, 0),
        ("traps", "prove", 1, 2),
        ("server", "", 1, 0),
        ("server", "prove_only", 0, 1),
    ],
)
def test_which_versions_a_test_runs_on(
    monkeypatch: pytest.MonkeyPatch, folder: str, mark: str, usual: int, proved: int
) -> None:
    """Traps are on all versions in `make test`; promises, the catalog, and what kills, on the others in `make prove`."""
    monkeypatch.delenv("RECONCILER_TEST_VERSIONS", raising=False)
    path, names = Path(f"tests/{folder}/test_a.py"), ["redmine_version"]
    monkeypatch.setattr(servers, "VERSIONS", ["5.0", "6.1"])
    nodes = [f"{path}::test_b[redmine-{version}]" for version in servers.VERSIONS]
    items: list[Any] = [Item(path=path, nodeid=node, fixturenames=names, mark=mark) for node in nodes]
    monkeypatch.setattr(servers, "PROVE", "")
    assert sum(map(is_chosen, items)) == usual
    monkeypatch.setattr(servers, "PROVE", "all")
    assert len(to_prove(list(filter(is_chosen, items)))) == proved


def test_portions_keep_together_what_shares_a_server() -> None:
    """The tests of a file on one version are one portion, and so are all pages; other files are cut."""
    plain = [f"tests/unit/test_a.py::test_b[{n}]" for n in range(TOGETHER + 1)]
    on = [f"tests/traps/test_a.py::test_{n}[redmine-{v}]" for v in ("5.0", "6.1") for n in range(TOGETHER + 1)]
    pages = ["tests/browser/test_a.py::test_b", "tests/browser/test_c.py::test_d"]
    dealt = portions([*on, *pages, *plain])
    assert len({dealt[nodeid] for nodeid in on}) == 2
    assert len({dealt[nodeid] for nodeid in pages}) == 1
    assert [dealt[nodeid] for nodeid in plain] == [dealt[plain[0]]] * TOGETHER + [dealt[plain[-1]]]
    assert len({*dealt.values()}) == 5


@pytest.mark.slow
def test_workers_share_a_version(tmp_path: Path) -> None:
    """Of three workers, no one starts two servers, and none is left without work."""
    for name in ("a", "b", "c", "d"):
        more(tmp_path, name)
    printed, seen = outcome(tmp_path, "-n", "3")
    assert "100 passed" in printed
    started = {(worker, version) for worker, _, version in (line.split() for line in seen if "starts" in line)}
    assert {version for _, version in started} == {"5.0", "6.1"}
    assert len(started) == len({worker for worker, _ in started}) == 3


def test_no_mark_is_written_by_hand() -> None:
    """No test says itself that it needs a server or a browser."""
    by_hand = [
        p
        for p in TESTS.rglob("*.py")
        if re.search(r"mark\.(server|browser|xdist_group)\b", p.read_text()) and p != Path(__file__)
    ]
    assert by_hand == []
