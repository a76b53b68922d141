"""The examples apply to a real Redmine, completely and once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT
from servers import claim

import reconciler
from reconciler.kinds import declarable
from reconciler.sandbox import Running, Sandbox

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def company(redmine_version: str) -> Iterator[Running]:
    """A server with the custom fields that the larger example needs."""
    with claim(f"test-company-{redmine_version}") as name:
        sandbox = Sandbox(redmine_version, name=name)
        if sandbox.exists():
            sandbox.reset()
        running = sandbox.start([EXAMPLES / "company" / "setup.rb"])
        sandbox.reset()
        yield running
        sandbox.stop()


def converges(folder: Path, world: Running) -> reconciler.Report:
    """Apply a folder; everything must be done, and nothing left to do."""
    os.environ.update(REDMINE_URL=world.url, REDMINE_API_KEY=world.api_key)
    try:
        manifests = reconciler.load(folder)
        report = manifests.apply()
        assert [r for r in report.results if r.outcome != "done"] == []
        assert manifests.plan().changes == ()
        return report
    finally:
        del os.environ["REDMINE_URL"], os.environ["REDMINE_API_KEY"]


def test_the_quickstart_applies(world: Running) -> None:
    """The first example needs nothing but Redmine's default data."""
    assert converges(EXAMPLES / "quickstart", world).summary["done"] == 11


def test_the_company_applies(company: Running) -> None:
    """Three projects, ten users and sixty issues with custom fields of every format are there after one apply."""
    report = converges(EXAMPLES / "company", company)
    kinds = [r.change.address.kind for r in report.results]
    assert (kinds.count("project"), kinds.count("user"), kinds.count("issue")) == (3, 10, 60)


@pytest.mark.parametrize("kind", [k.plural for k in declarable().values()])
def test_each_kind_has_an_example_that_applies(kind: str, world: Running) -> None:
    """The example of a kind applies to an empty Redmine, and leaves nothing to do."""
    report = converges(EXAMPLES / "kinds" / f"{kind}.yaml", world)
    assert any(r.change.address.kind == declarable()[kind].name for r in report.results)
