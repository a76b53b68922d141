"""The filters of a query (`f[]`, `op[]`, `v[]`), for the rows of a `Canned` Redmine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Params = list[tuple[str, str]]
Filters = list[tuple[str, str, list[str]]]


def filters(params: Params) -> Filters:
    """Name, operator and values of the filters of a query (`f[]`), and the plain parameter `status`."""
    given = dict(params)
    found = [(name, given[f"op[{name}]"], _wanted(name, params)) for key, name in params if key == "f[]"]
    return [*found, ("status", "|", given["status"].split("|"))] if "status" in given else found


def _wanted(name: str, params: Params) -> list[str]:
    values = [value for key, value in params if key == f"v[{name}][]"]
    return [part for value in values for part in (value.split(",") if name.endswith("_id") else [value])]


def matches(row: Row, filters: Filters) -> bool:
    """Whether a row passes all filters."""
    return all(
        str(row.get(name)) in wanted if operator == "|" else _passes(_values(row, name), operator, wanted)
        for name, operator, wanted in filters
    )


def _values(row: Row, name: str) -> list[str]:
    """What a row has of what a filter is about."""
    if name.startswith("cf_"):
        return [str(f["value"]) for f in row["custom_fields"] if f["id"] == int(name[3:]) and f["value"]]
    if name == "watcher_id":
        return [str(watcher["id"]) for watcher in row["watchers"]]
    if name == "notes":
        return [entry["notes"] for entry in row["journals"] if entry["notes"]]
    if name == "issue_id" and "issue" not in row:
        return [str(row["id"])]
    value = row.get(name.removesuffix("_id"))
    return [str(value["id"] if isinstance(value, dict) else value)] if value else []


def _passes(values: list[str], operator: str, wanted: list[str]) -> bool:
    match operator:
        case "*":
            return bool(values)
        case "!*":
            return not values
        case "=":
            return not set(wanted).isdisjoint(values)
        case ">=":
            return any(int(value) >= int(wanted[0]) for value in values)
        case "><":
            # Numbers, or days.
            read: Callable[[str], Any] = int if wanted[0].isdigit() else str
            first, last = map(read, wanted)
            return all(first <= read(value) <= last for value in values)
    raise AssertionError(f"no filter {operator}")
