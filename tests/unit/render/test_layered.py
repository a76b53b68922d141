"""The layout of drawings: no boxes above each other, edges from left to right, the same for the same graph."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.render import layered
from reconciler.render.layered import Box, Edge, Layout, layout

SIZE = (120.0, 40.0)

graphs = st.integers(1, 12).flatmap(
    lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30))
)


def drawn(count: int, edges: set[Edge] | list[Edge]) -> Layout:
    """A layout of boxes of one size."""
    return layout([SIZE] * count, edges)


def reachable(edges: set[Edge]) -> set[Edge]:
    """Every pair of objects of which the second can be reached from the first."""
    pairs = set(edges)
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= more
    return pairs


def apart(one: Box, other: Box) -> bool:
    """Whether two boxes have no point in common."""
    beside = one.x + one.width < other.x or other.x + other.width < one.x
    return beside or one.y + one.height < other.y or other.y + other.height < one.y


@given(graphs)
def test_no_two_boxes_overlap(graph: tuple[int, set[Edge]]) -> None:
    """Boxes are apart from each other and inside the drawing, whatever the graph is."""
    made = drawn(*graph)
    boxes = made.boxes
    assert all(apart(one, other) for n, one in enumerate(boxes) for other in boxes[:n])
    assert all(box.x >= 0 and box.y >= -0.1 for box in boxes)
    assert all(box.x + box.width <= made.width + 0.1 and box.y + box.height <= made.height + 0.1 for box in boxes)


@given(graphs)
def test_edges_go_to_the_right(graph: tuple[int, set[Edge]]) -> None:
    """Without cycles, what depends on something is to the right of it; only edges that close a cycle go back."""
    count, edges = graph
    made = drawn(count, edges)
    cyclic = any(a == b for a, b in reachable({(a, b) for a, b in edges if a != b}))
    assert cyclic or not any(line.back for line in made.lines)
    for line in made.lines:
        first, then = (made.boxes[node] for node in line.edge)
        assert (first.x > then.x) if line.back else (first.x + first.width < then.x)


@given(graphs)
def test_lines_begin_and_end_at_their_boxes(graph: tuple[int, set[Edge]]) -> None:
    """A line touches the sides of its two boxes, and runs in one direction between them."""
    made = drawn(*graph)
    for line in made.lines:
        points = line.points[::-1] if line.back else line.points
        first, then = (made.boxes[node] for node in (line.edge[::-1] if line.back else line.edge))
        assert points[0] == pytest.approx((first.x + first.width, first.y + first.height / 2), abs=0.2)
        assert points[-1] == pytest.approx((then.x, then.y + then.height / 2), abs=0.2)
        assert all(one[0] <= other[0] for one, other in pairwise(points))


@given(graphs)
def test_only_what_follows_from_others_is_left_out(graph: tuple[int, set[Edge]]) -> None:
    """What can be reached along the lines is what can be reached along the edges."""
    count, edges = graph
    own = {(a, b) for a, b in edges if a != b}
    shown = {line.edge for line in drawn(count, edges).lines}
    assert shown <= own
    assert reachable(shown) == reachable(own)


def test_implied_edges_are_left_out() -> None:
    """Of a → b → c and a → c, the last one says nothing new."""
    assert [line.edge for line in drawn(3, {(0, 1), (1, 2), (0, 2)}).lines] == [(0, 1), (1, 2)]


def test_an_edge_that_closes_a_cycle_stays() -> None:
    """It is drawn backward, because what is left of it also depends on it."""
    assert [(line.edge, line.back) for line in drawn(3, {(0, 1), (1, 2), (2, 0)}).lines] == [
        ((0, 1), False),
        ((1, 2), False),
        ((2, 0), True),
    ]


@given(graphs, st.randoms(use_true_random=False))
def test_the_order_of_the_edges_does_not_matter(graph: tuple[int, set[Edge]], chance: random.Random) -> None:
    """The same graph has the same layout."""
    count, edges = graph
    shuffled = list(edges)
    chance.shuffle(shuffled)
    assert drawn(count, shuffled) == drawn(count, sorted(edges))


def test_objects_without_edges_stand_in_rows() -> None:
    """They are below everything else, beside each other, not wider than a screen."""
    made = drawn(50, {(0, 1)})
    assert made.width <= layered.WIDE
    assert min(box.y for box in made.boxes[2:]) > max(box.y + box.height for box in made.boxes[:2])


def test_nothing_to_draw() -> None:
    """No objects are no drawing, and no error."""
    assert drawn(0, set()) == Layout((), (), 0, 0)


CHAIN = [(n, n + 1) for n in range(4999)]
SHAPES = {
    "a chain, each of which the last one needs": CHAIN + [(n, 4999) for n in range(4999)],
    "a fan": [(0, n) for n in range(1, 5000)],
    "layers": [(n - 1 - n % 7 * 13, n) for n in range(100, 5000)],
    "a circle": [*CHAIN, (4999, 0)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_many_objects(shape: str) -> None:
    """5,000 objects are laid out in seconds, and without recursion."""
    began = time.process_time()
    made = drawn(5000, SHAPES[shape])
    assert time.process_time() - began < 15
    assert len(made.boxes) == 5000
