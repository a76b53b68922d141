"""Which custom fields an object has: all of its type, unless its kind says otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Row
from reconciler.model.capabilities import Capability
from reconciler.model.name_index import Context, CustomField


class Availability(NamedTuple):
    """Whether an object has a custom field; None if that is not known. `why` says why it does not, or may not."""

    has: bool | None = True
    why: str = ""
    hint: str = ""


class FieldScope(Capability):
    """Which custom fields an object has after the planned work; `values` are the declared ones."""

    def availability(
        self, field: CustomField, row: Row | None, values: Mapping[str, Any], context: Context
    ) -> Availability:
        """Whether the object has a custom field."""
        return Availability()

    def changes_with(self, changed: Collection[str]) -> bool:
        """Whether the change of these fields gives the object other custom fields, so that Redmine checks them all."""
        return False
