"""What comes after what: the steps of all changes as a graph.

A node is a step of a change (0 is its main part). A barrier, the address `*kind` in a project, stands for all work on
one kind there, `+kind` for all but deletions. `soft` edges only order; where an edge is `hard` too, a failure skips
what needs it.
"""

from __future__ import annotations

import graphlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.errors import RefusedError
from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.plan.operations import Change, Step

Node = tuple[Address, int]


@dataclass(frozen=True, slots=True)
class Graph:
    """For each node, the nodes that come before it."""

    soft: Mapping[Node, set[Node]]
    hard: Mapping[Node, set[Node]]

    def sorter(self) -> graphlib.TopologicalSorter[Node]:
        """A sorter that is ready to be asked. Raises RefusedError for changes that wait for each other."""
        for soft in (self.soft, _relaxed(self.soft)):
            sorter = graphlib.TopologicalSorter(soft)
            try:
                sorter.prepare()
            except graphlib.CycleError as error:
                ring = " → ".join(dict.fromkeys(str(address) for address, _ in error.args[1]))
            else:
                return sorter
        raise RefusedError(f"These changes wait for each other and cannot be made together: {ring}.")


def _relaxed(soft: Mapping[Node, set[Node]]) -> dict[Node, set[Node]]:
    """The order without the edges to barriers that are part of a circle: what is behind one needs not all before it."""
    after: defaultdict[Node, set[Node]] = defaultdict(set)
    for node, before in soft.items():
        for other in before:
            after[other].add(node)
    return {n: before - _reached(n, after) if n[0].kind[0] in BARRIERS else before for n, before in soft.items()}


def _reached(node: Node, after: Mapping[Node, set[Node]]) -> set[Node]:
    found, fresh = set[Node](), {node}
    while fresh:
        fresh = {other for one in fresh for other in after.get(one, ())} - found
        found |= fresh
    return found


BARRIERS = "*+"
"""What the kinds of barriers begin with."""


def graph_of(changes: Iterable[Change]) -> Graph:
    """The order of all steps: projects before what is inside, what is named before what names it."""
    by_address = {c.address: c for c in changes}
    soft: dict[Node, set[Node]] = defaultdict(set)
    hard: dict[Node, set[Node]] = defaultdict(set)
    for change in by_address.values():
        main = (change.address, 0)
        soft[main] |= set(_before(change, by_address))
        soft[main] |= {(a, len(by_address[a].then)) for a in change.awaits if a in by_address}
        hard[main] = {(a, 0) for a in _needs(change, by_address)}
        for index, step in enumerate(change.then, 1):
            ends = {_end(change, step, by_address[a]) for a in step.after if a in by_address}
            soft[(change.address, index)] = {(change.address, index - 1), *ends, *_behind(change, step)}
            # A door that was opened is shut again whatever became of the work behind it.
            hard[(change.address, index)] = {(change.address, index - 1), *(() if change.opens else ends)}
        _barriers(change, soft)
    return Graph(soft, hard)


def in_order(changes: Sequence[Change]) -> list[Change]:
    """The changes as they will be made; kinds by rank and keys by name where the graph leaves it open."""
    by_address = {c.address: c for c in changes}
    order = {name: index for index, name in enumerate(kinds())}
    sorter = graph_of(changes).sorter()
    result = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda n: (order.get(n[0].kind, -1), n[0].key, n[1]))
        result += [by_address[address] for address, step in ready if step == 0 and address in by_address]
        sorter.done(*ready)
    return result


def _names(change: Change) -> Iterator[Address]:
    """The objects that a change names, and its project; not those that only a step of its own waits for."""
    yield from change.uses
    yield from _container(change)


def _container(change: Change) -> Iterator[Address]:
    if kinds()[change.address.kind].inside:
        yield change.address.container


def _needs(change: Change, by_address: Mapping[Address, Change]) -> Iterator[Address]:
    """The objects without which the main part fails: those that are created, or opened for it."""
    for address in _names(change) if change.action != "delete" else _container(change):
        other = by_address.get(address)
        if other is not None and (other.action == "create" or other.opens):
            yield address


def _before(change: Change, by_address: Mapping[Address, Change]) -> Iterator[Node]:
    """The steps that come before a change's main part."""
    for address in _names(change):
        other = by_address.get(address)
        # What names an object that goes, or is inside it, is done with before.
        named = change.action == "delete" and address in change.uses
        if other is not None and (named or other.action != "delete"):
            yield (address, len(other.then) if named else 0)
    inside = kinds()[change.address.kind].inside
    for kind in inside.follows if inside else ():
        yield (Address(f"*{kind}", change.address.project), 0)
        # What is made in one project can be inherited by others.
        yield (Address(f"+{kind}", ""), 0)


def waits_for_named(change: Change, step: Step) -> bool:
    """Whether a step waits for the objects that it names, and not for those that name its object."""
    deferred = kinds()[change.address.kind].fields[step.fields[0].path.partition(".")[0]].deferred
    return deferred is not None and deferred.wait == "references"


def shuts(change: Change, index: int) -> bool:
    """Whether a step shuts a door behind which nothing can be mended any more (a project is closed)."""
    fields = change.fields if index == 0 else change.then[index - 1].fields
    gates = ((f, kinds()[change.address.kind].fields[f.path.partition(".")[0]].gate) for f in fields)
    return any(gate is not None and not gate.via and f.after in gate.shut for f, gate in gates)


def _end(change: Change, step: Step, other: Change) -> Node:
    """The step of `other` that must be done before `step`: its last that does not itself wait for `change`.

    What is inside a project never waits for the project to be finished, so the project waits for all of it.
    """
    if waits_for_named(change, step):
        return (other.address, 0)
    if kinds()[other.address.kind].inside and change.address == other.address.container:
        return (other.address, len(other.then))
    waiting = (i for i, s in enumerate(other.then, 1) if change.address in s.after and not waits_for_named(other, s))
    return (other.address, next(waiting, len(other.then) + 1) - 1)


def _behind(change: Change, step: Step) -> Iterator[Node]:
    """The barriers that a step comes after."""
    deferred = kinds()[change.address.kind].fields[step.fields[0].path.partition(".")[0]].deferred
    for kind in deferred.behind if deferred else ():
        yield (Address(f"+{kind}", change.address.project), 0)


def _barriers(change: Change, soft: dict[Node, set[Node]]) -> None:
    address = change.address
    if kinds()[address.kind].inside:
        soft[(Address(f"*{address.kind}", address.project), 0)].add((address, 0))
        if change.action != "delete":
            for project in (address.project, ""):
                soft[(Address(f"+{address.kind}", project), 0)].add((address, 0))
