"""`renamed_from`: which live object is which declared one, alone, in chains and in circles.

A rename that is done already is never undone. In a chain (`2.0` becomes `3.0`, `1.0` becomes `2.0`) a live name counts
as the object's own unless what has it is to be renamed itself. In a circle (two objects exchange their names) all names
are live before and after: there, the declared values tell which is which.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from reconciler.errors import Problem
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import PartialRows
from reconciler.model.kind import Kind, Object, earlier_key
from reconciler.model.name_index import Context, Names
from reconciler.model.unique import same_key, temporary

Ring = tuple[Object, ...]
"""Objects that get each other's names: each one the name that the one before it has."""


def undo_renames(kind: Kind, names: Names) -> None:
    """Forget what was settled of a kind: its objects are matched again, with more rows."""
    for address in [address for address in names.renamed if address.kind == kind.name]:
        names.remove(address)
        del names.renamed[address]


def settle_renames(kind: Kind, objects: Iterable[Object], names: Names) -> None:
    """Take what is live under its earlier key for the declared object: others name it by the new one."""
    keys = dict(_Renames(kind, [o for o in objects if o.spec.renamed_from], names).keys())
    if keys:
        names.rename(kind.name, keys)


def settle_swaps(kind: Kind, objects: Sequence[Object], names: Names) -> tuple[bool, list[Problem]]:
    """Settle the circles of which all names are live, where values tell whether that has been done.

    Returns whether any is to be done, and a Problem for each that cannot be told.
    """
    keys: dict[int, str] = {}
    unclear = []
    for ring in rings(objects):
        numbers = [names.id(found.address) for found in ring]
        if None in numbers or any(found.address in names.renamed for found in ring):
            continue
        rows = [names.row(found.address) or {} for found in ring]
        done = sum(map(_differences, ring, rows, [names] * len(ring)))
        earlier = [*rows[-1:], *rows[:-1]]
        to_do = sum(map(_differences, ring, earlier, [names] * len(ring)))
        if to_do < done:
            keys |= {row["id"]: found.address.key for found, row in zip(ring, earlier, strict=True)}
        elif to_do == done:
            unclear.append(_unclear(ring))
    if keys:
        names.rename(kind.name, keys)
    return bool(keys), unclear


def rings(objects: Iterable[Object]) -> Iterator[Ring]:
    """The circles of `renamed_from` among the objects of a kind."""
    by_key = {same_key(found.address, found.kind): found for found in objects if found.spec.renamed_from}
    seen: set[Address] = set()
    for start in by_key.values():
        path: dict[Address, Object] = {}
        found: Object | None = start
        while found is not None and found.address not in seen and found.address not in path:
            path[found.address] = found
            found = by_key.get(same_key(_earlier(found), found.kind))
        seen |= path.keys()
        if found is not None and found.address in path:
            ring = list(path.values())[list(path).index(found.address) :]
            if len(ring) > 1:
                yield tuple(reversed(ring))


def compared_fields(kind: Kind, objects: Sequence[Object]) -> Mapping[Address, frozenset[str]]:
    """The fields of each object that must be read: of those in a circle, what any of them declares."""
    fields = {found.address: frozenset(found.fields) for found in objects}
    for ring in rings(objects):
        union = frozenset[str]().union(*(fields[found.address] for found in ring))
        fields |= {found.address: union for found in ring}
    return fields


class _Renames:
    """The declared objects of a kind that have an earlier name, and the live ones of those names."""

    def __init__(self, kind: Kind, objects: Collection[Object], names: Names) -> None:
        self.names = names
        self.half_done: dict[int, Address] = {}
        """The live objects in a circle that have their temporary names: a run was stopped in the middle of it."""
        self.wanted: dict[Address, int] = {}
        """The live object that has the earlier name of a declared one."""
        for found in (found for ring in rings(objects) for found in ring):
            number = names.id(Address(kind.name, temporary(kind, found.address)))
            if number is not None and names.id(found.address) != number:
                self.half_done[number] = found.address
        for found in objects:
            number = names.id(_earlier(found))
            if number is not None and found.address not in self.half_done.values():
                self.wanted[found.address] = number
        self.to_do: dict[Address, bool] = {}
        """Whether a rename is to be done, as far as that was asked."""
        others = ((number, address) for address, number in self.wanted.items() if names.id(address) != number)
        self.takers: dict[int, Address] = {}
        for number, address in others:
            self.takers.setdefault(number, address)

    def keys(self) -> Iterator[tuple[int, str]]:
        """(id, key) for each live object that is one of these, and has another name than declared."""
        yield from ((number, address.key) for number, address in self.half_done.items())
        for address, number in self.wanted.items():
            if self.names.id(address) == number or (self.takers[number] == address and self._is_to_do(address)):
                yield number, address.key

    def _is_to_do(self, address: Address) -> bool:
        """Whether the new name is free, or will be because the object that has it is to be renamed itself."""
        seen: dict[Address, None] = {}
        current: Address | None = address
        while current is not None and current not in seen and current not in self.to_do:
            seen[current] = None
            own = self.names.id(current) if current in self.wanted else None
            if own is None:
                self.to_do[current] = current in self.wanted
                break
            current = self.takers.get(own)
        # All on the way wait for the same one; in a circle, nothing becomes free.
        self.to_do |= dict.fromkeys(seen, current is not None and self.to_do.get(current, False))
        return self.to_do[address]


def _earlier(found: Object) -> Address:
    return Address(found.kind.name, earlier_key(found.kind, found.spec, found.address.project))


def _differences(found: Object, row: Row, names: Names) -> int:
    """How many declared fields, but for the name, a live object has otherwise."""
    kind, context, count = found.kind, Context(names, found.project, found.address), 0
    own = found.address.own_name if kind.inside else found.address.key
    # The name of an issue without a key is its subject.
    names_it = {name for name, value in found.fields.items() if value == own}
    for name in found.fields.keys() - {kind.identity[0], *names_it, *found.spec.create_only}:
        api = kind.fields[name]
        silent = api.read is None or api.create_only or api.along or api.secret
        if not silent and kind.capability(PartialRows).shows(kind, row, name, found.fields):
            for _, piece in api.codec.pieces(found.fields[name]):
                with suppress(Unresolved):
                    wanted = api.codec.canonical(piece, context)
                    count += bool(api.codec.differences(wanted, kind.live(row, name, context)))
    return count


def _unclear(ring: Ring) -> Problem:
    first, *others = sorted(ring, key=lambda found: found.address)
    said = " and ".join(str(found.address) for found in (first, *others))
    return Problem(
        first.where("renamed_from"),
        f"it cannot be told whether {said} have exchanged their names already",
        str(first.address),
        "declare a field in which they differ; if it is done, remove renamed_from",
        tuple(other.where("renamed_from") for other in others),
    )
