"""Unique values: who has one, who gets it next, and in which order.

A value is given up before it is taken. Where objects wait for each other's values (two users exchange their mail
addresses), one of them gets a temporary value first: an operation of its own, which the plan shows.
"""

from __future__ import annotations

import dataclasses
import graphlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from reconciler.errors import Problem
from reconciler.model.address import Address
from reconciler.model.capabilities import Creation
from reconciler.model.kind import Kind, Object
from reconciler.model.name_index import Context, Names
from reconciler.model.unique import made_up, same_key, temporary
from reconciler.plan.dependencies import CycleError, Graph, build
from reconciler.plan.draft import Draft
from reconciler.plan.operations import FieldChange, Link, OperationId, Take
from reconciler.plan.scheduling import Step, Work


class Taking(NamedTuple):
    """An object gets a unique value that another one gives up."""

    taker: Address
    field: str
    holder: Address


class Holders:
    """Which objects have the unique values that the drafts change."""

    def __init__(self, drafts: Mapping[Address, Draft], objects: Mapping[Address, Object], names: Names) -> None:
        self.drafts = drafts
        self.objects = objects
        self.names = names
        self._by_key = {
            same_key(Address(a.kind, names.renamed.get(a, a.key)), draft.kind): a
            for a, draft in drafts.items()
            if draft.row is not None
        }
        self._by_value: dict[tuple[str, str], dict[str, Any]] = {}

    def takes(self) -> tuple[list[Taking], list[Problem]]:
        """What is given up and taken, and a Problem for each value whose holder keeps it."""
        takes = [take for draft in self.drafts.values() for take in self._renames(draft)]
        problems = []
        for draft in self.drafts.values():
            for change in _unique_changes(draft) if draft.fields else ():
                holder = self._holder(draft, change)
                if holder is None:
                    continue
                if self._gives_up(holder, change.path):
                    takes.append(Taking(draft.address, change.path, holder))
                elif holder in self.drafts or holder not in self.objects:
                    problems.append(self._kept(draft, change, holder))
        return takes, problems

    def _renames(self, draft: Draft) -> Iterator[Taking]:
        """The key that a new or renamed object gets from one that is renamed or deleted under another name."""
        renamed, action = self.names.renamed, draft.action
        # Most objects keep the key that they have.
        if action == "delete" or (action == "update" and draft.address not in renamed):
            return
        key = same_key(draft.address, draft.kind)
        earlier = same_key(Address(key.kind, renamed.get(draft.address, key.key)), draft.kind)
        gets = action == "create" or earlier != key
        holder = self._by_key.get(key) if gets and draft.kind.capability(Creation).unique else None
        if holder is not None and holder != draft.address:
            yield Taking(draft.address, draft.kind.identity[0], holder)

    def _holder(self, draft: Draft, change: FieldChange) -> Address | None:
        """The live object that has a value which another one is to get."""
        number = self._values(draft.kind, change.path).get(str(change.after).casefold())
        if number is None or (draft.row is not None and number == draft.row["id"]):
            return None
        return self.names.canonical(Address(draft.kind.name, self.names.live(draft.kind.name).keys[number]))

    def _values(self, kind: Kind, field: str) -> dict[str, Any]:
        """value → id of the live object that has it."""
        if (kind.name, field) not in self._by_value:
            context, rows = Context(self.names), self.names.live(kind.name).rows
            values = {number: kind.live(row, field, context) for number, row in rows.items()}
            known = {str(value).casefold(): number for number, value in values.items() if value}
            self._by_value[kind.name, field] = known
        return self._by_value[kind.name, field]

    def _gives_up(self, holder: Address, field: str) -> bool:
        draft = self.drafts.get(holder)
        return draft is not None and (draft.action == "delete" or any(f.path == field for f in draft.fields))

    def _kept(self, draft: Draft, change: FieldChange, holder: Address) -> Problem:
        """The Problem of a value that a live object has and keeps."""
        owner = self.objects.get(holder)
        said = f"{change.path}: {holder} has it already, and Redmine allows it once"
        also = () if owner is None else (owner.source,)
        hint = f"declare {holder} with another {change.path}, or absent"
        if owner is None and draft.row is None:
            hint = f"if they are one and the same, add `renamed_from: {holder.key}`; else {hint}"
        return Problem(draft.declared.where(change.path), said, str(draft.address), hint, also)


def _unique_changes(draft: Draft) -> Iterator[FieldChange]:
    if draft.action != "delete":
        yield from (change for change in draft.fields if draft.api(change).unique and change.after)


# -- order -----------------------------------------------------------------------------------------------------


