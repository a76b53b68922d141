"""The form of a kind's rows, from its spec: the id, the identity, the project, and each field by its codec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from reconciler.model.address import CONTAINER
from reconciler.model.capabilities import Rows
from reconciler.model.codecs import Codec
from reconciler.model.forms import ANY, DAY, FLAG, NAME, NUMBER, REF, TEXT, WHOLE, Fields, Form
from reconciler.model.kind import Kind
from reconciler.model.spec import Api

PLAIN_TYPES: Mapping[Any, Form] = {str: TEXT, bool: FLAG, int: NUMBER, float: NUMBER}


@cache
def form_of(kind: Kind) -> Fields:
    """The form of a kind's rows. What names an object must be there; everything else can be missing."""
    infos, rows = kind.spec.model_fields, kind.capability(Rows)
    read = {api.read: _form(api, infos[name]) for name, api in kind.fields.items() if api.read}
    named = [kind.fields[name].read for name in kind.identity if len(kind.identity) == 1 and name in kind.fields]
    home = {CONTAINER: REF} if kind.inside else {}
    return Fields(
        of={"id": WHOLE, **read, **{name: NAME for name in named if name}, **home, **rows.shown}, whole=rows.whole
    )


@cache
def answer_form_of(kind: Kind) -> Fields:
    """The form of the answer to a creation: only the id must be there."""
    return form_of(kind).partly("id")


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
