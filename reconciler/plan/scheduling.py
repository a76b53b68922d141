"""Which field changes of an object are written immediately, which must wait, and for what."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from msgspec import Struct, field

from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import DerivedFields, SideEffects, Workflow
from reconciler.model.codecs import blank
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context, Names
from reconciler.model.pruning import Pruning
from reconciler.model.spec import Deferred
from reconciler.plan.archived_projects import archives, unarchives
from reconciler.plan.below import Levels, now_below
from reconciler.plan.diff import matching
from reconciler.plan.draft import Draft, targets
from reconciler.plan.gates import locks, open_gates, opens, shuts
from reconciler.plan.operations import (
    Action,
    Archive,
    ByProgram,
    Change,
    Close,
    Create,
    Delete,
    FieldChange,
    Link,
    Lock,
    Operation,
    Reopen,
    Transition,
    Unarchive,
    Update,
)
from reconciler.record import Record


class Step(Record):
    """Field changes that are written together, and the changed objects that they wait for."""

    type: type[Operation]
    fields: tuple[FieldChange, ...]
    waits_for: tuple[Address, ...] = ()
    kinds_before: tuple[str, ...] = ()
    """Kinds of which all objects in the same project are created and updated first."""
    takes_from: tuple[Address, ...] = ()
    """Changed objects whose first step gives up a unique value that this one takes."""


class Work(Record):
    """All steps for one object, and what the first one depends on. `dependencies` makes the graph from these."""

    draft: Draft
    steps: tuple[Step, ...]
    depends_on: tuple[Address, ...] = ()
    """Changed objects to which its new values refer (for a deletion: that refer to it, or are inside it)."""
    rescues: tuple[Address, ...] = ()
    """For a deletion: changed objects that Redmine would delete with this one if their own change failed."""
    runs_after: tuple[Address, ...] = ()
    """Changed objects whose work comes first, even if it fails."""
    unchanged: tuple[FieldChange, ...] = ()
    turns: tuple[tuple[Address, ...], tuple[Address, ...]] = ((), ())
    """The turns in which it comes first, and those in which it comes last."""

    @property
    def address(self) -> Address:
        """The object's address."""
        return self.draft.address

    @property
    def opens_gate(self) -> bool:
        """Whether others depend on its first step, because that opens a gate for them."""
        return self.draft.reopened is not None or self.draft.closes_anyway

    @property
    def fields(self) -> list[FieldChange]:
        """The field changes of all steps."""
        return [change for step in self.steps for change in step.fields]


def schedule(drafts: Mapping[Address, Draft], names: Names) -> list[Work]:
    """The work on all drafts with changes."""
    changed = {a: d for a, d in drafts.items() if d.changed}
    # Before the referrers are collected: it adds drafts, whose gates are closed after the work of those referrers.
    open_gates(changed, drafts, names)
    referrers = _Referrers(tuple(changed.values()), names)
    # What leaves an object before it is deleted: a subtask with another parent, a subproject that moves.
    leaving = Levels(lambda a: now_below(a, names), lambda a: a in changed and changed[a].action == "update")
    return [_work(draft, changed, referrers, leaving, names) for draft in changed.values()]


def affected(drafts: Mapping[Address, Draft], names: Names) -> list[Change]:
    """Unchanged objects that are read back, because work on others can have side effects on them."""
    touched: set[Address] = set()
    for draft in drafts.values():
        if draft.changed:
            touched |= draft.side_effects_on(names)
    unchanged = [drafts[a] for a in sorted(touched & drafts.keys()) if not drafts[a].changed]
    return [change for draft in unchanged if (change := _read_back(draft, names)).unchanged]


def _read_back(draft: Draft, names: Names) -> Change:
    fragile = (
        f
        for f in _unchanged(draft, draft.fields, names)
        if f.path.partition(".")[0] in draft.kind.capability(SideEffects).fields
    )
    number = draft.row["id"] if draft.row else None
    return Change(draft.address, number, draft.declared.source, (), unchanged=tuple(fragile))


