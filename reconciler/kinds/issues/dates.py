"""Dates of issues against each other and against those of the issues that precede them (`Issue#validate_issue`).

Redmine moves the issue that follows when a relation is made, or when the dates before it change, and refuses a start
before that (5.0 to 6.1). It counts working days, by a setting that the API does not show: they are never fewer than
calendar days, so what is too early by the calendar is certain, and what is too early without weekends is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from reconciler.kinds.issues import relations
from reconciler.kinds.issues.ancestry import above, below
from reconciler.model.address import Address, Row
from reconciler.model.name_index import Context, Names

FIELDS = ("start_date", "due_date")
FRIDAY = 5
"""The last ISO day that is a working day where nothing else is set."""
LATER = "set a later date, or remove the relation"


class Finding(NamedTuple):
    """A date that Redmine would not keep; not `certain`: it may."""

    field: str
    sentence: str
    hint: str
    certain: bool


class _Bound(NamedTuple):
    """The first days on which an issue can start because of one `before`: by the calendar, without weekends.

    `after` says what that one precedes: the issue, or one above it.
    """

    before: Address
    after: str
    day: str
    working: str
    certain: bool


def findings(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[Finding]:
    """The declared dates of an issue that Redmine would refuse or change."""
    own, changed = context.own, row is not None and _changes(values, row)
    # Nothing precedes anything in most projects, and most dates are those that the issue has.
    if own is None or not (changed or relations.any_precedes(context.names)):
        return ()
    # Of an issue with subtasks, Redmine computes the dates.
    return () if below(own, context.names) else _findings(own, row, values, context, changed=changed)


def _findings(
    own: Address, row: Row | None, values: Mapping[str, Any], context: Context, *, changed: bool
) -> Iterator[Finding]:
    if row is not None and changed:
        yield from _reversed(row, values, context)
    for bound in _bounds(own, row, values, context):
        yield from _early(bound, values, context)


def _reversed(row: Row, values: Mapping[str, Any], context: Context) -> Iterator[Finding]:
    """A declared date that does not fit the other, live one."""
    start, due = (_live_or(values, row, name) for name in FIELDS)
    if not (start and due) or due >= start:
        return
    declared = [name for name in FIELDS if name in values]
    if len(declared) == 1:
        (field,) = declared
        said = f"due_date {due} is before start_date {start}"
        other = next(name for name in FIELDS if name != field)
        # The other date may move along with those of an issue that precedes this one.
        assert context.own is not None
        before = (*relations.preceding(context.own, context.names), *relations.predecessors(row, context))
        certain = not before
        yield Finding(field, said, f"declare {other} too", certain)


def _changes(values: Mapping[str, Any], row: Row) -> bool:
    # One by one, as a generator takes longer: it is asked of each issue, twice.
    start, due = FIELDS
    return (start in values and values[start] != row.get(start)) or (due in values and values[due] != row.get(due))


def _live_or(values: Mapping[str, Any], row: Row, name: str) -> str:
    return str((values[name] if name in values else row.get(name)) or "")


def _early(bound: _Bound, values: Mapping[str, Any], context: Context) -> Iterator[Finding]:
    """A declared date before a bound."""
    start, due = values.get("start_date"), values.get("due_date")
    # Without a declared start, the issue starts when it can, and then it can be due before that.
    field, day = ("start_date", start) if start or "start_date" in values else ("due_date", due)
    if not day or day >= bound.working:
        return
    what = f"{field} {day} is before {bound.day if day < bound.day else bound.working}"
    other = bound.before.own_name if bound.before.project == context.project else bound.before.key
    why = f"the first day after {other}, which precedes {bound.after}"
    if day < bound.day:
        yield Finding(field, f"{what}, {why}", LATER, bound.certain)
    else:
        said = "where Saturday and Sunday are no working days (a setting), Redmine moves the issue"
        yield Finding(field, f"{what}, {why}; {said}", LATER, certain=False)


def _bounds(own: Address, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterator[_Bound]:
    names = context.names
    # The walk up is only worth it where something precedes something.
    for one in (own, *above(own, names)) if relations.any_precedes(names) and _has_dates(values) else ():
        for before, delay in relations.preceding(one, names).items():
            end, certain = _end(before, names)
            settled = row is not None and not _changes(values, row) and _settled(one, before, delay, end, names)
            if end and not settled:
                day, days = date.fromisoformat(end), max(1 + delay, 0)
                first = _later(day, days).isoformat(), _working(day, days).isoformat()
                # What precedes a parent counts by a setting, which is on by default.
                yield _Bound(before, _what(one, own), *first, certain and one == own)


def bounds(row: Row, context: Context) -> Iterator[tuple[int, str]]:
    """(number, day) for each issue that precedes a live one, and the day before which it cannot start because of that.

    The server counts working days, as its settings say; the first day is never earlier than this one (5.0 to 6.1).
    """
    for relation in row.get("relations") or ():
        if relation["relation_type"] == "precedes" and relation["issue_to_id"] == row["id"]:
            before = context.names.live("issue").rows.get(relation["issue_id"], {})
            # Redmine takes the start date for an issue without a due date (5.0 to 6.1).
            end = before.get("due_date") or before.get("start_date")
            if end:
                day = _later(date.fromisoformat(end), 1 + (relation.get("delay") or 0))
                yield relation["issue_id"], day.isoformat()


def _what(one: Address, own: Address) -> str:
    return "the issue" if one == own else f"its parent {one.own_name}"


def _has_dates(values: Mapping[str, Any]) -> bool:
    return any(values.get(name) for name in FIELDS)


def _settled(one: Address, before: Address, delay: int, end: str, names: Names) -> bool:
    """Whether nothing is written that would make Redmine look at the dates: it leaves those that are there."""
    live = relations.live_predecessors(names.row(one), Context(names, one.project, one))
    # Another delay is another relation.
    return live.get(before) == delay and end == _ends(names.row(before) or {})


def _ends(row: Mapping[str, Any]) -> str:
    # Redmine takes the start date for an issue without a due date (5.0 to 6.1).
    return str(row.get("due_date") or row.get("start_date") or "")


def _end(before: Address, names: Names) -> tuple[str, bool]:
    """The last day of an issue as it will be, and whether that is certain."""
    row, spec = names.row(before), names.spec(before)
    declared = {n: getattr(spec, n) for n in FIELDS if spec is not None and n in spec.model_fields_set}
    if row is None and not declared.get("due_date") and "start_date" not in declared:
        # It starts today, or on no day at all: a setting.
        return "", False
    end = _ends({**(row or {}), **{name: str(day) if day else "" for name, day in declared.items()}})
    moves = bool(spec is not None and not declared.get("due_date") and (spec.relations or "start_date" in declared))
    return end, not (moves or below(before, names))


def _working(day: date, days: int) -> date:
    """The day that is so many working days later (`Redmine::Utils::DateCalculation`), without weekends."""
    if not days:
        return day
    weeks, rest = divmod(days, FRIDAY)
    weekday = min(day.isoweekday(), FRIDAY)
    # From a weekend, they count as from the Friday before.
    since_friday = day.isoweekday() - weekday
    weekend = 2 if weekday + rest > FRIDAY else 0
    return _later(day, 7 * weeks + rest + weekend - since_friday)


def _later(day: date, days: int) -> date:
    """The day that is so many days later; the last of the calendar if that comes first, as after 9999-12-31."""
    return date.fromordinal(min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal()))
