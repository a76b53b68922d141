"""Client + kinds → the live state: only the kinds and projects that are needed, from bulk lists, in four waves.

    1. names that only administrators create   custom fields tell which other kinds are needed
    2. users, groups, projects                 their ids are needed to list what is inside projects
    3. what is inside projects                 versions, issues, memberships, …
    4. what reads other kinds first            files need versions, time entries need issues

docs/guarantees.md has the number of requests. To keep it low, a kind is read by lists in the order of its `tiers` until
every needed key is known, and an object's own page only for declared fields that the lists lack.
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
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import Alternative, ManifestKey, ReadOnly, Sharing, VersionProbe
from reconciler.model.codecs import Candidate
from reconciler.model.kind import Kind, Listing, Need, Object, earlier_key
from reconciler.model.name_index import Context, CustomField, Names, Traits
from reconciler.redmine.client import Client
from reconciler.state.desired import Desired
from reconciler.state.fetch import bulk_details, fetch, together

OLDEST = "Redmine 5.0 or later is required; this server is older."


@dataclass(frozen=True, slots=True)
class Live:
    """The live state, as far as it was needed. `me` is the account, as in `GET /users/current`."""

    names: Names
    me: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


async def read(client: Client, desired: Desired) -> Live:
    """Read everything that planning `desired` needs. Writes nothing.

    Raises ServerError if the server cannot be used, ManifestError if it lacks what the configuration names.
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
        # Other accounts do not see all users, nor the watchers of issues, so whole lists would be incomplete.
        need = replace(need, whole=frozenset())
    await reader.wave(need, [k for k in kinds().values() if not k.has(ReadOnly) and not k.inside])
    await reader.wave(need, [k for k in kinds().values() if k.inside and not k.inside.reads_after])
    await reader.wave(need, [k for k in kinds().values() if k.inside and k.inside.reads_after])
    return Live(names, me, tuple(reader.problems))


def fresh_names(desired: Desired) -> Names:
    """A name index with all declared objects, and no live ones yet."""
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
    """Raise NotRedmine for an unsupported version. No request returns the version: trackers show newer attributes."""
    for kind in kinds().values():
        if not kind.capability(VersionProbe).is_supported(names.live(kind.name).rows.values()):
            raise NotRedmine(OLDEST)


def check_settings(names: Names, need: Need) -> None:
    """Raise ManifestError if the configuration refers to something that is needed and does not exist."""
    for kind in kinds().values():
        problem = kind.capability(ManifestKey).setting_problem(names) if kind.name in need.keys else None
        if problem:
            message, hint = problem
            raise ManifestError([Problem(names.settings["place"], message, "", hint)])


def settle_renames(objects: Iterable[Object], names: Names) -> None:
    """Give live objects with the key of a `renamed_from` their new key, by which references in manifests mean them."""
    for declared in objects:
        if declared.spec.renamed_from:
            old = Address(declared.kind.name, earlier_key(declared.kind, declared.spec, declared.address.project))
            row = names.row(old)
            # If another object has the new key already, that one is meant.
            if row is not None and names.id(declared.address) in (None, row["id"]):
                names.rename(old, declared.address.key, row)