def arranged(items: Iterable[Work], takes: Sequence[Taking]) -> Graph:
    """The operations of all work, with each value given up before it is taken.

    Where objects wait for each other's values, one of them has a temporary value first. Where an object needs the one
    that takes its value (a page moves below the new page of its old title), it gives the value up first.
    Raises CycleError for any other cycle.
    """
    work = {item.address: item for item in items}
    by_temporary = {take[:2] for take in takes if _comes_late(work[take.holder], take)}
    # Each group by itself: two by two, thousands can exchange their values.
    for group in _linked([take for take in takes if take[:2] not in by_temporary]):
        while circle := _circle([take for take in group if take[:2] not in by_temporary]):
            by_temporary.add(min(circle)[:2])
    own: defaultdict[Address, list[Taking]] = defaultdict(list)
    for take in takes:
        own[take.taker].append(take)
    work = {a: _ordered(item, own[a], by_temporary) if a in own else item for a, item in work.items()}
    while True:
        try:
            return build(work.values())
        except CycleError as error:
            parts = [_in_parts(work[take.holder], take.field) for take in _in_cycle(takes, error.operations)]
            split = next((item for item in parts if item is not None), None)
            if split is None:
                raise
            work[split.address] = split


def _in_cycle(takes: Iterable[Taking], operations: Sequence[OperationId]) -> list[Taking]:
    """The takes whose edges are part of a cycle of operations."""
    ring = {(one.address, other.address) for one, other in itertools.pairwise(operations)}
    return sorted(take for take in takes if (take.holder, take.taker) in ring)


def _in_parts(work: Work, field: str) -> Work | None:
    """The same work with a value given up before everything else, so that this waits for nothing; None if it does."""
    first, *later = work.steps
    given_up = tuple(f for f in first.fields if f.path == field)
    others = tuple(f for f in first.fields if f.path != field)
    if work.draft.action != "update" or not given_up or not others:
        return None
    rest = Step(Link, others, waits_for=work.depends_on)
    return replace(work, steps=(replace(first, fields=given_up), rest, *later), depends_on=())


def _comes_late(holder: Work, take: Taking) -> bool:
    """Whether the holder is only deleted once others name the taker instead: the taker has to be there before."""
    return holder.draft.action == "delete" and bool(holder.depends_on) and take.field != holder.draft.kind.identity[0]


def _linked(takes: Sequence[Taking]) -> Iterable[list[Taking]]:
    """The takes in groups that have no object in common, in their order."""
    groups: dict[Address, list[Taking]] = {}
    for take in takes:
        # The smaller group joins the larger one.
        one, other = sorted((groups.setdefault(a, []) for a in (take.taker, take.holder)), key=len, reverse=True)
        members = {a for each in other for a in (each.taker, each.holder)} if other is not one else ()
        one += [*(other if other is not one else ()), take]
        groups |= dict.fromkeys((*members, take.taker, take.holder), one)
    order = {take: number for number, take in enumerate(takes)}
    return (sorted(group, key=order.__getitem__) for group in {id(group): group for group in groups.values()}.values())


def _circle(takes: Sequence[Taking]) -> list[Taking]:
    """The takes that make one circle, if there is any."""
    graph: dict[Address, set[Address]] = {}
    for take in takes:
        graph.setdefault(take.taker, set()).add(take.holder)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        ring: list[Address] = error.args[1]
        pairs = set(zip(ring[1:], ring, strict=False))
        return [take for take in takes if (take.taker, take.holder) in pairs]
    return []


def _ordered(work: Work, own: Sequence[Taking], by_temporary: set[tuple[Address, str]]) -> Work:
    """The work on one object, which takes `own` unique values when they are free."""
    late = {take.field for take in own if take[:2] in by_temporary}
    first = replace(work.steps[0], takes_from=tuple(sorted({t.holder for t in own if t.field not in late})))
    if not late:
        return replace(work, steps=(first, *work.steps[1:]))
    until = {f.path: _temporary(work, f) for f in first.fields if f.path in late}
    early = tuple(dataclasses.replace(f, after=until.get(f.path, f.after)) for f in first.fields)
    final = tuple(dataclasses.replace(f, before=until[f.path]) for f in first.fields if f.path in late)
    take = Step(Take, final, takes_from=tuple(sorted({t.holder for t in own if t.field in late})))
    first, later = replace(first, fields=early), work.steps[1:]
    # A gate that was opened is shut again whatever becomes of the rest.
    return replace(work, steps=(first, *later, take) if work.opens_gate else (first, take, *later))


def _temporary(work: Work, change: FieldChange) -> str:
    """The value that a field has in the meantime."""
    kind, address = work.draft.kind, work.address
    if change.path != kind.identity[0]:
        return made_up(str(change.before or change.after), address)
    key = temporary(kind, address)
    return Address(kind.name, key).own_name if kind.inside else key
