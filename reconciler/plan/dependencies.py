"""The dependency graph: the work on all objects → operations with explicit edges, in order.

All edges are made here: a project comes before its contents, an object before those that refer to it, and what no
longer refers to an object before its deletion.
"""

from __future__ import annotations

import graphlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from reconciler.errors import RefusedError
from reconciler.kinds import kinds
from reconciler.model.address import Address, Unresolved
from reconciler.model.name_index import Context
from reconciler.plan.access import closes_access
from reconciler.plan.operations import Change, Id, Milestone, MilestoneId, Operation, OperationId, Plan
from reconciler.plan.scheduling import Step, Work, evidence, fingerprint
from reconciler.state.desired import Desired, references
from reconciler.state.live import fresh_names

Predecessors = Mapping[Id, Sequence[Id]]


class CycleError(RefusedError):
    """Changes that wait for each other. `operations` are those of one cycle; each comes before the next."""

    def __init__(self, operations: Sequence[OperationId]) -> None:
        path = " → ".join(dict.fromkeys(str(one.address) for one in operations))
        super().__init__(f"These changes form a dependency cycle and cannot be applied together: {path}.")
        self.operations = operations


class Graph(NamedTuple):
    """The changes in the order of the plan, and the milestones that their operations come after."""

    changes: tuple[Change, ...]
    milestones: tuple[Milestone, ...]


def build(work: Iterable[Work]) -> Graph:
    """The operations of all work, with their edges. Raises CycleError."""
    builder = _Builder({item.address: item for item in work})
    changes = [builder.change(item) for item in builder.work.values()]
    milestones = _relaxed(changes, builder.milestones(changes))
    return Graph(tuple(in_order(changes, milestones)), tuple(milestones))


def sorter(plan: Plan) -> graphlib.TopologicalSorter[Id]:
    """A prepared sorter of all operations and milestones of a plan."""
    prepared = graphlib.TopologicalSorter(_predecessors(plan.changes, plan.milestones))
    prepared.prepare()
    return prepared


def declared_dependencies(desired: Desired) -> Iterator[tuple[Address, Address]]:
    """(dependency, dependent) for every reference from one declared object to another."""
    names = fresh_names(desired)
    for address, declared in desired.objects.items():
        for _, reference in references(declared, names):
            try:
                target = Context(names, declared.project).resolve(reference)
            except Unresolved:
                continue
            if target in desired.objects and target != address:
                yield target, address


# -- edges -----------------------------------------------------------------------------------------------------


