"""Redmine as code: what YAML manifests declare, compared with a Redmine and brought about.

`load` reads the configuration and the manifests and makes the desired state of them, with every problem that can be
found without a server (`validate` returns just these). `Manifests.plan` reads what that needs of the live state, by
bulk lists, and compares the declared fields: a `Plan` is pure data. `Manifests.apply` carries it out over the graph of
what needs what, reads back what it wrote, and returns a `Report` with the outcome of every change.

    manifests = reconciler.load("redmine/")
    plan = manifests.plan()
    report = manifests.apply(plan)

`export_to` writes manifests of what is live into a folder, of which a plan is empty.
`plan_async`, `apply_async` and `export_to_async` are the same inside a running event loop. What fails on purpose is a
`ReconcilerError`.
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
    """Import a public name when it is first used: `reconciler --help` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
