"""What a release consists of: the description's links, the notes, the packages, and the site of the docs."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

from reconciler import __version__

NOTES = """# Changelog

## Unreleased

### Fixed

## 0.2.0 – 2026-12-01

### Commands

### Fixed

- This.

## 0.1.0 – 2026-11-01

- First.
"""


def tool(name: str) -> dict[str, Any]:
    """The functions of a program of the project that is no part of the package."""
    return runpy.run_path(str(ROOT / name), run_name="tool")


# -- texts -----------------------------------------------------------------------------------------------------


def test_the_description_has_no_links_into_the_repository() -> None:
    """Without a public address, relative links become their words; others, and code, stay."""
    text = tool("setup.py")["description"]((ROOT / "README.md").read_text())
    assert re.findall(r"\]\((?!https?://)", text) == []
    assert "export REDMINE_URL=https://redmine.example.net" in text
    convert = tool("setup.py")["description"]
    assert convert("[a](docs/a.md#b) [c](https://c.example) [`d`](d) [e](#e)") == "a [c](https://c.example) `d` e"


def test_with_a_public_address_they_lead_there() -> None:
    """The pattern of [tool.release] gets the version and the path; a link within the page becomes its words."""
    pattern = "https://git.example.net/blob/v{version}/{path}"
    text = tool("setup.py")["description"]("[a](docs/a.md#b) [e](#e)", pattern, "0.2.0")
    assert text == "[a](https://git.example.net/blob/v0.2.0/docs/a.md#b) e"


def test_the_description_is_of_this_version() -> None:
    """`setup.py` finds the version where the package has it."""
    assert tool("setup.py")["version"]() == __version__


def test_release_notes() -> None:
    """The section of one version, without empty headings; a version that is not there is an error that names the others."""
    notes = tool("tools/release_notes.py")["notes"]
    assert notes(NOTES, "0.2.0") == "### Fixed\n\n- This."
    assert notes(NOTES, "0.1.0") == "- First."
    with pytest.raises(LookupError, match=r"no section 0\.3\.0; it has Unreleased, 0\.2\.0, 0\.1\.0"):
        notes(NOTES, "0.3.0")
    with pytest.raises(LookupError, match="says nothing about Unreleased"):
        notes(NOTES)


def test_the_changelog_has_notes_of_what_is_not_released() -> None:
    """`make release-notes` works on the changelog as it is."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "release_notes.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("### ")


# -- packages --------------------------------------------------------------------------------------------------


def built(folder: Path) -> list[Path]:
    """The wheel and the source distribution, as `make dist` builds them."""
    command = [sys.executable, ROOT / "tools" / "dist.py", folder]
    subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": "1764547200"}, check=True, capture_output=True)
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both, built once."""
    return built(tmp_path_factory.mktemp("dist"))


@pytest.mark.package
def test_the_image_has_what_its_build_needs(tmp_path: Path) -> None:
    """A wheel can be built from just the files that the Containerfile copies."""
    for line in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Containerfile").read_text(), re.M):
        *sources, target = line.split()
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, tmp_path / target)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", tmp_path, "--outdir", tmp_path / "dist"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("share/man/man1/reconciler.1") for name in names)
    assert "reconciler/render/page.css" in names


@pytest.mark.package
def test_the_wheel_works_without_the_sources(packages: list[Path], tmp_path: Path) -> None:
    """Installed alone, it has all files of the package, prints its version and schemas, and validates manifests."""
    wheel = next(path for path in packages if path.suffix == ".whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path / "at",
    ]
    subprocess.run([*install, wheel], check=True, capture_output=True)
    tracked = subprocess.run(["git", "ls-files", "reconciler"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in tracked.stdout.split() if not (tmp_path / "at" / name).exists()] == []
    (tmp_path / "a.yaml").write_text((ROOT / "examples" / "quickstart" / "redmine.yaml").read_text())
    # Found by PYTHONPATH, the libraries come without the links to the sources that an editable installation has.
    libraries = sysconfig.get_path("purelib")
    env = {"PYTHONPATH": f"{tmp_path / 'at'}:{libraries}", "PATH": os.environ["PATH"]}

    def run(*command: str) -> str:
        python = [Path(sys.base_prefix) / "bin" / "python3", "-s", tmp_path / "at" / "bin" / "reconciler"]
        done = subprocess.run([*python, *command], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    assert run("--version").split()[-1] == __version__
    assert run("validate", "a.yaml").startswith("Valid: ")
    assert '"$schema"' in run("schema", "manifest")


@pytest.mark.package
def test_the_metadata(packages: list[Path]) -> None:
    """The wheel says what the project is, with a description whose links work; commands and the plugin are declared."""
    with zipfile.ZipFile(next(path for path in packages if path.suffix == ".whl")) as wheel:
        (metadata,) = (n for n in wheel.namelist() if n.endswith("/METADATA"))
        text = wheel.read(metadata).decode()
        points = wheel.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    assert f"\nVersion: {__version__}\n" in text
    assert "\nLicense-Expression: MIT\n" in text
    assert "\n# reconciler\n" in text
    assert re.findall(r"\]\((?!https?://)", text) == []
    assert "reconciler = reconciler.cli:main" in points
    assert "reconciler = reconciler.pytest_plugin" in points


@pytest.mark.package
def test_the_source_distribution_is_the_project(packages: list[Path]) -> None:
    """Everything that git has is in it, but for what is about the repository itself."""
    with tarfile.open(next(path for path in packages if path.name.endswith(".tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        owners = {(member.uid, member.gid, member.uname, member.mtime) for member in archive.getmembers()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in tracked if not name.startswith(".")} <= names
    assert owners == {(0, 0, "", 1764547200)}


@pytest.mark.package
def test_two_builds_are_the_same(packages: list[Path], tmp_path: Path) -> None:
    """Built again, with another umask, both files have the same bytes."""
    before = os.umask(0o077)
    try:
        again = built(tmp_path)
    finally:
        os.umask(before)
    assert [path.name for path in again] == [path.name for path in packages]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in packages]
