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


@pytest.mark.parametrize("command", ["plan", "apply", "check"])
def test_the_choice_comes_first(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the manifests are the same for all, a variable that each instance has is not the problem."""
    monkeypatch.delenv("REDMINE_URL")
    shared = CONFIG.replace(" manifests: [base],", " vars: {NAME: X},").replace(
        ", manifests: [base]}", ", vars: {NAME: X}}"
    )
    Path("reconciler.yaml").write_text(f"manifests: [base]\n{shared}")
    Path("base/a.yaml").write_text(BASE.replace("name: Shop", "name: ${NAME}"))
    result = run(command, code=1)
    assert "Error: Several instances are configured: choose one with --instance (test, live)." in result.stderr
    assert "variable" not in result.output


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


@pytest.mark.parametrize("command", ["show", "break"])
def test_a_lease_of_an_instance_needs_a_choice(command: str) -> None:
    """It is not said to be missing."""
    Path("reconciler.yaml").write_text(
        CONFIG.replace("manifests: [base]}", "manifests: [base], lease: {project: ops}}")
    )
    result = run("lease", command, code=1)
    assert "Several instances are configured: choose one with --instance (test, live)." in result.stderr


# -- a saved plan ------------------------------------------------------------------------------------------------

LIMITS = "limits: {deletes: 0}\n"


def saved(canned: Canned, *args: str) -> Result:
    """A plan with a deletion, saved by a command in the current folder; the configuration is beside the manifests."""
    Path("reconciler.yaml").rename("base/reconciler.yaml")
    text = Path("base/reconciler.yaml").read_text().replace("[base]", "[.]").replace(", overlays: [test.yaml]", "")
    Path("base/reconciler.yaml").write_text(LIMITS + text)
    Path("base/a.yaml").write_text("projects: [{identifier: shop, versions: [{name: '1.0', state: absent}]}]")
    canned.add("versions", project="shop", name="1.0")
    return run("plan", "base", "--out", "saved.plan", *args)


def test_a_saved_plan_keeps_its_configuration(canned: Canned) -> None:
    """Its instance and its limits hold, although `apply` runs in another folder than that of the configuration."""
    assert "To apply it: reconciler apply --plan saved.plan\n" in saved(canned, "--instance", "test").stderr
    result = run("apply", "--plan", "saved.plan", "--yes", code=5)
    assert "more than the limit of 0 (limits.deletes)" in result.stderr
    assert "Applied: 1 done" in run("apply", "--plan", "saved.plan", "--yes", "--max-deletes", "1").stdout


def test_options_override_what_a_saved_plan_was_made_with(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another instance has another server, for which the plan is not; another file has no limits."""
    saved(canned, "--instance", "test")
    assert "not for http://live.test" in run("apply", "--plan", "saved.plan", "--instance", "live", code=5).stderr
    monkeypatch.setenv("RECONCILER_INSTANCE", "live")
    assert "not for http://live.test" in run("apply", "--plan", "saved.plan", code=5).stderr
    monkeypatch.delenv("RECONCILER_INSTANCE")
    Path("other.yaml").write_text(Path("base/reconciler.yaml").read_text().replace(LIMITS, ""))
    assert "Applied: 1 done" in run("apply", "--plan", "saved.plan", "--yes", "--config", "other.yaml").stdout


def test_a_saved_plan_without_its_configuration(canned: Canned) -> None:
    """Its limits and its lease would not hold: it is refused, unless a configuration is named. One that lies in the
    current folder is another one."""
    saved(canned, "--instance", "test")
    text = Path("base/reconciler.yaml").read_text()
    Path("base/reconciler.yaml").unlink()
    for there in (False, True):
        if there:
            Path("reconciler.yaml").write_text(text.replace(LIMITS, ""))
        result = run("apply", "--plan", "saved.plan", "--yes", code=5)
        assert "The plan was made with base/reconciler.yaml, which is not there" in result.stderr
    assert [request for request in canned.seen if request[0] != "GET"] == []
    result = run("apply", "--plan", "saved.plan", "--yes", "--config", "reconciler.yaml")
    assert "Applied: 1 done" in result.stdout


def test_a_saved_plan_without_any_configuration(canned: Canned) -> None:
    """Nothing is missing then."""
    Path("reconciler.yaml").unlink()
    run("plan", "base", "--out", "saved.plan")
    assert "was made with" not in run("apply", "--plan", "saved.plan", "--yes").stderr
