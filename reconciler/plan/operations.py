"""The plan as pure data: one `Change` for each object, with typed operations and explicit edges between them.

An operation `requires` others (it is skipped if one of them fails) and comes `after` others (even if they fail). These
edges alone determine the order. `dependencies` makes them once; the executor, `--target`, saved plans and the renderers
read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Discriminator, Field, PlainSerializer, SkipValidation

from reconciler.errors import Location
from reconciler.masking import Secrets
from reconciler.model.address import Address
from reconciler.model.json_pieces import sha256
from reconciler.model.spec import Secret

Action = Literal["create", "update", "delete"]
ACTIONS: tuple[Action, ...] = ("create", "update", "delete")


def _storable(value: Any) -> Any:
    """A value as stored in a saved plan. No other value is a mapping with only this key."""
    return {"secret": value.expression} if isinstance(value, Secret) else value


def is_stored_secret(value: Any) -> bool:
    """Whether a value of a saved plan is the placeholder of a secret."""
    return isinstance(value, Mapping) and value.keys() == {"secret"}


Value = Annotated[Any, PlainSerializer(_storable)]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field (`due_date`, `custom_fields.Size`), its canonical values before and after, and where it is declared."""

    path: str
    before: Value
    after: Value
    # Not compared: a value that has moved in the manifest is the same change.
    location: Location | None = field(default=None, compare=False)


# -- ids -------------------------------------------------------------------------------------------------------


class OperationId(NamedTuple):
    """An object, and the number of one of its operations; they run in this order."""

    address: Address
    number: int = 0


class MilestoneId(NamedTuple):
    """The first operations on all objects of a kind in one project (in all if it is ""), with or without deletions.

    With the kind `project`: those on all projects that are ahead in the turn of this one (see `model/turns.py`).
    """

    kind: str
    project: str
    deletions: bool


Id = OperationId | MilestoneId
"""What an operation can come after."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """A node between n operations and the m that come after all of them: n + m edges instead of n * m."""

    id: MilestoneId
    after: tuple[OperationId, ...] = ()


# -- operations ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Operation:
    """One write to one object: its fields, the reason for it, and what comes before it."""

    id: OperationId
    fields: tuple[FieldChange, ...] = ()
    requires: tuple[OperationId, ...] = ()
    """Operations that must succeed first; it is skipped if one of them fails."""
    after: tuple[Id, ...] = ()
    """What else comes before it, even if that fails."""
    reason: str | None = None

    action: ClassVar[Action] = "update"
    """The action on the object, if this is its first operation."""
    holds_until_verified: ClassVar[bool] = False
    """Whether nothing can be corrected after it, so that everything else is verified first."""
    names_what_it_waits_for: ClassVar[bool] = False
    """Whether its fields refer to the objects that it comes after; otherwise these refer to its object."""

    @property
    def predecessors(self) -> tuple[Id, ...]:
        """Everything that comes immediately before it."""
        return (*self.requires, *self.after)

    @property
    def waits_for(self) -> tuple[Address, ...]:
        """The other objects whose operations come immediately before it."""
        ids = (before.address for before in self.predecessors if isinstance(before, OperationId))
        return tuple(dict.fromkeys(address for address in ids if address != self.id.address))


@dataclass(frozen=True, slots=True)
class Create(_Operation):
    """Creates the object: a POST, and a PUT for fields that a POST does not accept."""

    type: Literal["create"] = "create"
    action: ClassVar[Action] = "create"


@dataclass(frozen=True, slots=True)
class Update(_Operation):
    """Writes fields of an existing object. Without fields, it only precedes operations that all have to wait."""

    type: Literal["update"] = "update"


@dataclass(frozen=True, slots=True)
class Link(_Operation):
    """Writes references to objects that are created in the meantime: the default version of a new project."""

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
    """Moves an object through its workflow, such as a parent issue that is closed after its subtasks.

    A status that can be written together with other fields is part of their `Update`.
    """

    type: Literal["transition"] = "transition"


@dataclass(frozen=True, slots=True)
class Reopen(_Operation):
    """Opens a gate: a locked version or closed project accepts changes again. It can write other fields as well."""

    type: Literal["reopen"] = "reopen"


@dataclass(frozen=True, slots=True)
class Unarchive(_Operation):
    """Unarchives a project. Only then does the API show its contents."""

    type: Literal["unarchive"] = "unarchive"


@dataclass(frozen=True, slots=True)
class Lock(_Operation):
    """Closes a gate for certain changes to other objects: a locked or closed version accepts no issues."""

    type: Literal["lock"] = "lock"


@dataclass(frozen=True, slots=True)
class Close(_Operation):
    """Closes a project: neither it nor its contents can be changed afterwards."""

    type: Literal["close"] = "close"
    holds_until_verified: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Archive(_Operation):
    """Archives a project: the API no longer shows its contents."""

    type: Literal["archive"] = "archive"
    holds_until_verified: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class ByProgram(_Operation):
    """Writes fields that only the program inside Redmine can write, such as the watchers of a wiki page."""

    type: Literal["program"] = "program"
    names_what_it_waits_for: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Delete(_Operation):
    """Deletes the object."""

    type: Literal["delete"] = "delete"
    action: ClassVar[Action] = "delete"


Operation = (
    Create | Update | Link | Take | Transition | Reopen | Unarchive | Lock | Close | Archive | ByProgram | Delete
)
_Tagged = Annotated[Operation, Discriminator("type")]


# -- changes and plans -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """All operations on one object. `id` is the server's, None for a new object.

    `fingerprint` is a digest of the live values that were compared. `unchanged` are the declared fields that already
    match; they are read back with the others, because a write can have side effects on them.
    """

    address: Address
    # A wiki page has no number (5.0 to 6.1): its project and title are its id.
    id: int | str | None
    source: Location
    operations: tuple[_Tagged, ...]
    fingerprint: str = ""
    unchanged: tuple[FieldChange, ...] = ()
    undeclared: bool = False
    """Whether no manifest declares the object: it is pruned."""

    @property
    def action(self) -> Action:
        """The action on the object."""
        return self.operations[0].action if self.operations else "update"

    @property
    def reason(self) -> str | None:
        """Why the object is changed, if that is not obvious."""
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
        """The place of a field in the manifest; else that of its containing field, a part of it, or the object."""
        name = path.partition(".")[0]
        known = {f.path: f.location for f in (*self.unchanged, *self.all_fields) if f.location}
        parts = (place for other, place in known.items() if other.startswith(f"{path}."))
        return known.get(path) or known.get(name) or next(parts, self.source)


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning about a declared object, such as a value that Redmine computes itself."""

    address: Address
    source: Location
    message: str


