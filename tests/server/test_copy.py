"""A Redmine is copied: exported whole, and applied to an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest
from custom_fields import EVERY
from exports import contents, run
from paths import ROOT
from whole import catalog

import reconciler
from reconciler.sandbox import Running, Sandbox

pytestmark = pytest.mark.custom_fields(EVERY)

WORLD = "company"
"""The example that is in the Redmine that is copied, besides the catalog that `setup.rb` makes."""


def address(monkeypatch: pytest.MonkeyPatch, server: Running) -> None:
    """The server that everything goes to from now on."""
    monkeypatch.setenv("REDMINE_URL", server.url)
    monkeypatch.setenv("REDMINE_API_KEY", server.api_key)


@pytest.mark.prove_only
def test_a_server_is_copied(
    world: Running, redmine: Sandbox, bare: Sandbox, empty: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an empty Redmine is exported as after it got an export of another one is the same, file by file."""
    address(monkeypatch, world)
    reconciler.load(ROOT / "examples" / WORLD).apply()
    # The configuration of the manifests says where issues have their keys.
    (tmp_path / "reconciler.yaml").write_text("issue_key_field: Config key\n")
    monkeypatch.chdir(tmp_path)
    run("export", "--all", "-o", "one", code=0)
    address(monkeypatch, empty)
    report = reconciler.load(tmp_path / "one").apply()
    assert [r for r in report.results if r.outcome != "done"] == []
    assert reconciler.load(tmp_path / "one").plan().changes == ()
    run("export", "--all", "-o", "two", code=0)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert two.keys() == one.keys()
    assert [name for name in one if one[name] != two[name]] == []
    made, given = catalog(bare), catalog(redmine)
    differing = [
        pair for kind, rows in given.items() for pair in zip(rows, made[kind], strict=True) if pair[0] != pair[1]
    ]
    assert differing == []
