"""The plan as pure data: what happens to each object, in which steps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from reconciler.errors import Location
from reconciler.model.address import Address
from reconciler.plan.diff import FieldChange

Action = Literal["create", "update", "delete"]
ACTIONS: tuple[Action, ...] = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Step:
    """What is written to an object later on, when the work on the objects of `after` is done."""

    fields: tuple[FieldChange, ...]
    after: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that happens to one object. `id` is None for what does not exist yet.

    `uses` are other changed objects that its new values name, but for those that a step of `then` waits for (for a
    deletion: that name it, or are inside it);
    `opens` says that others wait for its main part
    because it opens a gate; `fingerprint` stands for the live fields that the change was made from; `keeps` are the
    declared fields that are as they shall be, and that the write must not disturb. What is done to those of `awaits`
    comes first, whatever becomes of it.
    """

    action: Action
    address: Address
    id: int | str | None
    source: Location
    fields: tuple[FieldChange, ...] = ()
    then: tuple[Step, ...] = ()
    reason: str | None = None
    uses: tuple[Address, ...] = ()
    opens: bool = False
    fingerprint: str = ""
    keeps: tuple[FieldChange, ...] = ()
    awaits: tuple[Address, ...] = ()

    @property
    def all_fields(self) -> tuple[FieldChange, ...]:
        """The field changes of all steps, in order."""
        return (*self.fields, *(f for step in self.then for f in step.fields))


@dataclass(frozen=True, slots=True)
class Warned:
    """Something about a declared object that is no change and that somebody should know."""

    address: Address
    source: Location
    message: str


@dataclass(frozen=True)
class Plan:
    """What `apply` would do to the server at `url`. `requests` is how many were made to find out."""

    url: str
    changes: tuple[Change, ...]
    unchanged: int
    requests: int = 0
    uncompared: tuple[Address, ...] = ()
    """Declared objects of which the server shows nothing: those inside archived projects."""
    warnings: tuple[Warned, ...] = ()
    disturbed: tuple[Change, ...] = ()
    """Objects without a change of their own that the changes of others can disturb: looked at again after them."""
    revealed: tuple[Address, ...] = ()
    """Declared objects that can be compared once this is done: it unarchives the projects that they are inside of."""

    @property
    def summary(self) -> dict[str, int]:
        """How many objects get each action, and how many need nothing."""
        counts: dict[str, int] = {a: sum(c.action == a for c in self.changes) for a in ACTIONS}
        return {**counts, "unchanged": self.unchanged}

    @cached_property
    def digest(self) -> str:
        """`sha256:…` of what would be done, and where; not of where it is written, nor of secrets."""
        body = [self.url, [_essence(c) for c in self.changes]]
        text = json.dumps(body, sort_keys=True, default=str)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _essence(change: Change) -> list[Any]:
    steps = [(s.fields, s.after) for s in change.then]
    return [change.action, change.address, change.id, [_plain(change.fields), *map(_plain, steps)], change.fingerprint]


def _plain(value: Any) -> Any:
    if isinstance(value, FieldChange):
        return [value.path, value.before, value.after]
    return [_plain(v) for v in value] if isinstance(value, tuple) else value
