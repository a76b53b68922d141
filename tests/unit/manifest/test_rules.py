"""Which files of a folder are read: patterns, folders of packages, and what the command itself writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.manifest.loader import load
from reconciler.manifest.rules import Rules

NAMES = ["a.yaml", "ci/x.yaml", "ci/deep/y.yml", "team/ci.yaml", "team/b1.json", "team/b2.json"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with manifests, which is the current one."""
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('{"users": []}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("ci", ["ci/deep/y.yml", "ci/x.yaml"]),
        ("ci/", ["ci/deep/y.yml", "ci/x.yaml"]),
        ("/ci/*", ["ci/deep/y.yml", "ci/x.yaml"]),
        ("ci/*.yaml", ["ci/x.yaml"]),
        ("ci/**/y.yml", ["ci/deep/y.yml"]),
        ("**/deep", ["ci/deep/y.yml"]),
        ("*.json", ["team/b1.json", "team/b2.json"]),
        ("team/b?.json", ["team/b1.json", "team/b2.json"]),
        ("team/**", ["team/b1.json", "team/b2.json", "team/ci.yaml"]),
        ("b[!1].json", ["team/b2.json"]),
        ("b[0-1].json", ["team/b1.json"]),
        ("./a.yaml", ["a.yaml"]),
        ("[z-a].yaml", []),
        ("eam", []),
    ],
)
def test_patterns(here: Path, pattern: str, matched: list[str]) -> None:
    """`ignore` leaves out what matches, and `include` leaves out everything else."""
    left = load(["."], {}, rules=Rules(str(here), ignore=(pattern,))).files
    assert sorted(left) == sorted(set(NAMES) - set(matched))
    assert sorted(load(["."], {}, rules=Rules(str(here), include=(pattern,))).files) == matched


def test_what_is_named_is_read(here: Path) -> None:
    """A file or folder that is named on the command line is read although it is ignored."""
    rules = Rules(str(here), ignore=("ci",))
    assert load(["ci/x.yaml"], {}, rules=rules).files == ("ci/x.yaml",)
    assert sorted(load(["ci"], {}, rules=rules).files) == ["ci/deep/y.yml", "ci/x.yaml"]


def test_packages_of_other_programs_are_not_searched(here: Path) -> None:
    """node_modules, and a virtual environment of any name, contain no manifests."""
    for name in ("node_modules/x", "environment/share", "team/node_modules"):
        (here / name).mkdir(parents=True)
        (here / name / "z.yaml").write_text("users: []")
    (here / "environment/pyvenv.cfg").touch()
    assert sorted(load(["."], {}).files) == sorted(NAMES)


def test_the_output_of_the_command_is_no_manifest(here: Path) -> None:
    """A file that the shell has created for the output of the same command is not read, nor one for `tee`."""
    (here / "tee.json").touch()
    code = "from reconciler.manifest.loader import load; import sys; print(*load(['.'], {}).files, file=sys.stderr)"
    with (here / "plan.yaml").open("w") as out:
        done = subprocess.run([sys.executable, "-c", code], stdout=out, stderr=subprocess.PIPE, text=True, check=True)
    assert sorted(done.stderr.split()) == sorted(NAMES)
    (here / "empty.yaml").touch()
    assert [os.fspath(p.location.file) for p in load(["."], {}).problems] == ["empty.yaml", "plan.yaml"]
