"""Desired + live → Plan: what to do, as pure data, in order.

An object is one `Change`, however many requests it takes: `fields` first, then each `Step` of `then` after the objects
that it names. The order is that of the graph, and by kind and key where the graph leaves it open, so the same manifests
in any order give the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reconciler.change import Change, Plan, Step
from reconciler.desired import Desired
from reconciler.diff import FieldChange, canonical, changes, creation
from reconciler.errors import ManifestError, Problem, RefusedError
from reconciler.graph import in_order
from reconciler.kind import Object
from reconciler.live import Live
from reconciler.names import Address, Context, Names, Reference, Row, Unresolved
from reconciler.spec import PARTIAL
from reconciler.staging import Draft, stage

ARCHIVED = 9
"""A project's status number (Redmine 3.0 to 7.0)."""

__all__ = ["Change", "FieldChange", "Plan", "Step", "make"]


def make(desired: Desired, live: Live, url: str, chosen: Callable[[Address], bool] = lambda address: True) -> Plan:
    """The plan for the objects that `chosen` accepts.

    Raises ManifestError with every name that stands for nothing and every value that cannot be, RefusedError for the
    deletion of a protected object.
    """
    if desired.problems:
        raise ManifestError(desired.problems)
    planner = _Planner(desired, live.names, live.me)
    drafts = {a: d for a, d in planner.drafts().items() if chosen(a)}
    problems = [*live.problems, *planner.problems]
    if problems:
        raise ManifestError(problems)
    if planner.protected:
        said = ", ".join(planner.protected)
        raise RefusedError(f"Declared absent, but protected: {said}. Nothing is deleted: remove protect first.")
    made = in_order(stage(drafts, live.names))
    hidden = tuple(a for a in planner.hidden if chosen(a))
    unchanged = sum(map(chosen, desired.objects)) - len(made) - len(hidden)
    return Plan(url, tuple(made), unchanged, uncompared=hidden)


