"""Custom fields: by name and with typed values in manifests, by id and as strings in the API.

Sources: Redmine's `lib/redmine/field_format.rb`; behaviour seen on 5.0.4 and 6.1.5. The traps: a bool is "1" or "0"
(JSON true is stored as "true", which Redmine reads as *no*); an enumeration, a user and a version are ids; floats and
integers come back as they were typed; an attachment field that is sent a plain string loses its file.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from reconciler import natural
from reconciler.model.address import Reference, Unresolved
from reconciler.model.codecs import (
    Candidate,
    Codec,
    Difference,
    Ref,
    Upload,
    blank,
    digest,
    ordered,
    stored,
    unix_lines,
)
from reconciler.model.forms import CUSTOM_FIELDS, Form
from reconciler.model.local_files import fault, is_file, path_of, stored_name
from reconciler.model.name_index import Context, CustomField, near_miss

USER = Ref(("user",))
VERSION = Ref(("version",))
INTEGER = r"[+-]?\d+"
FLOAT = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
UNSEEN = "the field is not visible, so the API never shows its values"
TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
FALSE = frozenset({"0", "false", "no", "off", "n", "f"})
WORDS = frozenset({"true", "false", "yes", "no", "on", "off"})


class CustomFields(Codec):
    """The `custom_fields` of an object: `{name: value}`. Fields that are not mentioned are left alone."""

    lookups = lookups_to_create = ("custom_field",)
    holds: ClassVar[bool] = True
    form: ClassVar[Form] = CUSTOM_FIELDS
    customized: str

    def named_kinds(self) -> tuple[str, ...]:
        return (self.customized,)

    def fields(self, context: Context) -> Mapping[str, CustomField]:
        """The definitions that the account may see, by name."""
        return context.names.custom_fields.get(self.customized, {})

    def find(self, name: str, context: Context) -> CustomField:
        """The definition of a field by name, or by id for `#12`; raises Unresolved."""
        fields = self.fields(context)
        # By name first: a field can be called `#12`.
        if name in fields:
            return fields[name]
        if name.startswith("#") and name[1:].isdecimal():
            numbered = next((f for f in fields.values() if f.id == int(name[1:])), None)
            # Who may not see the definitions can still write a field by its id; its format is unknown then.
            if numbered or not context.names.sees_definitions:
                return numbered or CustomField(int(name[1:]), name)
        kind = self.customized.replace("_", " ")
        hint = context.names.advice(name, fields, "custom_field")
        if context.names.sight is not None:
            said = f"this account sees those of the {kind}s and projects that were read"
            hint = near_miss(name, fields) or "write its id, as `#12`, or use an administrator's API key"
            raise Unresolved(f'cannot tell whether there is a custom field "{name}" for {kind}s: {said}', hint)
        raise Unresolved(f'there is no custom field "{name}" for {kind}s', hint, ("custom field", name))

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        for name, item in (value or {}).items():
            yield from definition_of(self.customized, name, context)
            # An unknown name has no format and refers to nothing here; `canonical` reports it.
            ref = REFERENCES.get(self.fields(context).get(name, CustomField(0, name)).format)
            if ref is not None:
                values = item if isinstance(item, list) else [item]
                yield from (ref.reference(v, context.project) for v in values if not blank(v) and ref.is_name(v))

    def faults(self, value: Any) -> Iterable[tuple[str, Unresolved]]:
        for name, item in (value or {}).items():
            if is_file(item) and (error := fault(item)):
                yield name, error

    def canonical(self, value: Any, context: Context) -> Any:
        return self._canonical(value, context, lambda field: ())

    def kept(self, value: Any, context: Context) -> Any:
        return self._canonical(value, context, lambda field: self._held(field, context))

    def _canonical(self, value: Any, context: Context, held: Callable[[CustomField], Collection[Any]]) -> Any:
        values = {}
        for name, item in natural.items(value or {}):
            field = self.find(name, context)
            try:
                values[field.name] = canonical(field, item, context, held(field))
            except Unresolved as error:
                raise Unresolved(f"{name}: {error}", error.hint, error.lacks) from error
        return values

    def _held(self, field: CustomField, context: Context) -> list[Any]:
        """The values of a field that the object has: Redmine takes them again even if the field allows them no more."""
        row = (context.names.row(context.own) if context.own else None) or {}
        live = [item.get("value") for item in row.get("custom_fields") or () if item["id"] == field.id]
        values = [decode(field, value, context) for value in live]
        return [one for value in values for one in (value if isinstance(value, list) else [value]) if not blank(one)]

    def why_unseen(self, part: str, context: Context) -> str:
        field = self.fields(context).get(part)
        return UNSEEN if field is not None and not field.shown else ""

    def pieces(self, value: Any) -> Iterable[tuple[str, Any]]:
        # An empty mapping is a piece too, or it would not be looked at.
        return [(name, {name: item}) for name, item in natural.items(value or {})] or (("", {}),)

    def decode(self, wire: Any, context: Context) -> Any:
        by_id = {f.id: f for f in self.fields(context).values()}
        values = {}
        for item in wire or ():
            # A definition that the account may not see: the value still counts, under the field's number.
            unseen = CustomField(item["id"], f"#{item['id']}", multiple=bool(item.get("multiple")))
            field = by_id.get(item["id"], unseen)
            values[field.name] = decode(field, item.get("value"), context)
        return values

    def encode(self, value: Any, context: Context) -> Any:
        # By id: Redmine ignores the name, and drops an id that it does not know (5.0 to 6.1; test_trap_06).
        fields = [(self.find(name, context), item) for name, item in value.items()]
        return [{"id": number_of(field), "value": encode(field, item, context)} for field, item in fields]

    def written(self, value: Any, context: Context) -> Any:
        values = {name: _written(self.find(name, context), item, context) for name, item in (value or {}).items()}
        # A new object gets the default of a field that is left out.
        return {n: v for n, v in values.items() if not blank(v) or self.fields(context)[n].default}

    def parts(self, value: Any) -> Iterable[tuple[str, Any]]:
        return (value or {}).items()

    def differences(self, desired: Any, live: Any) -> list[Difference]:
        return [
            (name, (live or {}).get(name), value)
            for name, value in desired.items()
            if not same(value, (live or {}).get(name))
        ]

    def equal(self, desired: Any, live: Any) -> bool:
        return not self.differences(desired, live)

    def files(self, value: Any, wire: Any, context: Context) -> Iterable[Candidate]:
        held = {item["id"]: str(item.get("value") or "") for item in wire or ()}
        for name, wanted in (value or {}).items():
            field = self.fields(context).get(name)
            if field and field.format == "attachment" and held.get(field.id, "").isdecimal() and is_file(wanted):
                yield Candidate(int(held[field.id]), _stored_as(wanted), path_of(wanted).stat().st_size)


def definition_of(customized: str, name: str, context: Context) -> Iterable[Reference]:
    """The declared custom field that a name means, if there is one: those that are not declared exist already."""
    key = f"{customized}/{name}"
    return (Reference(("custom_field",), "", key),) if key in context.names.declared("custom_field") else ()


def number_of(field: CustomField) -> int:
    """The id of a custom field that must exist by now; raises Unresolved."""
    if field.id < 0:
        raise Unresolved(f'the custom field "{field.name}" does not exist on the server')
    return field.id


def same(desired: Any, live: Any) -> bool:
    """Whether two canonical values of one custom field are the same to Redmine."""
    if isinstance(desired, Mapping) and isinstance(live, Mapping) and "sha256" in desired:
        return _stored_as(desired) == live.get("file") and desired["sha256"] == live.get("sha256")
    # Before the numbers: in Python True == 1, and a bool is an int.
    if isinstance(desired, bool) or isinstance(live, bool):
        return desired is live
    if isinstance(desired, int | float) and isinstance(live, int | float):
        # Redmine returns a number as it was typed, such as "1.50" (5.0 to 6.1; test_trap_33).
        return math.isclose(desired, live, rel_tol=1e-9)
    return bool(desired == live) or (blank(desired) and blank(live))


def canonical(field: CustomField, value: Any, context: Context, held: Collection[Any] = ()) -> Any:
    """A manifest's value of `field` in its canonical form; raises Unresolved when it cannot be one.

    `held` are canonical values that are live: they can stay whatever the field allows by now.
    """
    if blank(value):
        return [] if field.multiple else None
    if isinstance(value, list):
        if not field.multiple and field.format:
            raise Unresolved("expected one value, found a list")
        # Redmine keeps neither the order nor a value that is given twice (seen on 5.0).
        return ordered(_canonical_one(field, v, context, held) for v in value if not blank(v))
    item = _canonical_one(field, value, context, held)
    # A single value of a field that takes several may be written without a list.
    return [item] if field.multiple else item


def _canonical_one(field: CustomField, value: Any, context: Context, held: Collection[Any]) -> Any:
    try:
        return READ.get(field.format, plain)(field, value, context)
    except Unresolved:
        kept = [one for one in held if isinstance(one, str | int | float) and str(one) == str(value)]
        if not kept:
            raise
        return kept[0]


def decode(field: CustomField, wire: Any, context: Context) -> Any:
    """The API's value of `field` in canonical form; what does not fit the format stays as it is."""
    if isinstance(wire, list):
        return ordered(_decode_one(field, w, context) for w in wire if not blank(w))
    if blank(wire):
        return [] if field.multiple else None
    item = _decode_one(field, wire, context)
    return [item] if field.multiple else item


