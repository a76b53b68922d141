"""Desired + live → Plan: the changes as pure data, in order.

Each declared object is compared with its live one (a `Draft`), `scheduling` decides which fields must wait, and
`dependencies` turns the drafts into operations with edges. Ties in the order are broken by kind and key, so the same
manifests in any order give the same plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from typing import Any

from reconciler.errors import Location, ManifestError, Problem, RefusedError
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import Deletion, DerivedFields, ManifestKey, OwnAccount, PartialRows, ReadOnly
from reconciler.model.catalog import existing
from reconciler.model.codecs import shown
from reconciler.model.kind import Object, undeclared
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import PARTIAL
from reconciler.plan import hidden
from reconciler.plan.access import barred
from reconciler.plan.archived_projects import archived, purpose, stays_visible, unarchiving, wanted
from reconciler.plan.diff import canonical, changes, companions, creation, located
from reconciler.plan.draft import Draft, targets
from reconciler.plan.foresee import foreseen
from reconciler.plan.look_alikes import twins
from reconciler.plan.modules import placed, warned
from reconciler.plan.operations import Change, FieldChange, Plan, Warned
from reconciler.plan.protection import Kept
from reconciler.plan.reach import closure, turned
from reconciler.plan.scheduling import affected, schedule
from reconciler.plan.unique import Holders, arranged
from reconciler.state.desired import Desired
from reconciler.state.live import Live
from reconciler.state.partial import NotValid, is_partial

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
    tolerated: Set[Problem] = frozenset(),
) -> Plan:
    """The plan for the objects that `chosen` accepts. With `unarchive`, archived projects are opened to be compared.

    `resent` are (object, field) to send again although they are write-only or computed by Redmine. `unarchived` are
    projects that an earlier plan opened; they are archived again even if work inside them fails.
    `tolerated` are problems of objects that are not chosen.

    Raises ManifestError with all unresolved references and invalid values, RefusedError for the deletion of a protected
    object.
    """
    if desired.problems:
        raise ManifestError(desired.problems)
    planner = Planner(desired, live.names, live.me, unarchive, resent)
    # All objects are compared, whichever are chosen: only then is it known which of them are the same live object.
    drafts = {a: d for a, d in planner.drafts().items() if chosen(a)}
    for address in drafts.keys() & desired.pruned.keys():
        drafts[address].prune(desired.pruned[address])
    revealed = planner.unarchived(drafts, [a for a in planner.hidden if chosen(a)])
    holders = Holders(drafts, desired.objects, live.names)
    takes, taken = holders.takes()
    found = (*live.problems, *planner.problems, *taken, *barred(drafts, live.names))
    problems = [p for p in found if p not in tolerated]
    if problems:
        # A name without an object may be a row that was left out.
        left_out = (Problem(w.source, w.message, str(w.address)) for w in _left_out(desired, live))
        raise ManifestError([*problems, *left_out])
    if planner.protected:
        named = ", ".join(planner.protected)
        raise RefusedError(f"Protected objects would be deleted: {named}. Remove `protect` to delete them.")
    for address in drafts.keys() & set(unarchived):
        drafts[address].closes_anyway = True
    # Before scheduling, which adds drafts for the gates that it opens: those are no reason to read others back.
    read_back = tuple(affected(drafts, live.names))
    ordered, milestones = arranged(schedule(drafts, live.names), takes)
    created = (d.declared for d in drafts.values() if d.row is None)
    compared_later = frozenset(revealed)
    uncompared = tuple(a for a in planner.hidden if chosen(a) and a not in compared_later)
    others = compared_later.union(uncompared, (c.address for c in ordered))
    return Plan(
        url,
        ordered,
        unchanged=sum(chosen(a) and a not in others for a in desired.objects),
        uncompared=uncompared,
        warnings=(
            *(w for w in planner.warnings if chosen(w.address)),
            *twins(created, live.names),
            *warned(drafts, live.names),
            *_left_out(desired, live),
        ),
        affected=read_back,
        revealed=revealed,
        milestones=milestones,
    )


def _left_out(desired: Desired, live: Live) -> Iterator[Warned]:
    """What is told of rows that cannot be read."""
    place = desired.settings.get("place") or Location("reconciler.yaml")
    return (Warned(row.address, place, str(row)) for row in live.unreadable)


class Planner:
    """Compares each declared object with its live one."""

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
        self.kept = Kept(desired, names)

    def drafts(self, without: Collection[Address] = ()) -> dict[Address, Draft]:
        """A draft for every declared object, except those that are absent as declared or cannot be compared."""
        # All rows first: an object that two declarations match is a problem before either of them is compared.
        rows = {address: self.live(declared) for address, declared in self.desired.objects.items()}
        self.distinct({a: row for a, (row, _) in rows.items() if row is not None})
        chosen = ((self.desired.objects[a], live) for a, live in rows.items() if a not in without)
        drafts = {declared.address: self.draft_of_valid(declared, *live) for declared, live in chosen}
        found = {address: draft for address, draft in drafts.items() if draft is not None}
        for draft in found.values() if self.names.sight is not None else ():
            self.problems += hidden.forbidden(draft)
            self.warnings += hidden.not_shown(draft, self.names)
        return found

    def distinct(self, rows: Mapping[Address, Row]) -> None:
        """A Problem for two declared objects that match the same live one (a rename, and the old name)."""
        owners: dict[tuple[str, Any], Address] = {}
        for address, row in rows.items():
            owner = owners.setdefault((address.kind, row["id"]), address)
            if owner != address:
                places = (self.desired.objects[a].source for a in (address, owner))
                message = f"is the same object on the server as {owner} (#{row['id']})"
                self.problems.append(Problem(next(places), message, str(address), "remove one of them", tuple(places)))

    def draft_of_valid(self, declared: Object, row: Row | None, reason: str | None) -> Draft | None:
        """The same as `draft`. None if that needs a field that is invalid; the other fields are checked."""
        try:
            return self.draft(declared, row, reason)
        except NotValid:
            self.problems += self.values(declared)[1]
            return None

    def values(self, declared: Object) -> tuple[dict[str, Any], list[Problem]]:
        """The declared fields in canonical form, and a Problem for each that this server does not know."""
        return canonical(declared, Context(self.names, declared.project, declared.address))

    def draft(self, declared: Object, row: Row | None, reason: str | None) -> Draft | None:
        """The draft of one object. None if it is absent as declared, being deleted, or cannot be compared."""
        for field, message in declared.kind.capability(OwnAccount).forbids(declared, self.me):
            self.problems.append(Problem(declared.where(field), message, str(declared.address)))
        # From 5.1 on, Redmine deletes a project in the background and shows it until then.
        if row is not None and (why := declared.kind.capability(Deletion).being_deleted(row)):
            self.being_deleted(declared, why)
            return None
        # Before `absent`: what the API hides looks the same as what does not exist.
        if unseen := hidden.unseen(declared, row, self.names):
            self.problems += unseen
            return self.not_seen(declared, row)
        self.warnings += hidden.doubts(declared, row, self.names)
        if self.out_of_reach(declared):
            self.hidden.append(declared.address)
            return None
        if declared.spec.state == "absent":
            return None if row is None else self.deletion(declared, row, reason)
        context = Context(self.names, declared.project, declared.address)
        values, problems = canonical(declared, context)
        self.problems += [*problems, *placed(declared, self.names)]
        if row is None:
            self.problems += self.lacking(declared)
        for path, message, hint in declared.kind.conflicts(row, values, context):
            self.problems.append(Problem(declared.where(path), message, str(declared.address), hint))
        fields = list(creation(declared, values)) if row is None else self.differences(declared, values, row, context)
        keys = declared.kind.capability(ManifestKey).to_store(declared.address, row, context)
        fields += [located(declared, path, before, after) for path, (before, after) in keys.items()]
        self.foresee(foreseen(declared, row, values, fields, context))
        # The live object was matched without a stored key, such as an issue by its subject.
        if row is not None and any(before is None for before, _ in keys.values()):
            reason = reason or "adopted; its key is stored"
        if row is not None and PARTIAL in row and self.incomplete(declared, row, values):
            self.not_compared(declared)
        self.problems += self.inactive(declared, fields)
        if row is None or not fields:
            return Draft(declared, row, values, fields, reason)
        changed = {f.path.partition(".")[0] for f in fields}
        lost = declared.kind.losses(row, values, changed, context)
        # Last: the comment on a wiki page is no change by itself (Redmine drops it then; 5.0 to 6.1; test_trap_11).
        fields += companions(declared, values, changed)
        return Draft(declared, row, values, fields, "; ".join(filter(None, (reason, *lost))) or None)

    def foresee(self, found: Iterable[Problem | Warned]) -> None:
        """Take what Redmine will refuse, and what it may refuse."""
        for one in found:
            if isinstance(one, Warned):
                self.warnings.append(one)
            else:
                self.problems.append(one)

    def not_seen(self, declared: Object, row: Row | None) -> Draft | None:
        """The draft of an object that may be hidden: with `--keep-going`, what needs it must wait for it."""
        if row is not None or declared.spec.state == "absent" or archived(declared.address.container, self.names):
            self.hidden.append(declared.address)
            return None
        values, _ = canonical(declared, Context(self.names, declared.project, declared.address))
        return Draft(declared, None, values, list(creation(declared, values)))

    def differences(self, declared: Object, values: Mapping[str, Any], row: Row, context: Context) -> list[FieldChange]:
        """The fields that must change. A difference in a field that Redmine computes is only a warning."""
        fields = []
        for change in changes(declared, values, row, context):
            why = declared.kind.capability(DerivedFields).why_derived(row, change.path, context)
            if why and (declared.address, change.path) not in self.resent:
                message = f"{change.path}: {why}; live is {shown(change.before)}, declared is {shown(change.after)}"
                self.warnings.append(Warned(declared.address, declared.where(change.path), message))
            else:
                fields.append(change)
        if not self.resent:
            return fields
        write_only = (n for n in values if (api := declared.kind.fields[n]).read is None and not api.along)
        again = (n for n in write_only if (declared.address, n) in self.resent)
        return [*fields, *(located(declared, n, None, values[n]) for n in again)]

    def inactive(self, declared: Object, fields: Iterable[FieldChange]) -> Iterator[Problem]:
        """A Problem for each new reference to something inactive (a priority), which objects may only keep."""
        for change in fields:
            for address in targets(declared, change.path, change.after, self.names):
                row = self.names.row(address)
                why = "" if row is None else kinds()[address.kind].capability(ReadOnly).why_unusable(row)
                if why:
                    hint = f"ask an administrator to activate it: {kinds()[address.kind].capability(ReadOnly).menu}"
                    yield Problem(declared.where(change.path), f"{change.path}: {why}", str(declared.address), hint)

    def being_deleted(self, declared: Object, why: str) -> None:
        """A Problem for an object that the server is still deleting; only a warning if it is declared absent."""
        if declared.spec.state == "absent":
            self.warnings.append(Warned(declared.address, declared.source, why))
        else:
            hint = "plan again when it is deleted; if it remains, delete it in Redmine"
            self.problems.append(Problem(declared.source, why, str(declared.address), hint))

    def lacking(self, declared: Object) -> Iterator[Problem]:
        """A Problem if a new object lacks a field that Redmine requires."""
        if is_partial(declared.spec):
            return
        missing = [name for name in declared.kind.required if getattr(declared.spec, name) is None]
        if missing:
            message = f"does not exist yet; to create it, {' and '.join(missing)} must be set"
            yield Problem(declared.source, message, str(declared.address))

    def deletion(self, declared: Object, row: Row, reason: str | None) -> Draft:
        """The deletion of an object. Adds a Problem for each declared object that Redmine would delete with it."""
        kind = declared.kind
        below = self.kept.below.of(declared.address)
        self.protected += self.kept.protected(declared, below)
        for other in self.kept.present(declared, below):
            message = f"Redmine deletes it together with {declared.address}, which is declared absent"
            self.problems.append(Problem(other.source, message, str(other.address), also=(declared.source,)))
        listed = ", ".join(filter(None, [*below.words(), self.names.contents.get(declared.address)]))
        taken = [f"also deletes {listed}"] if listed else []
        # No values at all stand for a deletion.
        lost = kind.losses(row, {}, frozenset(), Context(self.names, declared.project))
        return Draft(declared, row, {}, [], "; ".join(filter(None, (reason, *taken, *lost))) or None)

    def out_of_reach(self, declared: Object) -> bool:
        """Whether an object cannot be compared because it is inside an archived project, which the API does not show.

        Adds a Problem, unless the project is declared archived, or is unarchived to compare its contents.
        """
        if not declared.kind.inside or not archived(project := Address(CONTAINER, declared.project), self.names):
            return False
        container = self.desired.objects.get(project)
        # Deleted together with the project, so there is nothing to compare.
        if container is not None and container.spec.state == "absent":
            return False
        if not self.opens(project) and wanted(project, self.names) is None:
            message = f'project "{project.key}" is archived, so its contents cannot be read'
            hint = "declare its status, or use --unarchive"
            self.problems.append(Problem(declared.source, message, str(declared.address), hint))
        return True

    def incomplete(self, declared: Object, row: Row, values: Mapping[str, Any]) -> bool:
        """Whether a row that shows only part of an object lacks declared fields that must be compared."""
        present = (
            declared.kind.capability(PartialRows).shows(declared.kind, row, name, values)
            for name in values
            if name not in declared.spec.create_only
        )
        return not all(present) and not hidden.explains(declared, self.names)

    def not_compared(self, declared: Object) -> None:
        """Record that a live object cannot be compared: its project is archived, or closed (Redmine 5.0)."""
        if archived(declared.address.container, self.names):
            self.hidden.append(declared.address)
        else:
            message = "not compared: Redmine 5.0 does not show it while its project is closed"
            hint = "to change it, first apply the project with `status: active`"
            self.warnings.append(Warned(declared.address, declared.source, f"{message}; {hint}"))

    def opens(self, project: Address) -> bool:
        """Whether an archived project is unarchived: on request, or because it is declared as not archived."""
        return self.unarchive or stays_visible(project, self.names)

    def unarchived(self, drafts: dict[Address, Draft], hidden: Iterable[Address]) -> tuple[Address, ...]:
        """Add drafts that unarchive the projects of `hidden` objects, and remove the drafts that depend on them.

        Returns the objects that the second plan compares. References to objects that stay hidden are Problems.
        """
        revealed: defaultdict[Address, list[Address]] = defaultdict(list)
        for address in hidden:
            if archived(address.container, self.names) and self.opens(address.container):
                revealed[address.container].append(address)
        drafts |= {project: self.opening(project, inside) for project, inside in revealed.items()}
        later = {a for inside in revealed.values() for a in inside}
        unreachable = self.unreachable(set(hidden) - later, revealed)
        if later or unreachable:
            needs = {a: self.needs(d) for a, d in drafts.items() if a not in revealed}
            # What refers to a hidden object waits for the second plan: the id to send is not known yet.
            later |= self.postpone(drafts, needs, {*later, *revealed})
            # Without those that were just postponed: the second plan decides about them.
            unmet = {a: needs[a] & unreachable for a in drafts if needs.get(a, set()) & unreachable}
            self.problems += [self.unmet(drafts[a], min(others)) for a, others in unmet.items()]
        return tuple(sorted(later))

    def unreachable(self, hidden: Iterable[Address], revealed: Collection[Address]) -> set[Address]:
        """The archived projects that stay archived, and the `hidden` objects inside them."""
        projects = (Address(CONTAINER, key) for key in self.names.live(CONTAINER).ids)
        archives = {a for a in projects if a not in revealed and archived(a, self.names)}
        return archives | {a for a in hidden if archived(a.container, self.names)}

    def postpone(
        self, drafts: dict[Address, Draft], needs: Mapping[Address, set[Address]], later: set[Address]
    ) -> set[Address]:
        """Remove the drafts that depend on `later`, directly or through other drafts. Returns their addresses."""
        postponed = needs.keys() & closure(later, turned(needs))
        for address in postponed:
            del drafts[address]
        return postponed

    def unmet(self, draft: Draft, other: Address) -> Problem:
        """The Problem of an object that depends on one in an archived project."""
        referring = (f for f in draft.fields if other in targets(draft.declared, f.path, f.after, self.names))
        place = next((draft.declared.where(f.path) for f in referring), draft.declared.source)
        message = f"depends on {other}, which is archived or in an archived project"
        said, hint = (message, "use --unarchive") if self.names.sight is None else hidden.dependency(other)
        return Problem(place, said, str(draft.address), hint)

    def needs(self, draft: Draft) -> set[Address]:
        """The objects that a change depends on: those to which its new values refer, and its project."""
        referenced = {a for f in draft.fields for a in targets(draft.declared, f.path, f.after, self.names)}
        return referenced | ({draft.address.container} if draft.kind.inside else set())

    def opening(self, project: Address, revealed: list[Address]) -> Draft:
        """The draft that unarchives a project so that objects can be compared."""
        declared = self.desired.objects.get(project)
        if declared is None:
            declared = undeclared(kinds()[CONTAINER], project.key, self.desired.objects[revealed[0]].body)
        reason = purpose(project, revealed, self.names)
        # Only the status: the second plan compares the other fields, with what is visible then.
        return Draft(declared, self.names.row(project), {}, [unarchiving(declared)], reason)

    def live(self, declared: Object) -> tuple[Row | None, str | None]:
        """The live object and the reason of a rename: reading gave it the declared key already."""
        row = existing(self.names.row(declared.address))
        old = self.names.renamed.get(declared.address)
        return row, f"renamed from {old}" if old else None
