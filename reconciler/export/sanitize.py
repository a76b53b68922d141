"""What is live, without personal data: every text is disguised (see `disguise`).

The rows are changed before anything is described, so that keys, references and the names of files follow. What an
administrator names (roles, trackers, custom fields) stays, as another server must have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import StringConstraints

from reconciler.export.describe import Item
from reconciler.export.disk_dict import Spool
from reconciler.export.inventory import Inventory
from reconciler.export.pseudonyms import Disguise
from reconciler.kinds import keyed, kinds
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import ManifestKey, People, ReadOnly, Streamed
from reconciler.model.codecs import blank
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.state.desired import Desired
from reconciler.state.live import fresh_names

WITHHELD = b"The content of this file was left out (reconciler export --sanitize).\n"
"""What stands for every attachment and file."""
PLACEHOLDER = "(left out)"
"""What stands for texts in the custom fields of users."""
LONGEST = 100
"""Characters of a project's identifier."""
TEXTS = frozenset({"", "string", "text", "link"})
"""Formats of custom fields whose values are free texts."""
KEPT = frozenset(
    {"status", "sharing", "relation_type", "enabled_modules", "digest", "content_url", "details"}
    | {"start_date", "due_date", "spent_on", "created_on", "updated_on", "closed_on"}
)
"""What is never a person's name, and has to stay as it is."""


@dataclass(frozen=True, slots=True)
class Sanitized:
    """What is live, without personal data; `left_out` are custom fields that could not be kept."""

    inventory: Inventory
    disguise: Disguise
    left_out: Mapping[Address, tuple[str, ...]]
    merged: tuple[Item, ...]

    def items(self, described: Iterable[Item]) -> Iterator[Item]:
        """Described objects of `inventory`, with what was left out."""
        for item in described:
            yield replace(item, remarks=(*item.remarks, *self.left_out.get(item.address, ())))
        yield from self.merged


def sanitize(found: Inventory) -> Sanitized:
    """The same inventory with stand-ins in the place of personal data. Nothing that it holds is changed."""
    return _Work(found).result()


