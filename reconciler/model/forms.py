"""What values in Redmine's answers must look like, as data: what the engine relies on, and nothing else.

    Fields({"id": WHOLE, "name": TEXT, "parent": REF.optional})

A kind's form follows from its spec (`Kind.form`); `Kind.shown` adds what the spec does not have. Rows are checked where
they enter (`state/fetch.py`), so that everything behind it can rely on them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Any, Self

from msgspec import field
from msgspec.structs import replace

from reconciler.record import Record

MISSING: Any = object()
"""Stands for a key that an answer lacks."""


class Form(Record):
    """What one value must be. With `may_lack` it can also be null, or its key can be missing."""

    expected: str = "a value"
    fits: Callable[[Any], bool] = lambda value: True
    may_lack: bool = False
    may_be_null: bool = False
    plain: type | None = None
    """A type whose values all fit: to look at the type is faster than to call `fits`."""

    @property
    def present(self) -> Self:
        """The same, for a value that can be null and whose key is always there."""
        return replace(self, may_be_null=True)

    @property
    def optional(self) -> Self:
        """The same, for a value that an object need not have."""
        return replace(self, may_lack=True)

    def accepts(self, value: Any) -> bool:
        """Whether nothing is wrong with the value: most values are right, and this takes a tenth of `faults`."""
        if value is MISSING or value is None:
            return self.may_lack or (value is None and self.may_be_null)
        return self.fits(value) and self.accepts_inside(value)

    def accepts_inside(self, value: Any) -> bool:
        """Whether nothing is wrong with the parts of a value."""
        return True

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """Sentences on what is wrong with the value at a path."""
        if value is MISSING or value is None:
            if not (self.may_lack or (value is None and self.may_be_null)):
                yield f"{path} is {'missing' if value is MISSING else 'null'}"
        elif not self.fits(value):
            yield f"{path} is {_shown(value)}, not {self.expected}"
        else:
            yield from self.inside(value, path)

    def inside(self, value: Any, path: str) -> Iterator[str]:
        """Sentences on what is wrong with the parts of a value."""
        return iter(())


_Part = tuple[str, type | None, Callable[[Any], bool], Callable[[Any], bool] | None, bool, bool]
"""The name of a part, the type that fits, what it must be, what its own parts must be, whether it can be null, and can
be missing."""


def _no_fault(row: Mapping[str, Any]) -> str:
    return ""


class Fields(Form, dict=True):
    """An object with these keys; others are not looked at. `whole` is a sentence on what no single key shows, or ""."""

    expected: str = "an object"
    # The type itself first: to ask whether a dictionary is a mapping takes ten times as long.
    fits: Callable[[Any], bool] = lambda value: type(value) is dict or isinstance(value, Mapping)
    plain: type | None = dict
    of: Mapping[str, Form] = field(default_factory=dict)
    whole: Callable[[Mapping[str, Any]], str] = _no_fault

    def accepts_inside(self, value: Any) -> bool:
        # One loop with everything at hand: it runs for each field of each row that is read.
        for name, plain, fits, inside, may_be_null, may_lack in self._parts:
            part = value.get(name, MISSING)
            if part is None or part is MISSING:
                if not (may_lack or (part is None and may_be_null)):
                    return False
            elif not (part.__class__ is plain or fits(part)) or (inside is not None and not inside(part)):
                return False
        return self.whole is _no_fault or not self.whole(value)

    @cached_property
    def _parts(self) -> tuple[_Part, ...]:
        return tuple(
            (n, f.plain, f.fits, None if type(f) is Form else f.accepts_inside, f.may_be_null, f.may_lack)
            for n, f in self.of.items()
            # Whatever is in it fits.
            if f != ANY
        )

    @cached_property
    def _collections(self) -> tuple[str, ...]:
        return tuple(name for name, form in self.of.items() if isinstance(form, Fields | Each))

    def inside(self, value: Any, path: str) -> Iterator[str]:
        for name, form in self.of.items():
            yield from form.faults(value.get(name, MISSING), f"{path}.{name}" if path else name)
        if wrong := self.whole(value):
            yield f"{path}: {wrong}" if path else wrong

    def partly(self, *needed: str) -> Fields:
        """The same, but only the `needed` keys must be there."""
        loose = {name: form if name in needed else form.optional for name, form in self.of.items()}
        return replace(self, of=loose)

    def without_nulls(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row in which a list or an object that is null is missing: Redmine leaves out those that are empty."""
        empty = [name for name in self._collections if row.get(name, MISSING) is None]
        return {name: value for name, value in row.items() if name not in empty} if empty else row


class Each(Form):
    """A list of values of one form."""

    expected: str = "a list"
    fits: Callable[[Any], bool] = lambda value: isinstance(value, list)
    plain: type | None = list
    of: Form = field(default_factory=Form)

    def accepts_inside(self, value: Any) -> bool:
        return all(map(self.of.accepts, value))

    def inside(self, value: Any, path: str) -> Iterator[str]:
        for number, item in enumerate(value):
            yield from self.of.faults(item, f"{path}[{number}]")


def _shown(value: Any) -> str:
    """A value of another type in a sentence. Texts are not repeated: they can be long, and personal."""
    for types, said in ((bool, "true or false"), (str, "a text"), (Mapping, "an object"), (list, "a list")):
        if isinstance(value, types):
            return said if value or types is bool else f"an empty {said.partition(' ')[2]}"
    return "a number"


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_day(value: Any) -> bool:
    try:
        return value == "" or bool(date.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bool) or _is_number(value)


ANY = Form(may_lack=True)
SEGMENT = Form(
    "a name that can be part of a URL",
    lambda value: (
        isinstance(value, str) and bool(re.fullmatch(r"[^\s/?#%\\.][^\s/?#%\\]*", value)) and value.isprintable()
    ),
)
"""A text that is part of the paths of requests and files as it is."""
WHOLE = Form("a whole number", _is_whole, plain=int)
NUMBER = Form("a number", _is_number)
FLAG = Form("true or false", lambda value: isinstance(value, bool), plain=bool)
TEXT = Form("a text", lambda value: isinstance(value, str), plain=str)
NAME = Form("a name", lambda value: isinstance(value, str) and value != "")
DAY = Form("a day (YYYY-MM-DD)", _is_day)
PLAIN = Form("a text or number", _is_plain)
REF = Fields(of={"id": WHOLE, "name": TEXT.optional})
"""Another object, by id and name."""
NAMED = Fields(of={"id": WHOLE, "name": TEXT})
"""The same, where the engine needs the name."""
VALUE = Form(
    "a text or a list of texts",
    lambda value: _is_plain(value) or (isinstance(value, list) and all(v is None or _is_plain(v) for v in value)),
)
"""The value of a custom field."""
CUSTOM_FIELDS = Each(of=Fields(of={"id": WHOLE, "name": TEXT, "value": VALUE.optional}))
ATTACHMENTS = Each(of=Fields(of={"id": WHOLE, "filename": TEXT, "filesize": WHOLE, "description": TEXT.optional}))


def one_of(*values: Any) -> Form:
    """One of some values."""
    return Form(f"one of {', '.join(map(str, values))}", lambda value: value in values)
