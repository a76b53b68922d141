"""What deletions destroy that the plan does not read: how many issues, pages and hours go with a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.errors import Denied, Missing
from reconciler.kinds import declarable, kinds
from reconciler.model.capabilities import Deletion
from reconciler.model.kind import Listing
from reconciler.model.name_index import Names
from reconciler.plan.operations import Change, Plan
from reconciler.redmine.client import Client
from reconciler.state.fetch import together

MANY = 50
"""Deletions of a kind beyond which nothing is counted: each takes a request or more."""
SUMMED = 1_000
"""Time entries up to which their hours are summed up."""


async def counted(client: Client, plan: Plan, names: Names) -> Plan:
    """The plan, with what its deletions destroy in their reasons."""
    numbers = Counter(change.address.kind for change in plan.changes if change.action == "delete")
    chosen = [c for c in plan.changes if c.action == "delete" and numbers[c.address.kind] <= MANY]
    lists = [(c, listing) for c in chosen for listing in _contents(c, names)]
    said = await together(_count(client, listing) for _, listing in lists)
    lost: dict[Any, list[str]] = {}
    for (change, _), words in zip(lists, said, strict=True):
        lost.setdefault(change.address, []).extend([words] if words else [])
    return replace(plan, changes=tuple(_told(c, lost.get(c.address, [])) for c in plan.changes)) if lost else plan


def _contents(change: Change, names: Names) -> list[Listing]:
    row = names.row(change.address)
    return [] if row is None else list(kinds()[change.address.kind].capability(Deletion).contents(row))


def _told(change: Change, lost: list[str]) -> Change:
    if not lost:
        return change
    first, *later = change.operations
    reason = "; ".join(filter(None, (first.reason, f"destroys {', '.join(lost)}")))
    return replace(change, operations=(replace(first, reason=reason), *later))


async def _count(client: Client, listing: Listing) -> str:
    """`3 issues`, `2 time entries (4.5 hours)`, or "" if there are none, or the account may not see them."""
    try:
        return await _counted(client, listing)
    except (Denied, Missing):
        return ""


async def _counted(client: Client, listing: Listing) -> str:
    page = await client.get(listing.path, (*listing.params, ("limit", 1)) if listing.paged else listing.params)
    rows = page.get(listing.root) or ()
    number = int(page.get("total_count") or 0) if listing.paged else len(rows)
    if not number:
        return ""
    shown = f"{number} {(listing.root if number > 1 else _singular(listing.root)).replace('_', ' ')}"
    if not (rows and "hours" in rows[0] and number <= SUMMED):
        return shown
    entries = await client.rows(listing.path, listing.root, listing.params)
    return f"{shown} ({_hours(entries)})"


def _singular(root: str) -> str:
    return next(kind.name for kind in declarable().values() if kind.plural == root)


def _hours(entries: Sequence[Mapping[str, Any]]) -> str:
    hours = round(sum(float(entry["hours"]) for entry in entries), 2)
    return f"{hours:g} hour{'' if hours == 1 else 's'}"
