"""Reads once more what is pruned, right before it is: a person may have changed it since the plan was made."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.name_index import Names
from reconciler.plan import plan_file
from reconciler.plan.operations import Plan
from reconciler.plan.stand_ins import stand_ins
from reconciler.redmine.client import Client
from reconciler.state import live


async def unchanged(client: Client, plan: Plan, names: Names) -> None:
    """Raise RefusedError if anything has changed that is pruned: no manifest could restore it."""
    only = replace(plan, changes=tuple(change for change in plan.changes if change.undeclared), affected=())
    if only.changes:
        plan_file.check(only, await live.read(client, stand_ins(only, (), names.settings)))
