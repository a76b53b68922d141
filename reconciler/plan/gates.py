"""Gates: fields whose live value prevents changes to other objects. They are opened first and restored last.

A locked version accepts no issues, a locked user no new assignments; a closed project accepts no changes inside it
(Redmine 5.0 to 6.1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.containers import Tree
from reconciler.model.from_above import from_above
from reconciler.model.kind import Kind, undeclared
from reconciler.model.name_index import Context, Names
from reconciler.plan.access import added, may_open, names_of
from reconciler.plan.draft import Draft, targets
from reconciler.plan.operations import FieldChange


def open_gates(changed: dict[Address, Draft], drafts: Mapping[Address, Draft], names: Names) -> None:
    """Plan to open each closed gate that planned work needs, such as a locked version that an issue moves to."""
    # Copies, here and below: opening a gate adds its owner to `changed`.
    for draft in list(changed.values()):
        for address, name in _gates(draft, names):
            owner = drafts.get(address)
            if owner is not None and owner.row is not None and not owner.reopened and owner.action == "update":
                gate = owner.kind.fields[name].gate
                live = owner.kind.live(owner.row, name, Context(names, owner.declared.project))
                if gate is not None and live in gate.shut and may_open(gate, owner.declared.spec, name):
                    _reopen(owner, name, live, gate.open, f"{name} {live} prevents the planned changes")
                    changed[address] = owner
    # After all gates: a project that the loop reopens also reopens those below it.
    for opened in list(_opened(changed.values())):
        _open_below(opened, changed, drafts, names)


def opens(draft: Draft, change: FieldChange) -> bool:
    """Whether a change opens a gate for all work: it reopens or unarchives a project."""
    gate = draft.api(change).gate
    return gate is not None and not gate.via and change.before in gate.shut and change.after == gate.open


def shuts(draft: Draft, change: FieldChange) -> bool:
    """Whether a change also closes the gate for its own object, so that everything else must be verified before it."""
    gate = draft.api(change).gate
    return gate is not None and not gate.via and change.after in gate.shut


def locks(draft: Draft, change: FieldChange) -> bool:
    """Whether a change closes a gate only for certain fields of other objects, such as an issue's target version."""
    gate = draft.api(change).gate
    return gate is not None and bool(gate.via) and change.after in gate.shut


class _Opened:
    """Objects of a kind that are reopened from one value of a gate, and with them what is below (5.0 to 6.1).

    Each object is looked at once, however many are reopened and however deep the tree is.
    """

    def __init__(self, change: FieldChange) -> None:
        self.change = change
        self.drafts: dict[str, Draft] = {}
        self._first: dict[str, str] = {"": ""}

    def above(self, key: str, names: Names) -> Draft | None:
        """The first one of them that is above an object."""
        return self.drafts.get(from_above(key, self._first, names.parent, self._earlier, ""))

    def _earlier(self, key: str, parent: str, first: str) -> str:
        """Of the parent and the first one above it, that which comes first."""
        order = list(filter(self.drafts.__contains__, (first, parent)))
        return min(order, key=self._order.__getitem__, default="")

    @cached_property
    def _order(self) -> Mapping[str, int]:
        return {key: number for number, key in enumerate(self.drafts)}

    def staying(self) -> _Opened:
        """Those of them that are not closed again. If one is, Redmine closes everything below with it (5.0 to 6.1)."""
        rest = _Opened(self.change)
        path, opened = self.change.path, self.change.after
        for key, draft in self.drafts.items():
            if all(f.path != path or f.after == opened for f in draft.fields):
                rest.drafts[key] = draft
        return rest


def _opened(changed: Iterable[Draft]) -> Iterable[_Opened]:
    found: dict[tuple[str, str, Any], _Opened] = {}
    for draft in changed:
        change = draft.reopened or next((f for f in draft.fields if opens(draft, f)), None)
        if change is not None and change.before in draft.kind.capability(Tree).cascades:
            group = found.setdefault((draft.kind.name, change.path, change.before), _Opened(change))
            group.drafts[draft.address.key] = draft
    return found.values()


def _open_below(opened: _Opened, changed: dict[Address, Draft], drafts: Mapping[Address, Draft], names: Names) -> None:
    """Close the closed descendants of reopened projects again: Redmine reopens them with these (5.0 to 6.1)."""
    kind, path, staying = next(iter(opened.drafts.values())).kind, opened.change.path, opened.staying()
    for other in drafts.values():
        if other.kind is kind and other.row is not None and not other.reopened and other.action == "update":
            above = opened.above(other.address.key, names)
            if above is not None and kind.live(other.row, path, Context(names)) == opened.change.before:
                _reopen_with(above, other, opened.change)
                changed[other.address] = other
    changed |= {other.address: other for other in _undeclared_below(kind, staying, drafts, names)}


def _reopen_with(draft: Draft, other: Draft, change: FieldChange) -> None:
    _reopen(other, change.path, change.before, change.after, f"reopened together with {draft.address}")
    other.reopened_with.add(draft.address)


def _undeclared_below(kind: Kind, staying: _Opened, drafts: Mapping[Address, Draft], names: Names) -> Iterator[Draft]:
    """The undeclared closed descendants of projects that stay open."""
    # Sorted: the plan must not depend on the order of the server's list.
    for key in sorted(names.live(kind.name).ids) if staying.drafts else ():
        row, above = names.row(Address(kind.name, key)) or {}, staying.above(key, names)
        closed = kind.live(row, staying.change.path, Context(names)) == staying.change.before
        if above is not None and closed and Address(kind.name, key) not in drafts:
            other = Draft(undeclared(kind, key, above.declared.body), row, {}, [])
            _reopen_with(above, other, staying.change)
            yield other


def _gates(draft: Draft, names: Names) -> Iterator[tuple[Address, str]]:
    """(object, field) for every gate that must be open for the work on `draft`."""
    # The fields through which the work touches each object; "" stands for any work.
    through: defaultdict[Address, set[str]] = defaultdict(set)
    for change in draft.fields:
        for address in targets(draft.declared, change.path, added(change), names):
            through[address] |= names_of(draft, change.path.partition(".")[0])
    for name, address in draft.depends_on(names):
        through[address] |= names_of(draft, name)
    if draft.kind.inside:
        through[draft.address.container].add("")
    # Only changes of other fields need the object's own gate to be open.
    gates = {name for name, api in draft.kind.fields.items() if api.gate}
    # A closed project refuses changes to its own fields too, but not to its status.
    if any(change.path not in gates for change in draft.fields):
        through[draft.address].add("")
    for address, used in through.items():
        for name, api in kinds()[address.kind].fields.items():
            if api.gate is not None and (used & api.gate.via if api.gate.via else "" in used):
                yield address, name


def _reopen(owner: Draft, name: str, live: Any, opened: str, reason: str) -> None:
    """Plan to open a gate first, and to set it to its declared or previous value afterwards."""
    wanted = next((f.after for f in owner.fields if f.path == name), live)
    place = owner.declared.where(name)
    # The declared change is replaced: it would start from a value that the opened gate no longer has.
    owner.fields = [f for f in owner.fields if f.path != name]
    owner.reopened = FieldChange(name, live, opened, place)
    if wanted != opened:
        owner.fields.append(FieldChange(name, opened, wanted, place))
    owner.reason = owner.reason or reason
