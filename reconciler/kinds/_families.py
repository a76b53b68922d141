"""Which projects pass their members on to each other.

A new member is passed on to the projects below that inherit members, and a project that begins to inherit takes over
the members above it (5.0 to 6.1). Neither request sees what the other one is just writing: with several processes, a
member would be missing in the project for good. So these changes of projects come first, then the members.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.address import CONTAINER, Address
from reconciler.model.name_index import Names

ALL = Address(CONTAINER, "")
"""The turn of what changes members in any project, such as the users of a group."""


def family(project: str, names: Names) -> Address:
    """The turn of all projects whose members are or will be passed on to each other: the topmost one."""
    if "families" not in names.memo:
        names.memo["families"] = _tops(names)
    tops: dict[str, str] = names.memo["families"]
    return Address(CONTAINER, _top(project, tops))


def inherits(project: str, names: Names) -> bool:
    """Whether a project inherits members, now or when everything is as declared."""
    return any(_givers(project, names))


def _givers(project: str, names: Names) -> Iterator[str]:
    """The projects from which a project inherits members: now, and when everything is as declared."""
    spec, row = names.spec(Address(CONTAINER, project)), names.row(Address(CONTAINER, project)) or {}
    live = bool(row.get("inherit_members"))
    declared = getattr(spec, "inherit_members", None)
    if live:
        yield names.live_parent(project)
    if live if declared is None else declared:
        yield names.parent(project)


def _tops(names: Names) -> dict[str, str]:
    """Project → one above it in its family. What is not in it is on top."""
    tops: dict[str, str] = {}
    for project in {**names.live(CONTAINER).ids, **names.declared(CONTAINER)}:
        for giver in filter(None, _givers(project, names)):
            below, above = _top(project, tops), _top(giver, tops)
            if below != above:
                tops[below] = above
    return tops


def _top(project: str, tops: dict[str, str]) -> str:
    path = [project]
    while path[-1] in tops:
        path.append(tops[path[-1]])
    # Each then points to the top: trees are deep, and asked for from each of their leaves.
    tops |= dict.fromkeys(path[:-1], path[-1])
    return path[-1]
