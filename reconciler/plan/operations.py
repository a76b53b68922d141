"""The plan as pure data: typed operations, what each of them comes after, and what happens to each object.

An object is one `Change` with one or more operations. An operation `requires` others (if one of them fails, it is
skipped) and comes `after` others (whatever becomes of them). Those edges are all that decides about order: they are
made once, by `dependencies`, and read by the executor, by `--target`, by saved plans and by the renderers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Discriminator, PlainSerializer

from reconciler.errors import Location
from reconciler.model.address import Address
from reconciler.model.spec import Secret

Action = Literal["create", "update", "delete"]
ACTIONS: tuple[Action, ...] = ("create", "update", "delete")


def _storable(value: Any) -> Any:
    """A value as a saved plan has it; no other value is a mapping with just this key."""
    return {"secret": value.expression} if isinstance(value, Secret) else value


def is_stored_secret(value: Any) -> bool:
    """Whether a value of a saved plan stands for a secret."""
    return isinstance(value, Mapping) and value.keys() == {"secret"}


Value = Annotated[Any, PlainSerializer(_storable)]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field (`due_date`, `custom_fields.Size`), its canonical values before and after, and where it is declared."""

    path: str
    before: Value
    after: Value
    location: Location | None = field(default=None, compare=False)


# -- ids -------------------------------------------------------------------------------------------------------


class OperationId(NamedTuple):
    """An object and the number of one of its operations, which are made in this order."""

    address: Address
    number: int = 0


class MilestoneId(NamedTuple):
    """The first operations on all objects of a kind in one project (in all if it is ""), with or without deletions."""

    kind: str
    project: str
    deletions: bool


Id = OperationId | MilestoneId
"""What an operation can come after."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """Stands between n operations and m that come after all of them, so that there are n + m edges and not n * m."""

    id: MilestoneId
    after: tuple[OperationId, ...] = ()


# -- operations ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Operation:
    """One write to one object: its fields, why it is there, and what comes before it."""

    id: OperationId
    fields: tuple[FieldChange, ...] = ()
    requires: tuple[OperationId, ...] = ()
    """Operations without which it fails: it is skipped if one of them did."""
    after: tuple[Id, ...] = ()
    """What else comes before it, whatever becomes of that."""
    reason: str | None = None

    action: ClassVar[Action] = "update"
    """What it is for its object, if it is the first operation on it."""
    holds_until_verified: ClassVar[bool] = False
    """Whether nothing can be corrected once it is done: all other work is read back before."""
    names_what_it_waits_for: ClassVar[bool] = False
    """Whether its fields name the objects that it comes after (else these refer to its object)."""

    @property
    def predecessors(self) -> tuple[Id, ...]:
        """Everything that comes directly before it."""
        return (*self.requires, *self.after)

    @property
    def waits_for(self) -> tuple[Address, ...]:
        """The other objects whose operations come directly before it."""
        ids = (before.address for before in self.predecessors if isinstance(before, OperationId))
        return tuple(dict.fromkeys(address for address in ids if address != self.id.address))


@dataclass(frozen=True, slots=True)
class Create(_Operation):
    """Makes the object: a POST, and a PUT for what a POST does not take."""

    type: Literal["create"] = "create"
    action: ClassVar[Action] = "create"


@dataclass(frozen=True, slots=True)
class Update(_Operation):
    """Writes fields of an object that exists. One without fields begins an object whose fields all have to wait."""

    type: Literal["update"] = "update"


@dataclass(frozen=True, slots=True)
class Link(_Operation):
    """Writes fields that name objects which are ready only then: the default version of a new project."""

    type: Literal["link"] = "link"
    names_what_it_waits_for: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Take(_Operation):
    """Gives an object the unique value (a name, a mail address) that another one has given up by then.

    Until then it has a temporary value: others wait for the one that it had.
    """

    type: Literal["take"] = "take"
    names_what_it_waits_for: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Transition(_Operation):
    """Takes an object through its workflow, such as a parent issue that is closed after its subtasks.

    A status that can be written along with other fields is part of their update.
    """

    type: Literal["transition"] = "transition"


@dataclass(frozen=True, slots=True)
class Reopen(_Operation):
    """Opens a gate: a locked version takes issues again, a closed project takes any work. Other fields can go along."""

    type: Literal["reopen"] = "reopen"


@dataclass(frozen=True, slots=True)
class Unarchive(_Operation):
    """Takes a project out of the archive; only then does the API show what is inside it."""

    type: Literal["unarchive"] = "unarchive"


@dataclass(frozen=True, slots=True)
class Lock(_Operation):
    """Shuts a gate for certain work on other objects: a locked or closed version takes no issues."""

    type: Literal["lock"] = "lock"


@dataclass(frozen=True, slots=True)
class Close(_Operation):
    """Closes a project: neither it nor anything inside it can be changed any more."""

    type: Literal["close"] = "close"
    holds_until_verified: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Archive(_Operation):
    """Archives a project: the API shows nothing of it any more."""

    type: Literal["archive"] = "archive"
    holds_until_verified: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Delete(_Operation):
    """Deletes the object."""

    type: Literal["delete"] = "delete"
    action: ClassVar[Action] = "delete"


Operation = Create | Update | Link | Take | Transition | Reopen | Unarchive | Lock | Close | Archive | Delete
_Tagged = Annotated[Operation, Discriminator("type")]


# -- changes and plans -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """Everything that happens to one object. `id` is the server's, None for what does not exist yet.

    `fingerprint` stands for the live fields that the change was made from; `unchanged` are the declared fields that
    match already: they are read back with the others, as a write can have side effects on them.
    """

    address: Address
    id: int | str | None
    source: Location
    operations: tuple[_Tagged, ...]
    fingerprint: str = ""
    unchanged: tuple[FieldChange, ...] = ()

    @property
    def action(self) -> Action:
        """What becomes of the object."""
        return self.operations[0].action if self.operations else "update"

    @property
    def reason(self) -> str | None:
        """Why the object is changed, where that is not plain."""
        return next((operation.reason for operation in self.operations if operation.reason), None)

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The fields of the first operation."""
        return self.operations[0].fields if self.operations else ()

    @property
    def later(self) -> tuple[Operation, ...]:
        """The operations after the first."""
        return self.operations[1:]

    @property
    def all_fields(self) -> tuple[FieldChange, ...]:
        """The field changes of all operations, in order."""
        return tuple(field for operation in self.operations for field in operation.fields)

    def place(self, path: str) -> Location:
        """Where the manifest declares a field, what it is a part of, or a part of it; else the object's place."""
        name = path.partition(".")[0]
        known = {f.path: f.location for f in (*self.unchanged, *self.all_fields) if f.location}
        parts = (place for other, place in known.items() if other.startswith(f"{path}."))
        return known.get(path) or known.get(name) or next(parts, self.source)


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
    affected: tuple[Change, ...] = ()
    """Objects without operations on which those of others can have side effects: they are read back as well."""
    revealed: tuple[Address, ...] = ()
    """Declared objects that can be compared once this is done: it unarchives the projects that they are inside of."""
    milestones: tuple[Milestone, ...] = ()

    @property
    def operations(self) -> Iterator[Operation]:
        """All operations, by object."""
        return (operation for change in self.changes for operation in change.operations)

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
    later = [[_values(operation.fields), operation.waits_for] for operation in change.later]
    return [change.action, change.address, change.id, [_values(change.fields), *later], change.fingerprint]


def _values(fields: tuple[FieldChange, ...]) -> list[Any]:
    return [[field.path, field.before, field.after] for field in fields]
