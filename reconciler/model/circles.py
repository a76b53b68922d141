"""Circles in what objects refer to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

Node = TypeVar("Node", bound=Any)


def circles(graph: Mapping[Node, Collection[Node]]) -> Iterator[list[Node]]:
    """The circles of a graph (node → those it refers to), each as a path that ends where it begins.

    Of each that is found, all edges between its nodes are left out from then on: its nodes can be part of further ones.
    Each edge is followed once, however many circles there are, and not by recursion, as they can be long.
    """
    # Nothing leads on from what refers to nothing.
    left = {node: iter(sorted(filter(graph.get, targets))) for node, targets in graph.items()}
    done, found = set[Node](), 0
    cut = defaultdict[Node, set[int]](set)
    for start in graph:
        # The place of each node on the way from the start.
        way: dict[Node, int] = {} if start in done else {start: 0}
        path = list(way)
        while path:
            node = path[-1]
            edges = (n for n in left.get(node, ()) if n not in done and cut[node].isdisjoint(cut[n]))
            target = next(edges, None)
            if target is None:
                done.add(path.pop())
                del way[node]
            elif target not in way:
                way[target] = len(path)
                path.append(target)
            else:
                ring = path[way[target] :]
                yield [*ring, target]
                for each in ring:
                    cut[each].add(found)
                found += 1
                # Back to where the circle begins: what else its nodes refer to is looked at when they come up again.
                for each in ring[1:]:
                    del way[each]
                del path[way[target] + 1 :]
