"""Problems that only follow from others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.errors import Location, Problem
from reconciler.manifest.loader import Loaded, Map, Reported, Seq


def not_consequential(loaded: Loaded, problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems without those that only follow from another one at the same value, such as an unset variable."""
    known = reported(loaded)
    return (problem for problem in problems if problem.location not in known)


def reported(loaded: Loaded) -> set[Location]:
    """The places of all values that have a problem already."""
    return set(_reported(loaded.documents)) if loaded.problems else set()


def _reported(nodes: Iterable[Any]) -> Iterator[Location]:
    """The places of all placeholders for values that have a problem already."""
    for node in nodes:
        if isinstance(node, Map | Seq):
            keys = range(len(node)) if isinstance(node, Seq) else node
            yield from (node.where(k) for k in keys if isinstance(node[k], Reported))  # type: ignore[arg-type,index]
            yield from _reported(node if isinstance(node, Seq) else node.values())
