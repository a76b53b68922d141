"""Client + kinds → the live state: only the kinds and projects that are needed, from bulk lists.

The rows are taken in four waves; the lists are asked for as soon as it is certain that they are needed (`state.early`).

    1. names that only administrators create   custom fields tell which other kinds are needed
    2. users, groups, projects                 their ids are needed to list what is inside projects
    3. what is inside projects                 versions, issues, memberships, …
    4. what reads other kinds first            files need versions, time entries need issues

docs/performance.md has the number of requests. To keep it low, a kind is read by lists in the order of its `tiers`
until every needed key is known, and an object's own page only for declared fields that the lists lack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import file_digest
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import Any

from msgspec.structs import replace

from reconciler.errors import Denied, ManifestError, NotRedmine, Problem
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Row, Unresolved
from reconciler.model.capabilities import Alternative, ManifestKey, ReadOnly, VersionProbe
from reconciler.model.codecs import Candidate, Codec
from reconciler.model.forms import TEXT, WHOLE, Fields
from reconciler.model.kind import Kind, Listing, Need, Object
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.requests import BESIDE
from reconciler.model.visibility import Sight, Unlisted
from reconciler.record import Record
from reconciler.redmine.client import Client
from reconciler.state.catalog import add_fields, declared_kinds, proof, read_catalog
from reconciler.state.contents import read_contents
from reconciler.state.desired import Desired
from reconciler.state.early import Early, inside_projects, needed, outside_projects, tiers, titles
from reconciler.state.fetch import bulk_details, fetch
from reconciler.state.glimpses import Glimpses, permitted, visible
from reconciler.state.members import read_members
from reconciler.state.needs import by_definition
from reconciler.state.program_fields import wanted_fields
from reconciler.state.renames import compared_fields, settle_renames, settle_swaps, undo_renames
from reconciler.state.scope import DECLARED, Scope
from reconciler.state.together import together
from reconciler.state.traits import traits
from reconciler.state.unreadable import LeftOut, Unreadable

TESTED = "5.0, 6.0 and 6.1, and with sample answers of 7.0"
"""The versions that the tests run on."""
OLDEST = "Redmine 5.0 or later is required; this server is older."


class Live(Record):
    """The live state, as far as it was needed. `me` is the account, as in `GET /users/current`."""

    names: Names
    me: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    scope: Scope = DECLARED


def always_read() -> list[Listing]:
    """The lists that are read whatever the manifests declare."""
    tiers = (kind.tiers(Need({kind.name: frozenset()}), Names()) for kind in kinds().having(VersionProbe))
    return [listing for first in map(iter, tiers) for listing in next(first)]


async def read(client: Client, desired: Desired, scope: Scope = DECLARED) -> Live:
    """Read everything that planning `desired` needs, and what is in `scope`. Writes nothing.

    Raises ServerError if the server cannot be used, ManifestError if it lacks what the configuration names,
    RefusedError if the account does not see enough for the scope.
    """
    async with Early(ahead=client.connection.concurrency > 1) as early:
        return await _read(client, desired, scope, early)


async def _read(client: Client, desired: Desired, scope: Scope, early: Early) -> Live:
    # First: with a wrong key, lists are 200 and have just the public objects (5.0 to 6.1; test_trap_20).
    me = await client.whoami()
    scope.check(me)
    names = fresh_names(desired)
    names.rights = rights(me)
    names.sight = None if me.get("admin") else Sight(me)
    reader = Reader(client, names, desired, early)
    declared = desired.need()
    first, catalog = scope.widened(declared, desired.settings, me), declared_kinds(desired, declared)
    # Trackers are read even if no manifest uses them: nothing else tells the version.
    probes = {kind.name: frozenset[str]() for kind in kinds().having(VersionProbe)}
    defined = Need({**probes, **proof([*catalog, *wanted_fields(desired).kinds]), **first.keys})
    definitions = [k for k in needed(defined) if k.has(ReadOnly)]
    ours = scope.widened(visible(declared, names), desired.settings, me)
    reader.begin([k for k in definitions if k.name in defined.keys], defined)
    reader.begin(outside_projects(ours, names), ours)
    reader.by_program = catalog if catalog and client.catalog is not None else ()
    await reader.wave(defined, definitions)
    shown, reader.ambiguous["the catalog"] = await read_catalog(client, desired, catalog, names)
    # Before the other lists, some of whose parameters and fields an older Redmine does not know.
    check_version(names)
    need = desired.need(names) if by_definition(declared) else declared
    glimpses = Glimpses(reader, need)
    if names.sight is None:
        check_settings(names, first)
        need = scope.widened(need, desired.settings, me)
        await reader.wave(need, _outside(need))
    else:
        # Other accounts do not see all users, nor the watchers of issues, so whole lists would be incomplete.
        need = scope.widened(glimpses.need, desired.settings, me)
        await reader.wave(need, [k for k in _outside(need) if not k.has(Unlisted)])
        # The names of custom fields are learnt from projects.
        check_settings(names, first)
        await glimpses.from_members()
    reader.begin(inside_projects(need, names), need)
    await reader.wave(need, [k for k in needed(need) if k.inside and not k.inside.reads_after])
    await glimpses.from_rows()
    await reader.wave(need, [k for k in needed(need) if k.inside and k.inside.reads_after])
    await add_fields(client, desired, names, shown)
    lacking = [reader.to_create(need)] if me.get("admin") else []
    # Each adds what the others do not look at.
    await together([*lacking, read_members(client, desired, need, names), read_contents(client, desired, names)])
    return Live(names, me, tuple(reader.problems), reader.left_out.lasting(names), scope)


def rights(me: Mapping[str, Any]) -> tuple[Any, ...]:
    """What must not change of the account between reading and writing."""
    return me.get("id"), me.get("login"), bool(me.get("admin"))


def fresh_names(desired: Desired) -> Names:
    """A name index with all declared objects, and no live ones yet."""
    names = Names(traits({address.kind for address in desired.objects}), desired.settings)
    for address, declared in desired.objects.items():
        if declared.spec.state == "present":
            names.declare(address, declared.spec)
        else:
            names.declare_absent(address)
    return names


def _outside(need: Need) -> list[Kind]:
    return [kind for kind in needed(need) if not kind.has(ReadOnly) and not kind.inside]


def check_version(names: Names) -> None:
    """Raise NotRedmine for an unsupported version. No request returns the version: trackers show newer attributes."""
    for kind in kinds().having(VersionProbe):
        if not kind.capability(VersionProbe).is_supported(names.live(kind.name).rows.values()):
            raise NotRedmine(OLDEST)


def check_settings(names: Names, need: Need) -> None:
    """Raise ManifestError if the configuration refers to something that is needed and does not exist."""
    for kind in kinds().having(ManifestKey, among=need.keys):
        problem = kind.capability(ManifestKey).setting_problem(names)
        if problem:
            message, hint = problem
            raise ManifestError([Problem(names.settings["place"], message, "", hint)])


class Reader:
    """Reads live objects into `names`, kind by kind."""

    def __init__(self, client: Client, names: Names, desired: Desired, early: Early | None = None) -> None:
        self.client = client
        self.names = names
        self.early = early or Early(ahead=False)
        self.ambiguous: dict[str, list[Problem]] = {}
        self.by_program: Sequence[Kind] = ()
        """Kinds of which the program inside Redmine shows more than the lists: exchanges of names are settled then."""
        self.left_out = LeftOut()
        self.kept: dict[str, list[Row]] = {}
        """Path → the rows of a list that is used twice."""
        self._titles: dict[str, frozenset[str]] = {}
        self.declared: dict[str, list[Object]] = {}
        for declared in desired.objects.values():
            self.declared.setdefault(declared.kind.name, []).append(declared)

    @property
    def problems(self) -> list[Problem]:
        """A problem for each declared object that matches several live ones, or may be one that cannot be read."""
        ambiguous = [problem for problems in self.ambiguous.values() for problem in problems]
        lost = (self.left_out.problems(kinds()[name], found, self.names) for name, found in self.declared.items())
        return [*ambiguous, *(problem for found in lost for problem in found)]

    async def wave(self, need: Need, chosen: Iterable[Kind]) -> None:
        """Read several kinds concurrently, if they are needed."""
        needed = [kind for kind in chosen if kind.name in {*need.keys, *need.whole}]
        await together(self.kind(kind, need) for kind in needed)
        await together(self._swaps(kind) for kind in needed if kind not in self.by_program)

    def begin(self, chosen: Iterable[Kind], need: Need) -> None:
        """Ask for the lists of kinds whose turn comes later."""
        for kind in chosen:
            self.early.begin(self.list, kind, self._titled(kind, need), self.names)

    def _titled(self, kind: Kind, need: Need) -> Need:
        if kind.name not in self._titles:
            self._titles[kind.name] = titles(kind, self.declared.get(kind.name, ()))
        return replace(need, titles={kind.name: self._titles[kind.name]})

    async def to_create(self, need: Need) -> None:
        """Read the definitions that new objects need, if they have not been read: only now is it known what is new."""
        objects = [found for declared in self.declared.values() for found in declared if found.spec.state == "present"]
        new = {found.kind.name: found.kind for found in objects if not self.names.is_live(found.address)}
        codecs = [api.codec for kind in new.values() for api in kind.fields.values()]
        lacking = {name for codec in codecs for name in codec.lookups_to_create} - need.keys.keys()
        await self.wave(Need({name: frozenset() for name in lacking}), [kinds()[name] for name in sorted(lacking)])

    async def _swaps(self, kind: Kind) -> None:
        """Settle the renames in a circle, by the values that tell the objects apart."""
        swapped, unclear = settle_swaps(kind, self.declared.get(kind.name, ()), self.names)
        self.ambiguous.setdefault(kind.name, []).extend(unclear)
        if swapped:
            await self._files(kind)

    async def kind(self, kind: Kind, need: Need) -> None:
        """Read one kind: its tiers until every needed key is known, then the details that lists omit."""
        rows: dict[int, Row] = {}
        outer, need = need, self._titled(kind, need)
        try:
            for tier in tiers(kind, need, self.names):
                await self._tier(kind, tier, rows)
                # All rows so far, not just those of this tier: which object is meant, and whether it is ambiguous,
                # depends on all.
                self.match(kind, list(rows.values()))
                partial = self._missing(kind, need) or self._takes_values(kind)
                if not (need.has_all(kind.name) or partial):
                    break
            else:
                # No tier was left out: what is not among the rows does not exist.
                self.names.live(kind.name).whole = not self.names.live(kind.name).looked_up
            if kind.name == CONTAINER:
                self.begin(inside_projects(outer, self.names, only=True), outer)
            await self.details(kind, need)
            # After the details: the attachments of news are only on their own pages (5.0 to 6.1).
            await self._files(kind)
        except Denied as error:
            # Of others than administrators it is a problem of the objects that need the list.
            if self.names.sight is not None and error.status == FORBIDDEN and not error.gateway:
                self.names.live(kind.name).unseen[""] = f"this account may not list {said(kind)} ({FORBIDDEN})"
                return
            # An assignee is a user or a group, so groups are listed too. That only administrators may list them matters
            # only if a name is not that of a user.
            keys, others = (need.keys.get(name, frozenset()) for name in (kind.name, kind.capability(Alternative).kind))
            if not kind.capability(Alternative).kind or keys - others:
                raise Denied(denied(kind, error), status=error.status) from error

    def _missing(self, kind: Kind, need: Need) -> bool:
        live = self.names.live(kind.name)
        return any(not live.has(key) for key in need.keys.get(kind.name, ()))

    def _takes_values(self, kind: Kind) -> bool:
        """Whether a live object is to get another unique value, which an object that was not read may have."""
        unique = [name for name, api in kind.fields.items() if api.unique]
        declared = self.declared.get(kind.name, ()) if unique else ()
        pairs = ((found, self.names.row(found.address)) for found in declared)
        return any(differs(found, name, row) for found, row in pairs if row is not None for name in unique)

    async def list(self, kind: Kind, listing: Listing) -> list[Row]:
        """The rows of a listing. Which lists an account may not read is noted, if it is no administrator's."""
        return await permitted(self.client, kind, listing, self.names, self.left_out.of(kind), self.kept)

    async def _tier(self, kind: Kind, tier: Sequence[Listing], rows: dict[int, Row]) -> None:
        lists = await self.early.lists(self.list, kind, tier)
        self.names.live(kind.name).looked_up |= any(one.instead.taken for one in tier if one.instead)
        for listing, listed in zip(tier, lists, strict=True):
            for row in listed:
                # By id: a shared version is in the lists of several projects (5.0 to 6.1; test_trap_23).
                # What one list has for its own sake stays as it is, though others may name it.
                if row.get(BESIDE, 0) <= rows.get(row["id"], row).get(BESIDE, 0):
                    rows[row["id"]] = row
                if listing.seen_from:
                    self.names.live(kind.name).note_seen(row["id"], listing.seen_from)

    def match(self, kind: Kind, rows: Sequence[Row]) -> None:
        """Give the rows of a kind their keys, and find the declared objects among them."""
        # Before matching: an issue's key is in a custom field, whose id may only be known from these rows.
        learn(rows, kind, self.names)
        context = Context(self.names)
        matches = kind.match(rows, context, self.declared.get(kind.name, ()))
        undo_renames(kind, self.names)
        for key, row in matches.rows.items():
            self.names.add(kind.name, key, row)
        # Before the next tier is considered: a new name counts as known if the old one was found.
        settle_renames(kind, self.declared.get(kind.name, ()), self.names)
        # Replaces the problems of an earlier tier: a further tier matches all rows again.
        problems = (Problem(o.source, message, str(o.address), hint) for o, message, hint in matches.problems)
        self.ambiguous[kind.name] = list(problems)

    async def details(self, kind: Kind, need: Need) -> None:
        """Read what lists leave out of the declared objects."""
        objects = self.declared.get(kind.name, ())
        live, needed = ((o, self.names.row(o.address)) for o in objects), compared_fields(kind, objects)
        lacking = [(o, row, f) for o, row in live if row and kind.details(row, f := needed[o.address])]
        rows, fields = {row["id"]: row for _, row, _ in lacking}, [f for _, _, f in lacking]
        bulk = await bulk_details(self.client, kind, rows, fields, need, self.names)
        complete = await together(bulk.complete(self.client, row, f) for _, row, f in lacking)
        for (declared, _, _), row in zip(lacking, complete, strict=True):
            # Deleted between the list and its page: it is planned as an object that does not exist.
            if row is None:
                # Deleted between the list and the page.
                self.names.remove(declared.address)
            else:
                self.names.add(kind.name, declared.address.key, row)

    async def _files(self, kind: Kind) -> None:
        """Read the contents of live files that must be compared with declared ones."""
        holding = [name for name, api in kind.fields.items() if type(api.codec).files is not Codec.files]
        found = (d for d in self.declared.get(kind.name, ()) if any(name in d.fields for name in holding))
        rows = ((d, row) for d in found if (row := self.names.row(d.address)) is not None)
        await together(read_files(self.client, kind, d.fields, r, Context(self.names, d.project)) for d, r in rows)


