"""Which live objects an export of single objects has: `--target KIND/KEY`, with wildcards or an id (`#123`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from reconciler.errors import ReconcilerError
from reconciler.kinds import declarable, kinds
from reconciler.manifest.loader import suggest
from reconciler.model.address import CONTAINER, Address
from reconciler.model.kind import Kind
from reconciler.model.spec import Id

WILD = frozenset("*?[")
FORM = "a target is KIND/KEY, such as version/web-shop/1.0 or 'issue/web-shop/#123'"


def kinds_of(patterns: Iterable[str]) -> frozenset[str]:
    """The kinds that the patterns can mean. Raises ReconcilerError for a pattern without one."""
    return frozenset(kind.name for pattern in patterns for kind in _kinds(pattern))


def projects_of(patterns: Sequence[str]) -> frozenset[str]:
    """The projects whose objects the patterns can mean; none: all projects."""
    found = [_project(kind, pattern) for pattern in patterns for kind in _kinds(pattern)]
    inside = [project for project in found if project is not None]
    return frozenset(inside) if all(inside) else frozenset()


def is_target(patterns: Sequence[str], address: Address, number: Id) -> bool:
    """Whether one of the patterns means a live object."""
    return any(_matches(pattern, label) for label in labels(address, number) for pattern in patterns)


def labels(address: Address, number: Id) -> Iterator[str]:
    """What a pattern can call a live object: by its key, and by its id."""
    yield f"{address.kind}/{address.key}"
    # The suffix that an object has if others have the same key.
    yield f"{address.kind}/{address.key.removesuffix(f' #{number}')}"
    inside = kinds()[address.kind].inside
    yield f"{address.kind}/{f'{address.project}/' if inside else ''}#{number}"


def unmatched(patterns: Iterable[str], known: Iterable[str]) -> None:
    """Raise ReconcilerError for the first pattern that means none of the labels in `known`."""
    every = sorted(set(known))
    for pattern in patterns:
        if not any(_matches(pattern, label) for label in every):
            near = suggest(pattern, every)
            raise ReconcilerError(
                f'--target "{pattern}" matches no live object{f" ({near})" if near else f"; {FORM}"}.'
            )


def declarable_named() -> dict[str, Kind]:
    """The kinds that manifests can declare, by name."""
    return {kind.name: kind for kind in declarable().values()}


def _matches(pattern: str, label: str) -> bool:
    # Also literally: keys can contain `[` and `*`.
    return label == pattern or fnmatchcase(label, pattern)


def _kinds(pattern: str) -> list[Kind]:
    name, slash, key = pattern.partition("/")
    known = declarable_named()
    found = [kind for kind in known.values() if fnmatchcase(kind.name, name)]
    if not found or not slash or not key:
        near = suggest(name, known) if name not in known else ""
        raise ReconcilerError(
            f'--target "{pattern}" names no kind ({near}).' if near else f'--target "{pattern}": {FORM}.'
        )
    return found


def _project(kind: Kind, pattern: str) -> str | None:
    """The project that a pattern names for objects of a kind, "" if it can be any, None if they are in none."""
    if not kind.inside and kind.name != CONTAINER:
        return None
    project = pattern.split("/")[1]
    return "" if WILD & {*project} or project.startswith("#") else project
