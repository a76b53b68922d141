"""Which fields of a kind have something in common: found once, as thousands of objects are asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from reconciler.model.codecs import Codec
from reconciler.model.kind import Kind


@cache
def referring(kind: Kind) -> Mapping[str, Codec]:
    """The fields whose values can name other objects."""
    return {name: api.codec for name, api in kind.fields.items() if api.codec.refers}


@cache
def unique(kind: Kind) -> tuple[str, ...]:
    """The fields whose values only one object can have, beside its key."""
    return tuple(name for name, api in kind.fields.items() if api.unique)
