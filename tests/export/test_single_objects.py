"""Exports of single objects from real servers: of each kind, planned again, also from an ugly world."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from custom_fields import EVERY
from everything import EVERYTHING, FILES
from exports import Exports
from paths import UGLY
from promises import KEY, fields
from single import pick

from reconciler.kinds import declarable
from reconciler.model.catalog import Catalog
from reconciler.sandbox import Running, Sandbox

pytestmark = pytest.mark.custom_fields(EVERY)

ONE_OF_EACH = {
    "user": "user/amy",
    "group": "group/Support",
    "project": "project/shop",
    "membership": "membership/shop/user:amy",
    "version": "version/shop/1.0",
    "issue_category": "issue_category/shop/Backend",
    "wiki_page": "wiki_page/hq/Below",
    "issue": "issue/shop/#*",
    "time_entry": "time_entry/shop/*",
    "news": "news/hq/Open",
    "file": "file/hq/*",
}
OF_THE_CATALOG = (
    "tracker/Bug",
    "issue_status/N*",
    "role/*",
    "workflow/Bug / *",
    "custom_field/issue/*",
    "setting/app_title",
)
BOTH = pytest.mark.parametrize("key_field", ["", KEY], ids=["plain", "keyed"])


def test_one_of_each_kind(world: Running, tmp_path: Path) -> None:
    """A single object of each kind is a manifest of its own, with its files; planning it shows no changes."""
    source, exports = tmp_path / "source", Exports(world, KEY)
    source.mkdir()
    for name, content in FILES.items():
        (source / name).write_bytes(content)
    (source / "reconciler.yaml").write_text(f"issue_key_field: {KEY}\n")
    (source / "everything.yaml").write_text(yaml.safe_dump(EVERYTHING))
    report = exports.apply(source)
    assert [str(r.change.address) for r in report.results if r.outcome != "done"] == []
    assert list(ONE_OF_EACH) == [kind.name for kind in declarable().values() if not kind.has(Catalog)]
    for kind, target in ONE_OF_EACH.items():
        folder = tmp_path / kind
        folder.mkdir()
        picked = pick(exports, target, file=folder / "one.yaml")
        plan = exports.plan(folder)
        assert (fields(plan), plan.summary["unchanged"]) == ({}, len(picked.addresses)), kind
    assert (tmp_path / "wiki_page" / "one" / "note.txt").read_bytes() == FILES["note.txt"]
    assert (tmp_path / "file" / "one" / "blob.bin").read_bytes() == FILES["blob.bin"]


def test_single_objects_of_the_catalog(world: Running, tmp_path: Path) -> None:
    """They are a manifest of their own too, a setting in its mapping; planning it shows no changes."""
    file = tmp_path / "one.yaml"
    picked = pick(Exports(world, ""), *OF_THE_CATALOG, file=file)
    assert {address.kind for address in picked.addresses} == {target.partition("/")[0] for target in OF_THE_CATALOG}
    assert yaml.safe_load(file.read_text())["settings"].keys() == {"app_title"}
    plan = Exports(world, "").plan(tmp_path)
    assert (fields(plan), plan.summary["unchanged"]) == ({}, len(picked.addresses))


@pytest.mark.prove_only
@BOTH
def test_an_ugly_world(key_field: str, world: Running, redmine: Sandbox, tmp_path: Path) -> None:
    """Whatever there is, what is exported by kind fits what is there, and what cannot be said is told."""
    redmine.run(UGLY)
    exports = Exports(world, key_field)
    for kind in (plural for plural, kind in declarable().items() if not kind.has(Catalog)):
        folder = tmp_path / kind
        folder.mkdir()
        picked = pick(exports, f"{declarable()[kind].name}/*", file=folder / "all.yaml")
        assert exports.read(folder).problems == ()
        assert fields(exports.plan(folder)) == {}, kind
        text = (folder / "all.yaml").read_text()
        assert all(said.splitlines()[0][:20] in text for _, said in picked.left_out if said.isprintable())
