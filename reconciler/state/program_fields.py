"""What only the program inside Redmine shows of objects that the API lists: the watchers of a wiki page."""

from __future__ import annotations

from reconciler.model.kind import Kind
from reconciler.model.program_fields import declared_fields
from reconciler.record import Record
from reconciler.state.desired import Desired


class Wanted(Record):
    """Kinds of which such fields are wanted, and the projects that their objects are in; None: all."""

    kinds: tuple[Kind, ...] = ()
    projects: frozenset[str] | None = None


NOTHING = Wanted()


def wanted_fields(desired: Desired) -> Wanted:
    """The kinds of which the manifests declare such fields, and where."""
    objects = [declared for declared, _ in declared_fields(desired.objects.values())]
    kinds = {declared.kind.name: declared.kind for declared in objects}
    return Wanted(tuple(kinds.values()), frozenset(declared.project for declared in objects))
