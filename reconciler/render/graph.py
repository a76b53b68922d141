"""The dependency graph for Graphviz (DOT) and Mermaid, and as a drawing (SVG).

An edge is a pair: the second object depends on the first.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.render.safe import terminal

Edge = tuple[Address, Address]
# Mermaid has no backslash escapes, just entities: `#34;` for a quote.
_MERMAID = str.maketrans({c: f"#{ord(c)};" for c in '"#&<>`\\'})
COLORS = 8
"""Classes of the style of drawings."""
TITLE = "Dependencies between the declared objects, from left to right"
_DOT = str.maketrans({'"': '\\"', "\\": "\\\\"})


def dot(edges: Iterable[Edge], alone: Iterable[Address] = ()) -> str:
    """A graph for `dot -Tsvg`; `alone` are objects to show even without edges."""
    ordered = sorted(set(edges))
    lines = [f'  "{_dot(node)}";' for node in _nodes(ordered, alone)]
    lines += [f'  "{_dot(first)}" -> "{_dot(then)}";' for first, then in ordered]
    return "\n".join(["digraph reconciler {", "  rankdir=LR;", "  node [shape=box];", *lines, "}"])


def mermaid(edges: Iterable[Edge], alone: Iterable[Address] = ()) -> str:
    """A graph for Mermaid, which GitHub and GitLab render; `alone` are objects to show even without edges."""
    ordered = sorted(set(edges))
    numbers = {node: number for number, node in enumerate(_nodes(ordered, alone))}
    lines = [f'  n{number}["{terminal(str(node)).translate(_MERMAID)}"]' for node, number in numbers.items()]
    lines += [f"  n{numbers[first]} --> n{numbers[then]}" for first, then in ordered]
    return "\n".join(["graph LR", *lines])


def svg(edges: Iterable[Edge], alone: Iterable[Address] = ()) -> str:
    """A drawing, for a browser or a page. Edges that follow from others are left out."""
    from reconciler.render.svg import Node, drawing

    ordered = sorted(set(edges))
    numbers = {node: number for number, node in enumerate(_nodes(ordered, alone))}
    colors = {kind: f"c{rank % COLORS}" for rank, kind in enumerate(kinds())}
    nodes = [Node(node.kind, node.key, colors.get(node.kind, "")) for node in numbers]
    return drawing(nodes, ((numbers[a], numbers[b]) for a, b in ordered), TITLE, alone=True)


def _nodes(edges: Iterable[Edge], alone: Iterable[Address]) -> list[Address]:
    return sorted({*alone, *(node for edge in edges for node in edge)})


def _dot(node: Address) -> str:
    return terminal(str(node)).translate(_DOT)
