"""Which of an object's changes are written at once, which must wait, and which doors must be opened first."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from reconciler.kinds import kinds
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Dependencies, DerivedFields, SideEffects, Tree
from reconciler.model.codecs import Ref, RefSet
from reconciler.model.kind import Object, undeclared
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Api
from reconciler.plan.diff import FieldChange, kept, split
from reconciler.plan.operations import Action, Change, Step


@dataclass(slots=True)
class Draft:
    """A change in the making: an object, its live row, its canonical values and what must change."""

    found: Object
    row: Row | None
    values: Mapping[str, Any]
    fields: list[FieldChange]
    reason: str | None = None
    reopened: FieldChange | None = None
    behind: set[Address] = field(default_factory=set)
    """Doors that are opened for it, or that it is opened with."""

    @property
    def address(self) -> Address:
        """The object's address."""
        return self.found.address

    @property
    def action(self) -> Action:
        """What happens to the object."""
        if self.found.spec.state == "absent":
            return "delete"
        return "create" if self.row is None else "update"

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.action != "update" or bool(self.fields)


def stage(drafts: Mapping[Address, Draft], names: Names) -> list[Change]:
    """The changes that the drafts make together."""
    changed = {a: d for a, d in drafts.items() if d.changed}
    _open_gates(changed, drafts, names)
    index = _Referrers(changed.values(), names)
    return [_finish(draft, changed, index, names) for draft in changed.values()]


def disturbed(drafts: Mapping[Address, Draft], names: Names) -> list[Change]:
    """The objects without a change of their own that are looked at again: what others do may disturb them."""
    touched: set[Address] = set()
    for draft in (d for d in drafts.values() if d.changed):
        changed = {f.path.partition(".")[0] for f in draft.fields}
        context = Context(names, draft.found.project, draft.address)
        touched |= set(draft.found.kind.capability(SideEffects).side_effects_on(draft.address, draft.row, draft.values, changed, context))
    quiet = [drafts[a] for a in sorted(touched & drafts.keys()) if not drafts[a].changed]
    return [change for draft in quiet if (change := _looked_at(draft, names)).keeps]


def _looked_at(draft: Draft, names: Names) -> Change:
    keeps = (f for f in _keeps(draft, draft.fields, names) if f.path.partition(".")[0] in draft.found.kind.capability(SideEffects).fields)
    number = draft.row["id"] if draft.row else None
    return Change("update", draft.address, number, draft.found.source, keeps=tuple(keeps))


def _keeps(draft: Draft, changed: Iterable[FieldChange], names: Names) -> Iterator[FieldChange]:
    """The declared fields that are as they shall be and that Redmine does not decide about."""
    kind, context = draft.found.kind, Context(names, draft.found.project, draft.address)
    for same in kept(draft.found, draft.values, draft.row, changed) if draft.row else ():
        if draft.row and not kind.capability(DerivedFields).why_derived(draft.row, same.path, context):
            yield same


# -- doors -----------------------------------------------------------------------------------------------------


def _open_gates(changed: dict[Address, Draft], drafts: Mapping[Address, Draft], names: Names) -> None:
    """Reopen what is shut and stands before planned work: a locked version that an issue moves to, a closed project."""
    for draft in list(changed.values()):
        for address, name in _gates(draft, names):
            door = drafts.get(address)
            if door is not None and door.row is not None and not door.reopened and door.action == "update":
                gate = door.found.kind.fields[name].gate
                shut = door.found.kind.live(door.row, name, Context(names, door.found.project))
                if gate is not None and shut in gate.shut:
                    _reopen(door, name, shut, gate.open, f"{name} {shut} forbids the planned work")
                    changed[address] = door
    for draft in list(changed.values()):
        _open_below(draft, changed, drafts, names)


def _open_below(draft: Draft, changed: dict[Address, Draft], drafts: Mapping[Address, Draft], names: Names) -> None:
    """Whoever reopens a project reopens all closed projects below it: they are shut again."""
    change = draft.reopened or next((f for f in draft.fields if _opens(draft, f)), None)
    if change is None or change.before not in draft.found.kind.capability(Tree).cascades:
        return
    for other in drafts.values():
        if other.found.kind is draft.found.kind and draft.address.key in names.ancestors(other.address.key):
            live = None if other.row is None else other.found.kind.live(other.row, change.path, Context(names))
            if live == change.before and not other.reopened and other.action == "update":
                _follow(other, draft, change)
                changed[other.address] = other
    if all(f.path != change.path or f.after == change.after for f in draft.fields):
        changed |= {other.address: other for other in _unasked(draft, change, drafts, names)}


def _follow(other: Draft, draft: Draft, change: FieldChange) -> None:
    _reopen(other, change.path, change.before, change.after, f"{change.path} follows {draft.address}")
    other.behind.add(draft.address)


