"""The catalog of a Redmine: read by the program inside it, and what the manifests will make of it.

Everything else is planned against what the catalog will be: an issue can have a tracker that the same plan creates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from reconciler.catalog.session import PROOF, Rows
from reconciler.errors import Problem
from reconciler.kinds import kinds
from reconciler.model.catalog import CATALOG, Catalog, merged
from reconciler.model.kind import Kind, Need, Object
from reconciler.model.name_index import Names
from reconciler.model.ordering import Implied
from reconciler.model.program_fields import declared_fields, show
from reconciler.redmine.client import Client
from reconciler.state.desired import Desired
from reconciler.state.orders import add_orders
from reconciler.state.program_fields import NOTHING, Wanted, wanted_fields
from reconciler.state.renames import settle_renames, settle_swaps


def declared_kinds(desired: Desired, need: Need) -> list[Kind]:
    """The kinds of the catalog of which the manifests declare objects, or name some that only the program shows.

    `need` is what the manifests need.
    """
    # A saved plan names objects without saying anything of them.
    ours = {name for name, entry in kinds().entries.items() if entry.has(Catalog)}
    some = (declared for address, declared in desired.objects.items() if address.kind in ours)
    found = {declared.kind.name: declared.kind for declared in some if declared.fields}
    named = (kinds()[name] for name in need.keys)
    found |= {kind.name: kind for kind in named if kind.capability(Catalog).unlisted}
    # What follows from other lists is not asked for.
    return [kind for kind in found.values() if kind.has(Catalog) and not kind.has(Implied)]


def proof(chosen: Collection[Kind]) -> dict[str, frozenset[str]]:
    """What must be read by the API to know that the program is inside the same Redmine."""
    return {name: frozenset() for name in PROOF} if chosen else {}


async def read_catalog(
    client: Client, desired: Desired, chosen: Collection[Kind], names: Names
) -> tuple[Rows | None, list[Problem]]:
    """Add what the program shows of the chosen kinds to the rows of the API, and what the manifests declare.

    Raises CatalogError. Without a program, the rows of the API are all that is known. If the program was asked, the
    answer has the fields that only it shows of what is yet to be read. The problems are those of exchanges of names of
    which it cannot be told whether they are done.
    """
    rows, unclear = None, list[Problem]()
    if chosen and client.catalog is not None:
        rows = await read_kinds(client, chosen, names, wanted_fields(desired))
        for kind in chosen:
            objects = [d for d in desired.objects.values() if d.kind is kind]
            settle_renames(kind, objects, names)
            unclear += settle_swaps(kind, objects, names)[1]
    add_orders(desired.objects.values(), names)
    listed = sorted((d for d in desired.objects.values() if d.kind.has(Catalog)), key=lambda d: d.kind.rank)
    for number, declared in enumerate(listed):
        if declared.spec.state == "present" and declared.fields:
            _expect(declared, -1 - number, names)
    return rows, unclear


async def read_kinds(client: Client, chosen: Collection[Kind], names: Names, fields: Wanted = NOTHING) -> Rows:
    """Add what the program shows of these kinds to what is known of them, and what it shows of the wanted fields.

    Raises CatalogError.
    """
    assert client.catalog is not None
    listed = {kind.name for kind in (*chosen, *fields.kinds)}
    shown = await client.catalog.read(listed, fields.projects if fields.kinds else None)
    client.catalog.prove({name: _live_names(names, name) for name in PROOF})
    for kind in chosen:
        _take(kind, shown[kind.name], names)
    return {kind.name: shown[kind.name] for kind in fields.kinds}


async def add_fields(client: Client, desired: Desired, names: Names, known: Rows | None) -> None:
    """Add the declared fields that only the program shows to the rows of the API; `known` is what it has said before.

    It is only asked if there is an object to be compared. Raises CatalogError.
    """
    declared = [one.address for one, _ in declared_fields(desired.objects.values())]
    if not any(map(names.is_live, declared)) or client.catalog is None:
        return
    wanted = wanted_fields(desired)
    rows = await read_kinds(client, (), names, wanted) if known is None else known
    for kind in wanted.kinds:
        show(kind, rows[kind.name], wanted.projects, names)


def _live_names(names: Names, kind: str) -> dict[int, str]:
    return {number: str(row["name"]) for number, row in names.live(kind).rows.items()}


def _take(kind: Kind, shown: Sequence[dict[str, Any]], names: Names) -> None:
    index = names.live(kind.name)
    for one in shown:
        # Under the key that a rename gave it, if it was read before.
        key = index.keys.get(one["id"]) or kind.capability(Catalog).key_of(one)
        names.add(kind.name, key, merged(kind, one, names))
    index.whole = True


def _expect(declared: Object, number: int, names: Names) -> None:
    """Show everything else the object as it will be; `CATALOG` has it as it is."""
    row = names.row(declared.address)
    catalog = declared.kind.capability(Catalog)
    wanted: Mapping[str, Any] = {"id": row["id"] if row else number, **declared.fields}
    known = row or {"id": number, "name": declared.address.own_name}
    shown = known.get(CATALOG, row) if row else {}
    expected = {**known, **catalog.api_row(wanted, names), CATALOG: shown}
    names.add(declared.kind.name, declared.address.key, expected)
    catalog.note(expected, names)
