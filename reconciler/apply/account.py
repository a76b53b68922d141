"""The account, once more: after a plan that has changes, and before the first write where much was not found.

With a key that was withdrawn, or rights that were lost while the lists were read, Redmine answers 200 with empty lists
and without the values of some fields (5.0 to 6.1): the plan would write again what the account can no longer see.
"""

from __future__ import annotations

from collections import Counter

from reconciler.errors import RefusedError
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.model.capabilities import Creation
from reconciler.model.name_index import Names
from reconciler.model.requests import Listing
from reconciler.plan.operations import Plan
from reconciler.redmine.client import Client
from reconciler.state.fetch import fetch
from reconciler.state.live import rights
from reconciler.state.together import together

MANY = 10
"""Objects to create from which on the account is asked again, of kinds of which Redmine refuses a second one."""
FRESH = 5.0
"""Seconds for which an answer about the account counts."""


async def confirm(client: Client, names: Names, plan: Plan) -> None:
    """Raise RefusedError if the account may no longer be able to see what the state was read from; raises as `whoami`.

    That is, if it has other rights, or a project is not shown to it any more.
    """
    created = sum(change.action == "create" for change in plan.changes)
    many = created >= MANY and 2 * created > plan.unchanged + len(plan.changes)
    empty = projects_without_contents(names, plan)
    if names.rights is None or not (many or empty):
        return
    await check(client, names)
    # An administrator sees all projects.
    asked = empty if not names.rights[-1] else []
    pages = await together(fetch(client, _page(project)) for project in asked)
    for project, page in zip(asked, pages, strict=True):
        if not page:
            _refuse(f'The project "{project}" is not shown to the account any more; its rights changed')


def _page(project: str) -> Listing:
    return Listing(f"/projects/{project}", "project", single=True, none={403: None, 404: None})


async def check(client: Client, names: Names) -> None:
    """Raise RefusedError if the account has other rights by now; raises as `whoami`.

    Not asked again right after the last answer, if nothing was read since. A question to the user takes longer.
    """
    if names.rights is None or client.account_age < FRESH:
        return
    if rights(await client.whoami()) != names.rights:
        _refuse("The account or its rights changed")


def projects_without_contents(names: Names, plan: Plan) -> list[str]:
    """The live projects in which most declared objects of a kind were not found, and Redmine would take a second one.

    It refuses a second version of the same name, but not a second issue.
    """
    repeatable = [k.name for k in kinds().having(Creation) if k.inside and not k.capability(Creation).unique]
    created = Counter((c.address.kind, c.address.project) for c in plan.changes if c.action == "create")
    declared = (Address(kind, key) for kind in repeatable for key in names.declared(kind))
    there = Counter((address.kind, address.project) for address in declared if names.is_live(address))
    doubtful = {project for (kind, project), n in created.items() if kind in repeatable and n > there[kind, project]}
    return sorted(project for project in doubtful if names.is_live(Address(CONTAINER, project)))


def _refuse(what: str) -> None:
    raise RefusedError(
        f"{what} while the state was read, so what was not found may only be hidden. Nothing was changed: plan again."
    )
