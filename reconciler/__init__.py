"""Redmine as code: compare YAML manifests with a live Redmine, and apply the difference.

    import reconciler

    manifests = reconciler.load("redmine/")
    plan = manifests.plan()
    report = manifests.apply(plan)

    load             read the configuration and the manifests; returns `Manifests`
    validate         the same, but return only the problems that can be found without a server
    export_to        export live state as manifests into a folder; returns `Exported`
    export_to_async  the same, inside a running event loop

    Manifests        the desired state; `plan`, `apply`, and `plan_async`, `apply_async` inside an event loop
    Plan             what an apply would change: pure data, with a digest
    Report           the outcome of every change of an apply
    Exported         what an export wrote, and what it left out
    Problem          one thing that is wrong with the manifests, with its place and a hint
    ReconcilerError  the base of every error that is raised deliberately; see `reconciler.errors`
    ManifestError    the manifests are invalid; `problems` has all problems

These names are the public API, together with `reconciler.errors`. Everything else may change without notice.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.apply.report import Report as Report
    from reconciler.errors import ManifestError as ManifestError
    from reconciler.errors import Problem as Problem
    from reconciler.errors import ReconcilerError as ReconcilerError
    from reconciler.export.run import Exported as Exported
    from reconciler.export.run import export_to as export_to
    from reconciler.export.run import export_to_async as export_to_async
    from reconciler.pipeline import Manifests as Manifests
    from reconciler.pipeline import load as load
    from reconciler.pipeline import validate as validate
    from reconciler.plan.operations import Plan as Plan

# A literal: setuptools reads it without importing the package, and `--version` needs no package metadata.
__version__ = "0.1.0"

_HOMES = {
    "Exported": "export.run",
    "Manifests": "pipeline",
    "ManifestError": "errors",
    "Plan": "plan.operations",
    "Problem": "errors",
    "ReconcilerError": "errors",
    "Report": "apply.report",
    "export_to": "export.run",
    "export_to_async": "export.run",
    "load": "pipeline",
    "validate": "pipeline",
}
__all__ = [
    *("Exported", "ManifestError", "Manifests", "Plan", "Problem", "ReconcilerError", "Report"),
    *("export_to", "export_to_async", "load", "validate"),
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `reconciler --help` does not pay for httpx and pydantic."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names only."""
    return [*__all__, "__version__"]
