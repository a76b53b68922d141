"""What has to be known of the kinds to resolve names."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.kinds import kinds
from reconciler.model.capabilities import ReadOnly, Sharing
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Kind
from reconciler.model.name_index import Traits
from reconciler.model.visibility import Hiding, Unlisted


def traits(declared: Collection[str]) -> Mapping[str, Traits]:
    """By kind; `declared` are those that the manifests declare."""
    return _Traits(declared)


class _Traits(dict[str, Traits]):
    """Made when they are asked for: most plans name objects of a few kinds only."""

    def __init__(self, declared: Collection[str]) -> None:
        self.declared = declared

    def __missing__(self, name: str) -> Traits:
        made = self[name] = _traits(kinds()[name], declared=name in self.declared)
        return made


def _traits(kind: Kind, *, declared: bool) -> Traits:
    sharing = kind.capability(Sharing)
    return Traits(
        inside=kind.inside is not None,
        # Most manifests leave the catalog to administrators: then a name that is not on the server is nowhere else.
        declarable=declared or not kind.has(ReadOnly),
        ignores_case=kind.ignores_case,
        menu=kind.capability(ReadOnly).menu,
        list=kind.plural if kind.has(Catalog) else "",
        unseen=kind.capability(Unlisted).advice,
        why_hidden=kind.capability(Hiding).why_hidden,
        visible_elsewhere=sharing.visible_elsewhere,
        unusable_reason=sharing.unusable_reason,
    )
