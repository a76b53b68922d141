"""Which objects a plan is for: `--target` and `--exclude`, as globs over `kind/key` (`version/web-shop/*`).

A target takes in what it needs: objects that it names, or is inside, and that are to be created or opened for it. What
needs an excluded object is left out with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.errors import ReconcilerError
from reconciler.manifest.loader import suggest
from reconciler.model.address import Address
from reconciler.model.capabilities import DerivedFields
from reconciler.model.kind import Kind, Object
from reconciler.plan.operations import Change, MilestoneId, Operation, Plan


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What to plan, and how. `targets` and `excludes` are globs over `kind/key`; `resend` are globs over
    `kind/key.field` for values that Redmine never shows (a password), or is thought to decide about: they are sent
    though nothing tells that they differ. With `unarchive`, archived projects are opened to be compared; with
    `keep_going`, objects that have a problem are left out, with what needs them."""

    targets: Sequence[str] = ()
    excludes: Sequence[str] = ()
    unarchive: bool = False
    resend: Sequence[str] = ()
    keep_going: bool = False


ALL = PlanOptions()


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen objects. `added` were not asked for but are needed, `dropped` need what is excluded."""

    chosen: frozenset[Address]
    added: tuple[Address, ...] = ()
    dropped: tuple[Address, ...] = ()


def resent(patterns: Sequence[str], objects: Mapping[Address, Object]) -> frozenset[tuple[Address, str]]:
    """The (object, field) that `patterns` mean. Raises ReconcilerError for a pattern that matches no such field."""
    labels = {f"{label(a)}.{name}": (a, name) for a, declared in objects.items() for name in declared.fields}
    chosen = set()
    for pattern in patterns:
        fields = [labels[text] for text in _alike(pattern, labels, "--resend", "field")]
        unseen = [(a, name) for a, name in fields if _unseen(objects[a].kind, name)]
        if not unseen:
            said = "Redmine shows this field, so it is compared, and there is nothing to send again"
            raise ReconcilerError(f'--resend "{pattern}": {said}.')
        chosen.update(unseen)
    return frozenset(chosen)


def _unseen(kind: Kind, name: str) -> bool:
    """Whether a field is one that is not compared, or not always."""
    api = kind.fields[name]
    return (api.read is None and not api.along) or name in kind.capability(DerivedFields).fields


def select(
    plan: Plan, declared: Iterable[Address], targets: Sequence[str] = (), excludes: Sequence[str] = ()
) -> Selection:
    """What of the `declared` objects to work on; `plan` is the one for all of them.

    Raises ReconcilerError for a pattern that matches nothing, and for a target that needs an excluded object.
    """
    known = frozenset(declared)
    excluded = _matching(excludes, known, "--exclude")
    wanted = _matching(targets, known, "--target") if targets else known
    needs = _needs(plan)
    dropped = _closure(excluded, _reversed(needs)) - excluded
    if targets:
        _check(wanted, excluded, needs)
    chosen = _closure(wanted, needs) if targets else wanted
    result = chosen - excluded - dropped
    return Selection(result, tuple(sorted(result - wanted)), tuple(sorted((dropped & chosen) if excludes else ())))


def needing(plan: Plan, objects: Iterable[Address]) -> dict[Address, Address]:
    """The changes that would fail without these objects, each with the one that it needs."""
    needed, edges = frozenset(objects), _reversed(_needs(plan))
    found: dict[Address, Address] = {}
    for one in sorted(needed):
        found |= {address: one for address in _closure([one], edges) - needed if address not in found}
    return found


def label(address: Address) -> str:
    """What patterns are compared with."""
    return f"{address.kind}/{address.key}"


def _matching(patterns: Sequence[str], known: Iterable[Address], option: str) -> frozenset[Address]:
    labels = {label(a): a for a in known}
    return frozenset(labels[text] for pattern in patterns for text in _alike(pattern, labels, option, "object"))


def _alike(pattern: str, labels: Iterable[str], option: str, what: str) -> list[str]:
    """The labels that a pattern matches; raises ReconcilerError if there are none."""
    matches = [text for text in labels if text == pattern or fnmatchcase(text, pattern)]
    if not matches:
        raise ReconcilerError(f'{option} "{pattern}" matches no declared {what}{_hint(pattern, labels)}.')
    return matches


def _hint(pattern: str, labels: Iterable[str]) -> str:
    near = suggest(pattern, labels)
    return f" ({near})" if near else ": a pattern is KIND/KEY, such as version/web-shop/1.0 or issue/web-shop/*"


def _needs(plan: Plan) -> dict[Address, set[Address]]:
    """For each change, the changes without which it fails."""
    companions = _Companions(plan)
    return {change.address: {*_required(change), *companions.of(change)} for change in plan.changes}


def _required(change: Change) -> Iterator[Address]:
    """What is created or opened for an object, and what it names later on."""
    for operation in change.operations:
        if operation.names_what_it_waits_for:
            yield from operation.waits_for
        elif operation.id.number == 0:
            yield from (required.address for required in operation.requires)


class _Companions:
    """What comes before an object by way of a milestone and names the same object: the membership of an assignee."""

    def __init__(self, plan: Plan) -> None:
        self.named = {o.id: _named(o) for o in plan.operations if o.id.number == 0}
        self.naming: dict[MilestoneId, Mapping[Address, set[Address]]] = {}
        for milestone in plan.milestones:
            # Such a milestone orders the work in all projects; companions are in the object's own.
            if milestone.id.project:
                pairs = ((named, one.address) for one in milestone.after for named in self.named.get(one, ()))
                self.naming[milestone.id] = _grouped(pairs)

    def of(self, change: Change) -> Iterator[Address]:
        """The companions of one object."""
        for operation in change.operations[:1]:
            for milestone in operation.after:
                naming = self.naming.get(milestone, {}) if isinstance(milestone, MilestoneId) else {}
                for named in self.named[operation.id] if naming else ():
                    yield from naming.get(named, ())


def _named(operation: Operation) -> set[Address]:
    """The objects that an operation comes after, but for the project that its own is inside of."""
    address = operation.id.address
    return {other for other in operation.waits_for if other != address.container}


def _grouped(pairs: Iterable[tuple[Address, Address]]) -> dict[Address, set[Address]]:
    groups: defaultdict[Address, set[Address]] = defaultdict(set)
    for one, other in pairs:
        groups[one].add(other)
    return groups


def _reversed(needs: Mapping[Address, Iterable[Address]]) -> dict[Address, set[Address]]:
    return _grouped((needed, address) for address, others in needs.items() for needed in others)


def _closure(start: Iterable[Address], edges: Mapping[Address, Iterable[Address]]) -> frozenset[Address]:
    """`start` and everything that the edges lead to."""
    reached: set[Address] = set()
    waiting = list(start)
    while waiting:
        address = waiting.pop()
        if address not in reached:
            reached.add(address)
            waiting += edges.get(address, ())
    return frozenset(reached)


def _check(wanted: Iterable[Address], excluded: frozenset[Address], needs: Mapping[Address, set[Address]]) -> None:
    for address in sorted(set(wanted) - excluded):
        missing = sorted(_closure([address], needs) & excluded)
        if missing:
            raise ReconcilerError(f"{address} needs {missing[0]}, which --exclude leaves out: leave out both, or none.")
