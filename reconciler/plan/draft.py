"""A draft of a change: what the planner knows about one object before it schedules the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Dependencies, SideEffects
from reconciler.model.codecs import Codec
from reconciler.model.kind import Kind, Object
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Api
from reconciler.model.turns import Turns
from reconciler.plan.diff import split
from reconciler.plan.operations import Action, FieldChange


class Draft(Struct):
    """A declared object, its live row, its canonical values and the fields that must change."""

    declared: Object
    row: Row | None
    values: Mapping[str, Any]
    fields: list[FieldChange]
    reason: str | None = None
    reopened: FieldChange | None = None
    """The change that opens the gate of the object for other work."""
    reopened_with: set[Address] = field(default_factory=set)
    """The ancestors whose reopening also reopens this one."""
    undeclared: bool = False
    """Whether no manifest declares the object, and it is pruned."""
    closes_anyway: bool = False
    """Whether its gate is closed at the end even if the work that needed it failed."""

    @property
    def address(self) -> Address:
        """The object's address."""
        return self.declared.address

    @property
    def kind(self) -> Kind:
        """The object's kind."""
        return self.declared.kind

    @property
    def action(self) -> Action:
        """What happens to the object."""
        if self.declared.spec.state == "absent":
            return "delete"
        return "create" if self.row is None else "update"

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.action != "update" or bool(self.fields)

    @property
    def changed_fields(self) -> set[str]:
        """The names of the fields that change."""
        return {change.path.partition(".")[0] for change in self.fields}

    def api(self, change: FieldChange) -> Api:
        """How the field of a change is read and written."""
        return self.kind.fields[change.path.partition(".")[0]]

    def context(self, names: Names) -> Context:
        """The context in which references in its fields are resolved."""
        return Context(names, self.declared.project, self.address)

    def prune(self, why: str) -> None:
        """Take the object for one that no manifest declares and that is removed, for this reason."""
        self.undeclared, self.reason = True, "; ".join(filter(None, (why, self.reason)))

    # -- dependencies that the kind knows ----------------------------------------------------------------------

    def depends_on(self, names: Names) -> list[tuple[str, Address]]:
        """(field, object) for dependencies to which no changed field refers."""
        return list(
            self.kind.capability(Dependencies).depends_on(
                self.address, self.row, self.values, self.changed_fields, self.context(names)
            )
        )

    def blocks(self, names: Names) -> list[tuple[str, Address]]:
        """(label, object) for objects whose deferred fields wait for the work on this one."""
        return list(
            self.kind.capability(Dependencies).blocks(
                self.address, self.row, self.values, self.changed_fields, self.context(names)
            )
        )

    def side_effects_on(self, names: Names) -> set[Address]:
        """The objects that Redmine may change together with this one."""
        return set(
            self.kind.capability(SideEffects).side_effects_on(
                self.address, self.row, self.values, self.changed_fields, self.context(names)
            )
        )

    def runs_after(self, names: Names) -> Iterable[Address]:
        """The objects whose planned work comes first, even if it fails."""
        return self.kind.capability(Dependencies).runs_after(self.address, self.row, self.context(names))

    def turns(self, names: Names) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
        """The turns in which the work on it comes first, and those in which it comes last."""
        turns = self.kind.capability(Turns)
        given = (self.address, self.row, self.values, self.changed_fields, self.context(names))
        return tuple(turns.ahead(*given)), tuple(turns.behind(*given))


def targets(declared: Object, path: str, value: Any, names: Names) -> list[Address]:
    """The objects to which a canonical value of a field refers."""
    codec = declared.kind.fields[path.partition(".")[0]].codec
    if not codec.refers:
        return []
    if not isinstance(value, str):
        return _named(codec, split(path, value)[1], declared.project, names)
    # The same tracker in a thousand issues, and asked for in each step of planning.
    known: dict[tuple[str, str], list[Address]] = names.memo.setdefault(
        ("targets", declared.kind, declared.project), {}
    )
    if (path, value) not in known:
        known[path, value] = _named(codec, split(path, value)[1], declared.project, names)
    return known[path, value]


def _named(codec: Codec, value: Any, project: str, names: Names) -> list[Address]:
    # Canonical values are exact: the first address of each reference is the only one.
    references = codec.references(value, Context(names, project))
    return [names.canonical(reference.addresses(names.is_inside)[0]) for reference in references]
