"""What is reached along the edges between objects: from one to those that it needs, or the other way round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from reconciler.model.address import Address


def grouped(pairs: Iterable[tuple[Address, Address]]) -> dict[Address, set[Address]]:
    """The second ones of the pairs, by the first one."""
    groups: defaultdict[Address, set[Address]] = defaultdict(set)
    for one, other in pairs:
        groups[one].add(other)
    return groups


def turned(needs: Mapping[Address, Iterable[Address]]) -> dict[Address, set[Address]]:
    """The same edges in the other direction: for each object, those that need it."""
    return grouped((needed, address) for address, others in needs.items() for needed in others)


def closure(
    start: Iterable[Address], edges: Mapping[Address, Iterable[Address]], seen: Collection[Address] = frozenset()
) -> frozenset[Address]:
    """`start` and everything reachable from it, without what was `seen` and what is reached from there."""
    reached: set[Address] = set()
    pending = list(start)
    while pending:
        address = pending.pop()
        if address not in reached and address not in seen:
            reached.add(address)
            pending += edges.get(address, ())
    return frozenset(reached)
