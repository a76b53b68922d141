"""The complete live state for an export: all objects of the chosen kinds and projects, with all details.

Requests: those of a plan for the same kinds and projects, and one for each object whose own page has more than lists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from reconciler.catalog.session import Rows
from reconciler.errors import Denied, ReconcilerError
from reconciler.export.disk_dict import DiskDict
from reconciler.export.state_files import Keys
from reconciler.export.targets import is_target
from reconciler.kinds import keyed, kinds
from reconciler.manifest.loader import suggest
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import ManifestKey, ReadOnly, Streamed
from reconciler.model.catalog import Catalog
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import WHOLE, Fields
from reconciler.model.kind import Kind, Need
from reconciler.model.name_index import Context, Names
from reconciler.model.ordering import Implied
from reconciler.model.program_fields import program_fields, show
from reconciler.model.requests import Listing
from reconciler.model.row_form import form_of
from reconciler.model.spec import Id
from reconciler.record import Record
from reconciler.redmine.client import Client
from reconciler.state.catalog import read_kinds
from reconciler.state.desired import Desired
from reconciler.state.fetch import Watch, bulk_details, fetch, over, unwatched
from reconciler.state.live import FILE, Reader, check_settings, check_version, fresh_names
from reconciler.state.program_fields import Wanted
from reconciler.state.together import together
from reconciler.state.unreadable import LeftOut, Unreadable

NO_KEYS = Keys()
BATCH = 200
"""Objects whose pages are requested at a time; the client limits how many requests are sent at once."""
LOST = {"filename": "", "lost": "the server has lost the file"}
"""The row of a file that the server lists but does not have."""
WINDOWS = 4
"""Ranges of ids that are read at a time; each has many pages."""


class Scope(Record):
    """The scope of an export. `projects` are identifiers (none: all), with their descendants if `subprojects`; `chosen`
    are kinds (none: all). `targets` are patterns for single objects of these kinds (none: all)."""

    projects: frozenset[str] = frozenset()
    subprojects: bool = False
    chosen: frozenset[str] = frozenset()
    targets: tuple[str, ...] = ()
    catalog: bool = False
    """Whether what only the program inside Redmine writes is exported without being chosen."""

    def has(self, kind: Kind) -> bool:
        """Whether objects of a kind are exported."""
        if kind.has(Implied):
            return False
        if kind.has(Catalog):
            return kind.name in self.chosen or (self.catalog and not self.chosen)
        return not kind.has(ReadOnly) and (not self.chosen or kind.name in self.chosen)

    def wants(self, address: Address, number: Id) -> bool:
        """Whether one of the objects in these projects and of these kinds is exported."""
        return not self.targets or is_target(self.targets, address, number)


class Inventory(Record):
    """The live state. `projects` are those in scope."""

    names: Names
    projects: frozenset[str]
    unreadable: tuple[Unreadable, ...] = ()


async def take(
    client: Client,
    settings: Mapping[str, Any],
    scope: Scope,
    watch: Watch = unwatched,
    given: Keys = NO_KEYS,
) -> Inventory:
    """Read everything in scope. `watch` is called with the progress. `given` are the keys of objects without a stored
    one, from the last export.

    Raises ServerError; Denied without an administrator's key; ReconcilerError for an unknown project.
    """
    me = await client.whoami()
    if not me.get("admin"):
        raise Denied("An export needs an administrator's API key: other accounts do not see everything.", status=403)
    nothing = Desired({}, (), settings)
    names = fresh_names(nothing)
    names.account = str(me["login"])
    reader = Reader(client, names, nothing)
    # In the waves of `live.read`, for the same reasons.
    await reader.wave(_need(names, ()), _definitions(scope))
    check_version(names)
    check_settings(names, _need(names, ()))
    chosen = [kind for kind in kinds().values() if kind.has(Catalog) and scope.has(kind)]
    shown = await _take_catalog(client, chosen, names, _fields(scope))
    await reader.wave(_need(names, ()), [k for k in kinds().values() if not k.has(ReadOnly) and not k.inside])
    await _check_projects(client, names, scope)
    projects = _projects(names, scope)
    need = _need(names, projects)
    inside = [k for k in kinds().values() if k.inside and (scope.has(k) or k.name in _referenced_by(scope))]
    await reader.wave(need, [k for k in inside if not (k.inside and k.inside.reads_after) and not k.has(Streamed)])
    for kind in (k for k in inside if k.has(Streamed)):
        await _stream(client, kind, names, projects, watch, reader.left_out)
    for kind in filter(scope.has, keyed()):
        kind.capability(ManifestKey).make_keys(names, given.of(names.live(kind.name).rows))
    await reader.wave(need, [k for k in inside if k.inside and k.inside.reads_after])
    await _complete(client, names, scope, projects, watch)
    await _add_fields(client, names, scope, projects, shown)
    return Inventory(names, projects, reader.left_out.lasting(names))


def _definitions(scope: Scope) -> list[Kind]:
    """What the API cannot create, and is in scope or used by what it can."""
    codecs = [api.codec for kind in kinds().values() if not kind.has(Catalog) for api in kind.fields.values()]
    used = {name for codec in codecs for name in (*codec.named_kinds(), *codec.lookups, *codec.lookups_to_create)}
    return [kind for kind in kinds().values() if kind.has(ReadOnly) and (scope.has(kind) or kind.name in used)]


def _is_in(kind: Kind, projects: Collection[str], names: Names) -> bool:
    return any(Address(kind.name, key).project in projects for key in names.live(kind.name).ids)


def _fields(scope: Scope) -> Wanted:
    """The kinds in scope of which only the program inside Redmine shows some fields, in all projects."""
    return Wanted(tuple(kind for kind in kinds().values() if scope.has(kind) and program_fields(kind)))


async def _take_catalog(client: Client, chosen: Collection[Kind], names: Names, fields: Wanted) -> Rows | None:
    """Add what the program inside Redmine shows of these kinds. If it was asked, returns what it shows of others."""
    if chosen and client.catalog is None:
        listed = ", ".join(kind.plural for kind in chosen)
        raise ReconcilerError(f"The REST API does not show all of {listed}: set catalog_command to export them.")
    return await read_kinds(client, chosen, names, fields) if chosen else None


async def _add_fields(
    client: Client, names: Names, scope: Scope, projects: Collection[str], shown: Rows | None
) -> None:
    """Add what only the program shows of objects in scope, if there are any and it can be asked."""
    wanted = [kind for kind in _fields(scope).kinds if _is_in(kind, projects, names)]
    if not wanted or client.catalog is None:
        return
    rows = await read_kinds(client, (), names, Wanted(tuple(wanted), frozenset(projects))) if shown is None else shown
    for kind in wanted:
        show(kind, rows[kind.name], projects, names)


async def _stream(
    client: Client, kind: Kind, names: Names, projects: Collection[str], watch: Watch, left_out: LeftOut
) -> None:
    """Read a kind with a large number of objects: by ranges of ids, with the rows on disk."""
    names.live(kind.name).store_rows_in(DiskDict[Any, Row]())
    numbers = sorted(n for p in projects if isinstance(n := names.live(CONTAINER).ids[p], int))
    context, fields = Context(names), frozenset(kind.fields)
    last_ones = kind.capability(Streamed).last(numbers)
    ends = await together(fetch(client, listing, Fields(of={"id": WHOLE})) for listing in last_ones)
    last = max((rows[0]["id"] for rows in ends if rows), default=0)
    # By ranges of ids: a list that changes while it is read is read again, which takes too long for a whole list.
    windows = list(kind.capability(Streamed).windows(kind, numbers, fields, last))
    what = f"lists of {kind.plural}"
    read = partial(fetch, client, form=form_of(kind), spoiled=left_out.of(kind))
    async for rows in over(windows, read, WINDOWS, what, watch):
        for row in rows:
            names.add(kind.name, kind.key_of(row, context) or "", row)


def _need(names: Names, projects: Collection[str]) -> Need:
    keys = frozenset(f"{p}/" for p in projects)
    fields = {k.name: frozenset(k.fields) for k in kinds().values() if not k.has(ReadOnly)}
    return Need({k.name: keys if k.inside else frozenset() for k in kinds().values()}, fields, everything=True)


def _referenced_by(scope: Scope) -> frozenset[str]:
    """The kinds to which objects in scope can refer: their keys are needed even if they are not exported."""
    referenced: set[str] = set()
    for kind in kinds().values():
        if scope.has(kind):
            codecs = (api.codec for api in kind.fields.values())
            of = (getattr(codec, "of", codec) for codec in codecs)
            referenced |= {name for codec in of for name in getattr(codec, "kinds", ())} | {*_order(kind)}
    return frozenset(referenced)


def _order(kind: Kind) -> tuple[str, ...]:
    """The kinds in the same project that are read or written before a kind."""
    return (*kind.inside.reads_after, *kind.inside.follows) if kind.inside else ()


def _projects(names: Names, scope: Scope) -> frozenset[str]:
    known = names.live(CONTAINER).ids
    if not scope.projects:
        return frozenset(known)
    below = {p for p in known if scope.subprojects and scope.projects & set(names.ancestors(p))}
    return frozenset(scope.projects | below)


async def _check_projects(client: Client, names: Names, scope: Scope) -> None:
    """Raise ReconcilerError for a project that cannot be read."""
    kind, known = kinds()[CONTAINER], names.live(CONTAINER).ids
    for wanted in sorted(scope.projects - known.keys()):
        pages = kind.lookup(Address(kind.name, wanted), names, {})
        rows = [row for page in pages for row in await fetch(client, page)]
        why = kind.capability(Exporting).why_unreadable(rows[0]) if rows else ""
        hint = suggest(wanted, known)
        missing = f'There is no project "{wanted}"{f" ({hint})" if hint else ""}.'
        raise ReconcilerError(f'Project "{wanted}" cannot be exported: {why}.' if why else missing)


async def _complete(client: Client, names: Names, scope: Scope, projects: Collection[str], watch: Watch) -> None:
    """Add the details that only the objects' own pages have."""
    chosen = [kind for kind in kinds().values() if kind.has(ReadOnly) or scope.has(kind)]
    for kind in chosen:
        await _pages(client, kind, names, scope, projects, watch)

    async def file(number: int) -> None:
        page = Listing(f"/attachments/{number}", "attachment", single=True, none={403: LOST, 404: LOST})
        (shown,) = await fetch(client, page, FILE)
        names.files[number] = {"id": number, **shown, "sha256": ""}

    async for _ in over(_attached(names, chosen, scope), file, BATCH, "files in custom fields", watch):
        pass