def _unchanged(draft: Draft, changed: Iterable[FieldChange], names: Names) -> Iterator[FieldChange]:
    """The declared fields that already match, without those that Redmine computes."""
    context = draft.context(names)
    for same in matching(draft.declared, draft.values, draft.row, changed) if draft.row else ():
        if draft.row and not draft.kind.capability(DerivedFields).why_derived(draft.row, same.path, context):
            yield same


# -- waiting ---------------------------------------------------------------------------------------------------


class _Referrers:
    """Which changed objects refer to which others, by which field, and which are inside which project."""

    def __init__(self, changed: Collection[Draft], names: Names) -> None:
        self.by_target: defaultdict[Address, set[tuple[str, Address]]] = defaultdict(set)
        self.by_project: defaultdict[tuple[str, str], set[Address]] = defaultdict(set)
        self.names = names
        # Of all above, only those that are closed or deleted wait for what is inside them.
        containers = {draft.address.key for draft in changed if draft.address.kind == CONTAINER and _waits(draft)}
        for draft in changed:
            self.by_project[draft.address.kind, draft.address.project].add(draft.address)
            if draft.kind.inside:
                # Redmine closes everything below a closed project (5.0 to 6.1), so work in a subproject is work inside.
                for key in (draft.address.project, *names.ancestors(draft.address.project)):
                    if key in containers:
                        self.by_target[Address(CONTAINER, key)].add(("", draft.address))
            for name, target in (*draft.depends_on(names), *draft.blocks(names)):
                self.by_target[target].add((name, draft.address))
            for name, value in self._values(draft):
                for target in targets(draft.declared, name, value, names):
                    self.by_target[target].add((name, draft.address))

    def _values(self, draft: Draft) -> Iterator[tuple[str, Any]]:
        """The declared values, and the live references: both hold until the change is applied."""
        yield from draft.values.items()
        if draft.row is not None:
            # An issue must have left a version before that is locked or deleted.
            context, kind = Context(self.names, draft.declared.project), draft.kind
            references = (n for n, api in kind.fields.items() if api.codec.holds)
            yield from ((n, kind.live(draft.row, n, context)) for n in references)

    def of(self, address: Address, via: frozenset[str]) -> tuple[Address, ...]:
        """The changed objects that refer to `address` (through `via`, or at all), or are inside it."""
        referrers = {a for name, a in self.by_target.get(address, ()) if not via or name in via}
        return tuple(sorted(referrers - {address}))

    def inside(self, project: str, kinds: Iterable[str]) -> set[Address]:
        """The changed objects of these kinds inside a project."""
        return {address for kind in kinds for address in self.by_project.get((kind, project), ())}


def _waits(draft: Draft) -> bool:
    """Whether any of its steps may wait for objects that refer to it or are inside it."""
    later = any(draft.api(change).deferred or shuts(draft, change) for change in draft.fields)
    return draft.action == "delete" or draft.reopened is not None or later


def _work(draft: Draft, changed: Mapping[Address, Draft], referrers: _Referrers, leaving: Levels, names: Names) -> Work:
    """The steps for one object: what is written immediately, and what later."""
    stages = _Stages([draft.reopened] if draft.reopened else [])
    for change in draft.fields:
        stages.add(change, _when(draft, change, changed, referrers, names))
    steps = tuple(
        Step(_type(draft, number, stage), stage.fields, stage.waits_for, _kinds_before(draft, number, stage.fields))
        for number, stage in enumerate(stages.split(draft.action))
    )
    if draft.action == "delete":
        depends_on = set(referrers.of(draft.address, frozenset()))
    else:
        # A link is a later step: a new project cannot wait for its default version, which is inside it.
        later = [*stages.linked, *(stages.program if len(steps) > 1 else ())]
        immediate = (c for c in draft.fields if c not in later)
        referenced = {a for c in immediate for a in targets(draft.declared, c.path, c.after, names)}
        depends_on = (referenced | {a for _, a in draft.depends_on(names)}) & changed.keys()
    return Work(
        draft,
        steps,
        depends_on=tuple(sorted((depends_on | draft.reopened_with) - {draft.address})),
        rescues=tuple(a for _, a in leaving.of(draft.address).marked) if draft.action == "delete" else (),
        runs_after=tuple(sorted({a for a in draft.runs_after(names) if a in changed} - {draft.address})),
        unchanged=tuple(_unchanged(draft, [f for step in steps for f in step.fields], names)),
        turns=draft.turns(names),
    )