@dataclass(frozen=True, slots=True)
class Collection:
    """All objects of a kind in a project ("" for kinds in none): how many are live, and how many of them are pruned."""

    kind: str
    project: str
    live: int
    pruned: int


@dataclass(frozen=True, slots=True)
class LiveObject:
    """A live object that no manifest declares; `path` is that of its page on the server."""

    address: Address
    id: int | str
    path: str


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """The live objects in declared projects that no manifest declares and the plan keeps.

    Without `listed`, only those that had to be read anyway are counted. Without `complete`, the account may not see all
    of them. `archived` are declared projects whose contents the API does not show.
    """

    objects: tuple[LiveObject, ...] = ()
    listed: bool = False
    complete: bool = True
    archived: tuple[str, ...] = ()


# Without `slots`, unlike the others: `cached_property` needs the dictionary of the instance.
@dataclass(frozen=True)
class Plan:
    """What `apply` would do to the server at `url`. `requests` is the number that planning took."""

    url: str
    changes: tuple[Change, ...]
    unchanged: int
    requests: int = 0
    uncompared: tuple[Address, ...] = ()
    """Declared objects that the server does not show: those in archived projects."""
    warnings: tuple[Warned, ...] = ()
    affected: tuple[Change, ...] = ()
    """Objects without operations that others can have side effects on; they are read back as well."""
    revealed: tuple[Address, ...] = ()
    """Declared objects that can be compared once the plan is applied, because it unarchives their projects."""
    milestones: tuple[Milestone, ...] = ()
    unmanaged: Unmanaged = Unmanaged()
    collections: tuple[Collection, ...] = ()
    """Those from which objects are pruned."""
    secrets: Annotated[Secrets, SkipValidation, Field(exclude=True)] = field(
        default_factory=Secrets, compare=False, repr=False
    )
    """Those of its run, which `to_data` masks. They are in no file: neither in a saved plan nor in a pickle."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "secrets": Secrets()}

    @property
    def operations(self) -> Iterator[Operation]:
        """All operations, by object."""
        return (operation for change in self.changes for operation in change.operations)

    @property
    def summary(self) -> dict[str, int]:
        """The number of objects by action, and of those that need none."""
        counts: dict[str, int] = {a: sum(c.action == a for c in self.changes) for a in ACTIONS}
        return {**counts, "unchanged": self.unchanged}

    @cached_property
    def digest(self) -> str:
        """`sha256:…` of the changes and the server; places in manifests and secrets do not affect it."""
        # `default=str` writes a secret as its mask, so a new password is the same plan
        # (test_a_secret_does_not_change_the_digest).
        return sha256([self.url, [_essence(c) for c in self.changes]], 2, default=str)


def _essence(change: Change) -> list[Any]:
    later = [[_values(operation.fields), operation.waits_for] for operation in change.later]
    # With the fingerprint: a plan that was agreed to is another one after the live values have changed.
    return [change.action, change.address, change.id, [_values(change.fields), *later], change.fingerprint]


def _values(fields: tuple[FieldChange, ...]) -> list[Any]:
    return [[field.path, field.before, field.after] for field in fields]
