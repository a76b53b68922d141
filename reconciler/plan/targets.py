"""Which objects a plan is for: `--target` and `--exclude`, as globs over `kind/key` (`version/web-shop/*`).

A target takes in what it needs: objects that it names, or is inside, and that are to be created or opened for it. What
needs an excluded object is left out with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from reconciler.errors import ReconcilerError
from reconciler.kinds import kinds
from reconciler.manifest.loader import suggest
from reconciler.model.address import Address
from reconciler.model.capabilities import DerivedFields
from reconciler.model.kind import Kind, Object
from reconciler.plan.dependencies import graph_of, waits_for_named
from reconciler.plan.operations import Change, Plan


@dataclass(frozen=True, slots=True)
class Choice:
    """What to plan, and how. `targets` and `excludes` are globs over `kind/key`; `resend` are globs over
    `kind/key.field` for values that Redmine never shows (a password), or is thought to decide about: they are sent
    though nothing tells that they differ. With `unarchive`, archived projects are opened to be compared."""

    targets: Sequence[str] = ()
    excludes: Sequence[str] = ()
    unarchive: bool = False
    resend: Sequence[str] = ()


ALL = Choice()


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen objects. `added` were not asked for but are needed, `dropped` need what is excluded."""

    chosen: frozenset[Address]
    added: tuple[Address, ...] = ()
    dropped: tuple[Address, ...] = ()


def resent(patterns: Sequence[str], objects: Mapping[Address, Object]) -> frozenset[tuple[Address, str]]:
    """The (object, field) that `patterns` mean. Raises ReconcilerError for a pattern that matches no such field."""
    labels = {f"{label(a)}.{name}": (a, name) for a, found in objects.items() for name in found.fields}
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


def label(address: Address) -> str:
    """What patterns are compared with."""
    return f"{address.kind}/{address.key}"


def _matching(patterns: Sequence[str], known: Iterable[Address], option: str) -> frozenset[Address]:
    labels = {label(a): a for a in known}
    found: set[Address] = set()
    for pattern in patterns:
        found.update(labels[text] for text in _alike(pattern, labels, option, "object"))
    return frozenset(found)


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
    hard = graph_of(plan.changes).hard
    changed = {c.address for c in plan.changes}
    needs = {c.address: {a for a, _ in hard[(c.address, 0)]} | (_later(c) & changed) for c in plan.changes}
    for change in plan.changes:
        needs[change.address] |= _followed(change, plan)
    return needs


def _followed(change: Change, plan: Plan) -> set[Address]:
    """What a change follows and shares a named object with: the membership of a user that it names."""
    inside, named = kinds()[change.address.kind].inside, set(change.uses)
    kinds_before = inside.follows if inside else ()
    return {
        other.address
        for other in plan.changes
        if named and other.address.kind in kinds_before
        if other.address.project == change.address.project and named & set(other.uses)
    }


def _later(change: Change) -> set[Address]:
    return {a for step in change.then if waits_for_named(change, step) for a in step.after}


def _reversed(needs: Mapping[Address, Iterable[Address]]) -> dict[Address, set[Address]]:
    found: defaultdict[Address, set[Address]] = defaultdict(set)
    for address, needed in needs.items():
        for other in needed:
            found[other].add(address)
    return found


def _closure(start: Iterable[Address], edges: Mapping[Address, Iterable[Address]]) -> frozenset[Address]:
    """`start` and everything that the edges lead to."""
    found: set[Address] = set()
    waiting = list(start)
    while waiting:
        address = waiting.pop()
        if address not in found:
            found.add(address)
            waiting += edges.get(address, ())
    return frozenset(found)


def _check(wanted: Iterable[Address], excluded: frozenset[Address], needs: Mapping[Address, set[Address]]) -> None:
    for address in sorted(set(wanted) - excluded):
        missing = sorted(_closure([address], needs) & excluded)
        if missing:
            raise ReconcilerError(f"{address} needs {missing[0]}, which --exclude leaves out: leave out both, or none.")
