"""Lists that are asked for as soon as what they need is known, before it is their turn.

    begun once this is read     what
    the account                 users, groups, projects: together with the definitions that only administrators create
    users, groups, projects     what is inside projects, also what reads other kinds first; of what takes only the
                                number of a project, already before their own pages are read

Only when answers are asked for changes. What is done with them, and in which order, stays as `state.live` has it: an
error too is only known once it is the list's turn. A list is only begun if it is certain to be read, so that no request
is added; if it turns out otherwise, the answer is not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Self

from msgspec.structs import replace

from reconciler.kinds import kinds
from reconciler.model.address import Row
from reconciler.model.capabilities import ReadOnly, Rows, Streamed
from reconciler.model.kind import Kind, Listing, Need, Object
from reconciler.model.name_index import Names
from reconciler.model.visibility import Unlisted
from reconciler.state.together import together

Read = Callable[[Kind, Listing], Coroutine[Any, Any, list[Row]]]
Key = tuple[str, str, tuple[tuple[str, str | int], ...]]


class Early:
    """The lists that were begun. As a context manager it ends those that nobody has asked for.

    Without `ahead` none is: with one request at a time, another order only delays the first error.
    """

    def __init__(self, *, ahead: bool = True) -> None:
        self.ahead = ahead
        self._begun: dict[Key, tuple[Listing, asyncio.Task[list[Row]]]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        left = [task for _, task in self._begun.values()]
        for task in left:
            task.cancel()
        # Their errors are nobody's; and no request may be under way any more.
        await asyncio.gather(*left, return_exceptions=True)

    def begin(self, read: Read, kind: Kind, need: Need, names: Names) -> None:
        """Ask for the first tier of a kind."""
        for listing in first(kind, need, names) if self.ahead else ():
            if _key(kind, listing) not in self._begun:
                self._begun[_key(kind, listing)] = listing, asyncio.create_task(read(kind, listing))

    async def lists(self, read: Read, kind: Kind, tier: Sequence[Listing]) -> list[list[Row]]:
        """The rows of each listing: those that were asked for, or that are asked for now."""
        return await together(self._rows(read, kind, listing) for listing in tier)

    async def _rows(self, read: Read, kind: Kind, listing: Listing) -> list[Row]:
        begun, task = self._begun.get(_key(kind, listing), (None, None))
        if begun is None or task is None or _plain(begun) != _plain(listing):
            return await read(kind, listing)
        del self._begun[_key(kind, listing)]
        rows = await _finished(task)
        if listing.instead and begun.instead:
            listing.instead.taken = begun.instead.taken
        return rows


async def _finished(task: asyncio.Task[list[Row]]) -> list[Row]:
    """The result of a task that ends with whoever waits for it, like a coroutine."""
    try:
        return await task
    finally:
        task.cancel()


def first(kind: Kind, need: Need, names: Names) -> Sequence[Listing]:
    """The first tier of a kind."""
    return next(tiers(kind, need, names), [])


def tiers(kind: Kind, need: Need, names: Names) -> Iterator[Sequence[Listing]]:
    """The tiers of a kind; of the first one, if it is one list, with the number of rows that are likely."""
    likely = len(need.keys.get(kind.name, ()))
    for number, tier in enumerate(kind.tiers(need, names)):
        yield [replace(tier[0], likely=likely)] if number == 0 and len(tier) == 1 else tier


def _key(kind: Kind, listing: Listing) -> Key:
    return kind.name, listing.path, listing.params


def _plain(listing: Listing) -> Listing:
    return replace(listing, instead=None, likely=0)


def outside_projects(need: Need, names: Names) -> list[Kind]:
    """The needed kinds outside projects that are certain to be listed: what others than administrators cannot list is
    not."""
    listed = (kind for kind in _longest_first(need) if not kind.inside and not kind.has(ReadOnly))
    return [kind for kind in listed if names.sight is None or not kind.has(Unlisted)]


def inside_projects(need: Need, names: Names, *, only: bool = False) -> list[Kind]:
    """The needed kinds inside projects; `only` those of which the projects alone tell what to ask for."""
    chosen = _longest_first(need)
    by = {kind.name: kind.inside.lists_by for kind in chosen if kind.inside}
    if names.sight is None:
        return [kind for kind in chosen if kind.name in by and not (only and by[kind.name])]
    # The members are read to find people, and whom else rows name may still be unknown (`state.glimpses`).
    members = {kind.capability(Unlisted).listed_in for kind in kinds().having(Unlisted)}
    return [kind for kind in chosen if kind.name in by.keys() - members and not by[kind.name]]


def needed(need: Need) -> list[Kind]:
    """The needed kinds."""
    return kinds().among({*need.keys, *need.whole})


def _longest_first(need: Need) -> list[Kind]:
    """The same; first those whose lists have most pages, as these follow the first one."""
    return sorted(needed(need), key=lambda kind: not kind.has(Streamed))


def titles(kind: Kind, declared: Iterable[Object]) -> frozenset[str]:
    """What people call the declared objects, now and earlier: `shop/Subject`."""
    name = kind.capability(Rows).title
    found = set[str]()
    for one in declared if name else ():
        said = (getattr(one.spec, name), one.spec.renamed_from)
        found.update([f"{one.project}/{text}" for text in said if text])
    return frozenset(found)
