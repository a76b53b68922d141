"""Objects that are not to be deleted: declared ones, by `protect`, or by patterns in the configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.model.collections import matches, may_match_inside
from reconciler.model.kind import Object
from reconciler.model.name_index import Names
from reconciler.plan.below import Below, Levels, along
from reconciler.state.desired import Desired


class Kept:
    """What a deletion must not take along."""

    def __init__(self, desired: Desired, names: Names) -> None:
        self._objects = desired.objects
        self._patterns: Sequence[str] = names.settings.get("protect", ())
        self.below = Levels(lambda address: along(address, names), self._is_kept)
        """What is deleted with each object, of which that matters which must not be."""

    def protected(self, declared: Object, below: Below) -> list[str]:
        """What a deletion must not delete, of the object and what is `below`, each with the place that asks.

        Nobody reads the contents of a project that is deleted: a pattern that may mean something inside counts.
        """
        itself = [declared.address] if declared.spec.protect else []
        deleted = (declared.address, *(address for _, address in below.marked))
        found = (address for address in deleted if matches(address, self._patterns))
        inside = (what for address in deleted for what in self._guarded_inside(address))
        return [f"{what} ({declared.source})" for what in dict.fromkeys((*map(str, (*itself, *found)), *inside))]

    def present(self, declared: Object, below: Below) -> list[Object]:
        """The objects that are declared present, of what is inside the object, and of what is `below` and inside that.

        The object itself is declared absent.
        """
        deleted = (declared.address, *(address for _, address in below.marked))
        return [self._objects[a] for a in sorted({a for one in deleted for a in self._present(one)})]

    def _is_kept(self, address: Address) -> bool:
        inside = (*self._present(address), *self._guarded_inside(address))
        return bool(inside) or matches(address, self._patterns)

    def _present(self, address: Address) -> Iterator[Address]:
        found = (a for a in (address, *self._inside.get(address, ())) if a in self._objects)
        return (a for a in found if self._objects[a].spec.state == "present")

    def _guarded_inside(self, address: Address) -> Iterator[str]:
        if address.kind == CONTAINER:
            for kind in kinds().values() if self._patterns else ():
                for pattern in may_match_inside(address.key, kind, self._patterns):
                    yield f"what {pattern} matches in {address}"

    @cached_property
    def _inside(self) -> Mapping[Address, Iterable[Address]]:
        """What is declared inside each project."""
        found: defaultdict[Address, list[Address]] = defaultdict(list)
        for address, declared in self._objects.items():
            if declared.kind.inside:
                found[address.container].append(address)
        return found
