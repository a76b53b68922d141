"""The values of fields of custom fields: values of lists and options, which can be renamed, and defaults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from msgspec.structs import replace
from pydantic import BeforeValidator

from reconciler.model import custom_fields
from reconciler.model.address import Row, Unresolved
from reconciler.model.catalog import CATALOG
from reconciler.model.codecs import Codec
from reconciler.model.forms import ANY
from reconciler.model.name_index import Context, CustomField, Names

RENAMED = "renamed_from"
BOOLEANS = {"true": True, "false": False}


def _shape(word: str, *flags: str) -> BeforeValidator:
    """A text, or a mapping with `word` and perhaps `renamed_from` and flags."""
    said = ", ".join(f"{name}: …" for name in (word, *flags, RENAMED))

    def check(value: Any) -> Any:
        if isinstance(value, Mapping):
            # YAML's words arrive as texts.
            value = {**value, **{flag: BOOLEANS.get(str(value[flag]).lower()) for flag in flags if flag in value}}
            valid = set(value) <= {word, RENAMED, *flags} and None not in (value.get(flag, True) for flag in flags)
            valid = valid and _is_text(value.get(word)) and _is_text(value.get(RENAMED, "-"))
        else:
            valid = _is_text(value)
        if not valid:
            raise ValueError(f"expected a text or {{{said}}}")
        return {**value, word: str(value[word])} if isinstance(value, Mapping) else str(value)

    return BeforeValidator(check)


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip() != ""


ListValue = Annotated[str | dict[str, str], _shape("value")]
Option = Annotated[str | dict[str, str | bool], _shape("name", "active")]


class _Renamable(Codec):
    """A list of texts in their order, each of which can have a former name. `word` is the key of its mapping."""

    form = ANY
    word = ""
    field = ""

    def faults(self, value: Any) -> Iterable[tuple[str, Unresolved]]:
        counted = Counter(text_of(one, self.word) for one in value or ())
        twice = sorted(text for text, number in counted.items() if number > 1)
        if twice:
            yield "", Unresolved(f'"{twice[0]}" is listed twice', "remove one of them")
        for one in value or ():
            if isinstance(one, Mapping) and one.get(RENAMED) in counted:
                said = f'"{one[RENAMED]}" is renamed, and listed as well'
                yield "", Unresolved(said, f"remove it, or the `{RENAMED}`")

    def canonical(self, value: Any, context: Context) -> Any:
        renames = pending(value or (), self._held(context), self.word)
        return [self._one(one, renames) for one in value or ()]

    def _held(self, context: Context) -> list[str]:
        row = context.names.row(context.own) if context.own else None
        return held(row, self.field, self.word)

    def _one(self, one: Any, renames: Mapping[str, str]) -> Any:
        text = text_of(one, self.word)
        former = next((old for old, new in renames.items() if new == text), None)
        shown = self._plain(text, one)
        if former is None:
            return shown
        return {**(shown if isinstance(shown, Mapping) else {self.word: shown}), RENAMED: former}

    def _plain(self, text: str, one: Any) -> Any:
        return text

    def equal(self, desired: Any, live: Any) -> bool:
        return self._compared(desired) == self._compared(live)

    def _compared(self, value: Any) -> list[Any]:
        """The values without their former names, which are an order and no state."""
        return [self._plain(text_of(one, self.word), one) for one in value or ()]

    def written(self, value: Any, context: Context) -> Any:
        return self._compared(value)


class PossibleValues(_Renamable):
    """The values of a list."""

    word = "value"
    field = "possible_values"

    def decode(self, wire: Any, context: Context) -> Any:
        return [text_of(one, self.word) for one in wire or ()]

    def encode(self, value: Any, context: Context) -> Any:
        return list(value)


class Options(_Renamable):
    """The options of an enumeration; those that are not active are mappings."""

    word = "name"
    field = "options"

    def _plain(self, text: str, one: Any) -> Any:
        active = one.get("active", True) if isinstance(one, Mapping) else True
        return text if active else {"name": text, "active": False}

    def decode(self, wire: Any, context: Context) -> Any:
        return [self._plain(str(one["name"]), one) for one in wire or ()]

    def encode(self, value: Any, context: Context) -> Any:
        return [{"active": True, **(one if isinstance(one, Mapping) else {"name": one})} for one in value]


class DefaultValue(Codec):
    """The value of new objects: of users and enumerations by name, else as the format of the field has it."""

    form = ANY

    def canonical(self, value: Any, context: Context) -> Any:
        if value is None or value == "":
            return None
        field = definition(context)
        # Whether there is a user of this login is checked by the program.
        return str(value) if field.format in BY_NAME else custom_fields.canonical(field, value, context)

    def decode(self, wire: Any, context: Context) -> Any:
        field = definition(context)
        if isinstance(wire, list):
            wire = next(iter(wire), None)
        if field.format in ("list", "enumeration"):
            return field.renamed.get(str(wire), wire) if wire else None
        return (wire or None) if field.format in BY_NAME else custom_fields.decode(field, wire, context)

    def encode(self, value: Any, context: Context) -> Any:
        field = definition(context)
        by_name = value is None or field.format in (*BY_NAME, "enumeration")
        return value if by_name else custom_fields.encode(field, value, context)

    def equal(self, desired: Any, live: Any) -> bool:
        return custom_fields.same(desired, live)


BY_NAME = ("user", "version")
"""The formats whose values are names of other objects."""


class Flag(Codec):
    """A Boolean that Redmine stores as text."""

    form = ANY

    def decode(self, wire: Any, context: Context) -> Any:
        return wire in (True, "1")

    def encode(self, value: Any, context: Context) -> Any:
        return "1" if value else "0"


class Whole(Codec):
    """A whole number that Redmine stores as text."""

    form = ANY

    def decode(self, wire: Any, context: Context) -> Any:
        return int(wire) if str(wire).isdecimal() else None

    def encode(self, value: Any, context: Context) -> Any:
        return str(value)


def definition(context: Context) -> CustomField:
    """The definition of the custom field that `context.own` is, for one value."""
    customized, _, name = context.own.key.partition("/") if context.own else ("", "", "")
    known = context.names.custom_fields.get(customized, {}).get(name, CustomField(0, name))
    return replace(known, multiple=False)


def text_of(one: Any, word: str) -> str:
    """A value or an option as text. Redmine strips them (5.0 to 6.1)."""
    return str(one[word] if isinstance(one, Mapping) else one).strip()


def held(row: Row | None, field: str, word: str) -> list[str]:
    """The live values or options of a custom field."""
    shown = (row or {}).get(CATALOG, row) or {}
    return [text_of(one, word) for one in shown.get(field) or ()]


def pending(items: Iterable[Any], live: Iterable[str], word: str) -> dict[str, str]:
    """Former → new name of what is still to be renamed."""
    known = set(live)
    pairs = ((one[RENAMED], text_of(one, word)) for one in items if isinstance(one, Mapping) and one.get(RENAMED))
    return {old: new for old, new in pairs if old in known and new not in known}


def renames(spec: Any, row: Row | None) -> dict[str, str]:
    """Former → new name of the values and options of a declared custom field that are still to be renamed."""
    if spec is None:
        return {}
    values = pending(spec.possible_values or (), held(row, "possible_values", "value"), "value")
    return {**values, **pending(spec.options or (), held(row, "options", "name"), "name")}


def options_of(shown: Mapping[str, Any], row: Row | None, names: Names) -> list[dict[str, str]]:
    """The active options of an enumeration as the API shows them; one without a number has its name for that."""
    known = {str(one["name"]): str(one["id"]) for one in ((row or {}).get(CATALOG) or {}).get("options") or ()}
    listed = []
    for one in shown["options"] or ():
        option = one if isinstance(one, Mapping) else {"name": one}
        name = text_of(option, "name")
        number = option.get("id") or known.get(name) or known.get(str(option.get(RENAMED))) or name
        if option.get("active", True):
            listed.append({"value": str(number), "label": name})
    return listed
