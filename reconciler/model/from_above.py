"""What follows for an object of a tree from what is above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Node = TypeVar("Node")
Value = TypeVar("Value")


def from_above(
    node: Node,
    known: dict[Node, Value],
    above: Callable[[Node], Node],
    made: Callable[[Node, Node, Value], Value],
    end: Value,
) -> Value:
    """The value of a node: `made` of the node, the one `above`, and the value of that one.

    `known` has the value of what is above the top, and keeps all values: each node is looked at once, however many are
    below each other, and not by recursion. Declared parents can form a cycle, which is reported elsewhere; here it has
    the value `end`.
    """
    way: dict[Node, None] = {}
    while node not in known and node not in way:
        way[node] = None
        node = above(node)
    found = known.get(node, end)
    for below in reversed(way):
        found = known[below] = made(below, node, found)
        node = below
    return found
