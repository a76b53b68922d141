"""What an account that is no administrator's sees: users and groups by what names them, and which lists it may read.

Users and groups are for administrators to list (403 for others, 5.0 to 7.0). But each user's own page is for all who
may see that user, and shows the login. So the members of the projects of the manifests, and whoever the rows name that
were read, are looked at one by one: until every login that is needed is known, and not longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.errors import Denied, OddResponse, Problem
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import Alternative
from reconciler.model.containers import Archive, Modules
from reconciler.model.forms import NAMED, REF, TEXT, WHOLE, Each, Fields
from reconciler.model.kind import Kind, Listing, Need
from reconciler.model.name_index import Names
from reconciler.model.row_form import form_of
from reconciler.model.spec import Id
from reconciler.model.visibility import Hiding, Sight, Unlisted
from reconciler.redmine.client import Client
from reconciler.state.fetch import Spoiled, fetch
from reconciler.state.together import together

if TYPE_CHECKING:
    from reconciler.state.live import Reader

AT_ONCE = 8
"""Own pages that are requested before it is asked whether more are needed."""
FORBIDDEN = 403
MEMBERSHIPS = Listing("/users/current", "user", (("include", "memberships"),), single=True, inner="memberships")
MEMBERSHIP = Fields(of={"project": REF, "roles": Each(of=NAMED)})
ROLE = Fields(
    of={
        "id": WHOLE,
        "permissions": Each(of=TEXT).optional,
        "issues_visibility": TEXT.optional,
        "time_entries_visibility": TEXT.optional,
    }
)
SHOWN = 5
"""People that a sentence names."""


class Glimpses:
    """Finds the needed objects of kinds that the account may not list."""

    def __init__(self, reader: Reader, need: Need) -> None:
        self.reader = reader
        self.names = reader.names
        self.need = visible(need, self.names)
        self.kinds = kinds().having(Unlisted, among=need.keys)
        self.rows: dict[str, dict[Id, Row]] = {kind.name: {} for kind in self.kinds}
        self.asked: dict[str, dict[Id, str]] = {kind.name: {} for kind in self.kinds}
        """kind → id → name of all whose own page was asked for."""

    async def from_members(self) -> None:
        """Find the account itself, those of the configuration, and the members of the projects of the manifests."""
        if self.names.sight is not None:
            self.names.sight = await _sight(self.reader.client, self.names, self.need, self.names.sight)
        for kind in self.kinds:
            own = kind.capability(Unlisted).own(self.names.sight.me if self.names.sight else {})
            if own:
                _checked(own, form_of(kind))
            self._take(kind, [own] if own else ())
            await self._configured(kind)
        await self._look_at(await self._members())
        for kind in self.kinds:
            await self.reader.details(kind, self.need)

    async def from_rows(self) -> None:
        """Find those whom the rows name that were read: authors, assignees."""
        if self.names.sight is not None and any(map(self._missing, self.kinds)):
            read = [row for name in self.names.live_kinds() for row in self.names.live(name).rows.values()]
            await self._look_at(read)

    def _missing(self, kind: Kind) -> set[str]:
        """The needed keys that are not known."""
        other, live = kind.capability(Alternative).kind, self.names.live(kind.name)
        # An assignee is a user or a group: one that is known as a user is no group.
        found = (key for key in self.need.keys[kind.name] if not (other and self.names.live(other).has(key)))
        return {key for key in found if not live.has(key)}

    async def _members(self) -> list[Row]:
        """The rows of the lists that name members, if anybody is missing."""
        lists = {kind.capability(Unlisted).listed_in for kind in self.kinds if self._missing(kind)} - {""}
        rows: list[Row] = []
        for name in sorted(lists):
            listings = [listing for tier in self._tiers(kinds()[name]) for listing in tier]
            for listing, found in zip(listings, await together(self._list(name, one) for one in listings), strict=True):
                self.reader.kept[listing.path] = found
                rows += found
        return rows

    def _tiers(self, kind: Kind) -> Iterable[Sequence[Listing]]:
        inside = (name for name, entry in kinds().entries.items() if entry.is_inside)
        projects = {p for name in inside for p in self.need.projects(name)} | self.need.keys.get(CONTAINER, frozenset())
        need = replace(self.need, keys={kind.name: frozenset(f"{project}/" for project in projects)})
        return kind.tiers(need, self.names)

    async def _list(self, name: str, listing: Listing) -> list[Row]:
        return await self.reader.list(kinds()[name], listing)

    async def _look_at(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        for kind in self.kinds:
            named = {row["id"]: row for row in _named(kind, rows)}
            new = (row for number, row in named.items() if number not in self.rows[kind.name])
            glimpses = (kind.capability(Unlisted).glimpse(row) for row in new)
            self._take(kind, [row for row in glimpses if row is not None])
            await self._pages(kind, named)
            self._note(kind)

    async def _pages(self, kind: Kind, named: Mapping[Id, Row]) -> None:
        """Read own pages until everybody who is needed is known; first of those whose names are like a missing one."""
        seen = self.rows[kind.name].keys() | self.asked[kind.name].keys()
        alike = _likeness(self._missing(kind))
        likely, others = _parted((row for number, row in named.items() if number not in seen), alike)
        left = [*likely, *others]
        while left and (missing := self._missing(kind)):
            # A page shows one person, so as many pages are needed as people are missing, at least.
            at_once = max(AT_ONCE, len(missing))
            size = min(len(likely), at_once) or at_once
            some, likely, left = left[:size], likely[size:], left[size:]
            pages = {row["id"]: kind.capability(Unlisted).page(row["id"]) for row in some}
            self.asked[kind.name] |= {row["id"]: str(row.get("name", "")) for row in some if pages[row["id"]]}
            found = await together(self._page(kind, page) for page in pages.values() if page)
            self._take(kind, [row for rows in found for row in rows])

    async def _page(self, kind: Kind, page: Listing) -> list[Row]:
        return await fetch(self.reader.client, page, form_of(kind), self.reader.left_out.of(kind))

    async def _configured(self, kind: Kind) -> None:
        """Those whose ids the configuration has: by their own pages, or as it says where these are not shown."""
        unlisted = kind.capability(Unlisted)
        for key, number in unlisted.configured(self.names.settings).items():
            page = unlisted.page(number)
            if key in self._missing(kind) and page is not None:
                shown = await self._page(kind, page)
                self._take(kind, shown or [row for row in [unlisted.assumed(key, number)] if row])
                if key in self._missing(kind):
                    self._mistaken(kind, key, number)

    def _mistaken(self, kind: Kind, key: str, number: Id) -> None:
        said = f'user_ids: {kind.name} #{number} is "{self.names.live(kind.name).keys[number]}", not "{key}"'
        self.reader.ambiguous.setdefault("user_ids", []).append(Problem(self.names.settings["place"], said))

    def _take(self, kind: Kind, rows: Sequence[Row]) -> None:
        if rows:
            # With the details that were read meanwhile.
            self.rows[kind.name] |= {**{row["id"]: row for row in rows}, **self.names.live(kind.name).rows}
            self.reader.match(kind, list(self.rows[kind.name].values()))

    def _note(self, kind: Kind) -> None:
        """Say why others of the kind may be there."""
        nameless = [f"{name} (#{n})" for n, name in self.asked[kind.name].items() if n not in self.rows[kind.name]]
        some = f"{', '.join(nameless[:SHOWN])}{' and others' if len(nameless) > SHOWN else ''}"
        seen = f", and does not see the {kind.identity[0]} of {some}" if nameless else ""
        self.names.live(kind.name).unseen[""] = f"this account may not list {kind.plural}{seen}"


def _checked(me: Row, form: Fields) -> Row:
    for why in form.faults(me, "user"):
        raise OddResponse(f"The response to GET {MEMBERSHIPS.path} is not as Redmine's are: {why}.")
    return me


async def permitted(
    client: Client, kind: Kind, listing: Listing, names: Names, spoiled: Spoiled, kept: MutableMapping[str, list[Row]]
) -> list[Row]:
    """The rows of a listing. That of a project which the account may not read is noted: it is not empty then."""
    if listing.path in kept:
        return kept.pop(listing.path)
    project = listing.seen_from
    if names.sight is None or not project or listing.none.get(FORBIDDEN, listing) is not None:
        return await fetch(client, listing, form_of(kind), spoiled)
    none = {status: instead for status, instead in listing.none.items() if status != FORBIDDEN}
    try:
        return await fetch(client, replace(listing, none=none), form_of(kind), spoiled)
    except Denied as error:
        if error.status != FORBIDDEN or error.gateway:
            raise
        # It is also the answer where the module is off, and then nothing is hidden.
        if _is_on(kind, Address(CONTAINER, project), names):
            what = kind.plural.replace("_", " ")
            names.live(kind.name).unseen[project] = f'this account may not read the {what} of project "{project}"'
        return []


def _is_on(kind: Kind, project: Address, names: Names) -> bool:
    """Whether the module of a kind is enabled in a live project, as far as that is known."""
    module = kind.inside.module if kind.inside else ""
    enabled = kinds()[CONTAINER].capability(Modules).enabled(names.row(project), None)
    return not module or enabled is None or module in enabled


def visible(need: Need, names: Names) -> Need:
    """What can be read of it with this account."""
    if names.sight is None:
        return need
    issues = names.settings.get("issue_key_field") or any("custom_fields" in fields for fields in need.fields.values())
    # A project shows the custom fields of its issues to everybody (4.2 to 7.0).
    more = {CONTAINER: need.fields.get(CONTAINER, frozenset()) | {"issue_custom_fields"}} if issues else {}
    return replace(need, whole=frozenset(), fields={**need.fields, **more})


async def _sight(client: Client, names: Names, need: Need, sight: Sight) -> Sight:
    """What the account's roles show of the needed projects; without a request if nothing depends on them."""
    hiding = kinds().having(Hiding, among={name for name, keys in need.keys.items() if keys})
    archive = kinds()[CONTAINER].capability(Archive)
    live = {names.id(Address(CONTAINER, p)) for kind in hiding for p in need.projects(kind.name)}
    if not {n for n in live if n is not None and not archive.is_archived(names.live(CONTAINER).rows[n])}:
        return sight
    mine = {row["project"]["id"]: row["roles"] for row in await fetch(client, MEMBERSHIPS, MEMBERSHIP, _ignore)}
    numbers = sorted({role["id"] for project, roles in mine.items() if project in live for role in roles})
    pages = await together(fetch(client, role_page(n), ROLE, _ignore) for n in numbers)
    roles = {row["id"]: row for rows in pages for row in rows}
    known = {p: tuple(roles[r["id"]] for r in of if r["id"] in roles) for p, of in mine.items() if p in live}
    return Sight(sight.me, known)


