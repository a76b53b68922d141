"""Issues that have a version of another project.

They lose it without an error at each write after which that project does not share it with theirs: one that moves a
project, or narrows the version's sharing (5.0 to 6.1). What the next write makes good again is lost all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from reconciler.model.address import CONTAINER, Address
from reconciler.model.name_index import Context, Names

ISSUE = "issue"


def having(version: str, names: Names) -> Sequence[Address]:
    """The declared issues of other projects that have a version (its key) now."""
    return _by_version(names).get(version, ())


def having_any(names: Names) -> Iterator[Address]:
    """The declared issues that have a version of another project now."""
    for issues in _by_version(names).values():
        yield from issues


def moving(project: str, names: Names) -> Iterator[Address]:
    """A project and those above it, as declared, that are somewhere else now."""
    for key in (project, *names.ancestors(project)):
        if names.is_live(Address(CONTAINER, key)) and names.parent(key) != names.live_parent(key):
            yield Address(CONTAINER, key)


def _by_version(names: Names) -> Mapping[str, Sequence[Address]]:
    if "shared versions" not in names.memo:
        found: defaultdict[str, list[Address]] = defaultdict(list)
        live, context = names.live(ISSUE), Context(names)
        for key in names.declared(ISSUE):
            version = (live.row(key) or {}).get("fixed_version")
            shared = context.key("version", version["id"]) if version else None
            if shared and Address("version", shared).project != Address(ISSUE, key).project:
                found[shared].append(Address(ISSUE, key))
        names.memo["shared versions"] = found
    known: Mapping[str, Sequence[Address]] = names.memo["shared versions"]
    return known
