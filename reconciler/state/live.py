"""Client + kinds → the live state: only the kinds and projects that are needed, by bulk lists, in four waves.

Requests for a plan: 2 (the account; the trackers, which tell a Redmine that is too old) + 1 for each other kind of
name that is used + for users one list a status until all are found + 1 for groups + for projects one list and 1 for
each that it does not show + 1 for each other kind and project + the issues, and the time entries, of all needed
projects together. Lists do not show everything: 1 more for each declared group with `users`, issue with `watchers` or
`notes`, wiki page, and piece of news with `attachments`; for each project with a `default_version`,
`default_assigned_to` or (before 5.1) `homepage`; for each wiki page that is not there yet, and for each wiki with a
declared start page. Watchers of more than 20 issues are told by one list for each user and group, if that is less (see
`BulkDetails`). Attachments are downloaded, 1 each, if a live one has the name and size of the declared one; the
files of a project are not. A list of N rows takes 1 request up to 100, then 1 + ceil((N - 100) / 99), as pages
overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import file_digest
from tempfile import SpooledTemporaryFile
from typing import Any

from reconciler.errors import Denied, ManifestError, NotRedmine, Problem
from reconciler.kinds import kinds
from reconciler.model.address import Row, Unresolved
from reconciler.model.capabilities import Alternative, ManifestKey, ReadOnly, Sharing, VersionProbe
from reconciler.model.codecs import Candidate
from reconciler.model.kind import Kind, Listing, Need, Object
from reconciler.model.name_index import Context, CustomField, Names, Traits
from reconciler.redmine.client import Client
from reconciler.state.desired import Desired
from reconciler.state.fetch import fetch, together, told
from reconciler.state.renames import compared_fields, settle_renames, settle_swaps, undo_renames

OLDEST = "Redmine 5.0 or later is required; this server is older."


@dataclass(frozen=True, slots=True)
class Live:
    """What the server has of what was needed. `me` is the account, as `GET /users/current` shows it."""

    names: Names
    me: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


async def read(client: Client, desired: Desired) -> Live:
    """Read everything that planning `desired` needs. Writes nothing.

    Raises a ServerError when the server cannot be used, ManifestError if it lacks what the configuration names.
    """
    me = await client.whoami()
    names = fresh_names(desired)
    reader = Reader(client, names, desired)
    first = desired.need()
    probes = {kind.name: frozenset[str]() for kind in kinds().values() if kind.has(VersionProbe)}
    await reader.wave(Need({**probes, **first.keys}), [k for k in kinds().values() if k.has(ReadOnly)])
    check_version(names)
    check_settings(names, first)
    need = desired.need(names)
    if not me.get("admin"):
        # Others are not shown all users, nor who watches what.
        need = replace(need, whole=frozenset())
    await reader.wave(need, [k for k in kinds().values() if not k.has(ReadOnly) and not k.inside])
    await reader.wave(need, [k for k in kinds().values() if k.inside and not k.inside.reads_after])
    await reader.wave(need, [k for k in kinds().values() if k.inside and k.inside.reads_after])
    return Live(names, me, tuple(reader.problems))


def fresh_names(desired: Desired) -> Names:
    """Names that know what is declared, and nothing live yet."""
    names = Names({kind.name: _traits(kind) for kind in kinds().values()}, desired.settings)
    for address, declared in desired.objects.items():
        if declared.spec.state == "present":
            names.declare(address, declared.spec)
        else:
            names.declare_absent(address)
    return names


def _traits(kind: Kind) -> Traits:
    sharing = kind.capability(Sharing)
    return Traits(
        inside=kind.inside is not None,
        declarable=not kind.has(ReadOnly),
        ignores_case=kind.ignores_case,
        menu=kind.capability(ReadOnly).menu,
        visible_elsewhere=sharing.visible_elsewhere,
        unusable_reason=sharing.unusable_reason,
    )


def check_version(names: Names) -> None:
    """Raise NotRedmine for a server that is not supported."""
    for kind in kinds().values():
        if not kind.capability(VersionProbe).is_supported(names.live(kind.name).rows.values()):
            raise NotRedmine(OLDEST)


def check_settings(names: Names, need: Need) -> None:
    """Raise ManifestError if the configuration names what does not exist and is needed."""
    for kind in kinds().values():
        problem = kind.capability(ManifestKey).setting_problem(names) if kind.name in need.keys else None
        if problem:
            message, hint = problem
            raise ManifestError([Problem(names.settings["place"], message, "", hint)])


class Reader:
    """Reads kinds into `names`."""

    def __init__(self, client: Client, names: Names, desired: Desired) -> None:
        self.client = client
        self.names = names
        self.unclear: dict[str, list[Problem]] = {}
        self.declared: dict[str, list[Object]] = {}
        for found in desired.objects.values():
            self.declared.setdefault(found.kind.name, []).append(found)

    @property
    def problems(self) -> list[Problem]:
        """Declared objects that cannot be told apart among the live ones."""
        return [problem for found in self.unclear.values() for problem in found]

    async def wave(self, need: Need, chosen: Iterable[Kind]) -> None:
        """Read several kinds at once."""
        needed = [kind for kind in chosen if kind.name in {*need.keys, *need.whole}]
        await together(self.kind(kind, need) for kind in needed)
        await together(self._swaps(kind) for kind in needed)

    async def _swaps(self, kind: Kind) -> None:
        """Settle the renames in a circle, by the values that tell the objects apart."""
        swapped, unclear = settle_swaps(kind, self.declared.get(kind.name, ()), self.names)
        self.unclear.setdefault(kind.name, []).extend(unclear)
        if swapped:
            await self._files(kind)

    async def kind(self, kind: Kind, need: Need) -> None:
        """Read one kind: its tiers until every needed key is found, then what lists leave out."""
        rows: dict[int, Row] = {}
        try:
            for tier in kind.tiers(need, self.names):
                await self._tier(kind, tier, rows)
                self._match(kind, list(rows.values()))
                partial = self._missing(kind, need) or self._takes_values(kind)
                if not (need.everything or kind.name in need.whole or partial):
                    break
            else:
                self.names.live(kind.name).whole = True
            await self._details(kind, need)
            await self._files(kind)
        except Denied as error:
            # An assignee is mostly a user: that groups may not be listed only matters for a name that is a group's.
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

    async def _tier(self, kind: Kind, tier: Sequence[Listing], rows: dict[int, Row]) -> None:
        lists = await together(fetch(self.client, listing) for listing in tier)
        for listing, found in zip(tier, lists, strict=True):
            for row in found:
                rows[row["id"]] = row
                if listing.seen_from:
                    self.names.live(kind.name).note_seen(row["id"], listing.seen_from)

    def _match(self, kind: Kind, rows: Sequence[Row]) -> None:
        learn(rows, kind, self.names)
        context = Context(self.names)
        matches = kind.match(rows, context, self.declared.get(kind.name, ()))
        undo_renames(kind, self.names)
        for key, row in matches.rows.items():
            self.names.add(kind.name, key, row)
        settle_renames(kind, self.declared.get(kind.name, ()), self.names)
        # A further tier matches all rows again.
        self.unclear[kind.name] = [Problem(o.source, said, str(o.address), hint) for o, said, hint in matches.problems]

    async def _details(self, kind: Kind, need: Need) -> None:
        objects = self.declared.get(kind.name, ())
        live, needed = ((o, self.names.row(o.address)) for o in objects), compared_fields(kind, objects)
        found = [(o, row, f) for o, row in live if row and kind.details(row, f := needed[o.address])]
        rows, fields = {row["id"]: row for _, row, _ in found}, [f for _, _, f in found]
        polled = await told(self.client, kind, rows, fields, need, self.names)
        full = await together(polled.complete(self.client, row, f) for _, row, f in found)
        for (wanted, _, _), row in zip(found, full, strict=True):
            if row is None:
                self.names.remove(wanted.address)
            else:
                self.names.add(kind.name, wanted.address.key, row)

    async def _files(self, kind: Kind) -> None:
        """Learn what is in the live files that declared ones have to be compared with."""
        work = []
        for found in self.declared.get(kind.name, ()):
            row = self.names.row(found.address)
            if row is not None:
                work.append(read_files(self.client, kind, found.fields, row, Context(self.names, found.project)))
        await together(work)


def differs(found: Object, name: str, row: Row) -> bool:
    """Whether a declared unique value is not the one that a live object has."""
    value = getattr(found.spec, name)
    return bool(value) and str(value).casefold() != str(row.get(found.kind.fields[name].read or name)).casefold()


async def read_files(client: Client, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> None:
    """Put into `names.files` what is known of an object's live files; read are only those of equal name and size."""
    for name, value in values.items():
        api = kind.fields[name]
        with suppress(Unresolved):
            for found in api.codec.files(value, row.get(api.read or name), context):
                context.names.files[found.number] = await _file(client, found)