def differs(found: Object, name: str, row: Row) -> bool:
    """Whether a declared unique value is not the one that a live object has."""
    value = getattr(found.spec, name)
    return bool(value) and str(value).casefold() != str(row.get(found.kind.fields[name].read or name)).casefold()


async def read_files(client: Client, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> None:
    """Add the live files of an object to `names.files`. Only those of equal name and size are downloaded to compare."""
    found = dict[int, Candidate]()
    for name, value in values.items():
        api = kind.fields[name]
        # What does not resolve is a problem of the plan, with its place; here it only means that no file is compared.
        with suppress(Unresolved):
            found |= {one.number: one for one in api.codec.files(value, row.get(api.read or name), context)}
    files = await together(_file(client, one) for one in found.values())
    context.names.files.update(zip(found, files, strict=True))


async def _file(client: Client, candidate: Candidate) -> Row:
    """The row of a live file with its digest, which is "" if name or size differ from the declared file."""
    # The value of a custom field is just the id of a file; lists of attachments show name and size already.
    page = Listing(f"/attachments/{candidate.number}", "attachment", single=True)
    row = candidate.shown or (await fetch(client, page, FILE))[0]
    same = row["filename"] == candidate.filename and row["filesize"] == candidate.size
    return {**row, "sha256": await _digest(client, candidate) if same else ""}


async def _digest(client: Client, candidate: Candidate) -> str:
    """The SHA-256 of the content of a live file, or of its beginning if it is larger than the declared one.

    The server has told its size, so anything else is asked for once more: it may be the page of a gateway.
    """
    with SpooledTemporaryFile(IN_MEMORY) as file:
        for _ in range(2):
            await client.download(f"/attachments/download/{candidate.number}", file, candidate.size)
            if file.tell() == candidate.size:
                break
        file.seek(0)
        return file_digest(file, "sha256").hexdigest()


FORBIDDEN = 403
FILE = Fields(of={"filename": TEXT, "filesize": WHOLE})
IN_MEMORY = 1 << 20
"""Bytes of a live file up to which it is kept in memory instead of on disk."""


def denied(kind: Kind, error: Denied) -> str:
    """The message for a list that the account may not read."""
    return f"This account may not read {said(kind)} ({error.status}): use an administrator's API key."


def said(kind: Kind) -> str:
    """What the objects of a kind are called in a sentence."""
    return kind.plural.replace("_", " ")


def learn(rows: Sequence[Row], kind: Kind, names: Names) -> None:
    """Take names and ids of custom fields from the objects if the account may not list them; formats stay unknown."""
    if names.sees_definitions:
        return
    shown = [key for key in dict.fromkeys(chain.from_iterable(rows)) if key.endswith(FIELDS)]
    # Only what objects show of their fields: neither format nor options (5.0 to 6.1).
    for row in rows if shown else ():
        for key in (key for key in shown if key in row):
            # `issue_custom_fields` of a project are fields of issues.
            known = names.custom_fields.setdefault(key.removesuffix(FIELDS).rstrip("_") or kind.name, {})
            for field in row[key] or ():
                known.setdefault(field["name"], CustomField(field["id"], field["name"]))


FIELDS = "custom_fields"
