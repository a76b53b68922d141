"""The resource kinds. Every module in this package lists its kinds in `KINDS`; there is no registry to add them to.

A module with a leading underscore is shared by several kinds and has none of its own.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from reconciler.model.capabilities import ManifestKey, ReadOnly
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Kind
from reconciler.model.kind_set import check_kinds, kinds_of
from reconciler.model.ordering import Implied


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by its name, in order of rank. Raises ContractError if they do not keep the contract."""
    names = (m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    found = (kind for name in names for kind in kinds_of(import_module(f"{__name__}.{name}")))
    # By name within a rank, so that the order does not depend on the order of the modules.
    ordered = sorted(found, key=lambda kind: (kind.rank, kind.name))
    check_kinds(ordered)
    return MappingProxyType({kind.name: kind for kind in ordered})


def keyed() -> list[Kind]:
    """The kinds whose keys are the manifests' own."""
    return [kind for kind in kinds().values() if kind.has(ManifestKey)]


def declarable() -> dict[str, Kind]:
    """The kinds that manifests can declare, by their plural, the key of their list."""
    can = (k for k in kinds().values() if not k.has(ReadOnly) or k.has(Catalog))
    return {k.plural: k for k in can if not k.has(Implied)}