class _Work:
    """Makes new `Names` of the changed rows, as if a server had shown them."""

    def __init__(self, found: Inventory) -> None:
        self.found, self.old = found, found.names
        self.disguise = Disguise(people(self.old), self._texts())
        self.identifiers = _distinct(self.old.live(CONTAINER).ids, self.disguise)
        self.new = fresh_names(Desired({}, (), self.old.settings))
        self.new.custom_fields = self.old.custom_fields
        named = (
            row for kind in kinds().values() if kind.has(ReadOnly) for row in self.old.live(kind.name).rows.values()
        )
        self.fixed = frozenset(row.get("name") for row in named)
        self.lost: dict[tuple[str, Any], tuple[str, ...]] = {}
        self.merged: list[Item] = []

    def _texts(self) -> Iterator[str]:
        """Every text that there is, names of trackers and the like too."""
        for kind in self.old.live_kinds():
            for row in self.old.live(kind).rows.values():
                yield from _texts(row)
        yield from _texts([file["filename"] for file in self.old.files.values()])

    def result(self) -> Sanitized:
        """Kind by kind, in the order in which they are read."""
        for kind in kinds().values():
            if kind.has(ReadOnly):
                for number, row in self.old.live(kind.name).rows.items():
                    self.new.add(kind.name, self.old.live(kind.name).keys[number], row)
        files = self.old.files.items()
        self.new.files = {n: {**file, "filename": self.disguise.text(file["filename"])} for n, file in files}
        self._kinds(k for k in _declared() if not k.inside)
        self._kinds(k for k in _declared() if k.inside and not k.inside.reads_after)
        for kind in keyed():
            kind.capability(ManifestKey).make_keys(self.new, {})
        for kind in _declared():
            kind.capability(Exporting).rename_for_export(kind, self.new)
        self._kinds(k for k in _declared() if k.inside and k.inside.reads_after)
        projects = frozenset(map(self._project, self.found.projects))
        named = ((kind, self.new.live(kind).keys.get(n), lost) for (kind, n), lost in self.lost.items())
        said = {Address(kind, key): lost for kind, key, lost in named if key is not None}
        return Sanitized(Inventory(self.new, projects), self.disguise, said, tuple(self.merged))

    def _project(self, identifier: str) -> str:
        return self.identifiers.get(identifier, identifier)

    def _kinds(self, chosen: Iterable[Kind]) -> None:
        for kind in chosen:
            if kind.has(Streamed):
                self._many(kind)
            else:
                self._few(kind)

    def _many(self, kind: Kind) -> None:
        """As an inventory reads them: one after the other, and onto the disk."""
        self.new.live(kind.name).store_rows_in(Spool())
        for row in self.old.live(kind.name).rows.values():
            changed = self._row(kind, row)
            self.new.add(kind.name, kind.key_of(changed, Context(self.new)) or "", changed)

    def _few(self, kind: Kind) -> None:
        rows = self._apart(kind, {n: self._row(kind, row) for n, row in self.old.live(kind.name).rows.items()})
        seen = self.old.live(kind.name).seen_from
        for number, project in ((n, p) for n, where in seen.items() if n in rows for p in where):
            self.new.live(kind.name).note_seen(rows[number]["id"], self._project(project))
        for key, row in kind.match(list(rows.values()), Context(self.new), ()).rows.items():
            self.new.add(kind.name, key, row)
        kept = self.new.live(kind.name).keys
        self.merged += [self._merged(kind, n) for n, row in rows.items() if row["id"] not in kept]

    def _apart(self, kind: Kind, rows: dict[Any, Row]) -> dict[Any, Row]:
        """The rows without those whose id, which is made of a title, has become that of another one."""
        first = dict[str, Any]()
        for number, row in rows.items():
            first.setdefault(str(row["id"]).casefold(), number)
        kept = {number: rows[number] for number in first.values()}
        self.merged += [self._merged(kind, number) for number in rows if number not in kept]
        return kept

    def _merged(self, kind: Kind, number: Any) -> Item:
        """What is said of an object that has come to have the name of another one."""
        key = self._key(self.old.live(kind.name).keys[number], inside=kind.inside is not None)
        return Item(Address(kind.name, key), None, ("without personal data its name is that of another one",))

    def _key(self, key: str, *, inside: bool) -> str:
        project, slash, name = key.partition("/") if inside else ("", "", key)
        return self._project(project) + slash + self.disguise.text(name)

    def _row(self, kind: Kind, row: Row) -> Row:
        new = {**row, **self._deep(row), **self._home(row)}
        if "login" in row and row["login"] in self.disguise.people:
            person = self.disguise.people[row["login"]]
            new |= {n: getattr(person, n) for n in ("login", "firstname", "lastname", "mail")}
        if "custom_fields" in row:
            new["custom_fields"] = list(self._custom_fields(kind, row, new["id"]))
        return {**new, **{n: str(new[n])[:most] for n, most in _limits(kind) if isinstance(new.get(n), str)}}

    def _home(self, row: Row) -> dict[str, Any]:
        """What names a project in a row by its identifier."""
        named = {name: self._project(row[name]) for name in ("identifier", "inside") if name in row}
        return {**named, **({"id": self._key(row["id"], inside=True)} if isinstance(row["id"], str) else {})}

    def _deep(self, value: Any, *, nested: bool = False) -> Any:
        if isinstance(value, str):
            return self.disguise.text(value)
        if isinstance(value, list):
            return [self._deep(part, nested=True) for part in value]
        if not isinstance(value, Mapping):
            return value
        # What an administrator names is told by that name in some places, such as an activity.
        kept = KEPT | ({"name"} if nested and value.get("name") in self.fixed else set())
        return {k: part if k in kept else self._deep(part, nested=True) for k, part in value.items()}

    def _custom_fields(self, kind: Kind, row: Row, number: Any) -> Iterator[Row]:
        fields = {field.id: field for field in self.old.custom_fields.get(kind.name, {}).values()}
        for item in row["custom_fields"]:
            field = fields.get(item["id"], CustomField(item["id"], item["name"]))
            value = self._value(field, item.get("value"), personal="login" in row)
            if value is None and not blank(item.get("value")):
                said = f"custom_fields.{field.name}: left out, as it names somebody"
                self.lost[kind.name, number] = (*self.lost.get((kind.name, number), ()), said)
            else:
                yield {**item, "value": value}

    def _value(self, field: CustomField, value: Any, *, personal: bool) -> Any:
        """A custom field's value as the API shows it; None for one that nothing can stand for."""
        if isinstance(value, list):
            parts = [self._value(field, part, personal=personal) for part in value]
            return None if None in parts else parts
        if blank(value):
            return value
        if field.format in TEXTS:
            new = PLACEHOLDER if personal else self.disguise.text(str(value))
            return new if new == value or self._fits(field, new) else None
        shown = field.options.get(str(value), "") if field.format == "enumeration" else str(value)
        named = field.format in ("list", "enumeration") and self.disguise.text(shown) != shown
        return None if named else value

    def _fits(self, field: CustomField, value: str) -> bool:
        """Whether a custom field's rules allow a value."""
        most = field.max_length or len(value)
        return not field.pattern and (field.min_length or 0) <= len(value) <= most


def people(names: Names) -> Iterator[Row]:
    """The rows of everybody who has an account."""
    for kind in kinds().values():
        if kind.has(People):
            yield from names.live(kind.name).rows.values()


def _distinct(identifiers: Iterable[str], disguise: Disguise) -> dict[str, str]:
    """The identifiers of projects without personal data; of those that become the same, all but one get a number."""
    found = {old: disguise.text(old)[:LONGEST] for old in sorted(identifiers)}
    taken = {old for old, new in found.items() if old == new}
    for old, new in found.items():
        if old != new:
            names = (new, *(f"{new[: LONGEST - len(str(n)) - 1]}-{n}" for n in range(2, len(found) + 2)))
            found[old] = next(name for name in names if name not in taken)
            taken.add(found[old])
    return found


def _declared() -> list[Kind]:
    return [kind for kind in kinds().values() if not kind.has(ReadOnly)]


@cache
def _limits(kind: Kind) -> tuple[tuple[str, int], ...]:
    """(name in a row, characters at most) for the texts of a kind."""
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
