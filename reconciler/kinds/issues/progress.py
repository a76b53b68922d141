"""Values that Redmine may replace: those of an issue that gets subtasks, and progress that follows the status.

Settings decide both, and the API does not show them. The first is on by default, the second is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.kinds._server_settings import setting
from reconciler.kinds.issues import parent_fields
from reconciler.kinds.issues.ancestry import below
from reconciler.model.address import Address, Row
from reconciler.model.name_index import Context, Names

BY_STATUS = 'Administration → Settings → Issue tracking → "Calculate the issue done ratio with"'
ENOUGH = 3
"""Issues of one status with the same progress, which look like a rule."""
FIELDS = ("start_date", "due_date", "done_ratio", "estimated_hours")


def doubted(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterator[tuple[str, str]]:
    """(field, sentence) for declared values that Redmine may replace."""
    subtasks = below(context.own, context.names) if context.own else []
    if subtasks and (row is None or not parent_fields.staying(row, context.names)):
        yield from _of_parent(values, subtasks, context.names)
    elif not subtasks:
        yield from _by_status(row, values, context)


def _of_parent(values: Mapping[str, Any], subtasks: list[Address], names: Names) -> Iterator[tuple[str, str]]:
    """What Redmine would compute of the first subtasks. Live ones show whether it does (`parent_fields.decided`)."""
    if any(below(one, names) for one in subtasks):
        # Their own values may be computed, too.
        return
    rows = [_as_planned(one, names) for one in subtasks]
    for field in sorted(parent_fields.DERIVED & values.keys()):
        derived = parent_fields.derived_by_setting(field, names)
        if derived is False:
            continue
        made = None if _unknown(field, rows) else parent_fields.computed(rows, field, names)
        if values[field] is not None and made is not parent_fields.UNKNOWN and made != values[field]:
            shown = f": {made}" if made is not None else ""
            said = f"{values[field]} is replaced by what Redmine computes from the subtasks{shown}"
            unless = "" if derived else ", unless a setting says otherwise"
            yield field, f"{said}{unless} ({parent_fields.SETTINGS})"


def _unknown(field: str, rows: list[Row]) -> bool:
    # A new issue starts today by default.
    return field.endswith("_date") and any("start_date" not in row for row in rows)


def _as_planned(one: Address, names: Names) -> Row:
    """A subtask as its row will be."""
    spec, live = names.spec(one), names.row(one) or {}
    said = {} if spec is None else {name: getattr(spec, name) for name in spec.model_fields_set}
    planned = {name: said[name] for name in FIELDS if name in said}
    status = said.get("status") or (live.get("status") or {}).get("name", "")
    priority = said.get("priority") or (live.get("priority") or {}).get("name") or _default_priority(names)
    return {**live, **planned, "status": {"name": status}, "priority": {"name": priority}}


def _default_priority(names: Names) -> Any:
    rows = names.live("issue_priority").rows.values()
    return next((row["name"] for row in rows if row.get("is_default")), "")


def _by_status(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterator[tuple[str, str]]:
    wanted, live = values.get("done_ratio"), row or {}
    if wanted is None or wanted == live.get("done_ratio"):
        return
    status = values.get("status") or (live.get("status") or {}).get("name")
    ratio = _ratios(context.names).get(str(status))
    if setting("issue_done_ratio", context.names) == "issue_field":
        return
    if ratio is not None and wanted != ratio:
        said = f'all issues with the status "{status}" are {ratio} % done: Redmine may take that from the status'
        yield "done_ratio", f"{said} ({BY_STATUS})"


def _ratios(names: Names) -> Mapping[str, int]:
    """The progress of the issues by status, if it follows from that for all issues without subtasks."""
    if "ratios" not in names.memo:
        rows, parents = names.live("issue").rows, set[int]()
        ratios: defaultdict[str, list[int]] = defaultdict(list)
        parents.update((row.get("parent") or {}).get("id", 0) for row in rows.values())
        for number, row in rows.items():
            if number not in parents:
                ratios[row["status"]["name"]].append(row.get("done_ratio") or 0)
        follows = all(len({*found}) == 1 for found in ratios.values()) and any(map(any, ratios.values()))
        names.memo["ratios"] = {s: r[0] for s, r in ratios.items() if follows and len(r) >= ENOUGH}
    known: Mapping[str, int] = names.memo["ratios"]
    return known
