"""`--keep-going`: objects that have a problem are left out, with all that needs them, and the others are planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set

from msgspec.structs import replace

from reconciler.errors import Location, ManifestError, Problem
from reconciler.model.address import Address
from reconciler.model.name_index import Names
from reconciler.plan.operations import Change, Plan
from reconciler.plan.targets import needing
from reconciler.record import Record
from reconciler.state.desired import Desired
from reconciler.state.renames import rings


class Faults(Record):
    """What a plan leaves out: objects with problems, and others with the one that they need."""

    problems: tuple[Problem, ...] = ()
    failed: tuple[tuple[Change, tuple[Problem, ...]], ...] = ()
    skipped: tuple[tuple[Change, Address], ...] = ()

    @property
    def tolerated(self) -> frozenset[Problem]:
        """The problems that do not end the plan of the rest."""
        return frozenset(self.problems)

    @property
    def objects(self) -> frozenset[Address]:
        """All objects that are left out."""
        return frozenset(change.address for change, _ in (*self.failed, *self.skipped))

    def among(self, chosen: Callable[[Address], bool]) -> Faults:
        """Those of the chosen objects; all problems stay known."""
        failed = tuple((change, problems) for change, problems in self.failed if chosen(change.address))
        skipped = tuple((change, other) for change, other in self.skipped if chosen(change.address))
        return replace(self, failed=failed, skipped=skipped)


NO_FAULTS = Faults()


def find(desired: Desired, names: Names, make: Callable[[Set[Problem]], Plan]) -> Faults:
    """The objects that cannot be planned, and those that need them; `make` makes a plan despite some problems.

    Raises ManifestError if there are problems that are not those of single objects.
    """
    try:
        make(frozenset())
    except ManifestError as error:
        problems = tuple(dict.fromkeys(error.problems))
    else:
        return NO_FAULTS
    owned = _owned(desired, problems)
    whole = make(frozenset(problems))
    changes = {change.address: change for change in whole.changes}
    failed = []
    for address, its in sorted(owned.items()):
        nothing = Change(address, names.id(address), desired.objects[address].source, ())
        failed.append((changes.get(address, nothing), its))
    needed = needing(whole, owned, _exchanged(desired, names).intersection(owned))
    return Faults(problems, tuple(failed), tuple((changes[a], other) for a, other in sorted(needed.items())))


def _owned(desired: Desired, problems: Sequence[Problem]) -> dict[Address, tuple[Problem, ...]]:
    """The objects that problems are of; all of them, if a problem is of several, at whatever place of theirs."""
    names = {str(address): address for address in desired.objects}
    if any(problem.subject not in names for problem in problems):
        raise ManifestError(problems)
    places = dict(_places(desired)) if any(problem.also for problem in problems) else {}
    owned: dict[Address, tuple[Problem, ...]] = {}

    def owners(problem: Problem) -> Iterator[Address]:
        yield names[problem.subject]
        yield from (places[place] for place in problem.also if place in places)

    for problem in problems:
        for address in dict.fromkeys(owners(problem)):
            owned[address] = (*owned.get(address, ()), problem)
    return owned


def _exchanged(desired: Desired, names: Names) -> set[Address]:
    """The objects that exchange their names with others, as far as it is not settled which is which."""
    ringed = (found.address for ring in rings(desired.objects.values()) for found in ring)
    return {address for address in ringed if address not in names.renamed}


def _places(desired: Desired) -> Iterator[tuple[Location, Address]]:
    """Where the objects and their fields are declared."""
    for address, declared in desired.objects.items():
        yield declared.source, address
        yield from ((declared.where(name), address) for name in declared.body)
