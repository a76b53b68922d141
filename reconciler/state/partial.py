"""Objects of which some fields are not valid: what can still be said of the others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError, create_model

from reconciler.manifest.loader import Map
from reconciler.model.address import CONTAINER, Address
from reconciler.model.kind import Kind, Object
from reconciler.model.spec import Spec


class NotValid(AttributeError):
    """A field was asked for that is not valid, or that is missing."""


class _Partial(Spec):
    """A spec that lacks the fields which are not valid: asking for one of them raises NotValid."""

    def __getattr__(self, name: str) -> Any:
        raise NotValid(name)


def partial(kind: Kind, body: Map, values: Mapping[str, Any], error: ValidationError) -> Object | None:
    """The object without the fields that `error` is about; None if its key cannot be told without them."""
    wrong = frozenset(str(item["loc"][0]) for item in error.errors() if item["loc"])
    if kind.inside and CONTAINER in wrong:
        return None
    known = {name: value for name, value in values.items() if name in kind.spec.model_fields}
    try:
        base: type[Spec] = kind.spec
        lenient = _lenient(base, wrong.intersection(base.model_fields))
        spec = lenient.model_validate(known, context={"body": body})
        _drop(spec, wrong)
        key = kind.key(spec, str(values.get(CONTAINER, "")))
    except (ValidationError, NotValid):
        return None
    return Object(kind, Address(kind.name, key), spec, body)


# The same mistake can be in thousands of objects, and it takes a millisecond to make a class.
@lru_cache(maxsize=256)
def _lenient(spec: type[Spec], wrong: frozenset[str]) -> type[Spec]:
    """The spec, with anything allowed in some of its fields."""
    anything: dict[str, Any] = dict.fromkeys(wrong, (Any, None))
    return create_model(spec.__name__, __base__=(_Partial, spec), **anything)


def _drop(spec: Spec, wrong: frozenset[str]) -> None:
    for name in wrong:
        spec.__dict__.pop(name, None)
    spec.model_fields_set.difference_update(wrong)
