"""Reads back in bulk what was written, and compares it: Redmine responds with 204 and drops what it does not allow.

A difference is written once more, a status step by step through its workflow. What still differs is a failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from reconciler.apply.answered import unconfirmed
from reconciler.apply.blame import item_error
from reconciler.apply.executor import Applier
from reconciler.apply.found_late import resume
from reconciler.apply.progress import Progress
from reconciler.apply.read_back import read_back
from reconciler.errors import ServerError
from reconciler.kinds import kinds
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import DerivedFields, KeptValues, PartialRows, SideEffects, Workflow
from reconciler.model.catalog import Catalog
from reconciler.model.codecs import join, shown
from reconciler.model.kind import Kind
from reconciler.model.program_fields import program_fields
from reconciler.model.requests import Listing
from reconciler.model.row_form import form_of
from reconciler.plan.diff import gather, split
from reconciler.record import Record
from reconciler.state.fetch import fetch
from reconciler.state.live import read_files
from reconciler.state.together import together

ROUNDS = 3
"""How often differences are written again, as long as that changes anything: one write can undo another."""


class Mismatch(Record):
    """A field whose live value is not the desired one. Without a path, the object is missing."""

    address: Address
    path: str
    wanted: Any
    live: Any


class Reason(Record):
    """Why a field did not get its value when it was written again; `refused` if the server rejected the write."""

    text: str = ""
    refused: bool = False


Reasons = dict[tuple[Address, str], Reason]


async def verify(applier: Applier) -> None:
    """Compare everything that was written with the live state. Changes with differences become `failed`."""
    await resume(applier)
    written = [s for s in applier.progress.values() if s.written and s.change.action != "delete"]
    mismatches, reasons = await _mismatches(applier, unconfirmed(applier, written)), Reasons()
    for _ in range(ROUNDS):
        tried = await _write_again(applier, mismatches)
        reasons |= tried
        again = _to_read_again({address for address, _ in tried}, written)
        objects = {state.change.address for state in again}
        left = [m for m in mismatches if m.address not in objects] + await _mismatches(applier, again)
        # Nothing has changed, so another round would not change anything either.
        if left == mismatches:
            break  # writing again changed nothing
        mismatches = left
    for mismatch in mismatches:
        reason = reasons.get((mismatch.address, mismatch.path), Reason())
        change = applier.progress[mismatch.address].change
        applier.refute(mismatch.address, item_error(change, _message(applier, mismatch, reason), mismatch.path))
    # The verification after the postponed operations compares only what those write.
    for state in written:
        # `verify` runs again after the postponed operations, for what those have written.
        state.written.clear()


def _to_read_again(tried: Collection[Address], written: Iterable[Progress]) -> list[Progress]:
    """What was written again, and what that may have changed: an issue that is closed closes its duplicates."""
    whose = {kind for address in tried for kind in kinds()[address.kind].capability(SideEffects).on}
    return [s for s in written if s.change.address in tried or s.change.address.kind in whose]


# -- reading back ----------------------------------------------------------------------------------------------


async def _mismatches(applier: Applier, written: Iterable[Progress]) -> list[Mismatch]:
    by_kind: defaultdict[str, list[Progress]] = defaultdict(list)
    for state in written:
        by_kind[state.change.address.kind].append(state)
    # Kinds and files at once: what is compared below was read by then.
    read = await together(_rows(applier, kinds()[name], states) for name, states in by_kind.items())
    compared = (
        (state, rows.get(state.id)) for states, rows in zip(by_kind.values(), read, strict=True) for state in states
    )
    return [mismatch for state, row in compared for mismatch in _compare(applier, state, row)]


async def _rows(applier: Applier, kind: Kind, states: Sequence[Progress]) -> dict[Any, Row]:
    """The rows of objects of a kind by id; those of their files are in the name index."""
    if kind.has(Catalog):
        # The answer to the write has what the program has read back.
        return {s.id: row for s in states if (row := applier.names.row(s.change.address)) is not None}
    rows = await _read_back(applier, kind, states)
    contexts = ((s, rows[s.id], applier.writer.context(s.change.address)) for s in states if s.id in rows)
    await together(read_files(applier.client, kind, gather(s.written), row, context) for s, row, context in contexts)
    return rows


async def _read_back(applier: Applier, kind: Kind, states: Sequence[Progress]) -> dict[Any, Row]:
    """What the API shows of objects, with what the program has read back of theirs.

    Only the program has been asked for an object of which it has written all.
    """
    known = {s.id: row for s in states if (row := applier.names.row(s.change.address)) is not None}
    apart = {name: kind.fields[name].read or name for name in program_fields(kind)}
    asked = [s for s in states if s.id not in known or not gather(s.written).keys() <= apart.keys()]
    ids = {s.id for s in asked}
    rows = {s.id: known[s.id] for s in states if s.id not in ids}
    more = await read_back(applier.writer, kind, asked, {s.id: gather(s.written) for s in asked}) if asked else {}
    kept = {n: {name: row[name] for name in apart.values() if name in row} for n, row in known.items()}
    return {**rows, **{number: {**row, **kept.get(number, {})} for number, row in more.items()}}


def _compare(applier: Applier, state: Progress, row: Row | None) -> Iterator[Mismatch]:
    address = state.change.address
    if row is None:
        yield Mismatch(address, "", "an object", None)
        return
    kind = kinds()[address.kind]
    # From here on this row is the live state: for writing again, and for the reasons of mismatches.
    applier.names.add(kind.name, address.key, row)
    context = applier.writer.context(address)
    for name, wanted in gather(state.written).items():
        api = kind.fields[name]
        unchangeable = api.create_only and state.change.action != "create"
        if not unchangeable and api.read is not None and kind.capability(PartialRows).shows(kind, row, name, {}):
            for part, live, after in api.codec.differences(wanted, kind.live(row, name, context)):
                yield Mismatch(address, join(name, part), after, live)


# -- writing again ---------------------------------------------------------------------------------------------


async def _write_again(applier: Applier, mismatches: Iterable[Mismatch]) -> Reasons:
    """Write mismatches without a known reason again: what they depend on may exist by now.

    Returns, for each (object, path) that was written again, why it did not get its value.
    """
    by_address = defaultdict(list)
    for mismatch in mismatches:
        kind = kinds()[mismatch.address.kind]
        again = not kind.has(Catalog) and mismatch.path.partition(".")[0] not in program_fields(kind)
        if mismatch.path and again and not _known_reason(applier, mismatch):
            by_address[mismatch.address].append(mismatch)
    reasons = Reasons()
    # Reversed: subtasks come after their parents in the plan, and must be closed before them.
    order = [change.address for change in (*applier.plan.affected, *applier.plan.changes)]
    for address in reversed([address for address in order if address in by_address]):
        for mismatch in by_address[address]:
            reasons[(address, mismatch.path)] = await _reach(applier, mismatch)
    return reasons


async def _reach(applier: Applier, mismatch: Mismatch) -> Reason:
    """Write a field again, through its workflow if it has one. Returns why it did not get its value, if known."""
    kind, state = kinds()[mismatch.address.kind], applier.progress[mismatch.address]
    page = kind.capability(Workflow).workflow_page(state.number, mismatch.path)
    try:
        if page is not None:
            return await _follow_workflow(applier, mismatch, page)
        await applier.writer.update(state, dict([split(mismatch.path, mismatch.wanted)]))
    except (ServerError, Unresolved) as error:
        return Reason(str(error), refused=True)
    return Reason()


async def _follow_workflow(applier: Applier, mismatch: Mismatch, workflow_page: Listing) -> Reason:
    """Make allowed transitions until the desired value is reached; restore the live value if there is no path.

    The object's page shows only the transitions that are allowed now, so each step takes a GET and a PUT.
    """
    kind, state = kinds()[mismatch.address.kind], applier.progress[mismatch.address]
    context = applier.writer.context(mismatch.address)
    # A workflow can have cycles, so no status is entered twice.
    visited, transition = frozenset({mismatch.live}), None
    while transition != mismatch.wanted:
        (row,) = await fetch(applier.client, workflow_page, form_of(kind))
        transition = kind.capability(Workflow).next_transition(mismatch.wanted, row, visited, context)
        if transition is None:
            # Better the status from before than one on the way, which nobody asked for.
            await applier.writer.update(state, dict([split(mismatch.path, mismatch.live)]))
            return Reason(kind.capability(Workflow).why_stuck(row))
        visited |= {transition}
        await applier.writer.update(state, dict([split(mismatch.path, transition)]))
    return Reason()


# -- why -------------------------------------------------------------------------------------------------------


def _known_reason(applier: Applier, mismatch: Mismatch) -> str:
    """The known reason why the server keeps another value, or ""."""
    kind, row = kinds()[mismatch.address.kind], applier.names.row(mismatch.address)
    if row is None:
        return ""
    context = applier.writer.context(mismatch.address)
    name, _, part = mismatch.path.partition(".")
    unseen = kind.fields[name].codec.why_unseen(part, context)
    derived = unseen or kind.capability(DerivedFields).why_derived(row, mismatch.path, context)
    return derived or kind.capability(KeptValues).why_kept(kind, mismatch.path, mismatch.wanted, row, context)


def _message(applier: Applier, mismatch: Mismatch, reason: Reason) -> str:
    """The message for a mismatch, with the reason if it is known."""
    if not mismatch.path:
        return "the server accepted it, but it does not exist"
    why = _known_reason(applier, mismatch) or reason.text
    if reason.refused and mismatch.wanted is True:
        return f"{mismatch.path}: {why}"
    why = why or kinds()[mismatch.address.kind].capability(KeptValues).suspected(mismatch.path)
    message = f"{mismatch.path}: the server accepted {shown(mismatch.wanted)} but has {shown(mismatch.live)}"
    return f"{message} ({why})" if why else message
