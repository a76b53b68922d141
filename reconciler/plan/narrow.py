"""What a plan with `--target` has to read: the chosen objects, and all that can matter to their plan.

That is more than what the plan then selects, as much of it shows only in the live state; it is told from the manifests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.model.address import Address
from reconciler.model.capabilities import Creation, Rows
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Object
from reconciler.model.name_index import Names
from reconciler.plan.targets import PlanOptions, matching
from reconciler.state.desired import Desired, is_inside, references
from reconciler.state.live import fresh_names


def narrowed(desired: Desired, options: PlanOptions) -> Desired:
    """The desired state with those objects only. Raises ReconcilerError for a target that matches nothing."""
    others = (options.excludes, options.resend, options.unarchive, options.keep_going, options.prune, options.unmanaged)
    if not options.targets or any(others):
        return desired
    near = _Near(desired.objects, fresh_names(desired))
    needed = near.closure(matching(options.targets, desired.objects, "--target"))
    return replace(desired, objects={a: one for a, one in desired.objects.items() if a in needed})


class _Near:
    """Which declared objects can matter to which."""

    def __init__(self, objects: Mapping[Address, Object], names: Names) -> None:
        self.objects, self.names = objects, names
        self.named = {address: self._named(one) for address, one in objects.items()}
        self.naming: defaultdict[Address, set[Address]] = defaultdict(set)
        self.alike: defaultdict[tuple[str, str, str], set[Address]] = defaultdict(set)
        self.groups: defaultdict[tuple[str, str], set[Address]] = defaultdict(set)
        for address, one in objects.items():
            for other in self.named[address]:
                self.naming[other].add(address)
            for title in _titles(one):
                self.alike[title].add(address)
            self.groups[_group(one)].add(address)

    def closure(self, start: Iterable[Address]) -> set[Address]:
        """These objects and all that can matter to them."""
        found, pending = set[Address](), list(start)
        while pending:
            address = pending.pop()
            if address not in found:
                found.add(address)
                pending += self._near(self.objects[address])
        return found

    def _named(self, one: Object) -> set[Address]:
        """The declared objects that one refers to, and its project."""
        every = (a for _, reference in references(one, self.names) for a in reference.addresses(is_inside))
        known = (self.names.canonical(address) for address in every)
        return {address for address in known if address in self.objects}

    def _near(self, one: Object) -> Iterator[Address]:
        named = self.named[one.address]
        yield from named
        # Subtasks, and issues with a relation to it.
        yield from (other for other in self.naming[one.address] if other.kind == one.address.kind)
        # Those that compete with it for one live object, or for a name.
        for title in _titles(one):
            yield from self.alike[title]
        if one.kind.has(Catalog) or any(api.unique for api in one.kind.fields.values()):
            yield from self.groups[_group(one)]
        # The members of a project, among whom its default assignee must be.
        for name in one.fields:
            deferred = one.kind.fields[name].deferred
            for kind in deferred.inside if deferred else ():
                yield from self.groups[kind, one.project]
        # The memberships of those whom it names come before it.
        for kind in one.kind.inside.follows if one.kind.inside else ():
            members = self.groups[kind, one.project]
            people = named - {one.address.container}
            yield from (other for target in people for other in self.naming[target] if other in members)


def _group(one: Object) -> tuple[str, str]:
    """All definitions are one group: they are read in one call."""
    return ("", "") if one.kind.has(Catalog) else (one.kind.name, one.project)


def _titles(one: Object) -> Iterator[tuple[str, str, str]]:
    """What an object is known by, now and earlier; of kinds without a key, all in a project are alike."""
    unique, title = one.kind.capability(Creation).unique, one.kind.capability(Rows).title
    own = getattr(one.spec, title) if title else one.address.own_name if unique else ""
    for text in dict.fromkeys((own or "", one.spec.renamed_from or own or "")):
        yield one.kind.name, one.project, text.casefold()
