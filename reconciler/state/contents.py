"""What projects contain that are declared absent: the plan says what is destroyed with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.errors import Denied, Missing
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Row
from reconciler.model.capabilities import Deletion
from reconciler.model.kind import Kind, Listing, Object
from reconciler.model.name_index import Names
from reconciler.model.pruning import Contents
from reconciler.model.spec import Id
from reconciler.redmine.client import Client
from reconciler.state.desired import Desired
from reconciler.state.fetch import fetch
from reconciler.state.together import together

MANY = 2_000
"""Rows of a list that are added up; of more, only their number is told."""


async def read_contents(client: Client, desired: Desired, names: Names) -> None:
    """Count the contents of all live projects that are declared absent, with those of their subprojects."""
    absent = (found for found in desired.objects.values() if found.spec.state == "absent")
    live = [found for found in absent if found.kind.name == CONTAINER and _is_shown(names.row(found.address))]
    counted = await together(_contents(client, _deleted(found, names), names) for found in live)
    names.contents |= {found.address: listed for found, listed in zip(live, counted, strict=True)}


def _is_shown(row: Row | None) -> bool:
    # The contents of an archived project are not shown.
    return row is not None and isinstance(row["id"], int)


def _deleted(found: Object, names: Names) -> dict[str, Id]:
    """The project and its subprojects, by identifier."""
    below = found.kind.capability(Deletion).takes_along(found.address, names.row(found.address) or {}, names)
    ids = names.live(CONTAINER).ids
    return {key: ids[key] for key in (found.address.key, *below)}


async def _contents(client: Client, projects: Mapping[str, Id], names: Names) -> str:
    """The contents of projects in words, such as `12 issues, 3 wiki pages`, or ""."""
    counted = kinds().having(Contents)
    said = await together(_said(client, kind, kind.capability(Contents).lists(kind, projects)) for kind in counted)
    listed = ", ".join(filter(None, said))
    # Others than administrators do not see all of it.
    return f"at least {listed}" if listed and names.sight is not None else listed


async def _said(client: Client, kind: Kind, listings: Iterable[Listing]) -> str:
    contents = kind.capability(Contents)
    amounts = await together(_amount(client, listing, contents.sums) for listing in listings)
    rows, total = (sum(part) for part in zip(*amounts, strict=True))
    if contents.sums and rows > MANY:
        return f"{rows:,} {kind.plural.replace('_', ' ')}"
    # Without an exponent, however many they are.
    return f"{round(total, 2):,} {contents.one if total == 1 else contents.many}".replace(".0 ", " ") if total else ""


async def _amount(client: Client, listing: Listing, sums: str) -> tuple[int, float]:
    """The number of rows of a list, and the sum of a field of theirs, or their number again."""
    try:
        return await _counted(client, listing, sums)
    except (Denied, Missing):
        # The account may not see them, or the module is off.
        return 0, 0


async def _counted(client: Client, listing: Listing, sums: str) -> tuple[int, float]:
    count = await client.count(listing.path, listing.root, listing.params) if listing.paged else None
    if count is not None and (not sums or count > MANY):
        return count, count
    rows = await fetch(client, listing)
    return len(rows), sum(float(row.get(sums) or 0) for row in rows) if sums else len(rows)