class When(NamedTuple):
    """When a field is written: now, after the objects it refers to (link), after those that refer to this one (last),
    after all of these (final), or by the program inside Redmine, after everything else of the object (program).
    """

    turn: Literal["now", "link", "last", "final", "program"]
    waits_for: tuple[Address, ...] = ()


NOW = When("now")


class Stage(NamedTuple):
    """Fields that are written together, and what they wait for."""

    fields: tuple[FieldChange, ...]
    waits_for: tuple[Address, ...] = ()
    type: type[Operation] | None = None
    """That of its operation, where the fields do not tell."""


class _Stages(Struct):
    """The field changes of an object, by what they wait for."""

    now: list[FieldChange]
    linked: list[FieldChange] = field(default_factory=list)
    """References to objects that are created first: one step, so one PUT."""
    link_targets: set[Address] = field(default_factory=set)
    last: dict[tuple[Address, ...], list[FieldChange]] = field(default_factory=dict)
    """Fields that end the work on the object, by what they wait for."""
    final: list[FieldChange] = field(default_factory=list)
    """Fields that wait for all others."""
    program: list[FieldChange] = field(default_factory=list)
    """Fields that the program inside Redmine writes."""
    program_targets: set[Address] = field(default_factory=set)

    def add(self, change: FieldChange, when: When) -> None:
        """Add one field change."""
        if when.turn == "now":
            self.now.append(change)
        elif when.turn == "link":
            self.linked.append(change)
            self.link_targets.update(when.waits_for)
        elif when.turn == "last":
            self.last.setdefault(when.waits_for, []).append(change)
        elif when.turn == "final":
            self.final.append(change)
        else:
            self.program.append(change)
            self.program_targets.update(when.waits_for)

    def split(self, action: Action) -> Iterator[Stage]:
        """The fields that are written immediately, then later ones. Those that wait for fewer objects come first."""
        alone = action == "update" and not (self.now or self.linked or self.last or self.final)
        if self.program and alone:
            yield self._by_program()
            return
        # If a project is just closed, that is its first operation, not one after an empty operation.
        if action == "update" and not self.now:
            self.now = self.last.pop((), [])
        yield Stage(tuple(self.now))
        if self.linked:
            yield Stage(tuple(self.linked), tuple(sorted(self.link_targets)), Link)
        # What waits for less must not be held up by what waits for more; among equals by address, the same each time.
        for waits_for, fields in sorted(self.last.items(), key=lambda item: (len(item[0]), item[0])):
            yield Stage(tuple(fields), waits_for)
        if self.final:
            yield Stage(tuple(self.final))
        if self.program:
            yield self._by_program()

    def _by_program(self) -> Stage:
        return Stage(tuple(self.program), tuple(sorted(self.program_targets)), ByProgram)


