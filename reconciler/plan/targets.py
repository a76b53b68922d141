"""The objects of a plan: `--target` and `--exclude`, as globs over `kind/key` (`version/web-shop/*`).

A target includes its dependencies: objects that it refers to, or is inside, and that must be created or opened for it.
Whatever depends on an excluded object is excluded with it, and with a project everything inside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from reconciler.errors import ReconcilerError
from reconciler.model.address import CONTAINER, Address
from reconciler.model.capabilities import DerivedFields
from reconciler.model.kind import Kind, Object
from reconciler.plan.operations import Change, MilestoneId, Operation, Plan
from reconciler.plan.options import label, matches, matching
from reconciler.plan.reach import closure, grouped, turned
from reconciler.record import Record
from reconciler.state.desired import is_inside


class Selection(Record):
    """The chosen objects. `added` are dependencies of targets, `dropped` depend on excluded objects."""

    chosen: frozenset[Address]
    added: tuple[Address, ...] = ()
    dropped: tuple[Address, ...] = ()


def resent(patterns: Sequence[str], objects: Mapping[Address, Object]) -> frozenset[tuple[Address, str]]:
    """The (object, field) that match `patterns`. Raises ReconcilerError for a pattern that matches no such field."""
    if not patterns:
        return frozenset()
    labels = {f"{label(a)}.{name}": (a, name) for a, declared in objects.items() for name in declared.fields}
    chosen = set()
    for pattern in patterns:
        fields = [labels[text] for text in matches(pattern, labels, "--resend", "field")]
        resendable = [(a, name) for a, name in fields if _resendable(objects[a].kind, name)]
        if not resendable:
            reason = "Redmine returns this field, so it is compared and need not be sent again"
            raise ReconcilerError(f'--resend "{pattern}": {reason}.')
        chosen.update(resendable)
    return frozenset(chosen)


def _resendable(kind: Kind, name: str) -> bool:
    """Whether a field is never compared, or not always."""
    api = kind.fields[name]
    return (api.read is None and not api.along) or name in kind.capability(DerivedFields).fields


def select(
    plan: Plan, declared: Iterable[Address], targets: Sequence[str] = (), excludes: Sequence[str] = ()
) -> Selection:
    """The objects to plan among the `declared` ones; `plan` is the one for all of them.

    Raises ReconcilerError for a pattern that matches nothing, and for a target that needs an excluded object.
    """
    known = frozenset(declared)
    named = matching(excludes, known, "--exclude")
    # What is pruned inside an excluded project as well.
    inside = frozenset(a for a in known - named if is_inside(a.kind) and a.container in named)
    excluded = named | inside
    wanted = matching(targets, known, "--target") if targets else known
    needs = _needs(plan)
    dropped = closure(excluded, turned(needs)) - excluded
    # Without targets, dependents of excluded objects are left out. An explicit target must be complete.
    if targets:
        _check(wanted & dropped, excluded, needs)
    chosen = closure(wanted, needs) if targets else wanted
    result = chosen - excluded - dropped
    left_out = (dropped | inside) & chosen if excludes else ()
    return Selection(result, tuple(sorted(result - wanted)), tuple(sorted(left_out)))


def needing(plan: Plan, objects: Iterable[Address], unsure: Collection[Address] = ()) -> dict[Address, Address]:
    """The changes that would fail without these objects, each with the one that it needs.

    Of those that are `unsure` it is not known which live object they are: what names them needs them too.
    """
    needs = _needs(plan)
    for change in plan.changes if unsure else ():
        needs[change.address].update(a for o in change.operations for a in o.waits_for if a in unsure)
    needed, edges = frozenset(objects), turned(needs)
    found: dict[Address, Address] = {}
    seen: set[Address] = set()
    for one in sorted(needed):
        # Each change once, however many of these objects it needs: the first of them is named.
        new = closure([one], edges, seen)
        found |= dict.fromkeys(new - needed, one)
        seen |= new
    return found


def _needs(plan: Plan) -> dict[Address, set[Address]]:
    """For each change, the changes without which it fails."""
    companions = _Companions(plan)
    return {change.address: {*_required(change), *companions.of(change)} for change in plan.changes}


def _required(change: Change) -> Iterator[Address]:
    """What must be created or opened for an object, and what it refers to in later operations."""
    for operation in change.operations:
        if operation.names_what_it_waits_for:
            yield from operation.waits_for
        # Later operations wait for objects that refer to this one, which it does not need.
        elif operation.id.number == 0:
            yield from (required.address for required in operation.requires)


class _Companions:
    """What comes before an object through a milestone and refers to the same object: the membership of an assignee."""

    def __init__(self, plan: Plan) -> None:
        self.references = {o.id: _references(o) for o in plan.operations if o.id.number == 0}
        self.referrers: dict[MilestoneId, Mapping[Address, set[Address]]] = {}
        for milestone in plan.milestones:
            # A milestone without a project orders the work in all projects; companions are in the object's own.
            if milestone.id.project and milestone.id.kind != CONTAINER:
                pairs = ((target, one.address) for one in milestone.after for target in self.references.get(one, ()))
                self.referrers[milestone.id] = grouped(pairs)

    def of(self, change: Change) -> Iterator[Address]:
        """The companions of one object."""
        for operation in change.operations[:1]:
            for milestone in operation.after:
                referrers = self.referrers.get(milestone, {}) if isinstance(milestone, MilestoneId) else {}
                for target in self.references[operation.id] if referrers else ():
                    yield from referrers.get(target, ())


def _references(operation: Operation) -> set[Address]:
    """The objects that an operation comes after, except the project of its own object."""
    address = operation.id.address
    return {other for other in operation.waits_for if other != address.container}


def _check(stuck: Iterable[Address], excluded: frozenset[Address], needs: Mapping[Address, set[Address]]) -> None:
    """Raise ReconcilerError for the first target that needs an excluded object."""
    for address in sorted(stuck):
        missing = min(closure([address], needs) & excluded)
        raise ReconcilerError(f"{address} depends on {missing}, which is excluded: exclude both, or neither.")
