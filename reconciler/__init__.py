"""Redmine as code: what YAML manifests declare, compared with a Redmine and brought about.

`load` reads the configuration and the manifests and makes the desired state of them, with every problem that can be
found without a server. `plan` reads what that needs of the live state, by bulk lists, and compares the declared fields:
a `Plan` is pure data. `apply` carries one out over the graph of what needs what, reads back what it wrote, and returns a
`Report` with the outcome of every change. All three raise subclasses of `ReconcilerError` only.

    manifests = reconciler.load("redmine/")
    plan = reconciler.plan(manifests)
    report = reconciler.apply(manifests, plan)

`plan_async` and `apply_async` are the same for a running event loop.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from reconciler.apply import Report as Report
    from reconciler.change import Plan as Plan
    from reconciler.errors import ReconcilerError as ReconcilerError
    from reconciler.session import Manifests as Manifests
    from reconciler.session import apply as apply_async
    from reconciler.session import apply_now as apply
    from reconciler.session import load as load
    from reconciler.session import plan as plan_async
    from reconciler.session import plan_now as plan
    from reconciler.session import validate as validate

__all__ = [
    "Manifests",
    "Plan",
    "ReconcilerError",
    "Report",
    "apply",
    "apply_async",
    "load",
    "plan",
    "plan_async",
    "validate",
]