def _unasked(
    draft: Draft, change: FieldChange, drafts: Mapping[Address, Draft], names: Names
) -> Iterator[Draft]:
    """Whatever is below a door that stays open, was shut, and is not declared."""
    kind = draft.found.kind
    for key in sorted(names.live(kind.name).ids):
        row = names.row(Address(kind.name, key)) or {}
        below = Address(kind.name, key) not in drafts and draft.address.key in names.ancestors(key)
        if below and kind.live(row, change.path, Context(names)) == change.before:
            other = Draft(undeclared(kind, key, draft.found.body), row, {}, [])
            _follow(other, draft, change)
            yield other


def _opens(draft: Draft, change: FieldChange) -> bool:
    gate = _api(draft, change).gate
    return gate is not None and not gate.via and change.before in gate.shut and change.after == gate.open


def _gates(draft: Draft, names: Names) -> Iterator[tuple[Address, str]]:
    """(object, field) for every gate that the work on `draft` has to pass."""
    through: defaultdict[Address, set[str]] = defaultdict(set)
    for change in draft.fields:
        for address in targets(draft.found, change.path, change.after, names):
            through[address].add(change.path.partition(".")[0])
    for name, address in _leans_on(draft, names):
        through[address].add(name)
    if draft.found.kind.inside:
        through[draft.address.container].add("")
    doors = {name for name, api in draft.found.kind.fields.items() if api.gate}
    if any(f.path not in doors for f in draft.fields):
        through[draft.address].add("")
    for address, used in through.items():
        for name, api in kinds()[address.kind].fields.items():
            if api.gate is not None and (used & api.gate.via if api.gate.via else "" in used):
                yield address, name


def _leans_on(draft: Draft, names: Names) -> list[tuple[str, Address]]:
    changed = {f.path.partition(".")[0] for f in draft.fields}
    context = Context(names, draft.found.project, draft.address)
    return list(draft.found.kind.capability(Dependencies).depends_on(draft.address, draft.row, draft.values, changed, context))


def _awaited(draft: Draft, names: Names) -> Iterable[Address]:
    context = Context(names, draft.found.project, draft.address)
    return draft.found.kind.capability(Dependencies).runs_after(draft.address, draft.row, context)


def _holds_up(draft: Draft, names: Names) -> list[tuple[str, Address]]:
    changed = {f.path.partition(".")[0] for f in draft.fields}
    context = Context(names, draft.found.project, draft.address)
    return list(draft.found.kind.capability(Dependencies).blocks(draft.address, draft.row, draft.values, changed, context))


def _reopen(door: Draft, name: str, shut: Any, opened: str, reason: str) -> None:
    """Plan to open a door before, and to bring it to what it was or shall be after."""
    wanted = next((f.after for f in door.fields if f.path == name), shut)
    door.fields = [f for f in door.fields if f.path != name]
    door.reopened = FieldChange(name, shut, opened)
    if wanted != opened:
        door.fields.append(FieldChange(name, opened, wanted))
    door.reason = door.reason or reason


# -- waiting ---------------------------------------------------------------------------------------------------


class _Referrers:
    """Which changed objects name which others, and by which field; and which are inside which project."""

    def __init__(self, changed: Iterable[Draft], names: Names) -> None:
        self.by_target: defaultdict[Address, set[tuple[str, Address]]] = defaultdict(set)
        self.by_project: defaultdict[tuple[str, str], set[Address]] = defaultdict(set)
        self.names = names
        for draft in changed:
            self.by_project[draft.address.kind, draft.address.project].add(draft.address)
            if draft.found.kind.inside:
                for key in (draft.address.project, *names.ancestors(draft.address.project)):
                    self.by_target[Address("project", key)].add(("", draft.address))
            for name, target in (*_leans_on(draft, names), *_holds_up(draft, names)):
                self.by_target[target].add((name, draft.address))
            for name, value in self._values(draft):
                for target in targets(draft.found, name, value, names):
                    self.by_target[target].add((name, draft.address))

    def _values(self, draft: Draft) -> Iterator[tuple[str, Any]]:
        """The declared values, and what live ones name: both count until all is done."""
        yield from draft.values.items()
        if draft.row is not None:
            context, kind = Context(self.names, draft.found.project), draft.found.kind
            named = (n for n, api in kind.fields.items() if isinstance(api.codec, Ref | RefSet))
            yield from ((n, kind.live(draft.row, n, context)) for n in named)

    def of(self, address: Address, via: frozenset[str]) -> tuple[Address, ...]:
        """The changed objects that name `address` (through `via`, or at all), or are inside it."""
        found = {a for name, a in self.by_target.get(address, ()) if not via or name in via}
        return tuple(sorted(found - {address}))

    def inside(self, project: str, kinds: Iterable[str]) -> set[Address]:
        """The changed objects of these kinds inside a project."""
        return {address for kind in kinds for address in self.by_project.get((kind, project), ())}


