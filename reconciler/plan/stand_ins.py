"""Objects that stand in for declared ones: to read the objects of a plan once more, or to plan what is not declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.errors import Location
from reconciler.kinds import kinds
from reconciler.manifest.loader import Map
from reconciler.model.address import CONTAINER, Address
from reconciler.model.kind import Object
from reconciler.plan.diff import gather
from reconciler.plan.operations import Plan
from reconciler.state.desired import Desired


def stand_ins(plan: Plan, needs: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]) -> Desired:
    """A desired state with just the objects of a plan, and those in `needs`, to read them once more."""
    return Desired(dict(sorted(_objects(plan, needs))), (), settings)


def _objects(plan: Plan, needs: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Address, Object]]:
    """An object for each change, and for each to which its values refer, complete enough to read the live state."""
    for item in needs:
        address = Address(item["kind"], item["key"])
        yield address, stand_in(address, item["id"], {}, Location(""))
    for change in plan.changes:
        state = {"state": "absent"} if change.action == "delete" else {}
        yield change.address, stand_in(change.address, change.id, gather(change.all_fields), change.source, **state)
    for change in plan.affected:
        yield change.address, stand_in(change.address, change.id, gather(change.unchanged), change.source)


LINE = 1 << 32
"""What a line counts in the packed place of a `Map`."""


def stand_in(
    address: Address, number: int | str | None, fields: Mapping[str, Any], source: Location, **more: str
) -> Object:
    """An object that no manifest contains, with these canonical values, at a place in one."""
    kind = kinds()[address.kind]
    values: dict[str, Any] = {**more, **fields}
    if "id" in kind.spec.model_fields:
        values["id"] = number
    if len(kind.identity) == 1:
        name = address.key.partition("/")[2] if kind.inside else address.key
        values.setdefault(kind.identity[0], name)
    if kind.inside:
        values[CONTAINER] = address.project
    # Not validated: the values are canonical, not those of a manifest, and were checked when the plan was made.
    spec = kind.spec.model_construct(_fields_set=set(fields), **values)
    return Object(kind, address, spec, Map(source.file, source.line * LINE + source.column))
