"""The comparison of manifests with the live state, once that is read: the plan, and what it leaves out."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Set
from typing import Any

from msgspec.structs import replace

from reconciler.errors import Problem
from reconciler.model.address import Address
from reconciler.model.name_index import Names
from reconciler.plan import catalog, prune
from reconciler.plan import faults as faulty
from reconciler.plan.faults import NO_FAULTS, Faults
from reconciler.plan.operations import Plan
from reconciler.plan.options import PlanOptions
from reconciler.plan.planner import make
from reconciler.plan.prune import NOTHING, Pruned
from reconciler.plan.targets import Selection, resent, select
from reconciler.record import Record
from reconciler.redmine.client import Client
from reconciler.state.desired import Desired
from reconciler.state.live import Live
from reconciler.state.manifests import Manifests


class Planned(Record):
    """A plan, with the name index to apply it. `me` is the account; `selection` is None if all objects are planned."""

    plan: Plan
    names: Names
    me: Mapping[str, Any]
    selection: Selection | None = None
    visible: frozenset[str] = frozenset()
    """The projects that were not archived before the plan."""
    faults: Faults = NO_FAULTS
    """What is left out because of problems, with `keep_going`."""

    def altered(self, **fields: Any) -> Planned:
        """The same with these fields of its plan."""
        return replace(self, plan=dataclasses.replace(self.plan, **fields))


async def checked(
    client: Client, manifests: Manifests, state: Live, options: PlanOptions, pruned: Pruned | None = None
) -> Planned:
    """The plan, with what the program inside Redmine says to it; `pruned` if that was not looked for yet."""
    if pruned is None:
        pruned = await prune.look(client, manifests.config, manifests.desired, state, options)
    planned = compare(client, manifests.desired, state, options, pruned)
    objects, chosen = manifests.desired.objects.values(), planned.selection
    wanted = (one for one in objects if chosen is None or one.address in chosen.chosen)
    said = await catalog.check(client, planned.plan, planned.names, wanted)
    if said.problems:
        state = replace(state, problems=(*state.problems, *said.problems))
        planned = compare(client, manifests.desired, state, options, pruned)
    return planned.altered(warnings=(*planned.plan.warnings, *said.warnings))


def compare(
    client: Client,
    manifests: Desired,
    state: Live,
    options: PlanOptions,
    pruned: Pruned = NOTHING,
    *,
    first: Plan | None = None,
    unarchived: Collection[Address] = (),
) -> Planned:
    """The plan for the chosen objects, the `unarchived` projects and what is pruned.

    What the `first` plan resent is not resent.
    """
    desired = pruned.added_to(manifests)
    url, selection = client.connection.url, None
    done = {change.address for change in first.changes} if first else set()
    sent = frozenset((a, field) for a, field in resent(options.resend, desired.objects) if a not in done)

    def whole(tolerated: Set[Problem]) -> Plan:
        return make(desired, state, url, unarchive=options.unarchive, resent=sent, tolerated=tolerated)

    faults = faulty.find(desired, state.names, whole) if options.keep_going else NO_FAULTS
    if options.targets or options.excludes:
        # Dependencies of targets are edges of the plan for all objects, so that is made first.
        selection = select(whole(faults.tolerated), desired.objects, options.targets, options.excludes)
    selected = selection.chosen.union(unarchived).__contains__ if selection else _all
    faults = faults.among(selected)
    left_out = faults.objects
    plan = make(
        desired,
        state,
        url,
        lambda address: selected(address) and address not in left_out,
        unarchive=options.unarchive,
        resent=sent,
        unarchived=unarchived,
        tolerated=faults.tolerated,
    )
    made = prune.completed(plan, pruned, manifests, state, options)
    planned = Planned(made, state.names, state.me, selection, faults=faults)
    return planned.altered(requests=client.requests, secrets=client.secrets)


def _all(address: Address) -> bool:
    return True