async def _pages(
    client: Client, kind: Kind, names: Names, scope: Scope, projects: Collection[str], watch: Watch
) -> None:
    """Complete the objects of a kind: from bulk lists, then from each page that is still needed."""
    live, fields = names.live(kind.name), frozenset(kind.fields)
    numbers = [n for n, key in live.keys.items() if not kind.inside or key.partition("/")[0] in projects]
    if scope.has(kind):
        numbers = [n for n in numbers if scope.wants(Address(kind.name, live.keys[n]), n)]
    bulk = await bulk_details(client, kind, live.rows, [fields] * len(numbers), _need(names, projects), names, watch)
    paged = []
    for number in numbers:
        row, lacking = bulk.of(live.rows[number], fields)
        # Not `names.add`: the key stays, so nothing computed from all rows has to be computed again.
        live.replace_row(number, row)
        if kind.details(row, lacking):
            paged.append(number)

    async def one(number: Any) -> None:
        row = await bulk.complete(client, live.rows[number], fields)
        if row is None:
            live.remove(live.keys[number])
        else:
            live.replace_row(number, row)

    async for _ in over(paged, one, BATCH, kind.plural.replace("_", " "), watch):
        pass


def _attached(names: Names, chosen: Iterable[Kind], scope: Scope) -> list[int]:
    """The ids of the files in custom fields."""
    files = {f.id for fields in names.custom_fields.values() for f in fields.values() if f.format == "attachment"}
    lives = [(kind.name, names.live(kind.name)) for kind in chosen] if files else []
    rows = (row for name, live in lives for n, row in live.rows.items() if scope.wants(Address(name, live.keys[n]), n))
    values = (str(f.get("value") or "") for row in rows for f in row.get("custom_fields", ()) if f["id"] in files)
    return sorted({int(value) for value in values if value.isdecimal()})
