"""What follows for an object of a tree from what is below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Node = TypeVar("Node")
Value = TypeVar("Value")
Placed = tuple[int, str]
"""The place at which an object is named among others, and its key."""


def from_below(
    node: Node,
    known: dict[Node, Value],
    below: Callable[[Node], Iterable[Node]],
    made: Callable[[Node, Sequence[Value]], Value],
) -> Value:
    """The value of a node: `made` of the node and the values of those right `below` it.

    `known` keeps all values: each node is looked at once, however many are above each other, and not by recursion.
    Declared parents can form a cycle, which is reported elsewhere; here a node has no value for itself.
    """
    way: dict[Node, Sequence[Node]] = {}
    todo = [node]
    while todo:
        one = todo.pop()
        if one not in known and one not in way:
            way[one] = tuple(below(one))
            todo += way[one]
    for one, others in reversed(way.items()):
        known[one] = made(one, [known[other] for other in others if other in known])
    return known[node]
