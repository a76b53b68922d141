"""The examples apply to a real Redmine, completely and once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from paths import ROOT
from whole import catalog

import reconciler
from reconciler.kinds import declarable
from reconciler.model.catalog import Catalog
from reconciler.sandbox import Running, Sandbox

EXAMPLES = ROOT / "examples"


def converges(path: Path | list[Path], world: Running) -> reconciler.Report:
    """Apply a folder, or files; everything must be done, and nothing left to do."""
    os.environ.update(REDMINE_URL=world.url, REDMINE_API_KEY=world.api_key)
    try:
        manifests = reconciler.load(*path) if isinstance(path, list) else reconciler.load(path)
        report = manifests.apply()
        assert [r for r in report.results if r.outcome != "done"] == []
        assert manifests.plan().changes == ()
        return report
    finally:
        del os.environ["REDMINE_URL"], os.environ["REDMINE_API_KEY"]


def test_the_quickstart_applies(world: Running) -> None:
    """The first example needs nothing but Redmine's default data."""
    assert converges(EXAMPLES / "quickstart", world).summary["done"] == 11


def test_the_company_applies(world: Running) -> None:
    """Three projects, ten users and sixty issues with custom fields of every format are there after one apply."""
    report = converges(EXAMPLES / "company", world)
    kinds = [r.change.address.kind for r in report.results]
    assert (kinds.count("project"), kinds.count("user"), kinds.count("issue")) == (3, 10, 60)


def test_an_empty_redmine_is_set_up_by_one_apply(empty: Running) -> None:
    """Trackers, roles, workflow, custom fields, settings, people and issues with their values are there after one."""
    report = converges(EXAMPLES / "from-nothing", empty)
    kinds = [r.change.address.kind for r in report.results]
    assert (kinds.count("tracker"), kinds.count("workflow"), kinds.count("issue")) == (2, 5, 4)


@pytest.mark.prove_only
def test_the_german_default_data_is_that_of_redmine(bare: Sandbox, empty: Running) -> None:
    """The manifests make of an empty Redmine what `rake redmine:load_default_data` with German makes of it."""
    bare.run('Redmine::DefaultData::Loader.load("de")')
    wanted = catalog(bare)
    bare.reset()
    converges(EXAMPLES / "default-data-de", empty)
    found = catalog(bare)
    for permissions in (role["permissions"] for role in wanted["role"] if role["name"] == "Manager"):
        # Of later versions; the manifests are for all.
        permissions[:] = [one for one in permissions if one != "select_project_publicity"]
    assert found == wanted


@pytest.mark.parametrize("kind", [k.plural for k in declarable().values() if not k.has(Catalog)])
def test_each_kind_has_an_example_that_applies(kind: str, world: Running) -> None:
    """The example of a kind applies to an empty Redmine, and leaves nothing to do."""
    report = converges(EXAMPLES / "kinds" / f"{kind}.yaml", world)
    assert any(r.change.address.kind == declarable()[kind].name for r in report.results)


def test_each_list_of_the_catalog_has_an_example_that_applies(world: Running) -> None:
    """All of them in one apply: a call of the program inside Redmine takes seconds."""
    chosen = {
        kind.name: EXAMPLES / "kinds" / f"{plural}.yaml" for plural, kind in declarable().items() if kind.has(Catalog)
    }
    report = converges(list(chosen.values()), world)
    assert chosen.keys() <= {r.change.address.kind for r in report.results}
