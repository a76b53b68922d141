"""Redmine as code: compare YAML manifests with a live Redmine, and apply the difference.

    import reconciler

    manifests = reconciler.load("redmine/")
    plan = manifests.plan()
    report = manifests.apply(plan)

    load             read the configuration and the manifests; returns `Manifests`
    validate         the same, but return only the problems that can be found without a server
    export_to        export live state as manifests into a folder; returns `Exported`
    export_to_async  the same, inside a running event loop
    to_data          a plan, a report, an export or problems as plain data for JSON

    Manifests        the desired state; `plan`, `apply`, and `plan_async`, `apply_async` inside an event loop
    Plan             what an apply would change: pure data, with a digest
    Change           what a plan does to one object: its action, id, place and fields
    FieldChange      one field with its values before and after
    Address          the kind and the key of an object
    Report           what became of the changes of an apply
    Result           the outcome of one change, with the errors
    Outcome          "done", "failed", "skipped", "unknown" or "left" (not started)
    Exported         what an export wrote, and what it left out
    Problem          one thing that is wrong with the manifests, with its place and a hint
    Location         a place in a file: file, line and column
    ReconcilerError  the base of every error that is raised deliberately; see `reconciler.errors`
    ManifestError    the manifests are invalid; `problems` has all problems

These names are the public API, together with `reconciler.errors`. Everything else may change without notice.
docs/python.md has examples.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.api import Manifests as Manifests
    from reconciler.api import export_to as export_to
    from reconciler.api import export_to_async as export_to_async
    from reconciler.api import load as load
    from reconciler.api import to_data as to_data
    from reconciler.api import validate as validate
    from reconciler.apply.report import Outcome as Outcome
    from reconciler.apply.report import Report as Report
    from reconciler.apply.report import Result as Result
    from reconciler.errors import Location as Location
    from reconciler.errors import ManifestError as ManifestError
    from reconciler.errors import Problem as Problem
    from reconciler.errors import ReconcilerError as ReconcilerError
    from reconciler.export.run import Exported as Exported
    from reconciler.model.address import Address as Address
    from reconciler.plan.operations import Change as Change
    from reconciler.plan.operations import FieldChange as FieldChange
    from reconciler.plan.operations import Plan as Plan

# A literal: setuptools reads it without importing the package, and `--version` needs no package metadata.
__version__ = "0.1.0"

_HOMES = {
    "Address": "model.address",
    "Change": "plan.operations",
    "Exported": "export.run",
    "FieldChange": "plan.operations",
    "Location": "errors",
    "ManifestError": "errors",
    "Manifests": "api",
    "Outcome": "apply.report",
    "Plan": "plan.operations",
    "Problem": "errors",
    "ReconcilerError": "errors",
    "Report": "apply.report",
    "Result": "apply.report",
    "export_to": "api",
    "export_to_async": "api",
    "load": "api",
    "to_data": "api",
    "validate": "api",
}
__all__ = [
    "Address",
    "Change",
    "Exported",
    "FieldChange",
    "Location",
    "ManifestError",
    "Manifests",
    "Outcome",
    "Plan",
    "Problem",
    "ReconcilerError",
    "Report",
    "Result",
    "export_to",
    "export_to_async",
    "load",
    "to_data",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `reconciler --help` does not pay for httpx and pydantic."""
    if name == "errors":
        return import_module(f"{__name__}.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names only."""
    return [*__all__, "__version__"]