class _Builder:
    """Makes operations from the work on all objects."""

    def __init__(self, work: Mapping[Address, Work]) -> None:
        self.work = work
        self.turns = {_turn(address) for item in work.values() for address in item.turns[0]}

    def change(self, work: Work) -> Change:
        """The change of one object, with all its operations."""
        draft = work.draft
        later = (self._later(work, number, step) for number, step in enumerate(work.steps) if number)
        return Change(
            draft.address,
            draft.row["id"] if draft.row else None,
            draft.declared.source,
            (self._first(work), *later),
            fingerprint(draft.row, work.fields, evidence(draft.kind, draft.row) if draft.undeclared else None),
            work.unchanged,
            draft.undeclared,
        )

    def _first(self, work: Work) -> Operation:
        step = work.steps[0]
        taken = (OperationId(address) for address in step.takes_from)
        requires = tuple(dict.fromkeys((*self._required(work), *taken)))
        milestones = (MilestoneId(kind, work.address.project, deletions=False) for kind in step.kinds_before)
        others = (*self._milestones_before(work), *milestones)
        before: list[Id] = [*self._before(work), *map(self._last, work.runs_after), *others]
        # Not a set: strings hash differently in each process, so a saved plan would not be the same twice.
        after = tuple(dict.fromkeys(other for other in before if other not in requires))
        return step.type(OperationId(work.address), step.fields, requires, after, work.draft.reason)

    def _required(self, work: Work) -> Iterator[OperationId]:
        """The operations without which the first one fails: those that create an object or open a gate for it."""
        deletes = work.draft.action == "delete"
        for address in dict.fromkeys((*(() if deletes else work.depends_on), *_container(work))):
            other = self.work.get(address)
            if other is not None and (other.draft.action == "create" or other.opens_gate):
                yield OperationId(address)
        # What leaves must have left: if its move is refused, Redmine deletes it along, declared or not.
        yield from map(self._last, work.rescues)

    def _before(self, work: Work) -> Iterator[OperationId]:
        """The operations that come before the first one."""
        for address in (*work.depends_on, *_container(work)):
            other = self.work.get(address)
            # Before an object is deleted, all changes to its contents and to objects that refer to it are complete.
            refers = work.draft.action == "delete" and address in work.depends_on
            # No edge to a deletion: it waits for those that refer to the object, so the reverse edge would be a cycle.
            if other is not None and (refers or other.draft.action != "delete"):
                yield self._last(address) if refers else OperationId(address)

    def _milestones_before(self, work: Work) -> Iterator[MilestoneId]:
        yield from _milestones_before(work)
        # Only where somebody else comes first.
        yield from (turn for turn in map(_turn, work.turns[1]) if turn in self.turns)

    def _later(self, work: Work, number: int, step: Step) -> Operation:
        """An operation after the first; it requires the one before it."""
        own, before = OperationId(work.address, number), OperationId(work.address, number - 1)
        waited_for = dict.fromkeys((*step.waits_for, *step.takes_from))
        ends = tuple(self._end(work, step, self.work[a]) for a in waited_for if a in self.work)
        project = work.address.project
        milestones = tuple(MilestoneId(kind, project, deletions=False) for kind in step.kinds_before)
        if closes_access(work.draft.kind, step.fields):
            # Whatever fails before, even the write that opens the gate, if its response is lost.
            made = (OperationId(work.address),) if work.draft.action == "create" else ()
            earlier = (OperationId(work.address, n) for n in range(len(made), number))
            return step.type(own, step.fields, made, (*earlier, *ends, *milestones))
        if work.opens_gate and not step.takes_from:
            # A gate that was opened is restored even if the work that needed it failed.
            return step.type(own, step.fields, (before,), (*ends, *milestones))
        # Required, not just earlier: above an open subtask Redmine drops a closing (204; 5.0 to 6.1; test_trap_04).
        return step.type(own, step.fields, (before, *ends), milestones)

    def _end(self, work: Work, step: Step, other: Work) -> OperationId:
        """The operation of `other` that comes before `step`: its last one that does not itself wait for `work`.

        The contents of a project never wait for the project's later steps, so these wait for all of the contents.
        """
        # A link only needs the object to exist; the object's later steps may themselves wait for this one.
        if step.type.names_what_it_waits_for:
            return OperationId(other.address)
        if other.draft.kind.inside and work.address == other.address.container:
            return self._last(other.address)
        return OperationId(other.address, next(_waiting(other, work.address), len(other.steps)) - 1)

    def _last(self, address: Address) -> OperationId:
        return OperationId(address, len(self.work[address].steps) - 1)

    def milestones(self, changes: Iterable[Change]) -> list[Milestone]:
        """The milestones that are used, each with the operations that come before it."""
        members: dict[MilestoneId, list[OperationId]] = {}
        for change in changes:
            for operation in change.operations:
                members |= {other: [] for other in operation.after if isinstance(other, MilestoneId)}
        for work in self.work.values():
            for milestone in _milestones_after(work):
                if milestone in members:
                    members[milestone].append(OperationId(work.address))
        return [Milestone(milestone, tuple(before)) for milestone, before in members.items()]


def _container(work: Work) -> Iterator[Address]:
    if work.draft.kind.inside:
        yield work.address.container


def _waiting(other: Work, address: Address) -> Iterator[int]:
    """The numbers of the steps that wait for an object that refers to this one."""
    for number, step in enumerate(other.steps):
        if address in step.waits_for and not step.type.names_what_it_waits_for:
            yield number


