"""Plans that are saved and applied on a real Redmine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reconciler.cli import main
from reconciler.sandbox import Running

KEY, PASSWORD = "canary-key-5d1", "canary-password-5d2"


def run(*args: str, manifest: str | None = None, **options: Any) -> Result:
    """One command; `manifest` is written into the current folder first. A secret is never printed."""
    if manifest is not None:
        Path("a.yaml").write_text(manifest, encoding="utf-8")
    result = CliRunner().invoke(main, args, **options)
    assert KEY not in result.output
    assert PASSWORD not in result.output
    return result


# -- a real server ----------------------------------------------------------------------------------------------

WORLD = """
users:
  - {login: amy, firstname: Amy, lastname: Pond, mail: amy@example.net, password: "${AMY_PASSWORD}"}
projects:
  - identifier: shop
    name: Shop
    trackers: [Bug]
    enabled_modules: [issue_tracking]
    members: [{user: amy, roles: [Manager]}]
    versions: [{name: "1.0", status: locked}]
    issues:
      - {key: a, subject: First, tracker: Bug, fixed_version: "1.0", assigned_to: amy}
      - {key: b, subject: Second, tracker: Bug, parent: a}
"""


def test_a_plan_saved_and_applied_on_a_real_server(
    world: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Create, then change with references to unchanged objects: each saved plan does all that it says."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"REDMINE_URL": world.url, "REDMINE_API_KEY": world.api_key, "AMY_PASSWORD": PASSWORD}.items():
        monkeypatch.setenv(name, value)
    moved = WORLD.replace("parent: a", 'parent: null, fixed_version: "1.0", assigned_to: amy')
    for text in (WORLD, moved, WORLD):
        assert run("plan", "--out", "saved.plan", "--detailed-exitcode", manifest=text).exit_code == 2
        assert PASSWORD not in Path("saved.plan").read_text()
        result = run("apply", "--plan", "saved.plan", "--yes")
        assert result.exit_code == 0, result.output
        assert run("plan", "--detailed-exitcode").exit_code == 0


def test_a_saved_plan_needs_the_variables_of_its_secrets(
    world: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret is evaluated again when the plan is applied; one that is in the manifest itself is not saved."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"REDMINE_URL": world.url, "REDMINE_API_KEY": world.api_key, "AMY_PASSWORD": PASSWORD}.items():
        monkeypatch.setenv(name, value)
    assert run("plan", "--out", "saved.plan", manifest=WORLD).exit_code == 0
    monkeypatch.delenv("AMY_PASSWORD")
    result = run("apply", "--plan", "saved.plan", "--yes")
    assert (result.exit_code, "needs ${AMY_PASSWORD} for password of user amy" in result.stderr) == (1, True)
    literal = run("plan", "--out", "other.plan", manifest=WORLD.replace("${AMY_PASSWORD}", PASSWORD))
    assert (literal.exit_code, Path("other.plan").exists()) == (5, False)
    assert "write the value as just ${NAME}" in literal.stderr
