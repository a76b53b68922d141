"""Which live objects no manifest declares."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from reconciler.kinds import declarable, kinds
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind
from reconciler.model.name_index import Names
from reconciler.model.pruning import Pruning
from reconciler.natural import natural
from reconciler.plan.archived_projects import archived
from reconciler.plan.claims import declared_projects
from reconciler.plan.operations import LiveObject, Unmanaged
from reconciler.state.desired import Desired


def managed(desired: Desired, names: Names) -> frozenset[str]:
    """The declared projects whose contents can be read."""
    found = (Address(CONTAINER, key) for key in declared_projects(desired))
    return frozenset(a.key for a in found if names.is_live(a) and not archived(a, names))


def undeclared(kind: Kind, desired: Desired, names: Names) -> Iterator[tuple[Address, Row]]:
    """The live objects of a kind that were read and that no manifest declares; not those that come by themselves."""
    # By id: manifests can spell a key in another case, and a renamed object has its old one.
    owned = {names.id(address) for address in desired.objects if address.kind == kind.name}
    live, exporting = names.live(kind.name), kind.capability(Exporting)
    for number, key in live.keys.items():
        # Two objects of one key: only the one that the key leads to can be named.
        if number in owned or live.ids.get(key) != number:
            continue
        # `own`: the page of the lease, which an apply needs and no manifest may declare.
        if exporting.exportable(live.rows[number]) and not exporting.own(key, names):
            yield Address(kind.name, key), live.rows[number]


def unmanaged(desired: Desired, names: Names, shared: Collection[str], *, listed: bool, complete: bool) -> Unmanaged:
    """The undeclared objects inside the declared projects, and those of the `shared` kinds, which are in none."""
    projects = managed(desired, names)
    found = [
        one for kind in kinds().among({*names.live_kinds()}) for one in _of(kind, desired, names, shared, projects)
    ]
    ranks = {name: rank for rank, name in enumerate(kinds())}
    found.sort(key=lambda one: (natural(_home(one.address, names, projects)), ranks[one.address.kind], one.address))
    hidden = (key for key in declared_projects(desired) if archived(Address(CONTAINER, key), names))
    return Unmanaged(tuple(found), listed, complete, tuple(hidden))


def _of(
    kind: Kind, desired: Desired, names: Names, shared: Collection[str], projects: frozenset[str]
) -> Iterator[LiveObject]:
    # Of what was looked up there are more than were read, so their number would be wrong.
    if kind.plural not in declarable() or names.live(kind.name).looked_up:
        return
    for address, row in undeclared(kind, desired, names):
        if kind.name in shared or _home(address, names, projects):
            yield LiveObject(address, row["id"], kind.capability(Pruning).link(kind, address, row["id"]))


def _home(address: Address, names: Names, projects: Collection[str]) -> str:
    """The declared project that an object is in, or "": for a project, the nearest one above it."""
    if kinds()[address.kind].inside:
        return address.project if address.project in projects else ""
    above = names.ancestors(address.key) if address.kind == CONTAINER else []
    return next((key for key in above if key in projects), "")
