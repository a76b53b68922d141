"""The circles of a graph: all of them in one walk."""

from __future__ import annotations

import graphlib
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from reconciler.model.circles import circles


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({1: {2}, 2: {3}, 3: set()}, []),
        ({1: {1}}, [[1, 1]]),
        ({1: {2}, 2: {1}, 3: {4}, 4: {3}}, [[1, 2, 1], [3, 4, 3]]),
        # Its nodes are part of further ones, but the edges between them are counted once.
        ({1: {2}, 2: {1, 3}, 3: {2}}, [[2, 3, 2], [1, 2, 1]]),
        ({1: {2}, 2: {3}, 3: {1, 2}}, [[1, 2, 3, 1]]),
    ],
)
def test_each_circle_is_found_once(graph: dict[int, set[int]], found: list[list[int]]) -> None:
    """As the path around it."""
    assert sorted(circles(graph)) == sorted(found)


@pytest.mark.parametrize("seed", range(30))
def test_without_them_there_is_none(seed: int) -> None:
    """Each is one of what those before have left, and in the end nothing is left."""
    chance = random.Random(seed)
    nodes = range(chance.randint(2, 12))
    graph = {n: {chance.choice(nodes) for _ in range(chance.randint(0, 3))} for n in nodes}
    for circle in circles(graph):
        assert circle[0] == circle[-1]
        assert all(other in graph[one] for one, other in pairwise(circle))
        graph = {n: others - {*circle} if n in circle else others for n, others in graph.items()}
    graphlib.TopologicalSorter(graph).prepare()


class Followed:
    """A set of nodes that counts how often it is read."""

    def __init__(self, *nodes: int) -> None:
        self.nodes, self.times = nodes, 0

    def __iter__(self) -> Iterator[int]:
        self.times += 1
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, node: object) -> bool:
        return node in self.nodes


def test_edges_are_followed_once_however_many_circles_there_are() -> None:
    """A thousand circles that touch each other, and one of thousands of nodes, are no recursion either."""
    count = 1000
    ladder = {n: Followed(*(m for m in (n - 1, n + 1) if m in range(count))) for n in range(count)}
    assert len(list(circles(ladder))) == count - 1
    assert {one.times for one in ladder.values()} == {1}
    assert len(next(circles({n: [(n + 1) % 5000] for n in range(5000)}))) == 5001
