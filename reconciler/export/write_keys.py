"""Keys for live objects without one: the desired state that stores them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from reconciler.export.inventory import Inventory
from reconciler.kinds import keyed, kinds
from reconciler.manifest.loader import Map
from reconciler.model.address import CONTAINER, Address
from reconciler.model.capabilities import ManifestKey
from reconciler.model.kind import Kind, Object, undeclared
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.state.desired import Desired


def with_keys(inventory: Inventory) -> Inventory:
    """The inventory with objects under the keys that they have or would get."""
    names = inventory.names
    for kind in keyed():
        names = _with_keys(kind, names)
    return replace(inventory, names=names)


def _with_keys(kind: Kind, names: Names) -> Names:
    manifest_key, live = kind.capability(ManifestKey), names.live(kind.name)
    keys = dict(live.keys)
    for number, key in keys.items():
        # `make_keys` only makes keys for objects under their number; one made for manifests can be too long for the
        # field (test_keys_are_no_longer_than_the_field_allows).
        if not manifest_key.stored(live.rows[number], names):
            keys[number] = f"{key.partition('/')[0]}/#{number}"
    new, field = names.with_keys(kind.name, keys), manifest_key.field(names)
    manifest_key.make_keys(new, {}, field.max_length if field else None)
    return new


def desired_keys(inventory: Inventory, reopened: Collection[str] = ()) -> tuple[Desired, tuple[Address, ...]]:
    """The objects in scope without a key, each declared with one, and those that cannot have one.

    `inventory` comes from `with_keys`. Closed projects are declared closed, so that the plan reopens them for the work
    and closes them again; also those that an earlier run has `reopened`.
    """
    names, objects, lacking = inventory.names, dict[Address, Object](), list[Address]()
    for kind in keyed():
        field = kind.capability(ManifestKey).field(names)
        for address in _without_key(kind, inventory) if field else ():
            if field and _has(names.row(address) or {}, field):
                objects[address] = _declared(kind, address, names)
            else:
                lacking.append(address)
    projects = {a: _closed(a, names, reopened) for a in _projects(objects, reopened, names)}
    objects |= {address: project for address, project in projects.items() if project}
    return Desired(dict(sorted(objects.items())), (), names.settings), tuple(lacking)


def _without_key(kind: Kind, inventory: Inventory) -> Iterable[Address]:
    manifest_key, live = kind.capability(ManifestKey), inventory.names.live(kind.name)
    for number, key in sorted(live.keys.items(), key=lambda pair: pair[1]):
        address = Address(kind.name, key)
        if address.project in inventory.projects and not manifest_key.stored(live.rows[number], inventory.names):
            yield address


def _has(row: Mapping[str, Any], field: CustomField) -> bool:
    return any(item["id"] == field.id for item in row.get("custom_fields", ()))


def _projects(objects: Iterable[Address], reopened: Collection[str], names: Names) -> set[Address]:
    known = {Address(CONTAINER, key) for key in reopened if key in names.live(CONTAINER).ids}
    return known | {address.container for address in objects}


def _closed(project: Address, names: Names, reopened: Collection[str]) -> Object | None:
    kind, row = kinds()[project.kind], names.row(project) or {}
    closed = project.key in reopened or kind.live(row, "status", Context(names)) == "closed"
    return undeclared(kind, project.key, Map(), status="closed") if closed else None


def _declared(kind: Kind, address: Address, names: Names) -> Object:
    values = kind.capability(ManifestKey).to_declare(address, names.row(address) or {}, names)
    return Object(kind, address, kind.spec.model_validate(values), Map())