def _decode_one(field: CustomField, wire: Any, context: Context) -> Any:
    ref = REFERENCES.get(field.format)
    if ref is not None:
        return ref.decode({"id": int(wire)}, context) if str(wire).isdecimal() else wire
    if field.format == "enumeration":
        # Definitions list active options only (5.0 to 6.1), but an object can have an inactive one.
        return field.options.get(str(wire), f"#{wire}")
    if field.format == "list":
        # What is renamed is renamed in all objects at once.
        return field.renamed.get(wire, wire)
    if field.format == "attachment" and str(wire).isdecimal():
        file = context.names.files.get(int(wire), {})
        shown = {k: file[k] for k in ("filename", "sha256", "id") if k in file}
        return {"file": shown.pop("filename"), **shown} if file else f"#{wire}"
    if field.format == "bool":
        # Anything else ("true") Redmine takes for no: shown as it is, so that it differs from false (test_trap_33).
        return {"1": True, "0": False}.get(wire, wire)
    if field.format == "text":
        return unix_lines(str(wire))
    try:
        return READ[field.format](field, wire, context) if field.format in ("int", "float", "progressbar") else wire
    except Unresolved:
        return wire


def _written(field: CustomField, value: Any, context: Context) -> Any:
    """A canonical value of `field` as a manifest has it."""
    if isinstance(value, list):
        return [_written(field, v, context) for v in value]
    if field.format == "attachment":
        return _stored(value, context)
    ref = REFERENCES.get(field.format)
    return ref.written(value, context) if ref is not None else value


