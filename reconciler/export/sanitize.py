"""The live state without personal data: every text gets pseudonyms (see `pseudonyms`).

The rows are changed before anything is described, so that keys, references and file names change with them. Names that
an administrator gives (roles, trackers, custom fields) are kept, because another server must have them too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from msgspec.structs import replace
from pydantic import StringConstraints

from reconciler.export.describe import Item
from reconciler.export.disk_dict import DiskDict
from reconciler.export.inventory import Inventory
from reconciler.export.pseudonyms import Pseudonyms
from reconciler.kinds import keyed, kinds
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import ManifestKey, People, ReadOnly, Streamed
from reconciler.model.codecs import blank
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.record import Record
from reconciler.state.desired import Desired
from reconciler.state.live import fresh_names

WITHHELD = b"The content of this file was left out (reconciler export --sanitize).\n"
"""The content of all attachments and files."""
PLACEHOLDER = "(left out)"
"""The value of text custom fields of users."""
LONGEST = 100
"""Maximum length of a project's identifier (Redmine 5.0 to 6.1)."""
TEXTS = frozenset({"", "string", "text", "link"})
"""Formats of custom fields with free text."""
KEPT = frozenset(
    {"status", "sharing", "relation_type", "enabled_modules", "digest", "content_url", "details"}
    | {"start_date", "due_date", "spent_on", "created_on", "updated_on", "closed_on"}
)
"""Keys of rows whose values are never names of persons and must not change."""


class Sanitized(Record):
    """The live state without personal data; `left_out` are remarks on custom fields that could not be kept."""

    inventory: Inventory
    pseudonyms: Pseudonyms
    left_out: Mapping[Address, tuple[str, ...]]
    merged: tuple[Item, ...]

    def items(self, described: Iterable[Item]) -> Iterator[Item]:
        """Described objects of `inventory`, with remarks on what was left out."""
        for item in described:
            yield replace(item, remarks=(*item.remarks, *self.left_out.get(item.address, ())))
        yield from self.merged


def sanitize(inventory: Inventory) -> Sanitized:
    """A copy of the inventory with pseudonyms in place of personal data."""
    return _Sanitizer(inventory).result()


