"""What a plan with `--target` has to read: the chosen objects, and all that can matter to their plan.

That is more than what the plan then selects, as much of it shows only in the live state; it is told from the manifests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.capabilities import Creation, Deletion, Rows
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Object
from reconciler.model.name_index import Names
from reconciler.plan.options import PlanOptions, matching
from reconciler.state.desired import Desired, is_inside, references
from reconciler.state.live import fresh_names


def narrowed(desired: Desired, options: PlanOptions) -> Desired:
    """The desired state with those objects only. Raises ReconcilerError for a target that matches nothing."""
    if not options.only_targets:
        return desired
    near = _Near(desired.objects, fresh_names(desired))
    needed = near.closure(matching(options.targets, desired.objects, "--target"))
    if any(_takes_others_along(desired.objects[address]) for address in needed):
        return desired
    return replace(desired, objects={a: one for a, one in desired.objects.items() if a in needed})


def _takes_others_along(one: Object) -> bool:
    """Whether an object is to be deleted with what is below it: that shows in the live state alone, and what is deleted
    like that may be declared anywhere, or protected."""
    deletion = type(one.kind.capability(Deletion))
    return one.spec.state == "absent" and deletion.takes_along is not Deletion.takes_along


Group = tuple[Address | str, ...]
"""What some objects have in common."""


class _Near:
    """Which declared objects can matter to which."""

    def __init__(self, objects: Mapping[Address, Object], names: Names) -> None:
        self.objects, self.names = objects, names
        self.named = {address: self._named(one) for address, one in objects.items()}
        self.members: defaultdict[Group, list[Address]] = defaultdict(list)
        for address, one in objects.items():
            for group in self._groups(one):
                self.members[group].append(address)

    def closure(self, start: Iterable[Address]) -> set[Address]:
        """These objects and all that can matter to them."""
        found, met, pending = set[Address](), set[Group](), list(start)
        while pending:
            address = pending.pop()
            if address not in found:
                found.add(address)
                pending += self.named[address]
                # Each group once: all its members can lead to it.
                new = set(self._near(self.objects[address])) - met
                met |= new
                pending += (other for group in new for other in self.members.get(group, ()))
        return found

    def _named(self, one: Object) -> set[Address]:
        """The declared objects that one refers to, and its project."""
        every = (a for _, reference in references(one, self.names) for a in reference.addresses(is_inside))
        known = (self.names.canonical(address) for address in every)
        return {address for address in known if address in self.objects}

    def _groups(self, one: Object) -> Iterator[Group]:
        """The groups that an object is in; those that refer to the same one are also groups."""
        yield _group(one)
        yield from _titles(one)
        for other in self.named[one.address]:
            yield other, one.kind.name
            yield other, one.kind.name, one.project

    def _near(self, one: Object) -> Iterator[Group]:
        """The groups that can matter to an object."""
        # Subtasks, and issues with a relation to it.
        yield one.address, one.kind.name
        # Those that compete with it for one live object, or for a name.
        yield from _titles(one)
        if one.kind.has(Catalog) or any(api.unique for api in one.kind.fields.values()):
            yield _group(one)
        # The members of a project, among whom its default assignee must be.
        for name in one.fields:
            deferred = one.kind.fields[name].deferred
            for kind in deferred.inside if deferred else ():
                yield kind, one.project
        # The memberships of those whom it names come before it.
        for kind in one.kind.inside.follows if one.kind.inside else ():
            yield from ((other, kind, one.project) for other in self.named[one.address] - {one.address.container})


def _group(one: Object) -> tuple[str, str]:
    """All definitions are one group: they are read in one call."""
    return ("", "") if one.kind.has(Catalog) else (one.kind.name, one.project)


def _titles(one: Object) -> Iterator[tuple[str, str, str]]:
    """What an object is known by, now and earlier; of kinds without a key, all in a project are alike."""
    unique, title = one.kind.capability(Creation).unique, one.kind.capability(Rows).title
    own = getattr(one.spec, title) if title else one.address.own_name if unique else ""
    for text in dict.fromkeys((own or "", one.spec.renamed_from or own or "")):
        yield one.kind.name, one.project, text.casefold()
