"""The resource kinds: every module in this package whose `KINDS` lists instances of `Kind`. Found, not registered."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from reconciler.kind import Kind


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by its name, in order of rank."""
    modules = (import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    found = sorted((k for m in modules for k in m.KINDS), key=lambda k: (k.rank, k.name))
    return MappingProxyType({k.name: k for k in found})


def declarable() -> dict[str, Kind]:
    """The kinds that manifests can declare, by the name of their list."""
    return {k.plural: k for k in kinds().values() if not k.readonly}
