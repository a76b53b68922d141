"""Instances and overlays on the command line: what is read, what is shown, and when one has to be chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from canned import Canned
from click.testing import CliRunner, Result

from reconciler.cli import main

CONFIG = """\
instances:
  test: {url: "http://redmine.test", api_key: canned, manifests: [base], overlays: [test.yaml]}
  live: {url: "http://live.test", api_key: other, manifests: [base]}
"""
BASE = """\
projects:
  - identifier: shop
    name: Shop
    description: "One\\nTwo"
    versions: [{name: "1.0", due_date: 2026-12-01}]
"""
OVERLAY = """\
projects:
  - identifier: shop
    name: Shop
    description: "One\\nThree"
    versions: [{name: "1.0", due_date: 2027-01-31}]
"""


@pytest.fixture(autouse=True)
def folder(canned: Canned) -> Canned:
    """A repository with two instances, in the current folder."""
    Path("base").mkdir()
    Path("base/a.yaml").write_text(BASE)
    Path("test.yaml").write_text(OVERLAY)
    Path("reconciler.yaml").write_text(CONFIG)
    return canned


def run(*args: str, code: int = 0) -> Result:
    """One command."""
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("command", ["validate", "plan", "check", "graph"])
def test_an_instance_must_be_chosen(command: str) -> None:
    """Where what is read depends on it, with or without a server: the names are listed."""
    said = "Several instances are configured: choose one with --instance (test, live)."
    assert said in run(command, code=1).stderr


def test_a_plan_shows_where_a_value_comes_from(canned: Canned) -> None:
    """Beside a value of another file than its object: of one line, of several, and of an object that is new."""
    canned.row("projects", "shop")["name"] = "Shop"
    lines = [line.strip() for line in run("plan", "--instance", "test").stdout.splitlines()]
    assert "description  test.yaml:4" in lines
    assert "due_date  2027-01-31  test.yaml:5" in lines
    assert any(line.startswith("+ version shop/1.0") and line.endswith("base/a.yaml:5") for line in lines)


def test_a_value_that_is_the_same_is_noted() -> None:
    """On stderr, with both places; what changes is listed with -v."""
    quiet, verbose = run("validate", "--instance", "test"), run("validate", "--instance", "test", "-v")
    note = "Note: test.yaml:3:5: project shop: name is the same in base/a.yaml:3:5.\n"
    assert quiet.stderr == note
    assert quiet.stdout == "Valid: 2 objects in 2 files; overlays change 2 objects.\n"
    assert note in verbose.stderr
    assert "Overlay: test.yaml:5:30: version shop/1.0: due_date (base/a.yaml:5:30)" in verbose.stderr


def test_a_path_is_read_in_place_of_the_manifests() -> None:
    """The overlay applies to what is read; what it changes elsewhere is not there."""
    Path("other.yaml").write_text("projects: [{identifier: shop, name: Other}]")
    result = run("validate", "other.yaml", "--instance", "test", code=3)
    assert "version shop/1.0: not declared in the manifests" in result.output


def test_a_note_on_leftovers_is_printed_once(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server and the key of the instance are used; the one in the environment is for another server."""
    monkeypatch.setenv("REDMINE_URL", "http://left.test")
    monkeypatch.setenv("REDMINE_API_KEY", "leftover")
    result = run("plan", "--instance", "test")
    assert result.stderr.count("REDMINE_URL and REDMINE_API_KEY are not used") == 1
    assert "http://redmine.test" in result.stdout


def test_a_saved_plan_must_not_be_read_as_a_manifest() -> None:
    """Also not by the next run that reads the manifests of the configuration."""
    result = run("plan", "--instance", "test", "--out", "base/plan.json", code=1)
    assert "The next run would read base/plan.json as a manifest" in result.stderr
