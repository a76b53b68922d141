"""Kinds whose objects have no key that Redmine keeps unique: they are matched by their values, or by `id`."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from reconciler.model.address import Address, Row
from reconciler.model.capabilities import ReadBack
from reconciler.model.kind import Kind, Matches, Object
from reconciler.model.name_index import Context
from reconciler.model.spec import Id, ProjectItem
from reconciler.model.visibility import unknown_id

S = TypeVar("S", bound=ProjectItem)


class KeylessReadBack(ReadBack):
    """A row is the object if it has the same nature."""

    _of: Keyless[Any]

    def identifies(self, kind: Kind, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
        return bool(self._of.nature(row, context) == self._of.wanted(address, values, context))

    def likeness(self, kind: Kind, row: Row, context: Context) -> Hashable:
        return self._of.nature(row, context)


class Keyless(Kind[S], abstract=True):
    """A kind inside projects whose spec has a local `id`, and whose objects a second POST would double."""

    read_back: ClassVar[type[KeylessReadBack]] = KeylessReadBack

    def __init__(self) -> None:
        # Not a class variable: the read-back needs the kind itself, which exists only now.
        self.capabilities = (*self.capabilities, self.read_back(self))

    @abstractmethod
    def nature(self, row: Row, context: Context) -> Hashable:
        """The values by which a live object is matched."""

    @abstractmethod
    def wanted(self, address: Address, values: Mapping[str, Any], context: Context) -> Hashable:
        """The nature of an object with these manifest's or canonical values; None if no live object can have it."""

    def home(self, row: Row, context: Context) -> str | None:
        """The identifier of a live object's project, or None for one that was not read."""
        return context.key("project", row["project"]["id"])

    def match(self, rows: Sequence[Row], context: Context, objects: Sequence[Object[S]]) -> Matches:
        matching = _Matching(self, rows, context)
        # An `id` leaves no choice, so those objects take theirs before others are matched by values.
        for wanted in sorted(objects, key=lambda o: getattr(o.spec, "id", None) is None):
            matching.settle(wanted)
        return matching.result()


class _Matching:
    """Matches declared objects to live ones."""

    def __init__(self, kind: Keyless[Any], rows: Sequence[Row], context: Context) -> None:
        self.kind = kind
        self.context = context
        self.rows: dict[Id, Row] = {row["id"]: row for row in rows}
        self.alike: defaultdict[Hashable, list[Id]] = defaultdict(list)
        # By id, so that the answer does not depend on the order of the list.
        for number, row in sorted(self.rows.items()):
            self.alike[kind.nature(row, context)].append(number)
        self.taken: dict[Id, Object] = {}
        self.problems: list[tuple[Object, str, str]] = []

    def settle(self, wanted: Object) -> None:
        """Find the live object of a declared one, if there is one. Those with an `id` come first."""
        number = getattr(wanted.spec, "id", None)
        if number is not None:
            self._by_number(wanted, number)
            return
        numbers = self._live(wanted, wanted.fields)
        named = bool(numbers)
        # Only where nothing has the new name: otherwise an earlier run has renamed it already.
        if not named and wanted.spec.renamed_from:
            earlier = {self.kind.identity[0]: wanted.spec.renamed_from}
            numbers = self._live(wanted, wanted.fields | earlier)
        if len(numbers) > 1:
            said = ", ".join(f"#{n}" for n in numbers)
            what = self.kind.plural.replace("_", " ")
            self.problems.append((wanted, f"several {what} match: {said}", f"set `id: {numbers[0]}` to choose one"))
        # A single one of the earlier name is left to the planner, which renames it.
        if named or len(numbers) > 1:
            self.taken[numbers[0]] = wanted

    def _live(self, wanted: Object, values: Mapping[str, Any]) -> list[Id]:
        """The live objects with these values that no other declared object has been matched to."""
        # None (a user or issue that does not exist yet) is the nature of no row, so it matches nothing.
        nature = self.kind.wanted(wanted.address, values, self.context)
        return [number for number in self.alike.get(nature, ()) if number not in self.taken]

    def _by_number(self, wanted: Object, number: int) -> None:
        row, what = self.rows.get(number), self.kind.name.replace("_", " ")
        home = None if row is None else self.kind.home(row, self.context)
        if row is None:
            # What is declared absent and does not exist is as declared.
            if wanted.spec.state == "present":
                self.problems.append((wanted, *unknown_id(what, number, self.context.names)))
        elif home != wanted.address.project:
            where = f'project "{home}"' if home else "another project"
            self.problems.append((wanted, f"{what} #{number} is in {where}", "declare it in that project"))
        elif number in self.taken:
            message = f"{self.taken[number].address} has the same id {number}"
            self.problems.append((wanted, message, "remove one of them"))
        else:
            self.taken[number] = wanted

    def result(self) -> Matches:
        """The matches. Undeclared objects of one key get their ids as a suffix."""
        owned = {wanted.address.key: self.rows[number] for number, wanted in self.taken.items()}
        others: dict[str, Row] = {}
        for numbers in self.alike.values():
            for number in (n for n in numbers if n not in self.taken):
                key = self.kind.key_of(self.rows[number], self.context)
                if key is not None:
                    others[f"{key} #{number}" if len(numbers) > 1 or key in owned else key] = self.rows[number]
        return Matches({**others, **owned}, tuple(self.problems))
