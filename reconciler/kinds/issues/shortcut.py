"""Issues by key or subject, where the list of their projects is long, and what is known of an issue by others.

`op[subject]==` takes several values and compares them as they are: no `%`, `_` or `|` means anything (5.0 and 6.1).
Case counts, except on MySQL, which then shows more rows; `Matching` compares again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reconciler.kinds._queries import CHUNK, EVERY, Params, chunks, criterion, portions
from reconciler.model.address import Row
from reconciler.model.requests import BESIDE, Listing, Shortcut
from reconciler.model.spec import Id

SHORT = 60
"""Characters of a subject that is asked for to see whether the filter works."""
APART = "apart"
"""Is in the row of an issue that is only read because others name it: its subtasks are not."""
MARK = {BESIDE: 2, APART: True}
BELOW = {BESIDE: 1}
FEW = ("limit", "25")
Values = Mapping[str, Collection[str]]
"""Filter → the values that are asked for."""


class ByName(Shortcut, Struct):
    """The issues of some projects by the values of filters: their subjects, the keys in a custom field, or both."""

    scope: Params
    """The filters of the whole list."""
    by: Values
    ids: Collection[int] = ()
    include: Params = ()
    unproven: bool = False
    """Whether the server may ignore the filter on the keys, because the field is none (5.0 to 6.1; test_trap_22)."""

    def sample(self, rows: Sequence[Row]) -> Row | None:
        # One that few others share: long values, and once on the page.
        shown = [([_value(row, name) for name in self.by], row) for row in rows]
        times = [Counter(values) for values in zip(*(values for values, _ in shown), strict=True)]
        fit = [
            (sum(map(len, values)), row["id"], row)
            for values, row in shown
            if all(0 < len(v) <= SHORT and count[v] == 1 for v, count in zip(values, times, strict=True))
        ]
        return max(fit, default=(0, 0, None), key=lambda one: one[:2])[2]

    def samples(self) -> Listing | None:
        # The oldest issues may be older than the keys.
        if not (self._keys and len(self.by) > 1):
            return None
        query = (*self.scope, *criterion(self._keys, "*"), *EVERY[:2], ("sort", "id:desc"), FEW)
        return Listing("/issues", "issues", query, paged=False)

    def rest(self, rows: Sequence[Row]) -> ByName | None:
        others = {name: values for name, values in self.by.items() if name != self._keys}
        unsure = self.unproven or any(_value(row, self._keys) for row in rows)
        return None if unsure else replace(self, by=others)

    def proof(self, known: Row) -> Listing | None:
        if not (self.unproven and self._keys):
            return None
        same = criterion(self._keys, "=", _value(known, self._keys))
        return Listing("/issues", "issues", (*self.scope, *same, *EVERY[:2], ("sort", "id:desc"), FEW), paged=False)

    def proves(self, rows: Collection[Row], known: Row) -> bool:
        key = _value(known, self._keys).casefold()
        return bool(rows) and all(_value(row, self._keys).casefold() == key for row in rows)

    @property
    def _keys(self) -> str:
        """The filter on the keys, or ""."""
        return next((name for name in self.by if name.startswith("cf_")), "")

    def lists(self, known: Row) -> Iterator[Listing]:
        # With nothing to ask for, one list still shows that the filter works.
        nothing = not any(self.by.values()) and not {*self.ids} - {known["id"]}
        for name, values in self.by.items():
            also = _value(known, name)
            others = sorted({*values} - {also})
            # Alone, if nothing else is asked for: other issues can have the same.
            for portion in [[]] if nothing or (also in values and not others) else portions(others):
                yield self._list((*self.scope, *criterion(name, "=", also, *portion)))
        for chunk in chunks(sorted({*self.ids} - {known["id"]}), CHUNK - 1):
            yield self._list(numbered([known["id"], *chunk]))

    def newest(self) -> Listing:
        query = (*self.scope, *EVERY[:2], ("sort", "id:desc"), ("limit", "1"))
        return Listing("/issues", "issues", query, paged=False, mark=MARK)

    def below(self, rows: Mapping[Id, Row], new: Mapping[Id, Row]) -> Sequence[Listing]:
        """All subtasks, at any depth."""
        above = [int(number) for number, row in new.items() if APART not in row]
        return [self._list(numbered(chunk, "parent_id"), BELOW) for chunk in chunks(above)]

    def around(self, rows: Mapping[Id, Row], new: Mapping[Id, Row]) -> Sequence[Listing]:
        """The issues above, and those that relations name."""
        named = sorted({*_named(new.values())} - rows.keys())
        return [self._list(numbered(chunk), MARK) for chunk in chunks(named)]

    def _list(self, some: Params, mark: Mapping[str, Any] = {}) -> Listing:
        return Listing("/issues", "issues", (*some, *EVERY, *self.include), mark=mark)


def _value(row: Row, name: str) -> str:
    """What an issue has of what a filter is about."""
    if not name.startswith("cf_"):
        return str(row.get(name) or "")
    values = (f.get("value") for f in row.get("custom_fields") or () if f.get("id") == int(name[3:]))
    return str(next(values, None) or "")


def numbered(numbers: Sequence[int], field: str = "issue_id") -> Params:
    """The filter that leaves just the issues of these numbers, or those below them."""
    # One value with commas: of several, only the first is used (`issue_id`, 5.0 to 6.1).
    return criterion(field, "=", ",".join(map(str, numbers)))


def _named(rows: Iterable[Row]) -> Iterator[int]:
    """The issues above these, and those at the other ends of their relations."""
    for row in rows:
        ends: list[Any] = [(row.get("parent") or {}).get("id")]
        for relation in row.get("relations") or () if APART not in row else ():
            ends += [relation.get("issue_id"), relation.get("issue_to_id")]
        yield from (end for end in ends if isinstance(end, int))
