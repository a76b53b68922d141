"""What a custom field's definition makes Redmine refuse: lengths, patterns, ranges, and no value where one is required.

Sources: `lib/redmine/field_format.rb` and `CustomField#validate_custom_value`, alike in 5.0 to 6.1. Redmine checks
*all* custom fields of an object when one of them is sent, and none otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Row, Unresolved
from reconciler.model.codecs import blank, only_blanks
from reconciler.model.custom_field_scope import Availability, FieldScope
from reconciler.model.custom_fields import READ, UNSEEN, CustomFields, encode
from reconciler.model.name_index import Context, CustomField
from reconciler.model.ruby_regex import matches
from reconciler.record import Record

BOUNDED = frozenset({"string", "text", "link", "int", "float", "progressbar"})
"""The formats with lengths and patterns: Redmine applies them to no other, whatever a definition says."""
CHECKED = frozenset({"int", "float", "progressbar", "date"})
"""The formats whose live values Redmine checks again: what is no longer an option of a list may stay."""
SHOWN = 40
"""Characters of a value in a sentence."""
NO_VALUE = "is required and has no value"
DECLARE = "declare a value"
ALSO = "Redmine checks all custom fields of an object when one of them is sent"
NOT_SHOWN: Any = object()
"""Stands for a field that a live object does not show."""


class Refusal(NamedTuple):
    """What Redmine would do with a custom field. Not `certain`: it may."""

    field: str
    sentence: str
    hint: str = ""
    certain: bool = True


def is_blank(value: Any) -> bool:
    """Whether Redmine takes a value for none: also a text of blanks."""
    if isinstance(value, list):
        return all(map(is_blank, value))
    return blank(value) or (isinstance(value, str) and only_blanks(value))


def fault(field: CustomField, value: str) -> str:
    """What is wrong with a value as it is sent, or "". The length of a number is that of its text."""
    if field.format not in BOUNDED or value == "":
        return ""
    short = f'"{value}"' if len(value) <= SHOWN else f'"{value[: SHOWN - 1]}…"'
    if field.format == "float" and not math.isfinite(_number(value)):
        return f"expected a number, found {short}"
    if field.format == "progressbar" and not 0 <= _number(value) <= 100:
        return f"expected a number from 0 to 100, found {short}"
    if field.min_length and len(value) < field.min_length:
        return f"{short} is too short: the field takes {field.min_length} characters or more"
    if field.max_length and len(value) > field.max_length:
        return f"{short} is too long: the field takes at most {field.max_length} characters, this has {len(value)}"
    if field.pattern and matches(field.pattern, value) is False:
        return f"{short} does not match the field's pattern {field.pattern}"
    return ""


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        # An old value that is no number: nothing is claimed of it.
        return 0


class Check(Record):
    """The custom fields of one object: those that are `sent`, and those that Redmine checks along with them.

    `values` are all declared values of the object; `changed` are the names of the fields that change.
    """

    codec: CustomFields
    scope: FieldScope
    row: Row | None
    values: Mapping[str, Any]
    sent: Mapping[str, Any]
    changed: Collection[str]
    context: Context

    def refusals(self) -> Iterator[Refusal]:
        """What Redmine would refuse, or drop without an error."""
        # Without the definitions nothing is known but names.
        known = self.codec.fields(self.context) if self.context.names.sees_definitions else {}
        for name, value in self.sent.items():
            if name in known:
                yield from self._sent(known[name], value)
        shown = {item["id"]: item.get("value") for item in (self.row or {}).get("custom_fields") or ()}
        for field in known.values() if self._checks_all else ():
            if field.name not in self.sent:
                yield from self._new(field) if self.row is None else self._held(field, shown.get(field.id, NOT_SHOWN))

    @property
    def _checks_all(self) -> bool:
        return self.row is None or bool(self.sent) or self.scope.changes_with(self.changed)

    def _sent(self, field: CustomField, value: Any) -> Iterator[Refusal]:
        has, why, hint = self._availability(field)
        if why and not blank(value):
            yield Refusal(field.name, why, hint, has is False)
        elif field.required and is_blank(value) and has is not False:
            yield _required(field, has)
        elif field.format in BOUNDED and (wrong := fault(field, str(encode(field, value, self.context)))):
            yield Refusal(field.name, wrong)
        elif not field.shown and not blank(value):
            yield Refusal(field.name, f"{UNSEEN}: they count as different in every plan", certain=False)

    def _new(self, field: CustomField) -> Iterator[Refusal]:
        """A field that the object gets, and declares nothing of: it has the default."""
        if field.required and not field.has_default:
            has = self._availability(field).has
            if has is not False:
                yield _required(field, has)

    def _held(self, field: CustomField, live: Any) -> Iterator[Refusal]:
        """A field of a live object that is not sent, and checked all the same."""
        if self.scope.changes_with(self.changed):
            if live is NOT_SHOWN:
                # It may come with the other tracker or project, with its default.
                yield from self._new(field)
                return
            if self._availability(field).has is not True:
                return
        if live is not NOT_SHOWN and field.required and is_blank(live):
            yield Refusal(field.name, NO_VALUE, f"{DECLARE}: {ALSO}")
        elif isinstance(live, str) and (wrong := self._unreadable(field, live) or fault(field, live)):
            yield Refusal(field.name, f"the live value does not fit: {wrong}", f"declare another value: {ALSO}")

    def _unreadable(self, field: CustomField, live: str) -> str:
        """What is wrong with a live value that is no number or no day, as its field takes."""
        try:
            if live and field.format in CHECKED:
                READ[field.format](field, live, self.context)
        except Unresolved as error:
            return str(error)
        return ""

    def _availability(self, field: CustomField) -> Availability:
        return self.scope.availability(field, self.row, self.values, self.context)


def _required(field: CustomField, has: bool | None) -> Refusal:
    if has:
        return Refusal(field.name, NO_VALUE, DECLARE)
    said = f"{NO_VALUE}: refused if the object has the field, which the API does not show"
    return Refusal(field.name, said, DECLARE, certain=False)
