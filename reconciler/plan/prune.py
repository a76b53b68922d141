"""`--prune`: what no manifest declares in the collections that manifests declare completely is removed.

Such objects are planned as if they were declared absent (users: locked). Whatever is doubtful is kept, with a warning:
what something declared refers to, what would take along something else, what Redmine would refuse to delete.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from msgspec import field
from msgspec.structs import replace

from reconciler.config import Config
from reconciler.errors import Location, RefusedError
from reconciler.kinds import kinds
from reconciler.manifest.loader import Seq
from reconciler.model.address import CONTAINER, Address, Row, Unresolved
from reconciler.model.collections import matches
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind, Object, nested_name
from reconciler.model.name_index import Context
from reconciler.model.pruning import Foresight, Pruning, Usage
from reconciler.plan.below import Levels, along
from reconciler.plan.claims import Claim, claims, unread
from reconciler.plan.operations import Collection, Plan, Warned
from reconciler.plan.options import PlanOptions
from reconciler.plan.planner import make
from reconciler.plan.stand_ins import stand_in
from reconciler.plan.undeclared import managed, undeclared, unmanaged
from reconciler.record import Record
from reconciler.redmine.client import Client
from reconciler.settings import Pruning as Rules
from reconciler.state.desired import Desired, references
from reconciler.state.fetch import fetch
from reconciler.state.live import Live
from reconciler.state.together import together

T = TypeVar("T")


class Pruned(Record):
    """What is removed: the objects as if they were declared so, and why; and warnings about what is kept."""

    objects: Mapping[Address, Object] = field(default_factory=dict)
    reasons: Mapping[Address, str] = field(default_factory=dict)
    warnings: tuple[Warned, ...] = ()
    live: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(kind, project) → how many objects a collection has."""

    def added_to(self, desired: Desired) -> Desired:
        """The desired state with these objects."""
        if not self.objects:
            return replace(desired, pruned=self.reasons)
        objects = dict(sorted({**desired.objects, **self.objects}.items()))
        return replace(desired, objects=objects, pruned=self.reasons)

    def counted(self, plan: Plan) -> tuple[Collection, ...]:
        """The collections, with the numbers of a plan that may be for some objects only."""
        gone = Counter(_collection(c.address) for c in plan.changes if c.undeclared)
        return tuple(Collection(kind, project, self.live[kind, project], n) for (kind, project), n in gone.items())


NOTHING = Pruned()


async def look(client: Client, config: Config, desired: Desired, state: Live, options: PlanOptions) -> Pruned:
    """What is removed, with --prune. Raises RefusedError if anything could not be read, ManifestError for problems."""
    if not options.prune:
        return NOTHING
    # First: of two objects that one declaration matches, neither is undeclared.
    make(desired, state, client.connection.url)
    if state.unreadable:
        raise RefusedError(f"Nothing was pruned: not everything could be read ({state.unreadable[0]}).")
    search = _Search(desired, state, config.pruning, unread(config, desired))
    await search.run(client)
    return search.result()