def _finish(draft: Draft, changed: Mapping[Address, Draft], index: _Referrers, names: Names) -> Change:
    """The change of a draft: what is written at once, and what later."""
    stages = _Stages([draft.reopened] if draft.reopened else [])
    for change in draft.fields:
        stages.add(change, _when(draft, change, changed, index, names))
    at_once = (c for c in draft.fields if c not in stages.named)
    named = {a for c in at_once for a in targets(draft.found, c.path, c.after, names)}
    uses = (named | {a for _, a in _leans_on(draft, names)}) & changed.keys()
    now, then = stages.split(draft.action)
    if draft.action == "delete":
        uses = set(index.of(draft.address, frozenset()))
    touched = [*now, *(f for s in then for f in s.fields)]
    return Change(
        action=draft.action,
        address=draft.address,
        id=draft.row["id"] if draft.row else None,
        source=draft.found.source,
        fields=now,
        then=then,
        reason=draft.reason,
        uses=tuple(sorted((uses | draft.behind) - {draft.address})),
        opens=draft.reopened is not None,
        keeps=tuple(_keeps(draft, touched, names)),
        awaits=tuple(sorted((set(_awaited(draft, names)) & changed.keys()) - {draft.address})),
        fingerprint=fingerprint(draft.row, [*now, *(f for s in then for f in s.fields)]),
    )


class When(NamedTuple):
    """When a field is written: now, after what it names, last (after all that names its object), or after even that."""

    turn: Literal["now", "named", "last", "final"]
    after: tuple[Address, ...] = ()


NOW = When("now")


@dataclass(slots=True)
class _Stages:
    """Field changes by what they wait for."""

    now: list[FieldChange]
    named: list[FieldChange] = field(default_factory=list)
    """What waits for objects that it names: one step, so one PUT."""
    awaited: set[Address] = field(default_factory=set)
    last: dict[tuple[Address, ...], list[FieldChange]] = field(default_factory=dict)
    """What ends the work on an object, by what it waits for."""
    final: list[FieldChange] = field(default_factory=list)
    """What waits for all that."""

    def add(self, change: FieldChange, when: When) -> None:
        """Take one field change."""
        if when.turn == "now":
            self.now.append(change)
        elif when.turn == "named":
            self.named.append(change)
            self.awaited.update(when.after)
        elif when.turn == "last":
            self.last.setdefault(when.after, []).append(change)
        else:
            self.final.append(change)

    def split(self, action: Action) -> tuple[tuple[FieldChange, ...], tuple[Step, ...]]:
        """The main part, and the later steps; what waits for less comes first."""
        if action == "update" and not self.now:
            self.now = self.last.pop((), [])
        steps = [Step(tuple(self.named), tuple(sorted(self.awaited)))] if self.named else []
        ends = sorted(self.last.items(), key=lambda item: (len(item[0]), item[0]))
        steps += [Step(tuple(fields), after) for after, fields in ends]
        return tuple(self.now), (*steps, *([Step(tuple(self.final), ())] if self.final else []))


def _again(draft: Draft, change: FieldChange) -> bool:
    """Whether a change shuts a door that was opened for the work behind it."""
    return draft.reopened is not None and draft.reopened.path == change.path


def _shuts(draft: Draft, change: FieldChange) -> bool:
    """Whether a change shuts a door for its own object too: what else is written must be read back before."""
    gate = _api(draft, change).gate
    return gate is not None and not gate.via and change.after in gate.shut


def _api(draft: Draft, change: FieldChange) -> Api:
    return draft.found.kind.fields[change.path.partition(".")[0]]


def _when(
    draft: Draft, change: FieldChange, changed: Mapping[Address, Draft], index: _Referrers, names: Names
) -> When:
    """When a field is written, and which changed objects it waits for."""
    deferred, shuts = _api(draft, change).deferred, _shuts(draft, change)
    if _again(draft, change):
        return When("last", index.of(draft.address, frozenset()))
    if deferred is None or not deferred.when(change.after, Context(names, draft.found.project)):
        return When("last") if shuts else NOW
    if deferred.wait == "itself":
        return When("final")
    if deferred.wait == "referrers":
        after = index.of(draft.address, deferred.via)
        return When("last", after) if after or shuts else NOW
    named = set(targets(draft.found, change.path, change.after, names))
    members = index.inside(draft.address.key, deferred.inside) if named else set()
    after = tuple(sorted((named | members) & changed.keys()))
    return When("named", after) if after else NOW


def targets(found: Object, path: str, value: Any, names: Names) -> list[Address]:
    """The objects that a canonical value of a field names."""
    name, whole = split(path, value)
    named = found.kind.fields[name].codec.references(whole, Context(names, found.project))
    return [names.canonical(reference.addresses(names.is_inside)[0]) for reference in named]


def fingerprint(row: Row | None, fields: Iterable[FieldChange]) -> str:
    """A digest of the live values that a change was made from (`before` of its fields), or of "it is not there"."""
    before: dict[str, Any] = {}
    for change in fields:
        before.setdefault(change.path, change.before)
    text = json.dumps(None if row is None else before, sort_keys=True, default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:32]
