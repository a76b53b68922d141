"""The form of a kind's rows, from its spec: the id, the identity, the project, and each field by its codec."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from reconciler.model.address import CONTAINER
from reconciler.model.codecs import Codec
from reconciler.model.forms import ANY, DAY, FLAG, NAME, NUMBER, REF, TEXT, WHOLE, Fields, Form
from reconciler.model.spec import Api

PLAIN_TYPES: Mapping[Any, Form] = {str: TEXT, bool: FLAG, int: NUMBER, float: NUMBER}


def row_form(
    fields: Mapping[str, Api],
    infos: Mapping[str, FieldInfo],
    identity: Collection[str],
    shown: Mapping[str, Form],
    *,
    inside: bool,
) -> Fields:
    """The form of a row. What names an object must be there; everything else can be missing."""
    read = {api.read: _form(api, infos[name]) for name, api in fields.items() if api.read}
    named = {fields[name].read: NAME for name in identity if len(identity) == 1 and name in fields}
    home = {CONTAINER: REF} if inside else {}
    whole = {"id": WHOLE, **read, **{name: form for name, form in named.items() if name}, **home, **shown}
    return Fields(of=whole)


def _form(api: Api, info: FieldInfo) -> Form:
    if type(api.codec) is not Codec:
        return api.codec.form.optional
    if api.date:
        return DAY.optional
    types = {PLAIN_TYPES.get(one, ANY) for one in _types(info.annotation)}
    return next(iter(types)).optional if len(types) == 1 else ANY


def _types(annotation: Any) -> Iterator[Any]:
    """The plain types of an annotation, but for None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _types(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _types(one)
    elif origin is Literal:
        yield from {type(one) for one in get_args(annotation)}
    elif annotation is not type(None):
        yield origin or annotation
