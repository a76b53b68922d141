"""What two declared objects cannot both have: a unique value, such as a mail address, or one earlier name."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress

from reconciler.errors import Problem
from reconciler.model.capabilities import Creation
from reconciler.model.field_sets import field_sets
from reconciler.model.kind import Object, earlier_key
from reconciler.state.partial import NotValid


def doubles(objects: Iterable[Object]) -> Iterator[Problem]:
    """A Problem for each second object that declares such a value, with both places."""
    owners: dict[Hashable, Object] = {}
    for found in objects:
        for field, value in _unique(found):
            other = owners.setdefault((found.kind.name, field, value), found)
            if other is not found:
                said = "has the same earlier name" if field == "renamed_from" else "has the same, and it is unique"
                places = found.where(field), other.where(field)
                hint = "remove one of them" if field == "renamed_from" else "give each its own"
                yield Problem(places[0], f"{field}: {other.address} {said}", str(found.address), hint, places[1:])


def _unique(found: Object) -> Iterator[tuple[str, str]]:
    """(field, value) for the values that no other object can have, as Redmine compares them."""
    spec, kind = found.spec, found.kind
    if field_sets(kind).unique:
        with suppress(NotValid):
            for name in () if spec.state == "absent" else _fields(found):
                yield name, str(getattr(spec, name)).casefold()
    with suppress(NotValid):
        if spec.state == "present" and spec.renamed_from and kind.capability(Creation).unique:
            key = earlier_key(kind, spec, found.address.project)
            yield "renamed_from", key.lower() if kind.ignores_case else key


def _fields(found: Object) -> Iterator[str]:
    for name in field_sets(found.kind).unique:
        if name in found.fields and name not in found.spec.create_only and getattr(found.spec, name):
            yield name
