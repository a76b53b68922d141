"""Desired + live → Plan: what to do, as pure data, in order.

Each declared object is compared with its live one (a `Draft`), `scheduling` settles what has to wait, and
`dependencies` makes operations with edges of it. The order is that of the edges, and by kind and key where they leave
it open, so the same manifests in any order give the same plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from reconciler.errors import ManifestError, Problem, RefusedError
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address, Reference, Row, Unresolved
from reconciler.model.capabilities import (
    Deletion,
    DerivedFields,
    ManifestKey,
    Modules,
    OwnAccount,
    PartialRows,
    ReadOnly,
)
from reconciler.model.codecs import shown
from reconciler.model.kind import Object, undeclared
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import PARTIAL
from reconciler.plan.archived_projects import archived, purpose, stays_visible, unarchiving, wanted
from reconciler.plan.dependencies import build
from reconciler.plan.diff import canonical, changes, companions, creation, located
from reconciler.plan.draft import Draft, targets
from reconciler.plan.operations import Change, FieldChange, Plan, Warned
from reconciler.plan.scheduling import affected, schedule
from reconciler.plan.unique import Holders, in_turn
from reconciler.state.desired import Desired
from reconciler.state.live import Live

__all__ = ["Change", "FieldChange", "Plan", "make"]


def make(
    desired: Desired,
    live: Live,
    url: str,
    chosen: Callable[[Address], bool] = lambda address: True,
    *,
    unarchive: bool = False,
    resent: frozenset[tuple[Address, str]] = frozenset(),
    unarchived: Collection[Address] = (),
) -> Plan:
    """The plan for the objects that `chosen` accepts. With `unarchive`, archived projects are opened to be compared;
    `resent` are (object, field) that are sent though the server does not show them, or decides about them;
    `unarchived` are projects that an earlier plan opened: they go back whatever becomes of the work inside them.

    Raises ManifestError with every name that stands for nothing and every value that cannot be, RefusedError for the
    deletion of a protected object.
    """
    if desired.problems:
        raise ManifestError(desired.problems)
    planner = _Planner(desired, live.names, live.me, unarchive, resent)
    drafts = {a: d for a, d in planner.drafts().items() if chosen(a)}
    revealed = planner.unarchived(drafts, [a for a in planner.hidden if chosen(a)])
    holders = Holders(drafts, desired.objects, live.names)
    takes, taken = holders.takes()
    problems = [*live.problems, *planner.problems, *taken]
    if problems:
        raise ManifestError(problems)
    if planner.protected:
        said = ", ".join(planner.protected)
        raise RefusedError(f"Declared absent, but protected: {said}. Nothing is deleted: remove protect first.")
    for address in drafts.keys() & set(unarchived):
        drafts[address].closes_anyway = True
    # Scheduling adds the gates that are opened to what has work: this comes before.
    read_back = tuple(affected(drafts, live.names))
    ordered, milestones = build(in_turn(schedule(drafts, live.names), takes))
    uncompared = tuple(a for a in planner.hidden if chosen(a) and a not in revealed)
    others = {c.address for c in ordered}.union(uncompared, revealed)
    return Plan(
        url,
        ordered,
        unchanged=sum(chosen(a) and a not in others for a in desired.objects),
        uncompared=uncompared,
        warnings=tuple(w for w in planner.warnings if chosen(w.address)),
        affected=read_back,
        revealed=revealed,
        milestones=milestones,
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
        for address, declared in desired.objects.items():
            if declared.kind.inside:
                self.inside[address.container].append(address)

    def drafts(self) -> dict[Address, Draft]:
        """A draft for every object that is there, or shall be."""
        rows = {address: self.live(thing) for address, thing in self.desired.objects.items()}
        self.distinct({a: row for a, (row, _) in rows.items() if row is not None})
        drafts = {a: self.draft(self.desired.objects[a], *live) for a, live in rows.items()}
        return {address: draft for address, draft in drafts.items() if draft is not None}

    def distinct(self, rows: Mapping[Address, Row]) -> None:
        """A Problem for two declared objects that are one live one (a rename, and the old name)."""
        owners: dict[tuple[str, Any], Address] = {}
        for address, row in rows.items():
            owner = owners.setdefault((address.kind, row["id"]), address)
            if owner != address:
                places = (self.desired.objects[a].source for a in (address, owner))
                said = f"it and {owner} are the same object on the server (#{row['id']})"
                self.problems.append(Problem(next(places), said, str(address), "keep one", tuple(places)))

    def draft(self, declared: Object, row: Row | None, reason: str | None) -> Draft | None:
        """What must happen to one object; None if it is gone, as it should be."""
        for field, said in declared.kind.capability(OwnAccount).forbids(declared, self.me):
            self.problems.append(Problem(declared.where(field), said, str(declared.address)))
        if row is not None and (why := declared.kind.capability(Deletion).being_deleted(row)):
            self.leaving(declared, why)
            return None
        if self.out_of_reach(declared):
            self.hidden.append(declared.address)
            return None
        if declared.spec.state == "absent":
            return None if row is None else self.deletion(declared, row, reason)
        context = Context(self.names, declared.project, declared.address)
        values, problems = canonical(declared, context)
        self.problems += [*problems, *self.container(declared)]
        if row is None:
            self.problems += self.lacking(declared)
        for path, said, hint in declared.kind.conflicts(row, values, context):
            self.problems.append(Problem(declared.where(path), said, str(declared.address), hint))
        made = list(creation(declared, values)) if row is None else self.differences(declared, values, row, context)
        marks = declared.kind.capability(ManifestKey).to_store(declared.address, row, context)
        made += [located(declared, path, before, after) for path, (before, after) in marks.items()]
        if row is not None and any(before is None for before, _ in marks.values()):
            reason = reason or "found without its key"
        if row is not None and self.unseen(declared, row, values):
            self.unshown(declared)
        self.problems += self.retired(declared, made)
        if row is None:
            return Draft(declared, row, values, made, reason)
        changed = {f.path.partition(".")[0] for f in made}
        lost = declared.kind.losses(row, values, changed, context) if made else ()
        made += companions(declared, values, changed)
        return Draft(declared, row, values, made, "; ".join(filter(None, (reason, *lost))) or None)

    def differences(self, declared: Object, values: Mapping[str, Any], row: Row, context: Context) -> list[FieldChange]:
        """What must change, but for what Redmine itself decides: that is only told."""
        made = []
        for change in changes(declared, values, row, context):
            why = declared.kind.capability(DerivedFields).why_derived(row, change.path, context)
            if why and (declared.address, change.path) not in self.resent:
                said = f"{change.path}: {why}; it has {shown(change.before)}, not {shown(change.after)}"
                self.warnings.append(Warned(declared.address, declared.where(change.path), said))
            else:
                made.append(change)
        unseen = (n for n in values if declared.kind.fields[n].read is None and not declared.kind.fields[n].along)
        again = (n for n in unseen if (declared.address, n) in self.resent)
        return [*made, *(located(declared, n, None, values[n]) for n in again)]

    def retired(self, declared: Object, made: Iterable[FieldChange]) -> Iterator[Problem]:
        """A Problem for each new value that names what may only be kept."""
        for change in made:
            for address in targets(declared, change.path, change.after, self.names):
                named = self.names.row(address)
                why = "" if named is None else kinds()[address.kind].capability(ReadOnly).why_unusable(named)
                if why:
                    hint = f"an administrator has to activate it: {kinds()[address.kind].capability(ReadOnly).menu}"
                    yield Problem(declared.where(change.path), f"{change.path}: {why}", str(declared.address), hint)

    def leaving(self, declared: Object, why: str) -> None:
        """A Problem for an object that the server is deleting and that shall be there; else it is only told."""
        if declared.spec.state == "absent":
            self.warnings.append(Warned(declared.address, declared.source, why))
        else:
            hint = "plan again then; if it stays, delete it again in Redmine"
            self.problems.append(Problem(declared.source, why, str(declared.address), hint))

    def lacking(self, declared: Object) -> Iterator[Problem]:
        """A Problem if an object that does not exist yet lacks what Redmine needs to create it."""
        missing = [name for name in declared.kind.required if getattr(declared.spec, name) is None]
        if missing:
            said = f"it does not exist yet, and {' and '.join(missing)} must be given to create it"
            yield Problem(declared.source, said, str(declared.address))

    def deletion(self, declared: Object, row: Row, reason: str | None) -> Draft:
        """The deletion of an object, with what Redmine deletes along with it; Problems for what the manifests want."""
        if declared.spec.protect:
            self.protected.append(f"{declared.address} ({declared.source})")
        kind = declared.kind
        along = [
            Address(kind.name, key) for key in kind.capability(Deletion).takes_along(declared.address, row, self.names)
        ]
        for other in self.declared_among([declared.address, *along]):
            if other.spec.state == "present":
                said = f"Redmine deletes it with {declared.address}, which is declared absent"
                self.problems.append(Problem(other.source, said, str(other.address), also=(declared.source,)))
        taken = [f"deletes {', '.join(a.key for a in along)} as well"] if along else []
        lost = kind.losses(row, {}, frozenset(), Context(self.names, declared.project))
        return Draft(declared, row, {}, [], "; ".join(filter(None, (reason, *taken, *lost))) or None)

    def declared_among(self, gone: Iterable[Address]) -> list[Object]:
        """The declared objects that are among those that are deleted, or inside one of them."""
        objects = self.desired.objects
        among = {a for one in gone for a in (one, *self.inside.get(one, ())) if a in objects}
        return [objects[address] for address in sorted(among)]

    def out_of_reach(self, declared: Object) -> bool:
        """Whether an object is inside an archived project, which the API does not show: nothing can be compared.

        A Problem, unless the manifests want the project archived, or it is unarchived for that.
        """
        project = declared.address.container
        above = self.desired.objects.get(project)
        if not declared.kind.inside or not archived(project, self.names):
            return False
        if above is not None and above.spec.state == "absent":
            return False
        if not self.opens(project) and wanted(project, self.names) is None:
            said = f'project "{project.key}" is archived, and what is inside it cannot be read'
            hint = "declare its status, or use --unarchive"
            self.problems.append(Problem(declared.source, said, str(declared.address), hint))
        return True

    def unseen(self, declared: Object, row: Row, values: Mapping[str, Any]) -> bool:
        """Whether a row does not tell declared fields that are to be compared."""
        told = (
            declared.kind.capability(PartialRows).shows(declared.kind, row, name, values)
            for name in values
            if name not in declared.spec.create_only
        )
        return PARTIAL in row and not all(told)

    def unshown(self, declared: Object) -> None:
        """Note that a live object cannot be compared: its project is archived, or closed and of an old Redmine."""
        if archived(declared.address.container, self.names):
            self.hidden.append(declared.address)
        else:
            said = "it is not compared: Redmine 5.0 does not show it while its project is closed"
            hint = "to change it, declare the project's `status: active`, and apply"
            self.warnings.append(Warned(declared.address, declared.source, f"{said}; {hint}"))

    def opens(self, project: Address) -> bool:
        """Whether an archived project is unarchived to be compared: it is asked for, or shall not be archived."""
        return self.unarchive or stays_visible(project, self.names)

    def unarchived(self, drafts: dict[Address, Draft], hidden: Iterable[Address]) -> tuple[Address, ...]:
        """Add to `drafts` what unarchives the projects of `hidden` objects, and take away what has to wait for it.

        Returns the objects that are compared after that.
        """
        shown: defaultdict[Address, list[Address]] = defaultdict(list)
        for address in hidden:
            if archived(address.container, self.names) and self.opens(address.container):
                shown[address.container].append(address)
        drafts |= {project: self.opening(project, inside) for project, inside in shown.items()}
        later = {a for inside in shown.values() for a in inside}
        shut = {Address(CONTAINER, key) for key in self.names.live(CONTAINER).ids} - shown.keys()
        left = {a for a in set(hidden) - later if archived(a.container, self.names)}
        lost = left.union(a for a in shut if archived(a, self.names))
        names = {a: self.named(d) for a, d in drafts.items() if a not in shown} if later or lost else {}
        while more := [a for a, others in names.items() if a in drafts and others & (later | shown.keys())]:
            later.update(more)
            for address in more:
                del drafts[address]
        cut = {a: names[a] & lost for a in drafts if names.get(a, set()) & lost}
        self.problems += [self.cut_off(drafts[a], min(others)) for a, others in cut.items()]
        return tuple(sorted(later))

    def cut_off(self, draft: Draft, other: Address) -> Problem:
        """The Problem of an object that needs one of an archived project."""
        naming = (f for f in draft.fields if other in targets(draft.declared, f.path, f.after, self.names))
        place = next((draft.declared.where(f.path) for f in naming), draft.declared.source)
        said = f"it needs {other}, which is archived or in an archived project"
        return Problem(place, said, str(draft.address), "use --unarchive")

    def named(self, draft: Draft) -> set[Address]:
        """The objects that a change needs: those that its new values name, and its project."""
        named = {a for f in draft.fields for a in targets(draft.declared, f.path, f.after, self.names)}
        return named | ({draft.address.container} if draft.kind.inside else set())

    def opening(self, project: Address, shown: list[Address]) -> Draft:
        """What unarchives a project so that objects can be compared."""
        declared = self.desired.objects.get(project)
        if declared is None:
            declared = undeclared(kinds()[CONTAINER], project.key, self.desired.objects[shown[0]].body)
        reason = purpose(project, shown, self.names)
        return Draft(declared, self.names.row(project), {}, [unarchiving(declared)], reason)

    def live(self, declared: Object) -> tuple[Row | None, str | None]:
        """The live object, under its key or the one it was renamed from."""
        row = self.names.row(declared.address)
        old = self.names.renamed.get(declared.address)
        return row, f"renamed from {old}" if old else None

    def container(self, declared: Object) -> Iterator[Problem]:
        """A Problem if the project that an object is inside of is nowhere."""
        if declared.kind.inside:
            try:
                Context(self.names).resolve(Reference((CONTAINER,), "", declared.address.project))
            except Unresolved as error:
                yield Problem(declared.where(CONTAINER), str(error), str(declared.address), error.hint)
            yield from self.module(declared)

    def module(self, declared: Object) -> Iterator[Problem]:
        """A Problem if Redmine hides objects of this kind, because the project's module is or will be off."""
        project, module = declared.address.container, declared.kind.inside.module if declared.kind.inside else ""
        modules = kinds()[CONTAINER].capability(Modules)
        enabled = modules.enabled(self.names.row(project), self.names.spec(project))
        if module and enabled is not None and module not in enabled:
            said = f'it needs the module {module}, which is off in project "{project.key}"'
            yield Problem(declared.source, said, str(declared.address), modules.hint(module))
