"""Core fields that a tracker has disabled: Redmine clears them whenever an issue is saved (5.0 to 6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.kinds.issues.export import CORE
from reconciler.kinds.issues.spec import trackers_of
from reconciler.model.address import Address, Row
from reconciler.model.codecs import blank
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context

HINT = "ask an administrator to enable it: Administration → Trackers"
CAN_BE_DISABLED = CORE | {"priority"}


def disabled_fields(
    kind: Kind, row: Row | None, values: Mapping[str, Any], context: Context
) -> Iterator[tuple[str, str, str]]:
    """(field, sentence, hint) for new values that Redmine would drop without an error."""
    trackers, names = _disabled(row, values, kind, context)
    for name in names:
        if name in values and _is_new(kind, name, row, values[name], context):
            which = f'tracker "{trackers[0]["name"]}" has' if len(trackers) == 1 else "the project's trackers have"
            yield name, f"{name}: {which} this field disabled, so Redmine drops the value", HINT


def _disabled(
    row: Row | None, values: Mapping[str, Any], kind: Kind, context: Context
) -> tuple[list[Row], tuple[str, ...]]:
    """The trackers that the issue will have one of, and the fields that all of them have disabled."""
    known: dict[Any, tuple[list[Row], tuple[str, ...]]]
    known = context.names.memo.setdefault(("disabled", context.project), {})
    which = values.get("tracker") or (row and row["tracker"]["id"])
    if which not in known:
        trackers = _trackers(row, values, context)
        fields = sorted(CAN_BE_DISABLED) if trackers else ()
        disabled = tuple(n for n in fields if all(_disables(t, n, kind, context) for t in trackers))
        known[which] = trackers, disabled
    return known[which]


def _trackers(row: Row | None, values: Mapping[str, Any], context: Context) -> list[Row]:
    """The trackers that the issue will have one of: one, if it is declared or live."""
    live = context.names.live("tracker").rows
    if not values.get("tracker") and row is not None:
        return [live[row["tracker"]["id"]]] if row["tracker"]["id"] in live else []
    names = [values["tracker"]] if values.get("tracker") else trackers_of(context) or []
    rows = [context.names.row(Address("tracker", str(name))) for name in names]
    # A tracker that is not known is a problem of its own.
    return [] if None in rows else [known for known in rows if known is not None]


def _is_new(kind: Kind, name: str, row: Row | None, value: Any, context: Context) -> bool:
    """Whether a value is neither nothing nor what the issue has."""
    codec = kind.fields[name].codec
    if blank(value) or codec.equal(value, None):
        return False
    if name == "priority" and row is None:
        # What Redmine gives such an issue is its default priority.
        return not (context.names.row(Address("issue_priority", str(value))) or {}).get("is_default")
    return row is None or not codec.equal(value, kind.live(row, name, context))


def _disables(tracker: Row, name: str, kind: Kind, context: Context) -> bool:
    write = kind.fields[name].write
    if "enabled_standard_fields" not in tracker or write in tracker["enabled_standard_fields"]:
        return False
    # Before 5.1 no tracker could disable the priority, and none lists it.
    rows = context.names.live("tracker").rows.values()
    return name in CORE or any(write in row.get("enabled_standard_fields", ()) for row in rows)
