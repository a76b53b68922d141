"""Objects with invalid fields: their valid ones are kept, so that these are checked as well."""

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
    """The value of an invalid or missing field was requested."""


class _Partial(Spec):
    """A spec without its invalid fields. Reading one of them raises NotValid."""

    def __getattr__(self, name: str) -> Any:
        raise NotValid(name)


def is_partial(spec: Spec) -> bool:
    """Whether a spec may lack fields that the manifest has, as they are invalid or misspelled."""
    return isinstance(spec, _Partial)


def partial(kind: Kind, body: Map, values: Mapping[str, Any], error: ValidationError) -> Object | None:
    """The object without the fields that `error` is about. None if they are needed for its key."""
    invalid = frozenset(str(item["loc"][0]) for item in error.errors() if item["loc"])
    if kind.inside and CONTAINER in invalid:
        return None
    # Unknown fields would fail this validation again; they have their own problem already.
    known = {name: value for name, value in values.items() if name in kind.spec.model_fields}
    try:
        base: type[Spec] = kind.spec
        lenient = _lenient(base, invalid.intersection(base.model_fields))
        spec = lenient.model_validate(known, context={"body": body})
        # Also their defaults: a check must not take one for the declared value.
        _drop(spec, invalid)
        key = kind.key(spec, str(values.get(CONTAINER, "")))
    except (ValidationError, NotValid):
        return None
    return Object(kind, Address(kind.name, key), spec, body)


# The same mistake can occur in thousands of objects, and pydantic takes a millisecond to create a class.
@lru_cache(maxsize=256)
def _lenient(spec: type[Spec], invalid: frozenset[str]) -> type[Spec]:
    """The spec, with any value allowed in its `invalid` fields."""
    anything: dict[str, Any] = dict.fromkeys(invalid, (Any, None))
    return create_model(spec.__name__, __base__=(_Partial, spec), **anything)


def _drop(spec: Spec, invalid: frozenset[str]) -> None:
    for name in invalid:
        # Not `delattr`: specs are frozen. Without the entry, Python asks `_Partial.__getattr__`, which raises NotValid.
        spec.__dict__.pop(name, None)
    spec.model_fields_set.difference_update(invalid)
