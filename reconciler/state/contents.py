"""What projects contain that are declared absent: the plan says what is destroyed with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

from reconciler.errors import Denied, Missing
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import Deletion
from reconciler.model.containers import Modules
from reconciler.model.from_below import from_below
from reconciler.model.kind import Kind, Listing
from reconciler.model.name_index import Names
from reconciler.model.pruning import Contents
from reconciler.model.spec import Id
from reconciler.redmine.client import Client
from reconciler.state.desired import Desired
from reconciler.state.fetch import fetch
from reconciler.state.together import together

MANY = 2_000
"""Rows of a list that are added up; of more, only their number is told."""
Amount = tuple[int, float]
"""The number of objects, and the sum of a field of theirs, or their number again."""
Counts = Mapping[str, Amount]
"""By kind."""


async def read_contents(client: Client, desired: Desired, names: Names) -> None:
    """Count the contents of all live projects that are declared absent, with those of their subprojects."""
    absent = (a for a, found in desired.objects.items() if found.spec.state == "absent" and a.kind == CONTAINER)
    live = {a.key: a for a in absent if _is_shown(names.row(a))}
    # What is in one below another is not counted again for that one, but added to what is in it.
    counted = await together(_counts(client, _own(key, live, names), names) for key in live)
    whole = _with_subprojects(dict(zip(live, counted, strict=True)), names)
    names.contents |= {address: _words(whole[key], names) for key, address in live.items()}


def _is_shown(row: Row | None) -> bool:
    # The contents of an archived project are not shown.
    return row is not None and isinstance(row["id"], int)


def _own(key: str, others: Collection[str], names: Names) -> dict[str, Id]:
    """The project and the subprojects that are deleted with it, by identifier, down to the `others`."""
    found, todo = dict[str, Id](), [key]
    while todo:
        one = todo.pop()
        found[one] = names.live(CONTAINER).ids[one]
        todo += (key for key in _right_below(one, names) if key not in others and key not in found)
    return found


def _with_subprojects(own: Mapping[str, Counts], names: Names) -> Mapping[str, Counts]:
    whole: dict[str, Counts] = {}

    def added(key: str, below: Sequence[Counts]) -> Counts:
        return _sum([*below, own.get(key, {})])

    for key in own:
        from_below(key, whole, lambda one: _right_below(one, names), added)
    return whole


def _right_below(key: str, names: Names) -> list[str]:
    address = Address(CONTAINER, key)
    below = kinds()[CONTAINER].capability(Deletion).takes_along(address, names.row(address) or {}, names)
    return [key for _, key in sorted(below)]


async def _counts(client: Client, projects: Mapping[str, Id], names: Names) -> Counts:
    counted = kinds().having(Contents)
    lists = (kind.capability(Contents).lists(kind, _showing(kind, projects, names)) for kind in counted)
    amounts = await together(_amounts(client, kind, some) for kind, some in zip(counted, lists, strict=True))
    return {kind.name: amount for kind, amount in zip(counted, amounts, strict=True)}


def _showing(kind: Kind, projects: Mapping[str, Id], names: Names) -> dict[str, Id]:
    """The projects without those that show nothing of a kind, as its module is off."""
    module = kind.inside.module if kind.inside else ""
    return {key: number for key, number in projects.items() if not module or _may_have(module, key, names)}


def _may_have(module: str, project: str, names: Names) -> bool:
    enabled = kinds()[CONTAINER].capability(Modules).enabled(names.row(Address(CONTAINER, project)), None)
    return enabled is None or module in enabled


async def _amounts(client: Client, kind: Kind, listings: Iterable[Listing]) -> Amount:
    sums = kind.capability(Contents).sums
    return _total(await together(_amount(client, listing, sums) for listing in listings))


def _sum(parts: Sequence[Counts]) -> Counts:
    counted = dict.fromkeys(chain.from_iterable(parts))
    return {name: _total(part[name] for part in parts if name in part) for name in counted}


def _total(amounts: Iterable[Amount]) -> Amount:
    rows, total = map(sum, zip((0, 0), *amounts, strict=True))
    return rows, total


def _words(counts: Counts, names: Names) -> str:
    """The contents of projects in words, such as `12 issues, 3 wiki pages`, or ""."""
    listed = ", ".join(filter(None, (_said(kinds()[name], *amount) for name, amount in counts.items())))
    # Others than administrators do not see all of it.
    return f"at least {listed}" if listed and names.sight is not None else listed


def _said(kind: Kind, rows: int, total: float) -> str:
    contents = kind.capability(Contents)
    if contents.sums and rows > MANY:
        return f"{rows:,} {kind.plural.replace('_', ' ')}"
    # Without an exponent, however many they are.
    return f"{round(total, 2):,} {contents.one if total == 1 else contents.many}".replace(".0 ", " ") if total else ""


async def _amount(client: Client, listing: Listing, sums: str) -> Amount:
    """The number of rows of a list, and the sum of a field of theirs, or their number again."""
    try:
        return await _counted(client, listing, sums)
    except (Denied, Missing):
        # The account may not see them, or the module is off.
        return 0, 0


async def _counted(client: Client, listing: Listing, sums: str) -> Amount:
    count = await client.count(listing.path, listing.root, listing.params) if listing.paged else None
    if count is not None and (not sums or not 0 < count <= MANY):
        return count, count
    rows = await fetch(client, listing)
    return len(rows), sum(float(row.get(sums) or 0) for row in rows) if sums else len(rows)
