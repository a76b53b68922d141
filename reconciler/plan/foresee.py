"""What the server will refuse of an object's values, or drop without an error (a Problem), and what it may (Warned)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.errors import Problem
from reconciler.model.address import Row
from reconciler.model.doubts import Doubts
from reconciler.model.kind import Object
from reconciler.model.name_index import Context
from reconciler.plan.operations import FieldChange, Warned
from reconciler.plan.participants import unfit


def foreseen(
    declared: Object, row: Row | None, values: Mapping[str, Any], fields: Sequence[FieldChange], context: Context
) -> Iterator[Problem | Warned]:
    """What is foreseen for an object of which `fields` are to be sent."""
    for path, sentence in declared.kind.capability(Doubts).about(declared.kind, row, values, context):
        yield Warned(declared.address, declared.where(path), f"{path}: {sentence}")
    yield from unfit(declared, row, values, context)
