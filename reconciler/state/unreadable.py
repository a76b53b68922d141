"""Rows that cannot be read: they are left out, and then what their list lacks is not known to be absent.

A declared object that was not found may be such a row. It is a Problem, never a second creation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from reconciler.errors import Problem
from reconciler.model.address import Address, Row
from reconciler.model.kind import Kind, Object, earlier_key
from reconciler.model.name_index import Names
from reconciler.model.requests import Listing
from reconciler.record import Record
from reconciler.state.fetch import Spoiled

HINT = "correct or delete that object in Redmine, then plan again"


class Unreadable(Record):
    """A row that was left out: of which list, in which project ("" if the list is of several), and why."""

    kind: str
    number: str
    project: str
    path: str
    why: str

    @property
    def address(self) -> Address:
        """What it is called, as no name can be read."""
        return Address(self.kind, f"{self.project}/#{self.number}" if self.project else f"#{self.number}")

    def __str__(self) -> str:
        return f"left out, as its row cannot be read: {self.why} in the response to GET {self.path}"


class LeftOut(Struct):
    """The rows that were left out while reading."""

    rows: list[Unreadable] = field(default_factory=list)

    def of(self, kind: Kind) -> Spoiled:
        """What notes rows of a kind."""

        def note(listing: Listing, row: Row, why: str) -> None:
            number = row.get("id")
            shown = str(number) if isinstance(number, int | str) else "?"
            found = Unreadable(kind.name, shown, listing.seen_from, listing.path, why)
            if found not in self.rows:
                self.rows.append(found)

        return note

    def lasting(self, names: Names) -> tuple[Unreadable, ...]:
        """Those that no other list has shown as they should be."""
        return tuple(r for r in self.rows if r.number not in map(str, names.live(r.kind).rows))

    def problems(self, kind: Kind, declared: Iterable[Object], names: Names) -> Iterator[Problem]:
        """A Problem for each declared object that was not found and may be a row that was left out."""
        spoiled = [row for row in self.rows if row.kind == kind.name]
        for wanted in declared if spoiled else ():
            if wanted.spec.state == "present" and not _found(wanted, names):
                one = next((row for row in spoiled if row.project in ("", wanted.address.project)), None)
                if one is not None:
                    said = f"it was not found, but may be #{one.number}, which cannot be read: {one.why}"
                    yield Problem(wanted.source, f"{said} (GET {one.path})", str(wanted.address), HINT)


def _found(wanted: Object, names: Names) -> bool:
    if names.is_live(wanted.address):
        return True
    earlier = wanted.spec.renamed_from
    key = earlier_key(wanted.kind, wanted.spec, wanted.address.project) if earlier else ""
    return bool(key) and names.is_live(Address(wanted.kind.name, key))