class _Sanitizer:
    """Makes a new name index from the changed rows, as if a server had sent them."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory, self.old = inventory, inventory.names
        self.pseudonyms = Pseudonyms(people(self.old), self._texts())
        # Identifiers must stay unique, so all are replaced together.
        self.identifiers = _distinct(self.old.live(CONTAINER).ids, self.pseudonyms)
        self.new = fresh_names(Desired({}, (), self.old.settings))
        self.new.custom_fields = self.old.custom_fields
        administered = (
            row for kind in kinds().values() if kind.has(ReadOnly) for row in self.old.live(kind.name).rows.values()
        )
        self.fixed = frozenset(row.get("name") for row in administered)
        """Names that an administrator gives: they are kept where rows repeat them."""
        self.lost: dict[tuple[str, Any], tuple[str, ...]] = {}
        self.merged: list[Item] = []

    def _texts(self) -> Iterator[str]:
        """Every text of the live state, including names of trackers and the like: pseudonyms must not occur in any."""
        for kind in self.old.live_kinds():
            for row in self.old.live(kind).rows.values():
                yield from _texts(row)
        yield from _texts([file["filename"] for file in self.old.files.values()])

    def result(self) -> Sanitized:
        """Sanitize kind by kind, in the order of an inventory, because keys depend on the names of other kinds."""
        for kind in kinds().values():
            if kind.has(ReadOnly):
                for number, row in self.old.live(kind.name).rows.items():
                    self.new.add(kind.name, self.old.live(kind.name).keys[number], row)
        files = self.old.files.items()
        self.new.files = {n: {**file, "filename": self.pseudonyms.text(file["filename"])} for n, file in files}
        self._kinds(k for k in _declared() if not k.inside)
        self._kinds(k for k in _declared() if k.inside and not k.inside.reads_after)
        for kind in keyed():
            kind.capability(ManifestKey).make_keys(self.new, {})
        for kind in _declared():
            kind.capability(Exporting).rename_for_export(kind, self.new)
        self._kinds(k for k in _declared() if k.inside and k.inside.reads_after)
        projects = frozenset(map(self._project, self.inventory.projects))
        remarks = ((kind, self.new.live(kind).keys.get(n), lost) for (kind, n), lost in self.lost.items())
        left_out = {Address(kind, key): lost for kind, key, lost in remarks if key is not None}
        return Sanitized(Inventory(self.new, projects), self.pseudonyms, left_out, tuple(self.merged))

    def _project(self, identifier: str) -> str:
        return self.identifiers.get(identifier, identifier)

    def _kinds(self, chosen: Iterable[Kind]) -> None:
        for kind in chosen:
            if kind.has(Streamed):
                self._many(kind)
            else:
                self._few(kind)

    def _many(self, kind: Kind) -> None:
        """As in an inventory: one row at a time, stored on disk."""
        self.new.live(kind.name).store_rows_in(DiskDict())
        for row in self.old.live(kind.name).rows.values():
            changed = self._row(kind, row)
            self.new.add(kind.name, kind.key_of(changed, Context(self.new)) or "", changed)

    def _few(self, kind: Kind) -> None:
        rows = self._distinct(kind, {n: self._row(kind, row) for n, row in self.old.live(kind.name).rows.items()})
        seen = self.old.live(kind.name).seen_from
        for number, project in ((n, p) for n, where in seen.items() if n in rows for p in where):
            self.new.live(kind.name).note_seen(rows[number]["id"], self._project(project))
        for key, row in kind.match(list(rows.values()), Context(self.new), ()).rows.items():
            self.new.add(kind.name, key, row)
        kept = self.new.live(kind.name).keys
        self.merged += [self._merged(kind, n) for n, row in rows.items() if row["id"] not in kept]

    def _distinct(self, kind: Kind, rows: dict[Any, Row]) -> dict[Any, Row]:
        """The rows without those whose id (a wiki page's is its title) has become that of another one."""
        first = dict[str, Any]()
        for number, row in rows.items():
            first.setdefault(str(row["id"]).casefold(), number)
        kept = {number: rows[number] for number in first.values()}
        self.merged += [self._merged(kind, number) for number in rows if number not in kept]
        return kept

    def _merged(self, kind: Kind, number: Any) -> Item:
        """The remark on an object whose sanitized name is that of another object."""
        key = self._key(self.old.live(kind.name).keys[number], inside=kind.inside is not None)
        return Item(Address(kind.name, key), None, ("its sanitized name is that of another object",))

    def _key(self, key: str, *, inside: bool) -> str:
        project, slash, name = key.partition("/") if inside else ("", "", key)
        return self._project(project) + slash + self.pseudonyms.text(name)

    def _row(self, kind: Kind, row: Row) -> Row:
        new = {**row, **self._deep(row), **self._identifiers(row)}
        # After the texts: logins and names of accounts are replaced as a whole, not by the words in them.
        if "login" in row and row["login"] in self.pseudonyms.people:
            person = self.pseudonyms.people[row["login"]]
            new |= {n: getattr(person, n) for n in ("login", "firstname", "lastname", "mail")}
        if "custom_fields" in row:
            new["custom_fields"] = list(self._custom_fields(kind, row, new["id"]))
        # A pseudonym can be longer than the name that it replaces.
        return {**new, **{n: str(new[n])[:most] for n, most in _limits(kind) if isinstance(new.get(n), str)}}

    def _identifiers(self, row: Row) -> dict[str, Any]:
        """The parts of a row that contain a project's identifier."""
        projects = {name: self._project(row[name]) for name in ("identifier", "inside") if name in row}
        return {**projects, **({"id": self._key(row["id"], inside=True)} if isinstance(row["id"], str) else {})}

    def _deep(self, value: Any, *, nested: bool = False) -> Any:
        if isinstance(value, str):
            return self.pseudonyms.text(value)
        if isinstance(value, list):
            return [self._deep(part, nested=True) for part in value]
        if not isinstance(value, Mapping):
            return value
        # Some rows contain the names of an activity or tracker, which must be kept.
        kept = KEPT | ({"name"} if nested and value.get("name") in self.fixed else set())
        return {k: part if k in kept else self._deep(part, nested=True) for k, part in value.items()}

    def _custom_fields(self, kind: Kind, row: Row, number: Any) -> Iterator[Row]:
        fields = {field.id: field for field in self.old.custom_fields.get(kind.name, {}).values()}
        for item in row["custom_fields"]:
            field = fields.get(item["id"], CustomField(item["id"], item["name"]))
            value = self._value(field, item.get("value"), personal="login" in row)
            if value is None and not blank(item.get("value")):
                remark = f"custom_fields.{field.name}: left out because it names a person"
                self.lost[kind.name, number] = (*self.lost.get((kind.name, number), ()), remark)
            else:
                yield {**item, "value": value}

    def _value(self, field: CustomField, value: Any, *, personal: bool) -> Any:
        """A custom field's value as in a row; None if no replacement is possible."""
        if isinstance(value, list):
            parts = [self._value(field, part, personal=personal) for part in value]
            return None if None in parts else parts
        if blank(value):
            return value
        if field.format in TEXTS:
            new = PLACEHOLDER if personal else self.pseudonyms.text(str(value))
            return new if new == value or self._fits(field, new) else None
        shown = field.options.get(str(value), "") if field.format == "enumeration" else str(value)
        names_person = field.format in ("list", "enumeration") and self.pseudonyms.text(shown) != shown
        return None if names_person else value

    def _fits(self, field: CustomField, value: str) -> bool:
        """Whether a custom field's rules allow a value."""
        # Patterns are Ruby's, and cannot be checked here.
        most = field.max_length or len(value)
        # No guess at patterns: Redmine's are Ruby's, which differ from Python's.
        return not field.pattern and (field.min_length or 0) <= len(value) <= most


def people(names: Names) -> Iterator[Row]:
    """The rows of all accounts."""
    for kind in kinds().values():
        if kind.has(People):
            yield from names.live(kind.name).rows.values()


def _distinct(identifiers: Iterable[str], pseudonyms: Pseudonyms) -> dict[str, str]:
    """The sanitized identifiers of projects. Of several equal ones, all but the first get a number."""
    sanitized = {old: pseudonyms.text(old)[:LONGEST] for old in sorted(identifiers)}
    # Identifiers that stay come first: no replacement may be equal to one.
    taken = {old for old, new in sanitized.items() if old == new}
    for old, new in sanitized.items():
        if old != new:
            names = (new, *(f"{new[: LONGEST - len(str(n)) - 1]}-{n}" for n in range(2, len(sanitized) + 2)))
            sanitized[old] = next(name for name in names if name not in taken)
            taken.add(sanitized[old])
    return sanitized


def _declared() -> list[Kind]:
    return [kind for kind in kinds().values() if not kind.has(ReadOnly)]


@cache
def _limits(kind: Kind) -> tuple[tuple[str, int], ...]:
    """(key in a row, maximum length) for the texts of a kind."""
    return tuple(
        (api.read, rule.max_length)
        for name, api in kind.fields.items()
        for rule in kind.spec.model_fields[name].metadata
        if isinstance(rule, StringConstraints) and rule.max_length and api.read
    )


def _texts(value: Any) -> Iterator[str]:
    """All texts in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)
