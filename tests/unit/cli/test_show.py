"""`show`: a saved plan is shown as `plan` has shown it, without anything but the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from canned import Canned
from click.testing import CliRunner, Result

from reconciler.cli import main

MANIFEST = """\
users: [{login: amy, firstname: A, lastname: B, mail: a@b.c, password: "${PASSWORD}"}]
projects:
  - {identifier: shop, name: Renamed, versions: [{name: "1.0", state: absent}]}
"""
FORMATS = ("text", "json", "markdown", "html", "github")


def run(*args: str, code: int = 0) -> Result:
    """One command."""
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("form", FORMATS)
def test_a_saved_plan_is_shown(form: str, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was, in each format and report; without the manifests, their variables, a configuration or a server."""
    monkeypatch.setenv("PASSWORD", "canary")
    canned.add("versions", project="shop", name="1.0")
    Path("a.yaml").write_text(MANIFEST)
    planned = run("plan", "--out", "saved.plan", "--format", form, "--report", "a.md")
    Path("a.yaml").unlink()
    for name in ("PASSWORD", "REDMINE_URL", "REDMINE_API_KEY"):
        monkeypatch.delenv(name)
    asked = len(canned.seen)
    shown = run("show", "saved.plan", "--format", form, "--report", "b.md")
    assert (shown.stdout, shown.stderr) == (planned.stdout, "")
    assert Path("b.md").read_text() == Path("a.md").read_text()
    assert len(canned.seen) == asked


def test_what_is_no_saved_plan_is_not_shown(canned: Canned) -> None:
    """An error, also in a report; one that was edited is refused."""
    Path("a.yaml").write_text("projects: [{identifier: shop, name: Renamed}]")
    assert "is not a saved plan" in run("show", "a.yaml", "--report", "b.xml", code=1).stderr
    assert "is not a saved plan" in Path("b.xml").read_text()
    assert "Cannot read the plan missing.plan" in run("show", "missing.plan", code=1).stderr
    run("plan", "--out", "saved.plan")
    Path("saved.plan").write_text(Path("saved.plan").read_text().replace("Renamed", "Named"))
    assert "was modified after it was saved" in run("show", "saved.plan", code=5).stderr
