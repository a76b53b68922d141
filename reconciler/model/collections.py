"""Collections: all objects of a kind in a project, or on the server. Manifests can claim to declare them completely."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from operator import attrgetter
from typing import Any

from reconciler.manifest.loader import suggest
from reconciler.model.address import CONTAINER, Address
from reconciler.model.capabilities import ManifestKey
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Kind
from reconciler.model.kind_index import Entry, Kinds


def claimable(kinds: Kinds) -> Kinds:
    """The declarable kinds that `authoritative` can name, by the name. Projects and the catalog are never pruned."""
    return kinds.only(_is_claimable, _PLURAL)


def _is_claimable(entry: Entry) -> bool:
    return entry.name != CONTAINER and not entry.has(Catalog)


_PLURAL = attrgetter("plural")


def faults(
    listed: Sequence[str], kinds: Kinds, settings: Mapping[str, Any], *, inside: bool
) -> Iterator[tuple[int, str]]:
    """(index, sentence) for each name of `authoritative` that is none; `inside` a project, or in the configuration."""
    for index, name in enumerate(listed):
        if message := _fault(name, kinds, settings, inside=inside):
            yield index, message


def _fault(name: str, kinds: Kinds, settings: Mapping[str, Any], *, inside: bool) -> str:
    known = claimable(kinds)
    kind = known.get(name)
    if kind is None and name in kinds:
        return f"{name} are never pruned: to delete one, declare it with `state: absent`"
    if kind is None:
        nested = {entry.nested: entry.plural for entry in known.entries.values() if entry.is_inside}
        near = f'did you mean "{nested[name]}"?' if name in nested else suggest(name, known)
        return f'unknown collection "{name}": {near or "expected some of " + ", ".join(known)}'
    if inside and not kind.inside:
        return f"{name} are in no project: set this in reconciler.yaml"
    # By its subject, an issue that somebody renamed is another one: it would be created again, and the old one deleted.
    if kind.capability(ManifestKey).only_declared(settings):
        return f"{name} can only be pruned with a stored key: set issue_key_field in reconciler.yaml"
    return ""


def matches(address: Address, patterns: Iterable[str]) -> bool:
    """Whether an address is one of those that globs over `kind/key` mean."""
    label = f"{address.kind}/{address.key}"
    # Objects that share a key have their ids as a suffix.
    labels = {label, re.sub(r" #\d+$", "", label)}
    # Also literally: keys can contain `[` and `*`. Not `fnmatch`, which ignores case on Windows.
    return any(label == pattern or fnmatchcase(label, pattern) for pattern in patterns for label in labels)


def may_match_inside(project: str, kind: Kind, patterns: Iterable[str]) -> Iterator[str]:
    """The patterns that may mean an object of this kind in a project, whatever its contents are."""
    start = f"{kind.name}/{project}/" if kind.inside else ""
    for pattern in patterns:
        # What is before the first wildcard decides: a wildcard can stand for the rest of any key.
        fixed = re.split(r"[*?[]", pattern, maxsplit=1)[0]
        if start and (fixed.startswith(start) or (start.startswith(fixed) and fixed != pattern)):
            yield pattern


def pattern_faults(patterns: Sequence[str], kinds: Kinds) -> Iterator[tuple[int, str]]:
    """(index, sentence) for each pattern that can match nothing."""
    names = [entry.name for entry in kinds.entries.values()]
    for index, pattern in enumerate(patterns):
        kind, slash, _ = pattern.partition("/")
        if not slash or not any(fnmatchcase(name, kind) for name in names):
            near = suggest(kind, names) if slash else ""
            expected = near or "expected KIND/KEY, such as version/web-shop/LTS*"
            yield index, f'"{pattern}" matches no object: {expected}'
