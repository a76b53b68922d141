"""Which live projects are below which, now and when everything is as declared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from reconciler.model.from_above import from_above
from reconciler.model.name_index import Names


def planned_below(project: str, names: Names) -> list[str]:
    """The live projects that will be below a project, in the order of the server's list."""

    def known() -> Iterable[str]:
        # Also through projects that are not there yet.
        return {**names.live("project").ids, **names.declared("project")}

    return _below(project, "planned", known, names.parent, names)


def live_below(project: str, names: Names) -> list[str]:
    """The live projects that are below a project now."""
    return _below(project, "live", lambda: names.live("project").ids, names.live_parent, names)


def nearest_above(project: str, wanted: Collection[str], marks: Mapping[str, str], names: Names) -> str:
    """The nearest project above one, as declared, whose mark is wanted, or "". Each project is looked at once."""
    known: dict[str, str] = names.memo.setdefault(("nearest above", wanted), {"": ""})

    def nearest(project: str, parent: str, found: str) -> str:
        return parent if marks.get(parent) in wanted else found

    return from_above(project, known, names.parent, nearest, "")


def by_marked_above(
    projects: Iterable[str], wanted: Collection[str], marks: Mapping[str, str], names: Names
) -> Mapping[str, Sequence[str]]:
    """Those of the projects that will be below each one whose mark is wanted."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for project in projects:
        # Declared parents can form a cycle, which is reported elsewhere; here it must end.
        above, way = project, set[str]()
        while (above := nearest_above(above, wanted, marks, names)) and above not in way:
            way.add(above)
            found[above].append(project)
    return found


def _below(
    project: str, which: str, known: Callable[[], Iterable[str]], parent: Callable[[str], str], names: Names
) -> list[str]:
    at = ("projects below", which)
    if at not in names.memo:
        below: defaultdict[str, list[str]] = defaultdict(list)
        for key in known():
            below[parent(key)].append(key)
        names.memo[at] = below, {key: number for number, key in enumerate(names.live("project").ids)}
    children: Mapping[str, Sequence[str]]
    children, place = names.memo[at]
    found, todo = set[str](), [project]
    while todo:
        new = [key for key in children.get(todo.pop(), ()) if key not in found]
        found.update(new)
        todo += new
    return sorted(found & place.keys(), key=place.__getitem__)
