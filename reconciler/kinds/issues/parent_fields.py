"""What Redmine computes for an issue with subtasks (`Issue#recalculate_attributes_for`, the same in 5.0 to 6.1).

Three settings, which the API does not show, can switch that off. They are known where the manifests declare settings.
Else a value counts as derived if it is just what Redmine would compute, for this issue and for every other one with
subtasks that was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Any

from reconciler.kinds._server_settings import setting
from reconciler.kinds.issues.shortcut import APART
from reconciler.model.address import Address, Row, split_key
from reconciler.model.name_index import Context, Names

GROUPS = {"priority": ("priority",), "start_date": ("start_date", "due_date"), "due_date": ("start_date", "due_date")}
GROUPS["done_ratio"] = ("done_ratio",)
DERIVED = frozenset(GROUPS)
BY_SETTING = {
    "priority": "parent_issue_priority",
    "start_date": "parent_issue_dates",
    "due_date": "parent_issue_dates",
    "done_ratio": "parent_issue_done_ratio",
}
SETTINGS = "Administration → Settings → Issue tracking → Parent tasks attributes"


def decided(row: Row, field: str, context: Context) -> str:
    """Why Redmine computes a field of an issue, or ""."""
    # Subtasks that the manifests take away leave an issue whose fields can be written.
    if field not in DERIVED or not staying(row, context.names):
        return ""
    derives = _derives(GROUPS[field], context.names)
    return f"Redmine computes it from the subtasks ({SETTINGS})" if derives else ""


def _derives(group: Sequence[str], names: Names) -> bool:
    """Whether every issue with subtasks has the values that Redmine would compute for these fields.

    That is one answer for all issues, and takes a look at each of them, so it is kept.
    """
    if (known := derived_by_setting(group[0], names)) is not None:
        return known
    remembered = f"derives {' '.join(group)}"
    if remembered not in names.memo:
        # One counterexample is enough: the settings hold for the whole server.
        names.memo[remembered] = all(_as_computed(number, group, names) for number in _children(names))
    return bool(names.memo[remembered])


def derived_by_setting(field: str, names: Names) -> bool | None:
    """Whether a setting says that Redmine computes a field; None if that is not known."""
    value = setting(BY_SETTING[field], names)
    return None if value is None else bool(value == "derived")


def _children(names: Names) -> Mapping[int, list[Row]]:
    """The subtasks that were read, by the number of their parent."""
    if "children" not in names.memo:
        subtasks: defaultdict[int, list[Row]] = defaultdict(list)
        for row in names.live("issue").rows.values():
            subtasks[(row.get("parent") or {}).get("id", 0)].append(row)
        names.memo["children"] = {number: rows for number, rows in subtasks.items() if number}
    known: Mapping[int, list[Row]] = names.memo["children"]
    return known


def children(row: Row, names: Names) -> Sequence[Row]:
    """The subtasks of an issue that were read."""
    return _children(names).get(row["id"], ())


def staying(row: Row, names: Names) -> list[Row]:
    """The subtasks of an issue that the manifests do not take away from it."""
    planned, keys = names.declared("issue"), names.live("issue").keys
    specs = ((child, planned.get(keys.get(child["id"], ""))) for child in children(row, names))
    own = split_key(keys.get(row["id"], ""))[1]
    return [c for c, spec in specs if spec is None or "parent" not in spec.model_fields_set or _same(spec.parent, own)]


def _same(parent: Any, own: str) -> bool:
    return (parent.get("key") if isinstance(parent, Mapping) else parent) == own


def _as_computed(number: int, fields: Sequence[str], names: Names) -> bool:
    """Whether an issue has just the values that Redmine would compute, as far as its subtasks were read."""
    row = names.live("issue").rows.get(number)
    return (
        row is None
        or APART in row
        or all(_equal(row, field, computed(children(row, names), field, names)) for field in fields)
    )


def _equal(row: Row, field: str, value: Any) -> bool:
    live = (row.get("priority") or {}).get("name") if field == "priority" else row.get(field)
    return bool(live == value) or value is UNKNOWN


UNKNOWN: Any = object()


def computed(subtasks: Sequence[Row], field: str, names: Names) -> Any:
    """What Redmine makes of a field of an issue with these subtasks; `UNKNOWN` if that cannot be told."""
    if field == "priority":
        return _priority(subtasks, names)
    if field == "done_ratio":
        return _done(subtasks, names)
    # ISO dates, so comparing texts compares days.
    edges = [min(_dates(subtasks, "start_date"), default=None), max(_dates(subtasks, "due_date"), default=None)]
    # Redmine swaps them if the last end is before the first start (5.0 to 6.1).
    if None not in edges:
        edges.sort()
    return edges[0 if field == "start_date" else 1]


def _dates(rows: Sequence[Row], field: str) -> list[str]:
    return [row[field] for row in rows if row.get(field)]


def is_closed(row: Row, names: Names) -> bool:
    """Whether an issue is closed."""
    status = names.row(Address("issue_status", row["status"]["name"])) or row["status"]
    return bool(status.get("is_closed"))


def _priority(subtasks: Sequence[Row], names: Names) -> Any:
    order = list(names.live("issue_priority").ids)
    # Closed subtasks do not count; with closed ones only, it is the default priority (5.0 to 6.1).
    open_ones = [row["priority"]["name"] for row in subtasks if not is_closed(row, names)]
    if open_ones:
        return max(open_ones, key=lambda name: order.index(name) if name in order else -1)
    # No default priority: what Redmine leaves there cannot be told, so any value counts as computed.
    default = (row["name"] for row in names.live("issue_priority").rows.values() if row.get("is_default"))
    return next(default, UNKNOWN)


def _done(subtasks: Sequence[Row], names: Names) -> int:
    # Fractions, as Redmine calculates (5.0 to 6.1): a float could make 57.999… of 58, which is floored to 57.
    hours = [Fraction(str(row.get("total_estimated_hours") or row.get("estimated_hours") or 0)) for row in subtasks]
    known = [h for h in hours if h > 0]
    # Subtasks without an estimate weigh as much as the average one (5.0 to 6.1).
    average = sum(known, Fraction(0)) / len(known) if known else Fraction(1)
    ratios = [100 if is_closed(row, names) else row.get("done_ratio") or 0 for row in subtasks]
    done = sum((h or average) * ratio for h, ratio in zip(hours, ratios, strict=True))
    return floor(done / (average * len(subtasks)))
