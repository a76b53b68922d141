"""Keys for live issues that have none: what is to be written so that they can be named."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from reconciler.export.inventory import Inventory
from reconciler.export.issue_keys import LENGTH, name_issues
from reconciler.kinds import kinds
from reconciler.kinds.issues.identity import key_field, value_of
from reconciler.manifest.loader import Map
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.kind import Object, undeclared
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.state.desired import Desired

ISSUE = "issue"


def named(found: Inventory) -> Inventory:
    """The inventory with issues called by the keys that they have or could get."""
    names, field = found.names, _field(found.names)
    rows, keys = names.rows.get(ISSUE, {}), dict(names.keys.get(ISSUE, {}))
    for number, key in keys.items():
        if not value_of(rows[number], field):
            keys[number] = f"{key.partition('/')[0]}/#{number}"
    ids = {key: number for number, key in keys.items()}
    new = replace(names, ids={**names.ids, ISSUE: ids}, keys={**names.keys, ISSUE: keys})
    rules = names.rows.get("custom_field", {}).get(field.id, {})
    name_issues(new, length=rules.get("max_length") or LENGTH)
    return replace(found, names=new)


def wanted(found: Inventory, reopened: Collection[str] = ()) -> tuple[Desired, tuple[Address, ...]]:
    """The issues in scope that lack a key, each declared with one, and those that cannot have one; of a `named`
    inventory. Closed projects are declared too: they are opened for the work inside, and closed again; so are those
    that a run before has `reopened`."""
    names, field = found.names, _field(found.names)
    objects, lacking = dict[Address, Object](), []
    for number, key in sorted(names.keys.get(ISSUE, {}).items(), key=lambda pair: pair[1]):
        address, row = Address(ISSUE, key), names.rows[ISSUE][number]
        if address.project not in found.projects or value_of(row, field):
            continue
        if any(item["id"] == field.id for item in row.get("custom_fields", ())):
            objects[address] = _declared(address, row, names)
        else:
            lacking.append(address)
    shut = {a: _closed(a, names, reopened) for a in _homes(objects, reopened, names)}
    objects |= {address: project for address, project in shut.items() if project}
    return Desired(dict(sorted(objects.items())), (), names.settings), tuple(lacking)


def _homes(objects: Iterable[Address], reopened: Collection[str], names: Names) -> set[Address]:
    known = {Address("project", key) for key in reopened if key in names.ids.get("project", {})}
    return known | {Address("project", address.project) for address in objects}


def _closed(project: Address, names: Names, reopened: Collection[str]) -> Object | None:
    kind, row = kinds()[project.kind], names.row(project) or {}
    shut = project.key in reopened or kind.live(row, "status", Context(names)) == "closed"
    return undeclared(kind, project.key, Map(), status="closed") if shut else None


def _field(names: Names) -> CustomField:
    field = key_field(names)
    assert field is not None, "keys are only written where issue_key_field is set"
    return field


def _declared(address: Address, row: Row, names: Names) -> Object:
    kind = kinds()[ISSUE]
    said = {"project": address.project, "key": address.key.partition("/")[2], "id": row["id"]}
    spec = kind.spec.model_validate({**said, **_watchers(row, Context(names, address.project, address))})
    return Object(kind, address, spec, Map())


def _watchers(row: Row, context: Context) -> dict[str, Any]:
    """Whoever writes to an issue becomes its watcher, unless it is said who they are."""
    kind = kinds()[ISSUE]
    if "watchers" not in row:
        return {}
    try:
        watchers = kind.fields["watchers"].codec.written(kind.live(row, "watchers", context), context)
    except Unresolved:
        return {}
    return {"watchers": watchers}
