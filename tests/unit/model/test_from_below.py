"""What follows from what is below in a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.from_below import from_below

TREE = {"top": ["left", "right"], "left": ["leaf"], "a": ["b"], "b": ["a"]}


def counting(node: str, known: dict[str, int], tree: Mapping[str, Sequence[str]]) -> tuple[int, list[str]]:
    """How many nodes a tree has from one on, and which were looked at."""
    seen: list[str] = []

    def made(node: str, below: Sequence[int]) -> int:
        seen.append(node)
        return 1 + sum(below)

    return from_below(node, known, lambda one: tree.get(one, ()), made), seen


def test_each_node_is_looked_at_once() -> None:
    """What is below is made first, and what is known is not made again."""
    known: dict[str, int] = {}
    assert counting("left", known, TREE) == (2, ["leaf", "left"])
    assert counting("top", known, TREE) == (4, ["right", "top"])
    assert counting("top", known, TREE) == (4, [])


def test_a_cycle_ends() -> None:
    """A node that is below itself does not count for itself."""
    assert counting("a", {}, TREE) == (2, ["b", "a"])


def test_no_depth_is_too_deep() -> None:
    """Tens of thousands of levels are no recursion."""
    deep = {str(n): [str(n + 1)] for n in range(50_000)}
    assert counting("0", {}, deep)[0] == 50_001
