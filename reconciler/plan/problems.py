"""What a server shows to be wrong with manifests that have other problems: all problems are told at once."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from reconciler.errors import Problem
from reconciler.model.address import Address
from reconciler.model.kind import Object
from reconciler.model.name_index import Names
from reconciler.plan.planner import Planner
from reconciler.plan.unique import Holders
from reconciler.state.desired import Desired, is_inside, references
from reconciler.state.live import Live
from reconciler.state.partial import NotValid


def on_server(desired: Desired, live: Live, *, unarchive: bool = False) -> list[Problem]:
    """What the server shows to be wrong with manifests that have other problems, which are not repeated.

    Nothing that may only follow from them: from objects that are not in `desired`, or only without invalid fields.
    """
    planner = Planner(desired, live.names, live.me, unarchive, frozenset())
    near = _near_invalid(desired)
    # What is missing may be a project, a module, or what gives up a name.
    for declared in desired.objects.values() if live.names.incomplete else near:
        planner.problems += planner.values(declared)[1]
    if not live.names.incomplete:
        _compare(planner, desired, {declared.address for declared in near})
    undecided = tuple(live.names.undecided())
    found = dict.fromkeys([*live.problems, *planner.problems])
    return [problem for problem in found if not (undecided and problem.message.endswith(undecided))]


def _near_invalid(desired: Desired) -> list[Object]:
    """The objects inside or with references to objects with invalid fields, on which what is valid may depend."""
    return [
        declared
        for declared in desired.objects.values()
        if any(
            not desired.partial.keys().isdisjoint(reference.addresses(is_inside))
            for _, reference in references(declared, Names())
        )
    ]


def _compare(planner: Planner, desired: Desired, near: Collection[Address]) -> None:
    """Compare with the live state what does not depend on invalid objects."""
    drafts = planner.drafts(near)
    everything = {**desired.objects, **desired.partial}
    invalid = {declared.source for declared in desired.partial.values()}
    with suppress(NotValid):
        planner.unarchived(drafts, planner.hidden)
    with suppress(NotValid):
        taken = Holders(drafts, everything, planner.names).takes()[1]
        planner.problems += [problem for problem in taken if invalid.isdisjoint(problem.also)]