def _stored(value: Any, context: Context) -> Any:
    """What a manifest says for the file in a custom field."""
    if blank(value):
        return None
    if not isinstance(value, Mapping):
        raise Unresolved("the server has lost the file")
    return stored(value["id"], value["file"], context.names.files.get(value["id"], {}), context)


def encode(field: CustomField, value: Any, context: Context) -> Any:
    """A canonical value of `field` as the API takes it: strings, and "" or [] to clear."""
    if isinstance(value, list):
        return [encode(field, v, context) for v in value]
    if value is None:
        return [] if field.multiple else ""
    ref = REFERENCES.get(field.format)
    if ref is not None:
        return str(ref.encode(value, context))
    if field.format == "enumeration":
        # `#7` is an option that is not active: its id is all that is known of it.
        return next((number for number, label in field.options.items() if label == value), value.removeprefix("#"))
    if isinstance(value, Mapping):
        return Upload(Path(value["file"]), value["sha256"], _stored_as(value))
    if isinstance(value, bool):
        # JSON's true would be stored as "true", which Redmine takes for no (5.0 to 6.1; test_trap_33).
        return "1" if value else "0"
    return str(value)


def plain(field: CustomField, value: Any, context: Context) -> Any:
    """A value of a format that is kept as text."""
    if isinstance(value, Mapping):
        raise Unresolved("expected a string, found a mapping")
    if not field.format and str(value).casefold() in WORDS:
        # As text, Redmine takes "true" for no.
        hint = "write 1 or 0, or use an administrator's API key, which can read the formats"
        raise Unresolved(f'"{value}" is ambiguous: the field may be a text or a Boolean', hint)
    if isinstance(value, bool):
        return "1" if value else "0"
    return unix_lines(str(value)) if field.format == "text" else str(value)


def _choice(field: CustomField, value: Any, context: Context) -> Any:
    known = field.options.values()
    # No options: the account is not shown them, so only the server can tell.
    if known and str(value) not in known:
        raise Unresolved(f'"{value}" is not a value of this field', near_miss(str(value), known))
    return str(value)


def _bool(field: CustomField, value: Any, context: Context) -> Any:
    text = str(value).casefold()
    if text not in TRUE | FALSE:
        raise Unresolved(f'expected true or false, found "{value}"')
    return text in TRUE


def _number(kind: Callable[[str], float], form: str, expected: str) -> Callable[[CustomField, Any, Context], Any]:
    def read(field: CustomField, value: Any, context: Context) -> Any:
        # Redmine keeps blanks around a number that was typed in a browser (seen on 5.0).
        if not re.fullmatch(form, str(value).strip()):
            raise Unresolved(f'expected {expected}, found "{value}"')
        return kind(str(value))

    return read


def _date(field: CustomField, value: Any, context: Context) -> Any:
    try:
        return dt.date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise Unresolved(f'expected a date (YYYY-MM-DD), found "{value}"') from error


def _attachment(field: CustomField, value: Any, context: Context) -> Any:
    # Any plain string sent to such a field empties it and destroys the file (seen on 5.0.4).
    if not is_file(value):
        raise Unresolved("expected a file", "write {file: PATH}, relative to the manifest")
    path = path_of(value)
    named = {"filename": str(value["filename"])} if "filename" in value else {}
    return {"file": str(path), "sha256": digest(path.read_bytes()), **named}


def _stored_as(value: Mapping[str, Any]) -> str:
    """The name that a file in a manifest has on the server."""
    return stored_name(str(value.get("filename") or Path(str(value["file"])).name))


def _reference(ref: Ref) -> Callable[[CustomField, Any, Context], Any]:
    return lambda field, value, context: ref.canonical(value, context)


REFERENCES = {"user": USER, "version": VERSION}
"""The formats whose values are other objects."""

READ: Mapping[str, Callable[[CustomField, Any, Context], Any]] = {
    "list": _choice,
    "enumeration": _choice,
    "bool": _bool,
    "int": _number(int, INTEGER, "a whole number"),
    "progressbar": _number(int, INTEGER, "a whole number"),
    "float": _number(float, FLOAT, "a number"),
    "date": _date,
    "attachment": _attachment,
    "user": _reference(USER),
    "version": _reference(VERSION),
}
"""Format → how a manifest's value is read; the others are texts."""
