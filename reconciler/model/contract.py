"""Checks of a kind's contract, made when its module is imported: a mistake is reported at once, in a sentence.

What must hold between kinds is checked in `model/kind_set.py`, when all of them are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.manifest.loader import suggest
from reconciler.model.address import CONTAINER
from reconciler.model.spec import COMMON, Api, ProjectItem, Spec

TUPLES = ("identity", "required", "capabilities")
"""The class variables for which a forgotten comma gives something else than a tuple."""
COMMA = "a tuple of one ends with a comma, (x,)"


class ContractError(TypeError):
    """A kind, or a capability of one, does not keep the contract."""


def check_kind(cls: type, root: type, capability: type) -> None:
    """Raise ContractError, with everything that is wrong, for a subclass of `root` that is a kind."""
    wrong = [*_unknown(cls, root), *_naming(cls), *_tuples(cls)]
    # The later checks read what the first ones check, and would fail with an error of their own.
    if not wrong:
        wrong = [*_spec(cls), *_methods(cls, root), *check_capabilities(cls, capability)]
    raise_all(f"{place(cls)}: {sentence}" for sentence in wrong)


def check_capability(cls: type, root: type) -> None:
    """Raise ContractError for a subclass of a capability with a public name that the capability does not have."""
    raise_all(f"{place(cls)}: {sentence}" for sentence in _unknown(cls, root))


def _unknown(cls: type, root: type) -> Iterator[str]:
    """Public names in the body of a class that none of its bases has: nothing would ever use them."""
    known = {name for base in cls.__mro__[1:] for name in _names(base)} | _names(root)
    for name in sorted(_names(cls) - known):
        if not name.startswith("_"):
            # A public name that nothing uses is nearly always a misspelt one: the method would never be called.
            sentence = f'"{name}" is not part of the contract{hint(name, (n for n in known if n[0] != "_"))}'
            yield f"{sentence}; what only this class uses begins with an underscore"


def _names(cls: type) -> set[str]:
    return {*vars(cls), *vars(cls).get("__annotations__", ())}


def _naming(cls: Any) -> Iterator[str]:
    for name in ("name", "plural"):
        if not getattr(cls, name, ""):
            yield f"{name} is missing"
    if not cls.identity:
        yield "identity is missing: name the fields of the spec that make the key"
    spec = getattr(cls, "spec", None)
    if not (isinstance(spec, type) and issubclass(spec, Spec)):
        yield "spec is missing: a subclass of Spec"


def _tuples(cls: Any) -> Iterator[str]:
    for name in TUPLES:
        if not isinstance(getattr(cls, name), tuple):
            yield f"{name} is not a tuple: {COMMA}"
    if isinstance(cls.inside, type):
        yield "inside is a class: write Inside()"


def _spec(cls: Any) -> Iterator[str]:
    spec: type[Spec] = cls.spec
    for role in ("identity", "required"):
        yield from _missing(role, getattr(cls, role), spec)
    if cls.inside and not issubclass(spec, ProjectItem):
        yield "it is inside a project, so its spec must be a ProjectItem"
    if issubclass(spec, ProjectItem) and not cls.inside:
        yield "its spec is a ProjectItem, so inside must be set: Inside()"
    if not spec.__doc__:
        yield f"{spec.__name__} has no docstring: it describes the kind in the schema and the reference"
    yield from _fields(cls, spec)


def _fields(cls: Any, spec: type[Spec]) -> Iterator[str]:
    for name in sorted(COMMON & _names(spec)):
        said = "is one that every kind has: give it another name, and Redmine's in Api(write=…, read=…)"
        yield f'the field "{name}" {said}'
    key_is_known = set(cls.identity) <= spec.model_fields.keys()
    for name, info in spec.model_fields.items():
        if name in COMMON:
            continue
        if not info.description:
            yield f'the field "{name}" has no description'
        if key_is_known and info.is_required() and name not in (*cls.identity, CONTAINER):
            # `state: absent` would need the field too.
            yield f'the field "{name}" has no default: give it None, and name it in required'
        for api in (item for item in info.metadata if isinstance(item, Api)):
            yield from _missing(f'the field "{name}": along', api.along, spec)
            # `Ref(("user"))` is a Ref of the kinds "u", "s", "e" and "r".
            if isinstance(api.codec.named_kinds(), str):
                yield f'the field "{name}": the kinds of its codec are not a tuple: {COMMA}'


def _methods(cls: Any, root: Any) -> Iterator[str]:
    """Methods that the root has for the simple case only."""
    if not cls.inside and cls.tiers is root.tiers:
        yield "tiers is missing: of what is in no project, only this method tells which list shows the objects"
    for name in ("key", "key_of") if len(cls.identity) > 1 else ():
        if getattr(cls, name) is getattr(root, name):
            yield f"{name} is missing: the identity has several fields, and the key must be made of all of them"


def check_capabilities(kind: Any, root: type) -> Iterator[str]:
    """What is wrong with the capabilities of a kind: its class, or the instance if that adds some."""
    families: defaultdict[str, list[str]] = defaultdict(list)
    for capability in kind.capabilities:
        if not isinstance(capability, root):
            yield _no_capability(capability, root)
            continue
        # The direct subclass of the root: two versions of one capability count as the same.
        family = next(base for base in type(capability).__mro__ if root in base.__bases__)
        families[family.__name__].append(type(capability).__name__)
        yield from _named_fields(capability, kind.spec)
    for name, listed in families.items():
        if len(listed) > 1:
            yield f"capabilities lists {name} twice ({', '.join(listed)}): only the first one would be used"


def _no_capability(item: Any, root: type) -> str:
    if isinstance(item, type) and issubclass(item, root):
        return f"capabilities lists the class {item.__name__}: write {item.__name__}()"
    return f"capabilities lists {item!r}, which is no capability"


def _named_fields(capability: Any, spec: type[Spec]) -> Iterator[str]:
    for attribute, name in capability.named_fields():
        yield from _missing(f"{type(capability).__name__}: {attribute}", (name,), spec)


def _missing(where: str, names: Iterable[str], spec: type[Spec]) -> Iterator[str]:
    for name in sorted(set(names) - spec.model_fields.keys()):
        yield f'{where} names the field "{name}", which the spec does not have{hint(name, spec.model_fields)}'


# -- sentences -------------------------------------------------------------------------------------------------


def place(cls: type) -> str:
    """The module and the name of a class, as sentences begin."""
    return f"{cls.__module__}.{cls.__qualname__}"


def hint(word: str, known: Iterable[str]) -> str:
    """A near miss in brackets, or ""."""
    near = suggest(word, known)
    return f" ({near})" if near else ""


def raise_all(sentences: Iterable[str]) -> None:
    """Raise ContractError if there are any sentences."""
    if wrong := list(sentences):
        raise ContractError("\n".join(wrong))
