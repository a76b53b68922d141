"""What the server has of written objects by now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.apply.progress import Progress
from reconciler.apply.sender import uploads
from reconciler.kinds import kinds
from reconciler.model.address import Row, Unresolved
from reconciler.model.capabilities import PartialRows, ReadBack
from reconciler.model.kind import Kind, Need, Request
from reconciler.model.name_index import Context
from reconciler.model.requests import Listing
from reconciler.model.row_form import form_of
from reconciler.model.spec import Id
from reconciler.plan.diff import gather
from reconciler.state.fetch import Spoiled, bulk_details, fetch, refuse
from reconciler.state.together import together

if TYPE_CHECKING:
    from reconciler.apply.writer import Writer


async def read_back(
    writer: Writer, kind: Kind, states: Sequence[Progress], values: Mapping[Id | None, Mapping[str, Any]]
) -> dict[Any, Row]:
    """The rows of written objects, by id, with the fields in `values` (by id)."""
    ids = frozenset(i for s in states for i in (s.id, s.earlier_id) if i is not None)
    fields = {number: frozenset(wanted) for number, wanted in values.items()}
    need = Need(
        {kind.name: frozenset(s.change.address.key for s in states)},
        {kind.name: frozenset().union(*fields.values())},
        {kind.name: ids},
    )
    rows: dict[Any, Row] = {}
    for tier in kind.capability(ReadBack).again(kind, ids, need, writer.names):
        lists = await together(fetch(writer.client, listing, form_of(kind), _other(ids)) for listing in tier)
        rows |= {row["id"]: row for listed in lists for row in listed if row["id"] in ids}
        if len(rows) == len(ids):
            break
    rows = _own_rows(rows, states, fields)
    for state in states:
        if state.id is not None and state.id not in rows:
            known = gather((*state.change.all_fields, *state.change.unchanged))
            row = await writer.look_up(state.change.address, known)
            if row is not None:
                # A file that was replaced, or a page that was renamed, has another id.
                fields[row["id"]] = fields[state.id]
                state.id, rows[row["id"]] = row["id"], row
    bulk = await bulk_details(writer.client, kind, rows, [fields[i] for i in rows], need, writer.names)
    complete = await together(bulk.complete(writer.client, row, fields[i]) for i, row in rows.items())
    return {i: row for i, row in zip(rows, complete, strict=True) if row is not None}


def _own_rows(rows: Mapping[Any, Row], states: Sequence[Progress], fields: dict[Any, frozenset[str]]) -> dict[Any, Row]:
    """The rows of these objects; of one that Redmine gave no other id, the row under the one that it has still."""
    for state in states:
        if state.id not in rows and state.earlier_id in rows:
            fields[state.earlier_id] = fields[state.id]
            state.id = state.earlier_id
    return {number: row for number, row in rows.items() if number in fields}


def _other(ids: Collection[Any]) -> Spoiled:
    """Rows that cannot be read do not matter unless they are of an object that was written."""

    def check(listing: Listing, row: Row, why: str) -> None:
        if any(row.get("id") == number for number in ids):
            refuse(listing, row, why)

    return check


async def executed(writer: Writer, state: Progress, values: Mapping[str, Any], request: Request) -> bool:
    """Whether a PUT has been executed, as far as its object shows by now: it has the files, or else the values."""
    kind, context = kinds()[state.change.address.kind], writer.context(state.change.address)
    sent = _sent(kind, values, request)
    rows = await read_back(writer, kind, [state], {state.id: sent})
    row = rows.get(state.id)
    if row is None:
        return False
    if files := sum(1 for _ in uploads(request.body)):
        before = writer.names.row(state.change.address) or {}
        return len(_files(kind, sent, row, context) - _files(kind, sent, before, context)) >= files
    compared = [name for name in sent if kind.fields[name].read is not None]
    return bool(compared) and all(_has(kind, row, name, sent[name], context) for name in compared)


def _sent(kind: Kind, values: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """Those of an update's values that are in one of its requests; an action without a body has those of no body."""
    body = (request.body or {}).get(kind.name, {})
    names = {name: kind.fields[name].write for name in values}
    if not body:
        return {name: values[name] for name, write in names.items() if write is None}
    return {name: values[name] for name, write in names.items() if write is not None and (write or name) in body}


def _files(kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> set[int]:
    """The ids of an object's files that can be the wanted ones, by name and size."""
    found = set[int]()
    for name, value in values.items():
        api = kind.fields[name]
        for one in api.codec.files(value, row.get(api.read or name), context):
            if one.shown is None or one.shown.get("filesize") == one.size:
                found.add(one.number)
    return found


def _has(kind: Kind, row: Row, name: str, wanted: Any, context: Context) -> bool:
    """Whether a row shows that a field has a value."""
    if not kind.capability(PartialRows).shows(kind, row, name, {}):
        return False
    try:
        return not kind.fields[name].codec.differences(wanted, kind.live(row, name, context))
    except Unresolved:
        return False
