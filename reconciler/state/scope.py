"""What is read beyond the declared objects: whole collections, to find what no manifest declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import field
from msgspec.structs import replace

from reconciler.errors import RefusedError
from reconciler.kinds import kinds
from reconciler.model.capabilities import ManifestKey, ReadOnly
from reconciler.model.kind import Kind
from reconciler.model.requests import Need
from reconciler.record import Record

NO_ADMIN = "Only an administrator sees everything, and only then is it known what is not declared"


class Scope(Record):
    """The collections to read: of kinds inside projects, those in these projects; of other kinds (`shared`), all.

    With `prunes`, what is not declared in them may be removed.
    """

    collections: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    prunes: bool = False

    def check(self, me: Mapping[str, Any]) -> None:
        """Raise RefusedError if the account does not see enough to remove anything."""
        if self.prunes and not me.get("admin"):
            raise RefusedError(f"Nothing was pruned: use an administrator's API key. {NO_ADMIN}.")

    def widened(self, need: Need, settings: Mapping[str, Any], me: Mapping[str, Any]) -> Need:
        """The need, with these collections."""
        known = (kinds()[name] for name in sorted({*self.collections, *self.shared}))
        definitions = {kind.name: kind.capability(ManifestKey).definitions(settings, ()) for kind in known}
        # Another account is not shown the definition of the field that has the issues' keys.
        chosen = [name for name, others in definitions.items() if me.get("admin") or not others]
        if not chosen:
            return need
        keys = {**need.keys}
        for name in (name for kind in chosen for name in (kind, *definitions[kind])):
            keys.setdefault(name, frozenset())
        # The names in keys, such as the logins of members: another account may not list them.
        named = _named(chosen) if me.get("admin") else ()
        return replace(need, keys=keys, whole=need.whole.union(chosen, named), collections=self.collections)


DECLARED = Scope()
"""Just what planning the manifests needs."""


def _named(chosen: Iterable[str]) -> Iterator[str]:
    """The kinds outside projects whose names are part of the keys of these."""
    for kind in map(kinds().__getitem__, chosen):
        codecs = (kind.fields[name].codec for name in kind.identity if name in kind.fields)
        yield from (name for codec in codecs for name in codec.named_kinds() if _is_read(kinds()[name]))


def _is_read(kind: Kind) -> bool:
    return not kind.inside and not kind.has(ReadOnly)
