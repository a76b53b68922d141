"""Which fields of a kind have something in common: found once, as each of thousands of objects is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from reconciler.model.codecs import Codec, Ref
from reconciler.model.kind import Kind
from reconciler.record import Record


class FieldSets(Record):
    """The names of fields, each with what a row calls it, or with its codec."""

    referring: Mapping[str, Codec]
    """Whose values can name other objects."""
    checked: Mapping[str, Codec]
    """Whose values can be wrong on every server, beyond their types."""
    unique: tuple[str, ...]
    """Whose values only one object can have, beside its key."""
    compared: frozenset[str]
    """That are compared with those of live objects."""
    detailed: Mapping[str, str]
    """That only an object's own page shows, if it is asked to include something."""
    as_declared: frozenset[str]
    """That are compared in the form that the manifest has."""
    as_shown: Mapping[str, str]
    """That are compared in the form that the API shows."""
    linking: Mapping[str, str]
    """That name one object, by the same name in all objects of a project."""


@cache
def field_sets(kind: Kind) -> FieldSets:
    """The sets of a kind's fields."""
    apis, codecs = kind.fields, {name: type(api.codec) for name, api in kind.fields.items() if not api.secret}
    # Only those that the kind reads from rows as all kinds do.
    read = {name: apis[name].read or name for name in codecs if type(kind).live is Kind.live}
    return FieldSets(
        referring={name: api.codec for name, api in apis.items() if api.codec.refers},
        checked={name: api.codec for name, api in apis.items() if api.codec.checks},
        unique=tuple(name for name, api in apis.items() if api.unique),
        compared=frozenset(name for name, api in apis.items() if not (api.create_only or api.along)),
        detailed={name: api.include for name, api in apis.items() if api.detail},
        as_declared=frozenset(name for name, codec in codecs.items() if _translates(codec, Codec)),
        as_shown={name: key for name, key in read.items() if codecs[name].decode is Codec.decode},
        linking={
            name: key
            for name, key in read.items()
            if _translates(codecs[name], Ref) and codecs[name].decode is Ref.decode
        },
    )


def _translates(codec: type[Codec], like: type[Codec]) -> bool:
    """Whether a codec makes what is compared of a manifest's value as another one does."""
    return (codec.pieces, codec.kept, codec.canonical) == (like.pieces, like.kept, like.canonical)