def _when(
    draft: Draft, change: FieldChange, changed: Mapping[Address, Draft], referrers: _Referrers, names: Names
) -> When:
    """When a field is written, and which changed objects it waits for."""
    if draft.api(change).program:
        return When("program", _changed_targets(draft, change, changed, names))
    deferred, closing = draft.api(change).deferred, shuts(draft, change)
    referred = targets(draft.declared, change.path, change.after, names) if draft.action == "create" else []
    if draft.address in referred:
        # Until it is created, it has no id to write: a version in its own custom field.
        return When("link", tuple(sorted(changed.keys() & set(referred) - {draft.address})))
    # The gate is restored after all work that needed it open.
    if draft.reopened is not None and draft.reopened.path == change.path:
        # It was opened for any of the referrers, so it is closed after all of them, not just those through `via`.
        return When("last", referrers.of(draft.address, frozenset()))
    if deferred is None or not deferred.when(change.after, Context(names, draft.declared.project)):
        # Even if nothing refers to a project, it is closed after its own fields: it accepts none then (5.0 to 6.1).
        return When("last") if closing else NOW
    if deferred.wait == "itself":
        # An open issue cannot be moved below a closed one (422; 5.0 to 6.1), so its status is written before its
        # parent.
        return When("final")
    if deferred.wait == "referrers":
        waits_for = referrers.of(draft.address, deferred.via)
        return When("last", waits_for) if waits_for or closing else NOW
    named = set(targets(draft.declared, change.path, change.after, names))
    # Custom fields for users accept only members of the project (5.0 to 6.1), so memberships come first.
    members = referrers.inside(draft.address.key, deferred.inside) if named else set()
    waits_for = tuple(sorted(a for a in named | members if a in changed))
    fills = _fills(draft, deferred, changed, referrers)
    waits = fills or (bool(waits_for) and deferred.wait == "references")
    return When("link", waits_for) if waits else NOW


def _changed_targets(
    draft: Draft, change: FieldChange, changed: Mapping[Address, Draft], names: Names
) -> tuple[Address, ...]:
    return tuple(a for a in targets(draft.declared, change.path, change.after, names) if a in changed)


def _fills(draft: Draft, deferred: Deferred, changed: Mapping[Address, Draft], referrers: _Referrers) -> bool:
    """Whether Redmine would fill a field of new objects with the value, if it were set before they are created."""
    if not deferred.fills:
        return False
    inside = (changed[a] for a in referrers.inside(draft.address.project, deferred.behind))
    new = [d for d in inside if d.action == "create" and blank(d.values.get(deferred.fills))]
    return any(not deferred.via or draft.address.own_name in map(d.values.get, deferred.via) for d in new)


def _kinds_before(draft: Draft, number: int, fields: Sequence[FieldChange]) -> tuple[str, ...]:
    deferred = (api.deferred for api in map(draft.api, fields) if number or api.program)
    return tuple(dict.fromkeys(kind for one in deferred if one for kind in one.behind))


# -- operations ------------------------------------------------------------------------------------------------


def _type(draft: Draft, number: int, stage: Stage) -> type[Operation]:
    """The type of the operation that writes these fields."""
    fields = stage.fields
    if stage.type is ByProgram:
        return ByProgram
    if number == 0 and draft.action != "update":
        return Create if draft.action == "create" else Delete
    # Before `Reopen`: unarchiving opens the gate as well.
    if number == 0 and fields and unarchives(fields[0]):
        return Unarchive
    if number == 0 and (draft.reopened or any(opens(draft, f) for f in fields)):
        return Reopen
    if any(shuts(draft, f) for f in fields):
        return Archive if any(map(archives, fields)) else Close
    if any(locks(draft, f) for f in fields):
        return Lock
    if stage.type is not None:
        return stage.type
    return Transition if _by_workflow(draft, fields) else Update


def _by_workflow(draft: Draft, fields: Sequence[FieldChange]) -> bool:
    """Whether this is a single field that may take several writes to reach its value."""
    # 0: only whether there is a page matters here, and a new object has no id yet.
    number = draft.row["id"] if draft.row else 0
    return len(fields) == 1 and draft.kind.capability(Workflow).workflow_page(number, fields[0].path) is not None


def evidence(kind: Kind, row: Row | None) -> Any:
    """What must not have changed of an undeclared object until it is pruned."""
    return None if row is None else kind.capability(Pruning).evidence(kind, row)


def fingerprint(row: Row | None, fields: Iterable[FieldChange], seen: Any = None) -> str:
    """A digest of the live values that a change is based on: `before` of its fields (or the object's absence), and what
    else was `seen` of an object that is pruned."""
    before: dict[str, Any] = {}
    for change in fields:
        # The first change of a path has the live value; a later one starts from what the plan writes.
        before.setdefault(change.path, change.before)
    basis: Any = None if row is None else before if seen is None else [before, seen]
    text = json.dumps(basis, sort_keys=True, default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:32]
