"""Keys for live objects that have none: what is to be written so that they can be named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from reconciler.export.inventory import Inventory
from reconciler.kinds import keyed, kinds
from reconciler.manifest.loader import Map
from reconciler.model.address import CONTAINER, Address
from reconciler.model.capabilities import ManifestKey
from reconciler.model.kind import Kind, Object, undeclared
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.state.desired import Desired


def named(found: Inventory) -> Inventory:
    """The inventory with objects called by the keys that they have or could get."""
    names = found.names
    for kind in keyed():
        names = _named(kind, names)
    return replace(found, names=names)


def _named(kind: Kind, names: Names) -> Names:
    manifest_key, live = kind.capability(ManifestKey), names.live(kind.name)
    keys = dict(live.keys)
    for number, key in keys.items():
        if not manifest_key.stored(live.rows[number], names):
            keys[number] = f"{key.partition('/')[0]}/#{number}"
    new, field = names.with_keys(kind.name, keys), manifest_key.field(names)
    manifest_key.make_keys(new, {}, field.max_length if field else None)
    return new


def wanted(found: Inventory, reopened: Collection[str] = ()) -> tuple[Desired, tuple[Address, ...]]:
    """The objects in scope that lack a key, each declared with one, and those that cannot have one; of a `named`
    inventory. Closed projects are declared too: they are opened for the work inside, and closed again; so are those
    that a run before has `reopened`."""
    names, objects, lacking = found.names, dict[Address, Object](), list[Address]()
    for kind in keyed():
        field = kind.capability(ManifestKey).field(names)
        for address in _without_key(kind, found) if field else ():
            if field and _has(names.row(address) or {}, field):
                objects[address] = _declared(kind, address, names)
            else:
                lacking.append(address)
    shut = {a: _closed(a, names, reopened) for a in _homes(objects, reopened, names)}
    objects |= {address: project for address, project in shut.items() if project}
    return Desired(dict(sorted(objects.items())), (), names.settings), tuple(lacking)


def _without_key(kind: Kind, found: Inventory) -> Iterable[Address]:
    manifest_key, live = kind.capability(ManifestKey), found.names.live(kind.name)
    for number, key in sorted(live.keys.items(), key=lambda pair: pair[1]):
        address = Address(kind.name, key)
        if address.project in found.projects and not manifest_key.stored(live.rows[number], found.names):
            yield address


def _has(row: Mapping[str, Any], field: CustomField) -> bool:
    return any(item["id"] == field.id for item in row.get("custom_fields", ()))


def _homes(objects: Iterable[Address], reopened: Collection[str], names: Names) -> set[Address]:
    known = {Address(CONTAINER, key) for key in reopened if key in names.live(CONTAINER).ids}
    return known | {address.container for address in objects}


def _closed(project: Address, names: Names, reopened: Collection[str]) -> Object | None:
    kind, row = kinds()[project.kind], names.row(project) or {}
    shut = project.key in reopened or kind.live(row, "status", Context(names)) == "closed"
    return undeclared(kind, project.key, Map(), status="closed") if shut else None


def _declared(kind: Kind, address: Address, names: Names) -> Object:
    said = kind.capability(ManifestKey).to_declare(address, names.row(address) or {}, names)
    return Object(kind, address, kind.spec.model_validate(said), Map())
