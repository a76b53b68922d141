"""The account, once more: after a plan that has changes, and before the first write where much was not found.

With a key that was withdrawn, or rights that were lost while the lists were read, Redmine answers 200 with empty lists
and without the values of some fields (5.0 to 6.1): the plan would write again what the account can no longer see.
"""

from __future__ import annotations

from reconciler.errors import RefusedError
from reconciler.model.name_index import Names
from reconciler.plan.operations import Plan
from reconciler.redmine.client import Client
from reconciler.state.live import rights

MANY = 10
"""Objects to create from which on the account is asked again."""


async def confirm(client: Client, names: Names, plan: Plan) -> None:
    """Raise RefusedError if the account is no longer the one that the state was read with; raises as `whoami`."""
    created = sum(change.action == "create" for change in plan.changes)
    if created >= MANY and 2 * created > plan.unchanged + len(plan.changes):
        await check(client, names)


async def check(client: Client, names: Names) -> None:
    """The same as `confirm`, whatever the plan."""
    if names.rights is not None and rights(await client.whoami()) != names.rights:
        raise RefusedError(
            "The account or its rights changed while the state was read, so what was not found may only be hidden. "
            "Nothing was changed: plan again."
        )
