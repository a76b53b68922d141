"""The capability of kinds whose fields name people who need a right in the project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import field

from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Capability
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context
from reconciler.record import Record

ASSIGNABLE = "assignable"
"""The right to be an assignee: it is none of a role's permissions."""


class Part(Record):
    """What a field makes of a person."""

    right: str
    """The permission that a role of the person must have, `ASSIGNABLE`, or "" if membership is enough."""
    outsiders: bool = False
    """Whether those who are no members can have the right too, in a public project."""
    effect: str = ""
    """What happens although Redmine accepts the name; "" if it refuses it."""


UNASSIGNED = Part(ASSIGNABLE, effect="Redmine stores it, but 6.0 and later assign no issue, and 5.0 refuses the issues")
"""The assignee of issues that have none of their own."""


class Participants(Capability):
    """Fields that name people whom Redmine accepts only with a right in the project."""

    parts: Mapping[str, Part] = field(default_factory=dict)

    def named_fields(self) -> Iterable[tuple[str, str]]:
        return (("parts", name) for name in self.parts)

    def newly_named(self, kind: Kind, name: str, value: Any, row: Row | None, context: Context) -> Iterable[Address]:
        """The people whom the canonical value of a field adds to what is live."""
        api = kind.fields[name]
        shown = (row or {}).get(api.read or name)
        held = {one["id"] for one in (shown if isinstance(shown, list) else [shown] if shown else [])}
        people = (context.resolve(reference) for reference in api.codec.references(value, context))
        return [one for one in people if context.names.id(one) not in held]

    def exempt(self, name: str, person: Address, row: Row | None, values: Mapping[str, Any], context: Context) -> bool:
        """Whether Redmine accepts a person without the right."""
        return False

    def doubtful(self, name: str, person: Address, row: Row | None, context: Context) -> bool:
        """Whether Redmine may accept a person without the right."""
        return False
