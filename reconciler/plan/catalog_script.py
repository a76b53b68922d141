"""All that the manifests declare of the catalog, as items of a script for an administrator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from graphlib import TopologicalSorter
from typing import Any

from msgspec.structs import replace

from reconciler.catalog.item import Item
from reconciler.kinds import kinds
from reconciler.kinds._catalog import CatalogKind
from reconciler.model.address import Address, Unresolved
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Object
from reconciler.model.name_index import Context, Names
from reconciler.model.program_fields import declared_fields, field_item
from reconciler.state.desired import Desired, references


def script_items(desired: Desired, names: Names) -> list[Item]:
    """Items that say what must be, whatever is there: what refers to others comes after them, and needs them."""
    declared = {a: d for a, d in desired.objects.items() if d.kind.has(Catalog)}
    needed = {address: _needed(one, declared, names) for address, one in declared.items()}
    order = list(TopologicalSorter({a: sorted(needed[a]) for a in sorted(declared)}).static_order())
    absent = [a for a in reversed(order) if declared[a].spec.state == "absent"]
    present = [a for a in order if declared[a].spec.state == "present"]
    # Last, what refers to others of its kind: the roles that a role manages.
    later = [a for a in present if _fields(declared[a], deferred=True)]
    places = {address: place for place, address in enumerate(present)}
    found = [_ensure(declared[a], names, [places[o] for o in needed[a] if o in places]) for a in present]
    found += [_ensure(declared[a], names, [places[a]], deferred=True) for a in later]
    found += _fields_of_others(desired, names)
    return [*found, *(_item("delete", declared[a], {}, names) for a in absent)]


def _fields_of_others(desired: Desired, names: Names) -> Iterator[Item]:
    """What the program writes of objects that the API lists."""
    for declared in dict.fromkeys(one.address for one, _ in declared_fields(desired.objects.values())):
        one = desired.objects[declared]
        context = Context(names, one.project, one.address)
        chosen = {name: value for name, value in one.fields.items() if one.kind.fields[name].program}
        values = {name: one.kind.fields[name].codec.canonical(value, context) for name, value in chosen.items()}
        yield field_item("ensure", one.kind, one.address, names.id(one.address), values, context)


def _needed(declared: Object, known: Mapping[Address, Object], names: Names) -> set[Address]:
    """The declared objects of the catalog that an object refers to at once."""
    found, at_once = set(), _fields(declared, deferred=False)
    for name, reference in references(declared, names):
        with suppress(Unresolved):
            if name in at_once and (address := Context(names, declared.project).resolve(reference)) in known:
                found.add(address)
    return found - {declared.address}


def _fields(declared: Object, *, deferred: bool) -> dict[str, Any]:
    fields = declared.kind.fields
    return {name: value for name, value in declared.fields.items() if bool(fields[name].deferred) is deferred}


def _ensure(declared: Object, names: Names, needs: Iterable[int], *, deferred: bool = False) -> Item:
    values = _fields(declared, deferred=deferred)
    return replace(_item("ensure", declared, values, names), needs=tuple(sorted(needs)))


def _item(op: str, declared: Object, values: Mapping[str, Any], names: Names) -> Item:
    kind, address = declared.kind, declared.address
    assert isinstance(kind, CatalogKind)
    context = Context(names, declared.project, address)
    canonical = {name: kind.fields[name].codec.canonical(value, context) for name, value in values.items()}
    item = kind.item(op, address, None, canonical, context)
    old = names.renamed.get(address)
    number = names.id(address)
    if old is None or not isinstance(number, int) or number < 0:
        return replace(item, op=op, id=None, was=None)
    was = kinds()[address.kind].capability(Catalog).program_key(Address(address.kind, old))
    return replace(item, op=op, id=number, was=was)
