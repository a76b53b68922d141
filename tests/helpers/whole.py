"""All that the program inside Redmine shows of a server."""

from __future__ import annotations

import asyncio
from typing import Any

from reconciler.catalog.session import Session
from reconciler.catalog.transport import Command
from reconciler.sandbox import Sandbox

KINDS = (
    *("issue_status", "tracker", "role", "workflow", "issue_priority", "time_entry_activity", "document_category"),
    *("custom_field", "query", "setting"),
)
IDS = ("id", "position")
UNORDERED = ("query", "workflow", "custom_field")


def catalog(sandbox: Sandbox) -> dict[str, list[dict[str, Any]]]:
    """Everything by name, without ids: they depend on the order of creation. Lists are in their order."""
    shown = asyncio.run(Session(Command(sandbox.runner())).read(KINDS))
    rows = {kind: [_row(kind, one) for one in shown[kind]] for kind in shown}
    return {kind: sorted(rows[kind], key=str) if kind in UNORDERED else rows[kind] for kind in rows}


def _row(kind: str, shown: dict[str, Any]) -> dict[str, Any]:
    """What an object has; of workflows and settings, lists have no order."""
    row: dict[str, Any] = _without_ids(shown)
    if "ratio_interval" in row:
        # Redmine stores it as it comes: as a text from its form, and as a number from a program (6.1).
        row["ratio_interval"] = str(row["ratio_interval"] or "")
    loose = kind in ("workflow", "setting")
    return {name: sorted(row[name], key=str) if loose and isinstance(row[name], list) else row[name] for name in row}


def _without_ids(shown: Any) -> Any:
    """The same without ids, also of the options of an enumeration."""
    if isinstance(shown, dict):
        return {name: _without_ids(value) for name, value in shown.items() if name not in IDS}
    return [_without_ids(one) for one in shown] if isinstance(shown, list) else shown