class _Search:
    """Finds what is removed, by leaving out what is kept."""

    def __init__(self, desired: Desired, state: Live, rules: Rules, others: Mapping[Address, Location]) -> None:
        self.desired = desired
        self.names = state.names
        self.rules = rules
        self.claims = _readable(claims(desired, rules), managed(desired, state.names))
        # Once, not for each claim: there can be some in every project.
        claimed = kinds().among({claim.kind.name for claim in self.claims})
        self.undeclared = _by_collection(pair for kind in claimed for pair in undeclared(kind, desired, state.names))
        self.declared = _by_collection(desired.objects.items())
        # By id: the other manifests can spell a key in another case.
        self.unread = {(a.kind, number): at for a, at in others.items() if (number := state.names.id(a)) is not None}
        self.warnings: list[Warned] = []
        self.live: Counter[tuple[str, str]] = Counter()
        self.candidates: dict[Address, tuple[Claim, Row]] = {}
        self.used: dict[Address, int] = {}

    async def run(self, client: Client) -> None:
        """Collect the candidates, then drop those that are kept."""
        for claim in self.claims:
            self.collect(claim)
        self.drop(self.own_reasons())
        self.drop(self.referred())
        self.drop([pair async for pair in self.outside(client)])
        self.drop([pair async for pair in self.refused(client)])
        # Until nothing changes: what is kept also keeps what would take it along.
        while kept := dict(self.taking_others()):
            self.drop(kept.items())

    def collect(self, claim: Claim) -> None:
        """Add the undeclared objects of a collection, if the manifests declare that at all."""
        kind = claim.kind
        inside, mine = self.undeclared[claim.collection], self.declared[claim.collection]
        present = any(declared.spec.state == "present" for declared in mine.values())
        self.live[claim.collection] = len(inside) + sum(map(self.names.is_live, mine))
        if present or self.is_empty_on_purpose(claim):
            self.candidates |= {a: (claim, row) for a, row in inside.items() if not self.is_done(kind, row)}
        elif inside:
            address = Address(CONTAINER, claim.project) if claim.project else next(iter(inside))
            empty = f"; write `{nested_name(kind)}: []` in the project if there are to be none" if kind.inside else ""
            said = f"its {claim.what} are not pruned" if claim.project else f"{claim.what} are not pruned"
            self.warnings.append(Warned(address, claim.place, f"{said}: the manifests declare none{empty}"))

    def is_empty_on_purpose(self, claim: Claim) -> bool:
        """Whether the project says that a collection is empty: a list without items, which is not just left out."""
        project = self.desired.objects.get(Address(CONTAINER, claim.project))
        listed = project.body.get(nested_name(claim.kind)) if project else None
        return isinstance(listed, Seq) and not listed

    def is_done(self, kind: Kind, row: Row) -> bool:
        """Whether an object has already what is written instead of deleting it."""
        instead = self.instead(kind)
        return bool(instead) and all(kind.live(row, n, Context(self.names)) == v for n, v in instead.items())

    def instead(self, kind: Kind) -> dict[str, Any]:
        """The fields that are written instead of a deletion."""
        return {} if self.rules.users == "delete" else dict(kind.capability(Pruning).instead)

    def drop(self, kept: Iterable[tuple[Address, str]]) -> None:
        """Keep objects, each with a warning that says why."""
        for address, why in dict(kept).items():
            claim, _ = self.candidates.pop(address)
            self.warnings.append(Warned(address, claim.place, f"not declared, but not pruned: {why}"))

    # -- why something is kept -----------------------------------------------------------------------------------

    def own_reasons(self) -> Iterator[tuple[Address, str]]:
        """What the object itself, or the configuration, says."""
        for address, (claim, row) in list(self.candidates.items()):
            if matches(address, self.rules.protect):
                yield address, "it is protected in reconciler.yaml"
                continue
            if place := self.unread.get((address.kind, row["id"])):
                yield address, f"{place} declares it, which was not read; give all manifests of the project"
                continue
            exporting = claim.kind.capability(Exporting)
            why = claim.kind.capability(Pruning).why_kept(row) or exporting.why_not_exportable(address, row)
            if why:
                yield address, why

    def referred(self) -> Iterator[tuple[Address, str]]:
        """What a declared object refers to: a version that is some issue's, a user who is a declared member."""
        for declared in self.desired.objects.values():
            if declared.spec.state != "present":
                continue
            for field_name, reference in references(declared, self.names):
                with suppress(Unresolved):
                    target = Context(self.names, declared.project).resolve(reference)
                    if target in self.candidates:
                        yield target, f"{declared.address} refers to it ({field_name}); declare it"

    async def outside(self, client: Client) -> AsyncIterator[tuple[Address, str]]:
        """What would take along objects that were not read, as subtasks in other projects."""
        for kind in {claim.kind.name: claim.kind for claim, _ in self.candidates.values()}.values():
            own = {row["id"]: a for a, (claim, row) in self.candidates.items() if claim.kind is kind}
            listing = kind.capability(Pruning).below(sorted(own))
            for row in await fetch(client, listing) if listing else ():
                above = own.get((row.get("parent") or {}).get("id"))
                if above and row["id"] not in self.names.live(kind.name).keys:
                    yield above, f"#{row['id']}, in another project, would be deleted with it"

    async def refused(self, client: Client) -> AsyncIterator[tuple[Address, str]]:
        """What Redmine would not delete. Notes how much refers to everything else."""
        asked = [
            (a, usage)
            for a, (claim, row) in self.candidates.items()
            if (usage := claim.kind.capability(Pruning).usage(row["id"], claim.project))
        ]
        counts = await together(self.count(client, usage, self.candidates[a][1]) for a, usage in asked)
        for (address, usage), count in zip(asked, counts, strict=True):
            if count and usage.refuses:
                yield address, f"{_issues(count)} {'has' if count == 1 else 'have'} it, so Redmine does not delete it"
            elif count:
                self.used[address] = count

    async def count(self, client: Client, usage: Usage, row: Row) -> int:
        """How many objects refer to a live one."""
        page = await client.get(usage.listing.path, usage.listing.params)
        rows = page.get(usage.listing.root) or ()
        # Redmine ignores a filter that it does not know, and lists everything (5.0 to 6.1; test_trap_22).
        right = all((one.get(usage.field) or {}).get("id") == row["id"] for one in rows)
        return max(len(rows), int(page.get("total_count") or 0)) if right else 0

    def taking_others(self) -> Iterator[tuple[Address, str]]:
        """What would take along an object that is not removed itself."""
        levels = Levels(lambda a: along(a, self.names), self.is_kept)
        for address in list(self.candidates):
            if kept := levels.of(address).marked:
                yield address, f"{min(other for _, other in kept)} would be deleted with it"

    def is_kept(self, address: Address) -> bool:
        """Whether an object is not removed."""
        return address not in self.candidates and address.key not in self.names.absent(address.kind)

    # -- the result ----------------------------------------------------------------------------------------------

    def result(self) -> Pruned:
        """What is left is removed: the names know of it from now on."""
        objects = {a: self.object(a, *found) for a, found in sorted(self.candidates.items())}
        for address, one in objects.items():
            if one.spec.state == "absent":
                self.names.declare_absent(address)
            else:
                self.names.declare(address, one.spec)
        for kind in kinds().having(Foresight) if objects else ():
            kind.capability(Foresight).foresee(self.names)
        return Pruned(objects, {a: self.reason(a) for a in objects}, tuple(self.warnings), self.live)

    def object(self, address: Address, claim: Claim, row: Row) -> Object:
        """An undeclared object, as it would be declared to be removed."""
        instead = self.instead(claim.kind)
        state = {} if instead else {"state": "absent"}
        return stand_in(address, row["id"], instead, claim.place, **state)

    def reason(self, address: Address) -> str:
        """Why an object is removed, and what refers to it."""
        claim = self.candidates[address][0]
        used = [f"{_issues(n)} {'has' if n == 1 else 'have'} it"] if (n := self.used.get(address)) else []
        instead = ["changed instead of deleted (prune_users)"] if self.instead(claim.kind) else []
        return "; ".join([claim.reason, *used, *instead])


