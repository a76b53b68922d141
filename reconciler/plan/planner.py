"""Desired + live → Plan: what to do, as pure data, in order.

An object is one `Change`, however many requests it takes: `fields` first, then each `Step` of `then` after the objects
that it names. The order is that of the graph, and by kind and key where the graph leaves it open, so the same manifests
in any order give the same plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from reconciler.errors import ManifestError, Problem, RefusedError
from reconciler.kinds import kinds
from reconciler.model.address import Address, Reference, Row, Unresolved
from reconciler.model.capabilities import Deletion, DerivedFields, ManifestKey, OwnAccount, PartialRows, ReadOnly
from reconciler.model.codecs import shown
from reconciler.model.kind import Object, undeclared
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import PARTIAL
from reconciler.plan.archived_projects import OPENING, archived, container, purpose, wanted
from reconciler.plan.dependencies import in_order
from reconciler.plan.diff import FieldChange, canonical, changes, companions, creation
from reconciler.plan.operations import Change, Plan, Step, Warned
from reconciler.plan.scheduling import Draft, disturbed, stage, targets
from reconciler.state.desired import Desired
from reconciler.state.live import Live

__all__ = ["Change", "FieldChange", "Plan", "Step", "make"]


def make(
    desired: Desired,
    live: Live,
    url: str,
    chosen: Callable[[Address], bool] = lambda address: True,
    *,
    unarchive: bool = False,
    resent: frozenset[tuple[Address, str]] = frozenset(),
) -> Plan:
    """The plan for the objects that `chosen` accepts. With `unarchive`, archived projects are opened to be compared;
    `resent` are (object, field) that are sent though the server does not show them, or decides about them.

    Raises ManifestError with every name that stands for nothing and every value that cannot be, RefusedError for the
    deletion of a protected object.
    """
    if desired.problems:
        raise ManifestError(desired.problems)
    planner = _Planner(desired, live.names, live.me, unarchive, resent)
    drafts = {a: d for a, d in planner.drafts().items() if chosen(a)}
    revealed = planner.unarchived(drafts, [a for a in planner.hidden if chosen(a)])
    problems = [*live.problems, *planner.problems]
    if problems:
        raise ManifestError(problems)
    if planner.protected:
        said = ", ".join(planner.protected)
        raise RefusedError(f"Declared absent, but protected: {said}. Nothing is deleted: remove protect first.")
    watched = tuple(disturbed(drafts, live.names))
    made = in_order(stage(drafts, live.names))
    hidden = tuple(a for a in planner.hidden if chosen(a) and a not in revealed)
    others = {c.address for c in made}.union(hidden, revealed)
    unchanged = sum(chosen(a) and a not in others for a in desired.objects)
    warnings = tuple(w for w in planner.warnings if chosen(w.address))
    return Plan(
        url, tuple(made), unchanged, uncompared=hidden, warnings=warnings, revealed=revealed, disturbed=watched
    )


class _Planner:
    """Compares every declared object with its live one."""

    def __init__(
        self, desired: Desired, names: Names, me: Row, unarchive: bool, resent: frozenset[tuple[Address, str]]
    ) -> None:
        self.me = me
        self.resent = resent
        self.unarchive = unarchive
        self.desired = desired
        self.names = names
        self.problems: list[Problem] = []
        self.protected: list[str] = []
        self.hidden: list[Address] = []
        self.warnings: list[Warned] = []
        self.inside: defaultdict[Address, list[Address]] = defaultdict(list)
        for address, found in desired.objects.items():
            if found.kind.inside:
                self.inside[container(address)].append(address)

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
        for field, said in found.kind.capability(OwnAccount).forbids(found, self.me):
            self.problems.append(Problem(found.where(field), said, str(found.address)))
        if row is not None and (why := found.kind.capability(Deletion).being_deleted(row)):
            self.leaving(found, why)
            return None
        if self.out_of_reach(found):
            self.hidden.append(found.address)
            return None
        if found.spec.state == "absent":
            return None if row is None else self.deletion(found, row, reason)
        context = Context(self.names, found.project, found.address)
        values, problems = canonical(found, context)
        self.problems += [*problems, *self.container(found)]
        if row is None:
            self.problems += self.lacking(found)
        for path, said, hint in found.kind.conflicts(row, values, context):
            self.problems.append(Problem(found.where(path), said, str(found.address), hint))
        made = list(creation(found, values)) if row is None else self.differences(found, values, row, context)
        marks = found.kind.capability(ManifestKey).to_store(found.address, row, context)
        made += [FieldChange(path, before, after) for path, (before, after) in marks.items()]
        if row is not None and any(before is None for before, _ in marks.values()):
            reason = reason or "found without its key"
        if row is not None and self.unseen(found, row, values):
            self.unshown(found)
        self.problems += self.retired(found, made)
        if row is None:
            return Draft(found, row, values, made, reason)
        changed = {f.path.partition(".")[0] for f in made}
        lost = found.kind.losses(row, values, changed, context) if made else ()
        made += companions(found, values, changed)
        return Draft(found, row, values, made, "; ".join(filter(None, (reason, *lost))) or None)

    def differences(
        self, found: Object, values: Mapping[str, Any], row: Row, context: Context
    ) -> list[FieldChange]:
        """What must change, but for what Redmine itself decides: that is only told."""
        made = []
        for change in changes(found, values, row, context):
            why = found.kind.capability(DerivedFields).why_derived(row, change.path, context)
            if why and (found.address, change.path) not in self.resent:
                said = f"{change.path}: {why}; it has {shown(change.before)}, not {shown(change.after)}"
                self.warnings.append(Warned(found.address, found.where(change.path), said))
            else:
                made.append(change)
        unseen = (n for n in values if found.kind.fields[n].read is None and not found.kind.fields[n].along)
        return [*made, *(FieldChange(n, None, values[n]) for n in unseen if (found.address, n) in self.resent)]

    def retired(self, found: Object, made: Iterable[FieldChange]) -> Iterator[Problem]:
        """A Problem for each new value that names what may only be kept."""
        for change in made:
            for address in targets(found, change.path, change.after, self.names):
                named = self.names.row(address)
                why = "" if named is None else kinds()[address.kind].capability(ReadOnly).why_unusable(named)
                if why:
                    hint = f"an administrator has to activate it: {kinds()[address.kind].capability(ReadOnly).menu}"
                    yield Problem(found.where(change.path), f"{change.path}: {why}", str(found.address), hint)

    def leaving(self, found: Object, why: str) -> None:
        """A Problem for an object that the server is deleting and that shall be there; else it is only told."""
        if found.spec.state == "absent":
            self.warnings.append(Warned(found.address, found.source, why))
        else:
            hint = "plan again then; if it stays, delete it again in Redmine"
            self.problems.append(Problem(found.source, why, str(found.address), hint))

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
        taken_along = found.kind.capability(Deletion).takes_along(found.address, row, self.names)
        along = [Address(found.kind.name, key) for key in taken_along]
        for other in self.declared_among([found.address, *along]):
            if other.spec.state == "present":
                said = f"Redmine deletes it with {found.address}, which is declared absent"
                self.problems.append(Problem(other.source, said, str(other.address), also=(found.source,)))
        taken = [f"deletes {', '.join(a.key for a in along)} as well"] if along else []
        lost = found.kind.losses(row, {}, frozenset(), Context(self.names, found.project))
        return Draft(found, row, {}, [], "; ".join(filter(None, (reason, *taken, *lost))) or None)

    def declared_among(self, gone: Iterable[Address]) -> list[Object]:
        """The declared objects that are among those which go, or inside one of them."""
        objects = self.desired.objects
        found = {a for one in gone for a in (one, *self.inside.get(one, ())) if a in objects}
        return [objects[address] for address in sorted(found)]

    def out_of_reach(self, found: Object) -> bool:
        """Whether an object is inside an archived project, which the API does not show: nothing can be compared.

        A Problem, unless the manifests want the project archived, or it is unarchived for that.
        """
        project = container(found.address)
        declared = self.desired.objects.get(project)
        if not found.kind.inside or not archived(project, self.names):
            return False
        if declared is not None and declared.spec.state == "absent":
            return False
        if not self.opens(project) and wanted(project, self.names) is None:
            said = f'project "{project.key}" is archived, and what is inside it cannot be read'
            hint = "declare its status, or use --unarchive"
            self.problems.append(Problem(found.source, said, str(found.address), hint))
        return True

    def unseen(self, found: Object, row: Row, values: Mapping[str, Any]) -> bool:
        """Whether a row does not tell declared fields that are to be compared."""
        told = (found.kind.capability(PartialRows).shows(found.kind, row, name, values) for name in values if name not in found.spec.create_only)
        return PARTIAL in row and not all(told)

    def unshown(self, found: Object) -> None:
        """Note that a live object cannot be compared: its project is archived, or closed and of an old Redmine."""
        if archived(container(found.address), self.names):
            self.hidden.append(found.address)
        else:
            said = "it is not compared: Redmine 5.0 does not show it while its project is closed"
            hint = "to change it, declare the project's `status: active`, and apply"
            self.warnings.append(Warned(found.address, found.source, f"{said}; {hint}"))

    def opens(self, project: Address) -> bool:
        """Whether an archived project is unarchived to be compared: it is asked for, or shall not be archived."""
        return self.unarchive or wanted(project, self.names) in ("active", "closed")

    def unarchived(self, drafts: dict[Address, Draft], hidden: Iterable[Address]) -> tuple[Address, ...]:
        """Add to `drafts` what unarchives the projects of `hidden` objects, and take away what has to wait for it.

        Returns the objects that are compared after that.
        """
        shown: defaultdict[Address, list[Address]] = defaultdict(list)
        for address in hidden:
            if archived(container(address), self.names) and self.opens(container(address)):
                shown[container(address)].append(address)
        drafts |= {project: self.opening(project, inside) for project, inside in shown.items()}
        later = {a for inside in shown.values() for a in inside}
        shut = {Address("project", key) for key in self.names.live("project").ids} - shown.keys()
        left = {a for a in set(hidden) - later if archived(container(a), self.names)}
        lost = left.union(a for a in shut if archived(a, self.names))
        names = {a: self.named(d) for a, d in drafts.items() if a not in shown} if later or lost else {}
        while more := [a for a, others in names.items() if a in drafts and others & (later | shown.keys())]:
            later.update(more)
            for address in more:
                del drafts[address]
        cut = {a: names[a] & lost for a in drafts if names.get(a, set()) & lost}
        self.problems += [self.cut_off(drafts[a].found, min(others)) for a, others in cut.items()]
        return tuple(sorted(later))

    def cut_off(self, found: Object, other: Address) -> Problem:
        """The Problem of an object that needs one of an archived project."""
        said = f"it needs {other}, which is archived or in an archived project"
        return Problem(found.source, said, str(found.address), "use --unarchive")

    def named(self, draft: Draft) -> set[Address]:
        """The objects that a change needs: those that its new values name, and its project."""
        found = {a for f in draft.fields for a in targets(draft.found, f.path, f.after, self.names)}
        return found | ({container(draft.address)} if draft.found.kind.inside else set())

    def opening(self, project: Address, shown: list[Address]) -> Draft:
        """What unarchives a project so that objects can be compared."""
        found = self.desired.objects.get(project)
        if found is None:
            found = undeclared(kinds()["project"], project.key, self.desired.objects[shown[0]].body)
        return Draft(found, self.names.row(project), {}, [OPENING], purpose(project, shown, self.names))

    def live(self, found: Object) -> tuple[Row | None, str | None]:
        """The live object, under its key or the one it was renamed from."""
        row = self.names.row(found.address)
        old = self.names.renamed.get(found.address)
        return row, f"renamed from {old}" if old else None

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
        project, module = found.address.container, found.kind.inside.module if found.kind.inside else ""
        row, spec = self.names.row(project), self.names.declared("project").get(found.address.project)
        modules = getattr(spec, "enabled_modules", None)
        if modules is None and row is not None and "enabled_modules" in row:
            modules = [m["name"] for m in row["enabled_modules"]]
        if module and modules is not None and module not in modules:
            said = f'it needs the module {module}, which is off in project "{found.address.project}"'
            yield Problem(found.source, said, str(found.address), f"add {module} to enabled_modules")
