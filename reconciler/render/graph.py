"""The dependency graph for Graphviz (DOT) and Mermaid. An edge is a pair: the second object depends on the first."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.address import Address
from reconciler.render.safe import terminal

Edge = tuple[Address, Address]
# Mermaid has no backslash escapes, just entities: `#34;` for a quote.
_MERMAID = str.maketrans({c: f"#{ord(c)};" for c in '"#&<>`\\'})
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


def _nodes(edges: Iterable[Edge], alone: Iterable[Address]) -> list[Address]:
    return sorted({*alone, *(node for edge in edges for node in edge)})


def _dot(node: Address) -> str:
    return terminal(str(node)).translate(_DOT)
