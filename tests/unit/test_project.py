"""The project's own files: version, CI, hooks and contributor docs name things that exist."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from paths import ROOT

from reconciler import __version__
from reconciler.cli import main

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
HOOKS = ROOT / ".pre-commit-config.yaml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def targets() -> set[str]:
    """The targets of the Makefile."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))


def steps(job: dict[str, Any]) -> list[str]:
    """The commands of a job."""
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_version_is_in_one_place() -> None:
    """`reconciler.__version__` is what the package's metadata and `--version` say; pyproject.toml has no copy."""
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "reconciler.__version__"}
    assert version("redmine-reconciler") == __version__
    assert CliRunner().invoke(main, ["--version"]).stdout.split()[-1] == __version__


@pytest.mark.parametrize(
    "page",
    [*sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")}), WORKFLOW, HOOKS],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_make_targets_exist(page: Path) -> None:
    """Every `make TARGET` that the docs, the workflow and the hooks mention is in the Makefile."""
    named = set(re.findall(r"(?:^|`|run: |entry: )make ([a-z][a-z-]*)", page.read_text(), re.M))
    assert named <= targets()


def test_the_workflow_runs_the_suite_on_each_supported_python() -> None:
    """The fast tests run on every Python of the classifiers, the whole suite once, and nothing needs a secret."""
    text = WORKFLOW.read_text()
    jobs = yaml.safe_load(text)["jobs"]
    classifiers = " ".join(PROJECT["project"]["classifiers"])
    assert jobs["fast"]["strategy"]["matrix"]["python"] == re.findall(r"Python :: (3\.\d+)", classifiers)
    assert "make fast" in steps(jobs["fast"])
    assert ".ci/run" in steps(jobs["full"])
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
    assert "secrets." not in text


def test_hooks_run_the_tools_of_the_project() -> None:
    """The hooks call what `make lint` calls, from the same environment, so that both agree."""
    lint = (ROOT / "Makefile").read_text()
    hooks = [hook for repo in yaml.safe_load(HOOKS.read_text())["repos"] for hook in repo["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    for hook in hooks:
        command = hook["entry"].split()[0].replace(".venv/bin", "$(BIN)")
        assert command == "make" or command in lint, hook["entry"]


def test_the_typing_examples_are_type_checked() -> None:
    """`make lint` checks tests/typing, which mentions every public name."""
    import reconciler

    assert "tests/typing" in PROJECT["tool"]["mypy"]["files"]
    snippet = (ROOT / "tests" / "typing" / "public_api.py").read_text()
    assert [name for name in reconciler.__all__ if f"reconciler.{name}" not in snippet] == []


def test_the_architecture_names_what_exists() -> None:
    """Every module and folder in docs/architecture.md exists, and its table has exactly the layers of import-linter."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    package = ROOT / "reconciler"
    top = {path.name for path in package.iterdir()}
    modules = {name for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", text) if name.split(".")[0] in top}
    assert modules
    assert [name for name in modules if not package.joinpath(*name.split(".")).with_suffix(".py").exists()] == []
    paths = re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.py)?)`", text)
    assert [path for path in paths if not any((base / path).exists() for base in (ROOT, package))] == []
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    layers = [name.split(".")[1] for layer in contract["layers"] for name in layer.split(" | ")]
    table = re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \|", text.partition("## Folders")[2], re.M)
    assert table == layers