class _Planner:
    """Compares every declared object with its live one."""

    def __init__(self, desired: Desired, names: Names, me: Row) -> None:
        self.me = me
        self.desired = desired
        self.names = names
        self.problems: list[Problem] = []
        self.protected: list[str] = []
        self.hidden: list[Address] = []

    def drafts(self) -> dict[Address, Draft]:
        """A draft for every object that is there, or shall be."""
        rows = {address: self.live(thing) for address, thing in self.desired.objects.items()}
        self.distinct({a: row for a, (row, _) in rows.items() if row is not None})
        found = {a: self.draft(self.desired.objects[a], *live) for a, live in rows.items()}
        return {address: draft for address, draft in found.items() if draft is not None}

    def distinct(self, rows: Mapping[Address, Row]) -> None:
        """A Problem for two declared objects that are one live one (a rename, and the old name)."""
        owners: dict[tuple[str, Any], Address] = {}
        for address, row in rows.items():
            owner = owners.setdefault((address.kind, row["id"]), address)
            if owner != address:
                places = (self.desired.objects[a].source for a in (address, owner))
                said = f"it and {owner} are the same object on the server (#{row['id']})"
                self.problems.append(Problem(next(places), said, str(address), "keep one", tuple(places)))

    def draft(self, found: Object, row: Row | None, reason: str | None) -> Draft | None:
        """What must happen to one object; None if it is gone, as it should be."""
        for field, said in found.kind.forbids(found, self.me):
            self.problems.append(Problem(found.where(field), said, str(found.address)))
        if found.spec.state == "absent":
            return None if row is None else self.deletion(found, row, reason)
        if self.out_of_reach(found):
            self.hidden.append(found.address)
            return None
        context = Context(self.names, found.project)
        values, problems = canonical(found, context)
        self.problems += [*problems, *self.container(found)]
        if row is None:
            self.problems += self.lacking(found)
        for path, said, hint in found.kind.misfits(row, values, context):
            self.problems.append(Problem(found.where(path), said, str(found.address), hint))
        made = list(creation(found, values) if row is None else changes(found, values, row, context))
        marks = found.kind.marks(found.address, row, context)
        made += [FieldChange(path, before, after) for path, (before, after) in marks.items()]
        if marks and row is not None:
            reason = reason or "found without its key"
        if row is not None and PARTIAL in row and not made:
            self.hidden.append(found.address)
            return None
        return Draft(found, row, values, made, reason)

    def lacking(self, found: Object) -> Iterator[Problem]:
        """A Problem if an object that does not exist yet lacks what Redmine needs to create it."""
        missing = [name for name in found.kind.required if getattr(found.spec, name) is None]
        if missing:
            said = f"it does not exist yet, and {' and '.join(missing)} must be given to create it"
            yield Problem(found.source, said, str(found.address))

    def deletion(self, found: Object, row: Row, reason: str | None) -> Draft:
        """The deletion of an object, with what Redmine deletes along with it; Problems for what the manifests want."""
        if found.spec.protect:
            self.protected.append(f"{found.address} ({found.source})")
        along = [Address(found.kind.name, key) for key in found.kind.takes_along(found.address, row, self.names)]
        gone = {found.address.key, *(a.key for a in along)} if not found.kind.inside else set()
        for address, other in self.desired.objects.items():
            goes = address in along or (other.kind.inside and address.project in gone)
            if goes and other.spec.state == "present":
                said = f"Redmine deletes it with {found.address}, which is declared absent"
                self.problems.append(Problem(other.source, said, str(address), also=(found.source,)))
        taken = f"deletes {', '.join(a.key for a in along)} as well" if along else None
        return Draft(found, row, {}, [], reason or taken)

    def out_of_reach(self, found: Object) -> bool:
        """Whether an object is inside an archived project, which the API does not show: nothing can be compared.

        A Problem, unless the manifests want the project archived.
        """
        if not found.kind.inside:
            return False
        row = self.names.row(Address("project", found.address.project)) or {}
        if row.get("status") != ARCHIVED:
            return False
        wanted = self.names.planned.get("project", {}).get(found.address.project)
        if getattr(wanted, "status", None) != "archived":
            said = f'project "{found.address.project}" is archived, and what is inside it cannot be read'
            hint = "unarchive it first, by itself: status: active"
            self.problems.append(Problem(found.source, said, str(found.address), hint))
        return True

    def live(self, found: Object) -> tuple[Row | None, str | None]:
        """The live object, under its key or the one it was renamed from."""
        row = self.names.row(found.address)
        if row is not None or not found.spec.renamed_from:
            return row, None
        old = Address(found.address.kind, found.kind.renamed_key(found.spec, found.address))
        row = self.names.row(old)
        if row is not None:
            self.names.add(found.address.kind, found.address.key, row)
        return row, f"renamed from {old.key}" if row is not None else None

    def container(self, found: Object) -> Iterator[Problem]:
        """A Problem if the project that an object is inside of is nowhere."""
        if found.kind.inside:
            try:
                Context(self.names).resolve(Reference(("project",), "", found.address.project))
            except Unresolved as error:
                yield Problem(found.where("project"), str(error), str(found.address), error.hint)
            yield from self.module(found)

    def module(self, found: Object) -> Iterator[Problem]:
        """A Problem if Redmine hides objects of this kind, because the project's module is or will be off."""
        project, module = Address("project", found.address.project), found.kind.module
        row, spec = self.names.row(project), self.names.planned.get("project", {}).get(found.address.project)
        modules = getattr(spec, "enabled_modules", None)
        if modules is None and row is not None and "enabled_modules" in row:
            modules = [m["name"] for m in row["enabled_modules"]]
        if module and modules is not None and module not in modules:
            said = f'it needs the module {module}, which is off in project "{found.address.project}"'
            yield Problem(found.source, said, str(found.address), f"add {module} to enabled_modules")
