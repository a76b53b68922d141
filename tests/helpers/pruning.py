"""Plans that prune, in one call each: a folder of manifests with a configuration, and a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from canned import Canned, reached

import reconciler
from reconciler.apply.report import Report
from reconciler.pipeline import Manifests
from reconciler.plan.operations import Plan

ENVIRON = {"REDMINE_URL": Canned.url, "REDMINE_API_KEY": Canned.api_key}


def folder(path: Path, text: str, **settings: Any) -> Manifests:
    """The manifests of a folder: one file, with these settings beside it."""
    (path / "reconciler.yaml").write_text(yaml.safe_dump(settings))
    (path / "manifest.yaml").write_text(text)
    return reconciler.load(path, environ=ENVIRON)


def pruning(
    server: Canned,
    path: Path,
    text: str,
    *,
    targets: tuple[str, ...] = (),
    excludes: tuple[str, ...] = (),
    **settings: Any,
) -> Plan:
    """The plan with --prune."""
    manifests = folder(path, text, **settings)
    with reached(server):
        return manifests.plan(targets, excludes, prune=True)


def pruned(server: Canned, path: Path, text: str, **settings: Any) -> Report:
    """An apply with --prune."""
    manifests = folder(path, text, **settings)
    with reached(server):
        return manifests.apply(prune=True)


def removed(plan: Plan) -> list[str]:
    """What a plan removes although no manifest declares it."""
    return sorted(str(change.address) for change in plan.changes if change.undeclared)


def kept(plan: Plan) -> dict[str, str]:
    """What a plan keeps although no manifest declares it, with the reason, and other warnings."""
    return {str(w.address): w.message for w in plan.warnings}