def _issues(number: int) -> str:
    return "1 issue" if number == 1 else f"{number} issues"


def completed(plan: Plan, pruned: Pruned, manifests: Desired, state: Live, options: PlanOptions) -> Plan:
    """A plan, with what is kept, what is doubtful and what is left that no manifest declares."""
    plan = dataclasses.replace(
        plan, warnings=(*plan.warnings, *pruned.warnings, *doubtful(plan)), collections=pruned.counted(plan)
    )
    # Of what is declared, more than the manifests have here may be what looks undeclared.
    if options.only_targets:
        return plan
    gone = {change.address: pruned.objects[change.address] for change in plan.changes if change.undeclared}
    known = replace(manifests, objects={**manifests.objects, **gone})
    complete = bool(state.me.get("admin"))
    left = unmanaged(known, state.names, state.scope.shared, listed=options.unmanaged, complete=complete)
    return dataclasses.replace(plan, unmanaged=left)


def doubtful(plan: Plan) -> Iterator[Warned]:
    """A warning for each collection in which the plan also creates something: it may have been renamed in Redmine."""
    created = {_collection(c.address): c.address for c in reversed(plan.changes) if c.action == "create"}
    seen = set()
    for change in plan.changes:
        group = _collection(change.address)
        if change.undeclared and change.action == "delete" and group in created and group not in seen:
            seen.add(group)
            message = (
                f"is deleted as not declared, and {created[group]} is created: if it was renamed in Redmine, declare "
                "the old name as renamed_from, or the new one"
            )
            yield Warned(change.address, change.source, message)


def _collection(address: Address) -> tuple[str, str]:
    """The (kind, project) of an object, as a claim has it."""
    return address.kind, address.project if kinds()[address.kind].inside else ""


def _readable(claimed: Iterable[Claim], projects: frozenset[str]) -> list[Claim]:
    """The claims of what can be read: of kinds in no project, and of those in these projects."""
    return [claim for claim in claimed if not claim.project or claim.project in projects]


def _by_collection(found: Iterable[tuple[Address, T]]) -> defaultdict[tuple[str, str], dict[Address, T]]:
    groups: defaultdict[tuple[str, str], dict[Address, T]] = defaultdict(dict)
    for address, one in found:
        groups[_collection(address)][address] = one
    return groups
