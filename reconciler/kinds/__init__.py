"""The resource kinds. Every module in this package lists its kinds in `KINDS`; there is no registry to add them to.

A module with a leading underscore is shared by several kinds and has none of its own. `_index.py` says what is known of
the kinds without their modules, so that a command imports only those that it uses. `make regen` writes it; until then,
a new module has all of them imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path

from reconciler.model.capabilities import ManifestKey, ReadOnly
from reconciler.model.catalog import Catalog
from reconciler.model.contract import ContractError
from reconciler.model.kind import Kind
from reconciler.model.kind_index import Entry, Kinds, entry_of
from reconciler.model.ordering import Implied


@cache
def kinds() -> Kinds:
    """Every kind by its name, in order of rank. Raises ContractError if there is a new one, as `every` does."""
    from reconciler.kinds._index import INDEX  # not above: it is made with this package

    if _modules() == {entry.module for entry in INDEX}:
        return Kinds({entry.name: entry for entry in INDEX}, cache(_load))
    found = {entry.name: (entry, kind) for entry, kind in every().items()}
    return Kinds({name: entry for name, (entry, _) in found.items()}, lambda entry: found[entry.name][1])


def every() -> Mapping[Entry, Kind]:
    """Every kind, without the index. Raises ContractError if they do not keep the contract."""
    from reconciler.model.kind_set import check_kinds

    found = [(entry_of(kind, name), kind) for name in _modules() for kind in _kinds_of(name)]
    # By name within a rank, so that the order does not depend on the order of the modules.
    ordered = dict(sorted(found, key=lambda one: (one[1].rank, one[1].name)))
    check_kinds([*ordered.values()])
    return ordered


def _modules() -> set[str]:
    """The names of the modules with kinds."""
    # Not with `pkgutil`, which takes milliseconds.
    files = (file for folder in __path__ for file in Path(folder).iterdir() if not file.name.startswith("_"))
    return {file.stem for file in files if _is_module(file)}


def _is_module(file: Path) -> bool:
    # A folder may be all that is left of a package, with bytecode in it.
    return file.suffix in (".py", ".pyc") or (not file.suffix and (file / "__init__.py").exists())


def _load(entry: Entry) -> Kind:
    """The kind of an entry of the index. Raises ContractError if its module says something else."""
    for kind in _kinds_of(entry.module):
        if entry_of(kind, entry.module) == entry:
            return kind
    where = f"{__name__}.{entry.module}"
    raise ContractError(f'{where}: the kind "{entry.name}" is not as in the index of the kinds: run `make regen`')


def _kinds_of(module: str) -> tuple[Kind, ...]:
    from reconciler.model.kind_set import kinds_of

    return kinds_of(import_module(f"{__name__}.{module}"))


def keyed() -> list[Kind]:
    """The kinds whose keys are the manifests' own."""
    return kinds().having(ManifestKey)


def declarable() -> Kinds:
    """The kinds that manifests can declare, by their plural, the key of their list."""
    return kinds().only(_is_declarable, _PLURAL)


def nested() -> Kinds:
    """Those of them that are inside projects, by the key of their list there."""
    return kinds().only(_is_nested, _NESTED)


def _is_declarable(entry: Entry) -> bool:
    return (not entry.has(ReadOnly) or entry.has(Catalog)) and not entry.has(Implied)


def _is_nested(entry: Entry) -> bool:
    return entry.is_inside and _is_declarable(entry)


_PLURAL, _NESTED = attrgetter("plural"), attrgetter("nested")