def _turn(address: Address) -> MilestoneId:
    return MilestoneId(address.kind, address.key, deletions=False)


def _milestones_before(work: Work) -> Iterator[MilestoneId]:
    inside = work.draft.kind.inside
    for kind in inside.follows if inside else ():
        # Deletions too: deleting a membership clears the member as assignee of categories (5.0 to 6.1), so these come
        # after.
        yield MilestoneId(kind, work.address.project, deletions=True)
        # Objects created in one project can be inherited by others, as members are.
        yield MilestoneId(kind, "", deletions=False)


def _milestones_after(work: Work) -> Iterator[MilestoneId]:
    """The milestones that come after the first operation on an object."""
    yield from map(_turn, work.turns[0])
    kind, project = work.draft.kind, work.address.project
    if kind.inside:
        yield MilestoneId(kind.name, project, deletions=True)
        if work.draft.action != "delete":
            yield MilestoneId(kind.name, project, deletions=False)
            yield MilestoneId(kind.name, "", deletions=False)


# -- order -----------------------------------------------------------------------------------------------------


def _predecessors(changes: Iterable[Change], milestones: Iterable[Milestone]) -> Predecessors:
    operations = (operation for change in changes for operation in change.operations)
    predecessors: dict[Id, Sequence[Id]] = {operation.id: operation.predecessors for operation in operations}
    return predecessors | {milestone.id: milestone.after for milestone in milestones}


def _relaxed(changes: Sequence[Change], milestones: list[Milestone]) -> list[Milestone]:
    """The milestones; in case of a cycle, without the operations that themselves come after them.

    A milestone is a coarse order (all memberships before all issues). Where a single reference
    contradicts it, the reference wins.

    Raises CycleError for a cycle that remains.
    """
    if not _cycle(_predecessors(changes, milestones)):
        return milestones
    # From the complete graph: if milestones were relaxed one by one, the result would depend on their order.
    successors = _successors(_predecessors(changes, milestones))
    relaxed = []
    for milestone in milestones:
        # What comes after a milestone cannot also come before it (test_work_waits_for_no_members_that_wait_for_it).
        dependents = _reached(milestone.id, successors)
        relaxed.append(replace(milestone, after=tuple(one for one in milestone.after if one not in dependents)))
    if cycle := _cycle(_predecessors(changes, relaxed)):
        raise CycleError([one for one in cycle if isinstance(one, OperationId)])
    return relaxed


def _cycle(predecessors: Predecessors) -> Sequence[Id]:
    """A cycle, if there is one."""
    try:
        graphlib.TopologicalSorter(predecessors).prepare()
    except graphlib.CycleError as error:
        cycle: Sequence[Id] = error.args[1]
        return cycle
    return ()


def _successors(predecessors: Predecessors) -> Mapping[Id, set[Id]]:
    after: defaultdict[Id, set[Id]] = defaultdict(set)
    for one, before in predecessors.items():
        for other in before:
            after[other].add(one)
    return after


def _reached(start: Id, successors: Mapping[Id, set[Id]]) -> set[Id]:
    reached, frontier = set[Id](), {start}
    while frontier:
        frontier = {other for one in frontier for other in successors.get(one, ())} - reached
        reached |= frontier
    return reached


def in_order(changes: Sequence[Change], milestones: Sequence[Milestone]) -> Iterator[Change]:
    """The changes in the order of the graph; ties are broken by the rank of the kind, then by key."""
    by_address = {change.address: change for change in changes}
    ranks = {name: rank for rank, name in enumerate(kinds())}
    prepared = graphlib.TopologicalSorter(_predecessors(changes, milestones))
    prepared.prepare()
    while prepared.is_active():
        # All that is ready at once, so that it can be sorted: graphlib's own order follows the order of the manifests.
        ready = prepared.get_ready()
        # An object is listed at its first operation, with all later ones.
        first = (one.address for one in ready if isinstance(one, OperationId) and one.number == 0)
        for address in sorted(first, key=lambda a: (ranks[a.kind], a)):
            yield by_address[address]
        prepared.done(*ready)
