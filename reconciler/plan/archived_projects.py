"""Archived projects: the API shows nothing of them (403, Redmine 5.0 to 7.0), so they are unarchived to be compared.

That takes two plans. The first one unarchives; the second one is made of what can be seen then, and archives again
what was archived and is not declared otherwise. Redmine unarchives the projects above along with a project.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.kind import Object, undeclared
from reconciler.model.name_index import Names
from reconciler.plan.operations import Change, FieldChange, Plan, Unarchive, Warned
from reconciler.state.desired import Desired

ARCHIVED_NUMBER = 9
"""A project's status number (Redmine 3.0 to 7.0)."""
ARCHIVED = "archived"
UNARCHIVING = FieldChange("status", ARCHIVED, "active")


def archived(project: Address, names: Names) -> bool:
    """Whether a project is archived."""
    return (names.row(project) or {}).get("status") == ARCHIVED_NUMBER


def container(address: Address) -> Address:
    """The project that an object is inside of, or the project itself."""
    return address.container


def wanted(project: Address, names: Names) -> str | None:
    """The status that a project is declared to have."""
    return getattr(names.declared("project").get(project.key), "status", None)


def opened(plan: Plan) -> list[Change]:
    """The changes of a plan that unarchive a project."""
    return [c for c in plan.changes if any(isinstance(operation, Unarchive) for operation in c.operations)]


def unarchiving(project: Object) -> FieldChange:
    """The change of a project's status that takes it out of the archive, with its place in the manifest."""
    return replace(UNARCHIVING, location=project.where(UNARCHIVING.path))


def visible(names: Names) -> frozenset[str]:
    """The projects of which the server shows something."""
    return frozenset(key for key in names.live("project").ids if not archived(Address("project", key), names))


def purpose(project: Address, shown: Collection[Address], names: Names) -> str:
    """Why a project is unarchived: how many objects can be compared then, and what becomes of it."""
    inside = len([a for a in shown if a != project])
    counted = [f"{inside} {'object' if inside == 1 else 'objects'} inside"] if inside else []
    what = " and ".join([*(["its fields"] if project in shown else []), *counted])
    ends = {"active": "", "closed": "; then it is closed"}
    return f"{what} can be compared after that{ends.get(wanted(project, names) or '', '; then it is archived again')}"


def shut_again(first: Plan, before: Collection[str], desired: Desired, names: Names) -> dict[Address, Object]:
    """The projects that the plan `first` took out of the archive and that go back, as the manifests would say it.

    `before` are those that were visible, `names` is what was read since.
    """
    back: dict[Address, Object] = {}
    for change in opened(first):
        for project in (change.address, *above(change.address, before, names)):
            if wanted(project, names) in (None, ARCHIVED) and not _kept_open(project, first, names):
                back[project] = _archived(project, change.address, first, desired)
    return back


def stay_open(first: Plan, before: Collection[str], names: Names) -> Iterator[Warned]:
    """What is to be said of projects that were archived and that Redmine keeps no longer so, unasked."""
    for change in opened(first):
        for project in above(change.address, before, names):
            if wanted(project, names) is None and _kept_open(project, first, names):
                said = f"was archived, and Redmine unarchives it with {change.address} below it"
                yield Warned(project, change.source, said)


def above(project: Address, before: Collection[str], names: Names) -> list[Address]:
    """The projects that Redmine unarchived along with one: those above it that could not be seen."""
    ancestors: list[Address] = []
    while (row := names.row(ancestors[-1] if ancestors else project)) and "parent" in row:
        key = names.live("project").keys.get(row["parent"]["id"], "")
        if not key or key in before:
            break
        ancestors.append(Address("project", key))
    return ancestors


def _kept_open(project: Address, first: Plan, names: Names) -> bool:
    """Whether a project below it shall not be archived: Redmine archives all that is below an archived one."""
    below = (c.address for c in opened(first) if project in above(c.address, (), names))
    return any(wanted(other, names) in ("active", "closed") for other in below)


def _archived(project: Address, near: Address, first: Plan, desired: Desired) -> Object:
    declared = desired.objects.get(project)
    if declared is not None:
        return replace(declared, spec=declared.spec.model_copy(update={"status": ARCHIVED}))
    place = desired.objects.get(near) or next(desired.objects[a] for a in first.revealed if container(a) == near)
    return undeclared(kinds()["project"], project.key, place.body, status=ARCHIVED)


def alone(projects: Mapping[Address, Object], desired: Desired) -> Desired:
    """A desired state of nothing but these projects, archived."""
    bare = {a: undeclared(o.kind, a.key, o.body, status=ARCHIVED) for a, o in projects.items()}
    return replace(desired, objects=dict(sorted(bare.items())))