class Reader:
    """Reads live objects into `names`, kind by kind."""

    def __init__(self, client: Client, names: Names, desired: Desired) -> None:
        self.client = client
        self.names = names
        self.ambiguous: dict[str, list[Problem]] = {}
        self.declared: dict[str, list[Object]] = {}
        for declared in desired.objects.values():
            self.declared.setdefault(declared.kind.name, []).append(declared)

    @property
    def problems(self) -> list[Problem]:
        """A problem for each declared object that matches several live ones."""
        return [problem for problems in self.ambiguous.values() for problem in problems]

    async def wave(self, need: Need, chosen: Iterable[Kind]) -> None:
        """Read several kinds concurrently, if they are needed."""
        await together(self.kind(kind, need) for kind in chosen if kind.name in {*need.keys, *need.whole})

    async def kind(self, kind: Kind, need: Need) -> None:
        """Read one kind: its tiers until every needed key is known, then the details that lists omit."""
        rows: dict[int, Row] = {}
        try:
            for tier in kind.tiers(need, self.names):
                await self._tier(kind, tier, rows)
                self._match(kind, list(rows.values()))
                if not (need.everything or kind.name in need.whole or self._missing(kind, need)):
                    break
            else:
                # All tiers were read: a key that is not known does not exist.
                self.names.live(kind.name).whole = True
            await self._details(kind, need)
            await self._files(kind)
        except Denied as error:
            # An assignee is a user or a group, so groups are listed too. That only administrators may list them matters
            # only if a name is not that of a user.
            keys, others = (need.keys.get(name, frozenset()) for name in (kind.name, kind.capability(Alternative).kind))
            if not kind.capability(Alternative).kind or keys - others:
                raise Denied(denied(kind, error), status=error.status) from error

    def _missing(self, kind: Kind, need: Need) -> bool:
        live = self.names.live(kind.name)
        return any(not live.has(key) for key in need.keys.get(kind.name, ()))

    async def _tier(self, kind: Kind, tier: Sequence[Listing], rows: dict[int, Row]) -> None:
        lists = await together(fetch(self.client, listing) for listing in tier)
        for listing, listed in zip(tier, lists, strict=True):
            for row in listed:
                # By id, because an object can be in several lists: a shared version in those of several projects.
                rows[row["id"]] = row
                if listing.seen_from:
                    self.names.live(kind.name).note_seen(row["id"], listing.seen_from)

    def _match(self, kind: Kind, rows: Sequence[Row]) -> None:
        learn(rows, kind, self.names)
        context = Context(self.names)
        matches = kind.match(rows, context, self.declared.get(kind.name, ()))
        for key, row in matches.rows.items():
            self.names.add(kind.name, key, row)
        settle_renames(self.declared.get(kind.name, ()), self.names)
        # Replaces the problems of an earlier tier: a further tier matches all rows again.
        problems = (Problem(o.source, message, str(o.address), hint) for o, message, hint in matches.problems)
        self.ambiguous[kind.name] = list(problems)

    async def _details(self, kind: Kind, need: Need) -> None:
        live = ((o, self.names.row(o.address)) for o in self.declared.get(kind.name, ()))
        lacking = [(o, row, f) for o, row in live if row and kind.details(row, f := frozenset(o.fields))]
        rows, fields = {row["id"]: row for _, row, _ in lacking}, [f for _, _, f in lacking]
        bulk = await bulk_details(self.client, kind, rows, fields, need, self.names)
        complete = await together(bulk.complete(self.client, row, f) for _, row, f in lacking)
        for (declared, _, _), row in zip(lacking, complete, strict=True):
            if row is None:
                # Deleted between the list and the page.
                self.names.remove(declared.address)
            else:
                self.names.add(kind.name, declared.address.key, row)

    async def _files(self, kind: Kind) -> None:
        """Read the contents of live files that must be compared with declared ones."""
        work = []
        for declared in self.declared.get(kind.name, ()):
            row = self.names.row(declared.address)
            if row is not None:
                work.append(read_files(self.client, kind, declared.fields, row, Context(self.names, declared.project)))
        await together(work)


async def read_files(client: Client, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> None:
    """Add the live files of an object to `names.files`. Only those of equal name and size are downloaded to compare."""
    for name, value in values.items():
        api = kind.fields[name]
        with suppress(Unresolved):
            for candidate in api.codec.files(value, row.get(api.read or name), context):
                context.names.files[candidate.number] = await _file(client, candidate)


async def _file(client: Client, candidate: Candidate) -> Row:
    """The row of a live file with its digest, which is "" if name or size differ from the declared file."""
    row = candidate.shown or (await client.get(f"/attachments/{candidate.number}"))["attachment"]
    same = row["filename"] == candidate.filename and row["filesize"] == candidate.size
    return {**row, "sha256": await _digest(client, candidate.number) if same else ""}


async def _digest(client: Client, number: int) -> str:
    """The SHA-256 of the content of a live file of any size."""
    with SpooledTemporaryFile(IN_MEMORY) as file:
        await client.download(f"/attachments/download/{number}", file)
        file.seek(0)
        return file_digest(file, "sha256").hexdigest()


IN_MEMORY = 1 << 20
"""Bytes of a live file up to which it is kept in memory instead of on disk."""


def denied(kind: Kind, error: Denied) -> str:
    """The message for a list that the account may not read."""
    what = kind.plural.replace("_", " ")
    return f"This account may not read {what} ({error.status}): use an administrator's API key."


def learn(rows: Iterable[Row], kind: Kind, names: Names) -> None:
    """Take names and ids of custom fields from the objects if the account may not list them; formats stay unknown."""
    if names.sees_definitions:
        return
    known = names.custom_fields.setdefault(kind.name, {})
    for row in rows:
        for field in row.get("custom_fields", ()):
            known.setdefault(field["name"], CustomField(field["id"], field["name"]))
