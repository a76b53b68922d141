"""Checks of the contract of a kind, made when its module is imported: a mistake is told in a sentence, at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from reconciler.manifest.loader import suggest
from reconciler.model.spec import COMMON, Spec

if TYPE_CHECKING:
    from reconciler.model.kind import Kind


class ContractError(TypeError):
    """A kind, or a capability of one, does not keep the contract."""


def check_kind(cls: type, root: type) -> None:
    """Raise ContractError, with all that is wrong, for a subclass of `root` that is a kind."""
    wrong = [*_unknown(cls, root), *_naming(cls), *_spec(cls)]
    if wrong:
        raise ContractError("\n".join(f"{cls.__module__}.{cls.__qualname__}: {said}" for said in wrong))


def check_capability(cls: type, root: type) -> None:
    """Raise ContractError for a subclass of a capability with a public name that the capability does not have."""
    for said in _unknown(cls, root):
        raise ContractError(f"{cls.__module__}.{cls.__qualname__}: {said}")


def check_references(kinds: Mapping[str, Kind]) -> None:
    """Raise ContractError for fields, and other parts of the contract, that name a kind that does not exist."""
    wrong = [
        f'kind {kind.name}: {where} names the kind "{other}", which does not exist{_hint(other, kinds)}'
        for kind in kinds.values()
        for where, other in _named(kind)
        if other not in kinds
    ]
    if wrong:
        raise ContractError("\n".join(wrong))


def _unknown(cls: type, root: type) -> Iterator[str]:
    """Public names in the body of a class that none of its bases has: nothing would ever use them."""
    known = {name for base in cls.__mro__[1:] for name in vars(base)} | set(getattr(root, "__annotations__", {}))
    for name in vars(cls):
        if not name.startswith("_") and name not in known:
            said = f'"{name}" is not part of the contract{_hint(name, (n for n in known if n[0] != "_"))}'
            yield f"{said}; what only this class uses begins with an underscore"


def _naming(cls: Any) -> Iterator[str]:
    for name in ("name", "plural"):
        if not getattr(cls, name, ""):
            yield f"{name} is missing"
    if not cls.identity:
        yield "identity is missing: name the fields of the spec that make the key"


def _spec(cls: Any) -> Iterator[str]:
    spec = getattr(cls, "spec", None)
    if not (isinstance(spec, type) and issubclass(spec, Spec)):
        yield "spec is missing: a subclass of Spec"
        return
    fields = spec.model_fields
    for role in ("identity", "required"):
        for name in (n for n in getattr(cls, role) if n not in fields):
            yield f'{role} names the field "{name}", which the spec does not have{_hint(name, fields)}'
    if cls.inside and "project" not in fields:
        yield "it is inside a project, so its spec must be a ProjectItem"
    for name in (n for n, info in fields.items() if n not in COMMON and not info.description):
        yield f'the field "{name}" has no description'


def _named(kind: Kind) -> Iterator[tuple[str, str]]:
    """(place, kind) for every kind that a kind's contract names."""
    for name, api in kind.fields.items():
        codec = getattr(api.codec, "of", api.codec)
        yield from ((f'the field "{name}"', other) for other in (*getattr(codec, "kinds", ()), *api.codec.lookups))
        waits = (*api.deferred.inside, *api.deferred.behind) if api.deferred else ()
        yield from ((f'the field "{name}"', other) for other in waits)
    if kind.inside:
        yield from (("follows", other) for other in kind.inside.follows)
        yield from (("reads_after", other) for other in kind.inside.reads_after)


def _hint(word: str, known: Iterable[str]) -> str:
    hint = suggest(word, known)
    return f" ({hint})" if hint else ""
