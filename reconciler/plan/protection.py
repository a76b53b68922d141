"""Objects that are not to be deleted: `protect` of the object itself, or patterns in the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.model.collections import matches, may_match_inside
from reconciler.model.kind import Object
from reconciler.model.name_index import Names


def protected(declared: Object, along: Iterable[Address], names: Names) -> list[str]:
    """What a deletion must not delete, of the object itself and what goes `along`, each with the place that asks.

    Nobody reads the contents of a project that is deleted: a pattern that may mean something inside counts.
    """
    patterns = names.settings.get("protect", ())
    itself = [declared.address] if declared.spec.protect else []
    deleted = dict.fromkeys((declared.address, *along))
    found = (address for address in deleted if matches(address, patterns))
    inside = (what for address in deleted for what in _inside(address, patterns))
    return [f"{what} ({declared.source})" for what in dict.fromkeys((*map(str, (*itself, *found)), *inside))]


def _inside(address: Address, patterns: Iterable[str]) -> Iterator[str]:
    if address.kind == CONTAINER:
        for kind in kinds().values() if patterns else ():
            for pattern in may_match_inside(address.key, kind, patterns):
                yield f"what {pattern} matches in {address}"
