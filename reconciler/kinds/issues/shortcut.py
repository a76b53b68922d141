"""Issues by key or subject, where the list of their projects is long, and what is known of an issue by others.

`op[subject]==` takes several values and compares them as they are: no `%`, `_` or `|` means anything (5.0 and 6.1).
Case counts, except on MySQL, which then shows more rows; `Matching` compares again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.kinds._queries import CHUNK, EVERY, Params, chunks, criterion, portions
from reconciler.model.address import Row
from reconciler.model.requests import Listing, Shortcut
from reconciler.model.spec import Id

SHORT = 60
"""Characters of a subject that is asked for to see whether the filter works."""
APART = "apart"
MARK = {APART: True}
"""Marks the row of an issue that is only read because others name it: its subtasks are not."""


@dataclass
class ByName(Shortcut):
    """The issues of some projects by the values of a filter: their subjects, or the keys in a custom field."""

    scope: Params
    """The filters of the whole list."""
    filter: str
    values: Collection[str]
    ids: Collection[int] = ()
    include: Params = ()

    def sample(self, rows: Sequence[Row]) -> Row | None:
        # One that few others share: a long subject, and once on the page.
        shown = [(self._value(row), row) for row in rows]
        times = Counter(value for value, _ in shown)
        fit = [(len(value), row["id"], row) for value, row in shown if 0 < len(value) <= SHORT and times[value] == 1]
        return max(fit, default=(0, 0, None), key=lambda one: one[:2])[2]

    def _value(self, row: Row) -> str:
        if not self.filter.startswith("cf_"):
            return str(row.get(self.filter) or "")
        values = (f.get("value") for f in row.get("custom_fields") or () if f.get("id") == int(self.filter[3:]))
        return str(next(values, None) or "")

    def newest(self) -> Listing:
        query = (*self.scope, *EVERY[:2], ("sort", "id:desc"), ("limit", "1"))
        return Listing("/issues", "issues", query, paged=False, mark=MARK)

    def lists(self, known: Row) -> Iterator[Listing]:
        also, ids, values = self._value(known), sorted({*self.ids} - {known["id"]}), {*self.values}
        for portion in portions(sorted(values - {also})):
            yield self._list((*self.scope, *criterion(self.filter, "=", also, *portion)))
        if not (values - {also} or ids):
            yield self._list((*self.scope, *criterion(self.filter, "=", also)))
        for chunk in chunks(ids, CHUNK - 1):
            yield self._list(numbered([known["id"], *chunk]))

    def below(self, rows: Mapping[Id, Row], new: Mapping[Id, Row]) -> Sequence[Listing]:
        """All subtasks, at any depth."""
        above = [int(number) for number, row in new.items() if APART not in row]
        return [self._list(numbered(chunk, "parent_id")) for chunk in chunks(above)]

    def around(self, rows: Mapping[Id, Row], new: Mapping[Id, Row]) -> Sequence[Listing]:
        """The issues above, and those that relations name."""
        named = sorted({*_named(new.values())} - rows.keys())
        return [self._list(numbered(chunk), MARK) for chunk in chunks(named)]

    def _list(self, some: Params, mark: Mapping[str, Any] = {}) -> Listing:
        return Listing("/issues", "issues", (*some, *EVERY, *self.include), mark=mark)


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
