"""What must hold between the kinds: checked when all of them are collected, as only then each knows the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType

from reconciler.model.address import CONTAINER
from reconciler.model.capabilities import Capability
from reconciler.model.contract import ContractError, check_capabilities, hint, place, raise_all
from reconciler.model.kind import Kind, nested_name


def kinds_of(module: ModuleType) -> tuple[Kind, ...]:
    """The kinds of a module. Raises ContractError if it does not list them."""
    listed = getattr(module, "KINDS", None)
    if isinstance(listed, tuple) and listed and all(isinstance(kind, Kind) for kind in listed):
        return listed
    raise ContractError(f"{module.__name__}: KINDS is missing: a tuple of the module's kinds, such as (Boards(),)")


def check_kinds(kinds: Sequence[Kind]) -> None:
    """Raise ContractError, with everything that is wrong between kinds: equal names, and names of none of them."""
    known = {kind.name: kind for kind in kinds}
    wrong = list(_twins(kinds))
    for kind in kinds:
        # Some kinds add capabilities when they are made, after their class was checked.
        own = (*check_capabilities(kind, Capability), *_named_kinds(kind, known))
        between = (*_order(kind, known), *_gates(kind, kinds))
        wrong += (f"{place(type(kind))}: {sentence}" for sentence in (*own, *between))
    raise_all(wrong)


def _twins(kinds: Iterable[Kind]) -> Iterator[str]:
    """Kinds that share a name, and lists in a project that are called like one of its own fields."""
    first: dict[tuple[str, str], Kind] = {}
    for kind in kinds:
        nested = {"list in projects": nested_name(kind)} if kind.inside else {}
        for role, name in {"name": kind.name, "plural": kind.plural, **nested}.items():
            # The role is part of the key: a plural may be the name of another kind.
            other = first.setdefault((role, name), kind)
            if other is not kind:
                yield f'{place(type(kind))}: its {role} "{name}" is that of {place(type(other))} too'
    for kind in kinds:
        if kind.inside and nested_name(kind) in first["name", CONTAINER].spec.model_fields:
            said = "is also a field of projects: give it another name with Nesting(…)"
            yield f'{place(type(kind))}: its list in projects "{nested_name(kind)}" {said}'


def _named_kinds(kind: Kind, known: Mapping[str, Kind]) -> Iterator[str]:
    """Names of kinds that do not exist."""
    for where, name in _places_of_kinds(kind):
        if name not in known:
            yield f'{where} names the kind "{name}", which does not exist{hint(name, known)}'


def _places_of_kinds(kind: Kind) -> Iterator[tuple[str, str]]:
    """(place, kind) for every kind that a kind's contract names."""
    for field, api in kind.fields.items():
        waits = (*api.deferred.inside, *api.deferred.behind) if api.deferred else ()
        for name in (*api.codec.named_kinds(), *api.codec.lookups, *waits):
            yield f'the field "{field}"', name
    for capability in kind.capabilities:
        # Something that is no capability is reported by `check_capabilities`.
        for attribute, name in capability.named_kinds() if isinstance(capability, Capability) else ():
            yield f"{type(capability).__name__}: {attribute}", name
    if kind.inside:
        yield from (("follows", name) for name in kind.inside.follows)
        yield from (("reads_after", name) for name in kind.inside.reads_after)
        yield from (("lists_by", name) for name in kind.inside.lists_by)


def _order(kind: Kind, known: Mapping[str, Kind]) -> Iterator[str]:
    """Kinds that cannot come first: they are in no project, or are read in the same, second wave."""
    follows, reads_after = (kind.inside.follows, kind.inside.reads_after) if kind.inside else ((), ())
    for other in (known[name] for name in (*follows, *reads_after) if name in known):
        if other.inside is None:
            yield f'it can only come after kinds inside projects, which "{other.name}" is not'
        elif other.name in reads_after and other.inside.reads_after:
            yield f'reads_after names "{other.name}", which itself is read after others: there are two waves only'


def _gates(kind: Kind, kinds: Iterable[Kind]) -> Iterator[str]:
    """Fields of referrers that no kind has."""
    gates = {field: api.gate for field, api in kind.fields.items() if api.gate}
    fields = [(other.name, name) for other in kinds for name in other.spec.model_fields] if gates else []
    every, exact = {name for _, name in fields}, {f"{owner}.{name}" for owner, name in fields}
    for field, gate in gates.items():
        for name in sorted(gate.via - every - exact):
            near = hint(name, exact if "." in name else every)
            yield f'the field "{field}": its gate names the field "{name}", which no kind has{near}'
