"""The resource kinds: every module in this package has `KINDS`, instances of `Kind`. Found, not registered.

A module with a leading underscore is part of another one."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from reconciler.model.capabilities import ManifestKey, ReadOnly
from reconciler.model.contract import check_references
from reconciler.model.kind import Kind


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by its name, in order of rank. Raises ContractError for one that names a kind that does not exist."""
    names = (m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    modules = (import_module(f"{__name__}.{name}") for name in names)
    ordered = sorted((k for m in modules for k in m.KINDS), key=lambda k: (k.rank, k.name))
    every = {kind.name: kind for kind in ordered}
    check_references(every)
    return MappingProxyType(every)


def keyed() -> list[Kind]:
    """The kinds whose keys are the manifests' own."""
    return [kind for kind in kinds().values() if kind.has(ManifestKey)]


def declarable() -> dict[str, Kind]:
    """The kinds that manifests can declare, by the name of their list."""
    return {k.plural: k for k in kinds().values() if not k.has(ReadOnly)}
