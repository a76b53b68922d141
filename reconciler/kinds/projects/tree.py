"""Which live projects are below which, now and when everything is as declared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from reconciler.model.from_above import from_above
from reconciler.model.from_below import Placed
from reconciler.model.name_index import Names


def planned_below(project: str, names: Names) -> list[str]:
    """The live projects that will be below a project, in the order of the server's list."""
    return [key for _, key in sorted(_planned(names).below(project, lambda key: True))]


def planned_right_below(project: str, names: Names) -> list[Placed]:
    """The live projects that will be below a project, with no live one in between."""
    tree = _planned(names)
    return tree.below(project, lambda key: key not in tree.place)


def live_right_below(project: str, names: Names) -> list[Placed]:
    """The live projects that are right below a project now."""
    return _tree("live", names.live_parent, names).below(project, lambda key: False)


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


class _Tree(NamedTuple):
    """The projects below each one, and the place of live ones in the server's list."""

    children: Mapping[str, Sequence[str]]
    place: Mapping[str, int]

    def below(self, project: str, passed: Callable[[str], bool]) -> list[Placed]:
        """The live projects below one, also below those that are `passed`."""
        found, todo = set[str](), [project]
        while todo:
            new = [key for key in self.children.get(todo.pop(), ()) if key not in found]
            found.update(new)
            todo += filter(passed, new)
        return [(self.place[key], key) for key in found if key in self.place]


def _planned(names: Names) -> _Tree:
    return _tree("planned", names.parent, names)


def _tree(which: str, parent: Callable[[str], str], names: Names) -> _Tree:
    at = ("projects below", which)
    if at not in names.memo:
        below: defaultdict[str, list[str]] = defaultdict(list)
        # Also those that are not there yet: others can be planned below them.
        for key in {**names.live("project").ids, **names.declared("project")}:
            below[parent(key)].append(key)
        names.memo[at] = _Tree(below, {key: number for number, key in enumerate(names.live("project").ids)})
    made: _Tree = names.memo[at]
    return made