def role_page(number: int) -> Listing:
    """The page of a role, which is not there if the account may not see it."""
    return Listing(f"/roles/{number}", "role", single=True, none={403: None, 404: None})


def _ignore(listing: Listing, row: Row, why: str) -> None:
    """A membership or role that cannot be read gives no rights that are known."""


def _named(kind: Kind, rows: Iterable[Row]) -> Iterator[Row]:
    """The objects of a kind that rows name."""
    for row in rows:
        for key in kind.capability(Unlisted).named_by:
            value: Any = row.get(key)
            if isinstance(value, dict) and isinstance(value.get("id"), int):
                yield value


def _parted(rows: Iterable[Row], chosen: Callable[[Row], bool]) -> tuple[list[Row], list[Row]]:
    """The chosen rows, and the others."""
    parts: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        parts[not chosen(row)].append(row)
    return parts


def _likeness(logins: Iterable[str]) -> Callable[[Row], bool]:
    """What tells whether a person's name has a word that one of the logins has, or is part of."""
    known = {login.casefold() for login in logins}
    # One search in all of them: there can be thousands of logins, and of people.
    text = "\n".join(known)

    def alike(row: Row) -> bool:
        words = [word.casefold() for word in str(row.get("name", "")).split() if len(word) > 2]
        return any(word in text or not known.isdisjoint(_parts(word)) for word in words)

    return alike


def _parts(word: str) -> Iterator[str]:
    """All that a word contains."""
    return (word[start:end] for start, end in combinations(range(len(word) + 1), 2))
