"""The capabilities of lists whose order in Redmine can be that of a manifest (`ordered: true`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.model.capabilities import Capability
from reconciler.model.catalog import CATALOG
from reconciler.model.name_index import Names
from reconciler.natural import natural

if TYPE_CHECKING:
    from reconciler.model.kind import Kind

ORDERED = "ordered"
"""The key of a manifest with which the order of its lists is that of Redmine."""


class Ordered(Capability):
    """Objects that Redmine keeps in an order. The program shows their `position`."""

    grouped: bool = False
    """Whether each group has an order of its own; the group is the first part of the key, `group/name`."""

    def unordered(self, key: str) -> bool:
        """Whether an object has no place in the order."""
        return False

    def place(self, kind: Kind, key: str) -> tuple[str, str] | None:
        """The list that an object is in, and its name there; None if it has no place."""
        if self.unordered(key):
            return None
        group, _, name = key.partition("/") if self.grouped else ("", "", key)
        return (f"{kind.plural}/{group}" if group else kind.plural), name

    def key(self, place: str, name: str) -> str:
        """The key of an object in a list."""
        group = place.partition("/")[2]
        return f"{group}/{name}" if group else name


class Implied(Capability):
    """Objects that no list of a manifest declares: they follow from something else that it says."""


def order_in(kind: Kind, place: str, names: Names) -> list[str] | None:
    """The names in a list in the order that they have now; None if that is not known."""
    ordered, index = kind.capability(Ordered), names.live(kind.name)
    placed = ((row, ordered.place(kind, index.keys[number])) for number, row in index.rows.items() if _exists(number))
    found = [(row, where[1]) for row, where in placed if where is not None and where[0] == place]
    positions = [_position(row) for row, _ in found]
    if None not in positions:
        found.sort(key=lambda one: (_position(one[0]), one[0]["id"]))
    elif ordered.grouped:
        # The API lists all others by their position, and these in no order.
        return None
    return [name for _, name in found]


def rank_of(kind: Kind, key: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What live objects are sorted by in manifests: their place in Redmine's order, else their key."""
    ordered = kind.capability(Ordered)
    # Of what has no place in the order, such as the built-in roles, the position means nothing.
    position = _position(row) if kind.has(Ordered) and not ordered.unordered(key) else None
    group = key.partition("/")[0] if ordered.grouped else ""
    return natural(group), position or 0, natural(key)


def _exists(number: Any) -> bool:
    return not isinstance(number, int) or number >= 0


def _position(row: Mapping[str, Any]) -> Any:
    return row.get(CATALOG, {}).get("position")


def rearranged(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Those of `names` that are among the wanted ones."""
    chosen = set(wanted)
    return [name for name in names if name in chosen]
