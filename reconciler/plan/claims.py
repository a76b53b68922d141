"""Collections that the manifests declare completely: what `authoritative` says, and what has to be read for it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler.config import Config
from reconciler.errors import Location, ReconcilerError
from reconciler.kinds import declarable, nested
from reconciler.manifest.loader import load
from reconciler.model.address import CONTAINER, Address
from reconciler.model.collections import claimable
from reconciler.model.kind import Kind
from reconciler.natural import natural
from reconciler.plan.options import PlanOptions
from reconciler.record import Record
from reconciler.settings import Pruning as Rules
from reconciler.state import foreign
from reconciler.state.desired import Desired, build
from reconciler.state.scope import DECLARED, Scope


class Claim(Record):
    """A collection that the manifests declare completely, and the place that says so. `project` is "" for users."""

    kind: Kind
    project: str
    place: Location

    @property
    def what(self) -> str:
        """`versions`."""
        return self.kind.plural.replace("_", " ")

    @property
    def collection(self) -> tuple[str, str]:
        """Its (kind, project)."""
        return self.kind.name, self.project

    @property
    def reason(self) -> str:
        """Why an object is removed."""
        return f"not declared; {self.what} are authoritative{f' in {self.project}' if self.project else ''}"


def claims(desired: Desired, rules: Rules) -> list[Claim]:
    """The collections that the configuration and the declared projects call authoritative."""
    known = claimable(declarable())
    shared = [Claim(known[n], "", at) for n, at in rules.authoritative.items() if not known[n].inside]
    found = []
    for key in declared_projects(desired):
        project = desired.objects[Address(CONTAINER, key)]
        # A project's own list counts instead of the configuration's, so that [] can take a project out.
        own: Any = project.spec.authoritative
        listed = {n: project.where(f"authoritative.{i}") for i, n in enumerate(own or ())}
        names = rules.authoritative if own is None else listed
        found += [Claim(known[name], key, place) for name, place in names.items() if known[name].inside]
    return [*shared, *found]


def scope(desired: Desired, rules: Rules) -> Scope:
    """What has to be read. Raises ReconcilerError if nothing is authoritative."""
    collections: defaultdict[str, set[str]] = defaultdict(set)
    claimed = claims(desired, rules)
    if not claimed:
        raise ReconcilerError(
            "Nothing to prune: no collection of a declared project is authoritative. Name some in `authoritative`, in "
            "reconciler.yaml or in the project."
        )
    for claim in claimed:
        if claim.project:
            collections[claim.kind.name].add(claim.project)
    found = {name: frozenset(projects) for name, projects in collections.items()}
    return Scope(found, shared(desired, rules), prunes=True)


def shared(desired: Desired, rules: Rules) -> frozenset[str]:
    """The authoritative kinds that are in no project."""
    return frozenset(claim.kind.name for claim in claims(desired, rules) if not claim.project)


def chosen_scope(desired: Desired, rules: Rules, options: PlanOptions) -> Scope:
    """What is read beyond the declared objects for these options."""
    claimed = scope(desired, rules) if options.prune else DECLARED
    return replace(everything(desired, rules), prunes=claimed.prunes) if options.unmanaged else claimed


def everything(desired: Desired, rules: Rules) -> Scope:
    """All collections in declared projects, and the authoritative ones that are in none."""
    projects = frozenset(declared_projects(desired))
    inside = (entry.name for entry in nested().entries.values())
    return Scope(dict.fromkeys(inside, projects) if projects else {}, shared(desired, rules))


def declared_projects(desired: Desired) -> list[str]:
    """The projects that are declared present."""
    found = (a.key for a, o in desired.objects.items() if a.kind == CONTAINER and o.spec.state == "present")
    return sorted(found, key=natural)


def unread(config: Config, desired: Desired) -> dict[Address, Location]:
    """What other manifests beside the configuration declare: those that are not read this time, as with a PATH."""
    place = Path(config.place.file)
    if not place.is_file():
        return {}
    loaded = load((place.absolute().parent,), config.variables, rules=config.rules)
    built = build(foreign.without(loaded).documents, config.settings)
    every = {**built.objects, **built.partial}
    return {address: found.source for address, found in every.items() if address not in desired.objects}
