"""What is below an object in its tree, as far as a plan needs it: each object is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import nsmallest
from itertools import chain
from typing import NamedTuple

from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.capabilities import Deletion
from reconciler.model.from_below import from_below
from reconciler.model.name_index import Names

NAMED = 10
"""Objects that a reason names; more are counted, as each of many levels would name all those below it again."""
Node = tuple[int, Address]
"""The place at which an object is named among others, and the object."""


class Below(NamedTuple):
    """What is below an object, at any depth."""

    number: int
    first: Sequence[Node]
    """Those to name."""
    marked: Sequence[Node]
    """All that matter."""

    def words(self) -> list[str]:
        """The first objects, and the number of all others."""
        named = [str(address) for _, address in self.first]
        return [*named, *self._more(self.number - len(named))]

    def _more(self, number: int) -> list[str]:
        if not number:
            return []
        kind = kinds()[self.first[0][1].kind]
        return [f"{number:,} more {(kind.name if number == 1 else kind.plural).replace('_', ' ')}"]


class Levels:
    """What is below each object, of which those matter that are `marked`."""

    def __init__(self, right_below: Callable[[Address], Iterable[Node]], marked: Callable[[Address], bool]) -> None:
        self._right_below = right_below
        self._marked = marked
        self._known: dict[Node, Below] = {}

    def of(self, address: Address) -> Below:
        """What is below an object."""
        return _together([self._from(node) for node in self._right_below(address)])

    def _from(self, node: Node) -> Below:
        return from_below(node, self._known, lambda one: self._right_below(one[1]), self._made)

    def _made(self, node: Node, below: Sequence[Below]) -> Below:
        return _together([Below(1, [node], [node] if self._marked(node[1]) else []), *below])


def _together(parts: Sequence[Below]) -> Below:
    first = nsmallest(NAMED, chain.from_iterable(part.first for part in parts))
    marked = sorted(chain.from_iterable(part.marked for part in parts))
    return Below(sum(part.number for part in parts), first, marked)


def along(address: Address, names: Names) -> list[Node]:
    """What is right below an object that is deleted, and is deleted with it."""
    below = kinds()[address.kind].capability(Deletion).takes_along(address, names.row(address) or {}, names)
    return [(place, Address(address.kind, key)) for place, key in below]


def now_below(address: Address, names: Names) -> list[Node]:
    """What is right below an object now, and would be deleted with it unless it is moved away before."""
    below = kinds()[address.kind].capability(Deletion).live_below(address, names.row(address) or {}, names)
    return [(place, Address(address.kind, key)) for place, key in below]
