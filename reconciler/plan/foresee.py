"""What the server will refuse of an object's values, or drop without an error (a Problem), and what it may (Warned)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.errors import Problem
from reconciler.model.address import Row
from reconciler.model.codecs import join
from reconciler.model.custom_field_limits import Check
from reconciler.model.custom_field_scope import FieldScope
from reconciler.model.custom_fields import CustomFields
from reconciler.model.doubts import Doubts
from reconciler.model.kind import Object
from reconciler.model.name_index import Context
from reconciler.plan.diff import gather
from reconciler.plan.operations import FieldChange, Warned
from reconciler.plan.participants import unfit


def foreseen(
    declared: Object, row: Row | None, values: Mapping[str, Any], fields: Sequence[FieldChange], context: Context
) -> Iterator[Problem | Warned]:
    """What is foreseen for an object of which `fields` are to be sent."""
    for path, sentence in declared.kind.capability(Doubts).about(declared.kind, row, values, context):
        yield Warned(declared.address, declared.where(path), f"{path}: {sentence}")
    yield from unfit(declared, row, values, context)
    if row is not None and not fields:
        # Redmine checks nothing that is not written.
        return
    sent, scope = gather(fields), declared.kind.capability(FieldScope)
    for name, api in declared.kind.fields.items():
        if isinstance(api.codec, CustomFields):
            check = Check(api.codec, scope, row, values, sent.get(name) or {}, sent.keys(), context)
            yield from _custom_fields(declared, name, check)


def _custom_fields(declared: Object, name: str, check: Check) -> Iterator[Problem | Warned]:
    for found in check.refusals():
        where = declared.where(join(name, found.field))
        said = f"{name}: {found.field}: {found.sentence}"
        if found.certain:
            yield Problem(where, said, str(declared.address), found.hint)
        else:
            yield Warned(declared.address, where, said)
