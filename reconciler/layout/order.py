"""The order of the keys in manifests: what identifies an object first, then as the kind's spec has them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from reconciler.kinds import declarable, nested
from reconciler.model.address import CONTAINER
from reconciler.model.capabilities import ManifestKey
from reconciler.model.kind import Kind

FIRST = ("<<", CONTAINER)
MEANING = ("renamed_from", "state")
LAST = ("create_only", "protect")
UNKNOWN = 500
NESTED = 1000
"""Lists in a project keep the order that they have, below its fields."""


class Role(NamedTuple):
    """A list of objects of a kind, or one of them."""

    kind: str
    item: bool


class ManifestOrder:
    """The order of manifests."""

    def role(self, outer: Role | str | None, key: str) -> Role | None:
        """The role of a value."""
        if outer == "":
            return Role(key, False) if key in declarable() else None
        if not isinstance(outer, Role):
            return None
        if not outer.item:
            return None if key else Role(outer.kind, True)
        inner = nested().entries.get(key) if declarable().entries[outer.kind].name == CONTAINER else None
        return Role(inner.plural, False) if inner else None

    def rank(self, role: Role | str | None, key: str) -> int:
        """The place of a key; those of mappings that are no objects stay as they are."""
        if not isinstance(role, Role) or not role.item:
            return 0
        kind = declarable()[role.kind]
        unknown = NESTED if kind.name == CONTAINER and key in nested() else UNKNOWN
        return _ranks(kind).get(key, unknown)


@cache
def _ranks(kind: Kind) -> dict[str, int]:
    fields = list(kind.spec.model_fields)
    named = {*kind.identity, "id"}
    if kind.has(ManifestKey):
        # Without a key, what a new object needs says which one it is: the subject, behind the tracker.
        named |= {*fields[: 1 + max(fields.index(name) for name in kind.required)]}
    identity = [name for name in fields if name in named and name not in {*FIRST, *MEANING, *LAST}]
    own = [name for name in fields if name not in {*FIRST, *identity, *MEANING, *LAST}]
    return {name: number for number, name in enumerate([*FIRST, *identity, *MEANING, *own])} | dict.fromkeys(
        LAST, UNKNOWN + 1
    )