async def _file(client: Client, found: Candidate) -> Row:
    """What is known of a live file; its digest is "" if it cannot be the one."""
    shown = found.shown or (await client.get(f"/attachments/{found.number}"))["attachment"]
    same = shown["filename"] == found.filename and shown["filesize"] == found.size
    return {**shown, "sha256": await _digest(client, found.number) if same else ""}


async def _digest(client: Client, number: int) -> str:
    """The SHA-256 of what is in a live file, however large it is."""
    with SpooledTemporaryFile(IN_MEMORY) as file:
        await client.download(f"/attachments/download/{number}", file)
        file.seek(0)
        return file_digest(file, "sha256").hexdigest()


IN_MEMORY = 1 << 20
"""Bytes of a live file that are compared without a file on the disk."""


def denied(kind: Kind, error: Denied) -> str:
    """A sentence for a list that the account may not read."""
    what = kind.plural.replace("_", " ")
    return f"This account may not read {what} ({error.status}): an administrator's key is needed."


def learn(rows: Iterable[Row], kind: Kind, names: Names) -> None:
    """Without the right to list custom fields, learn their names and ids from the objects (format unknown)."""
    if names.sees_definitions:
        return
    known = names.custom_fields.setdefault(kind.name, {})
    for row in rows:
        for field in row.get("custom_fields", ()):
            known.setdefault(field["name"], CustomField(field["id"], field["name"]))
