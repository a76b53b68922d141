"""Warnings for objects that are about to be created beside a live one that looks the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.manifest.look_alikes import difference, folded
from reconciler.model.address import Address, split_key
from reconciler.model.capabilities import Rows
from reconciler.model.kind import Kind, Object
from reconciler.model.name_index import Names
from reconciler.plan.operations import Warned

HINT = "write the name as the server has it, or declare the old one as renamed_from, if this is the same object"
Shown = tuple[str, str]
"""Project ("" for kinds in none) and name."""


def twins(created: Iterable[Object], names: Names) -> Iterator[Warned]:
    """A warning for each object to create whose name looks like that of a live, undeclared one."""
    known: dict[str, dict[Shown, list[tuple[str, Any]]]] = {}
    for wanted in created:
        kind = wanted.kind
        if kind.name not in known:
            known[kind.name] = _live(kind, names)
        project, name = _called(kind, wanted.address.key, getattr(wanted.spec, kind.capability(Rows).title or "state"))
        for live, number in known[kind.name].get((project, folded(name)), ()):
            if why := difference(name, live):
                said = f'it is created beside #{number} "{live}", which looks the same: {why}'
                yield Warned(wanted.address, wanted.source, f"{said}; {HINT}")


def _live(kind: Kind, names: Names) -> dict[Shown, list[tuple[str, Any]]]:
    """The live objects that no manifest declares, by what a reader sees of their names."""
    found: defaultdict[Shown, list[tuple[str, Any]]] = defaultdict(list)
    index = names.live(kind.name)
    for number, key in index.keys.items():
        if not names.spec(Address(kind.name, key)) and key not in names.absent(kind.name):
            project, name = _called(kind, key, index.rows[number].get(kind.capability(Rows).title))
            found[project, folded(name)].append((name, number))
    return found


def _called(kind: Kind, key: str, title: Any) -> Shown:
    """The project of an object, and what people call it."""
    project, name = split_key(key) if kind.inside else ("", key)
    return project, str(title or name) if kind.capability(Rows).title else name
