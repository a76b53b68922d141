"""Archived projects: the API hides their contents (403, Redmine 5.0 to 7.0), so they are unarchived to be compared.

That takes two plans. The first one unarchives projects. The second one compares their contents and archives the
projects again, unless they are declared otherwise. Redmine unarchives the ancestors of a project together with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.model.containers import Archive
from reconciler.model.from_above import from_above
from reconciler.model.kind import Object, undeclared
from reconciler.model.name_index import Names
from reconciler.plan.operations import Change, FieldChange, Plan, Unarchive, Warned
from reconciler.state.desired import Desired


def _archive() -> Archive:
    return kinds()[CONTAINER].capability(Archive)


def archived(project: Address, names: Names) -> bool:
    """Whether a project is archived."""
    known: dict[Address, bool] = names.memo.setdefault("archived", {})
    if project not in known:
        row = names.row(project)
        known[project] = row is not None and _archive().is_archived(row)
    return known[project]


def wanted(project: Address, names: Names) -> str | None:
    """The declared status of a project, if there is one."""
    return getattr(names.spec(project), _archive().field, None)


def stays_visible(project: Address, names: Names) -> bool:
    """Whether a project is declared with a status other than archived."""
    return wanted(project, names) not in (None, _archive().archived)


def archives(change: FieldChange) -> bool:
    """Whether a change of a project's status archives it."""
    return change.path == _archive().field and change.after == _archive().archived


def unarchives(change: FieldChange) -> bool:
    """Whether a change unarchives a project and makes it active."""
    archive = _archive()
    return (change.path, change.before, change.after) == (archive.field, archive.archived, archive.active)


def opened(plan: Plan) -> list[Change]:
    """The changes of a plan that unarchive a project."""
    return [c for c in plan.changes if any(isinstance(operation, Unarchive) for operation in c.operations)]


def unarchiving(project: Object) -> FieldChange:
    """The change of the status that unarchives a project, with its place in the manifest."""
    archive = _archive()
    return FieldChange(archive.field, archive.archived, archive.active, project.where(archive.field))


def visible(names: Names) -> frozenset[str]:
    """The live projects that are not archived."""
    return frozenset(key for key in names.live(CONTAINER).ids if not archived(Address(CONTAINER, key), names))


def purpose(project: Address, revealed: Collection[Address], names: Names) -> str:
    """The reason why a project is unarchived: what can be compared then, and its status afterwards."""
    inside = len([a for a in revealed if a != project])
    counted = [f"{inside} {'object' if inside == 1 else 'objects'} inside"] if inside else []
    what = " and ".join([*(["its fields"] if project in revealed else []), *counted])
    status = wanted(project, names)
    again = status if stays_visible(project, names) else f"{_archive().archived} again"
    end = "" if status == _archive().active else f"; {again} afterwards"
    return f"to compare {what}{end}"


def to_archive_again(first: Plan, before: Collection[str], desired: Desired, names: Names) -> dict[Address, Object]:
    """The projects that the plan `first` unarchived and that are archived again, as declared objects.

    `before` are the projects that were visible before that plan, `names` is the live state after it.
    """
    kept, inside = _kept_open(first, names), {a.container: a for a in reversed(first.revealed)}
    archived_again: dict[Address, Object] = {}
    for project, near in _opened_with(first, before, names).items():
        # None: neither it nor its status is declared, so it must end as it was found.
        if wanted(project, names) in (None, _archive().archived) and project.key not in kept:
            archived_again[project] = _archived(project, near, inside, desired)
    return archived_again


def stay_open(first: Plan, before: Collection[str], names: Names) -> Iterator[Warned]:
    """Warnings for undeclared projects that Redmine unarchived and that cannot be archived again."""
    staying = {key for key in _kept_open(first, names) if wanted(Address(CONTAINER, key), names) is None}

    def up(key: str) -> str:
        parent = names.live_parent(key)
        return "" if parent in before else parent

    def found(key: str, parent: str, above_that: str) -> str:
        return key if key in staying else above_that

    # For each project the nearest such one, itself or above: the way up is not walked again from each project below.
    nearest = {"": ""}
    for change in opened(first):
        key = change.address.key
        while key := from_above(up(key), nearest, up, found, ""):
            message = f"no longer archived: Redmine unarchived it together with {change.address} below it"
            yield Warned(Address(CONTAINER, key), change.source, message)


def above(project: Address, before: Collection[str], names: Names) -> list[Address]:
    """The ancestors that Redmine unarchived together with a project: those that were not visible."""
    ancestors: list[Address] = []
    # The live parents, not the declared ones: Redmine follows the tree as it is now.
    while (key := names.live_parent((ancestors[-1] if ancestors else project).key)) and key not in before:
        ancestors.append(Address(CONTAINER, key))
    return ancestors


def _opened_with(first: Plan, before: Collection[str], names: Names) -> dict[Address, Address]:
    """Each project that Redmine unarchived, with the last one that the plan unarchived at or below it."""
    seen, found = set(before), dict[Address, Address]()
    for change in reversed(opened(first)):
        # Up to a project that was seen before: each is looked at once, however many are below each other.
        for project in (change.address, *above(change.address, seen, names)):
            found.setdefault(project, change.address)
            seen.add(project.key)
    return found


def _kept_open(first: Plan, names: Names) -> set[str]:
    """The projects with a descendant that is declared as not archived: archiving one archives all below it."""
    kept = set[str]()
    for change in opened(first):
        if stays_visible(change.address, names):
            # Every ancestor counts, whether it was visible before or not; those of a kept one are kept already.
            kept.update(project.key for project in above(change.address, kept, names))
    return kept


def _archived(project: Address, near: Address, inside: Mapping[Address, Address], desired: Desired) -> Object:
    """A project, declared as archived. An undeclared one gets the place of `near` or of an object `inside` that."""
    declared = desired.objects.get(project)
    if declared is not None:
        # A copy: the spec belongs to the desired state, which may leave the status open.
        spec = declared.spec.model_copy(update={_archive().field: _archive().archived})
        return dataclasses.replace(declared, spec=spec)
    place = desired.objects.get(near) or desired.objects[inside[near]]
    return undeclared(kinds()[CONTAINER], project.key, place.body, **{_archive().field: _archive().archived})


def alone(projects: Mapping[Address, Object], desired: Desired) -> Desired:
    """A desired state with only these projects, archived."""
    status = {_archive().field: _archive().archived}
    # Without other fields: these can be why there is no second plan, and must not keep the project open.
    bare = {address: undeclared(o.kind, address.key, o.body, **status) for address, o in projects.items()}
    return replace(desired, objects=dict(sorted(bare.items())))
