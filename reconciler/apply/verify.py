"""What was written, read back in bulk and compared: Redmine answers 204 and drops what it does not allow.

What did not stick and has a way there (a status, through the workflow) is walked; what still differs is a failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reconciler.apply.executor import Applier, Progress
from reconciler.apply.report import Report
from reconciler.errors import ServerError
from reconciler.kinds import kinds
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import DerivedFields, KeptValues, PartialRows, ReadBack, Workflow
from reconciler.model.codecs import shown
from reconciler.model.kind import Kind, Need
from reconciler.plan.dependencies import in_order
from reconciler.plan.diff import gather, join, split
from reconciler.state.fetch import fetch, together, told
from reconciler.state.live import read_files

ROUNDS = 3
"""Times that what did not stick is written again, as long as that changes anything: one write can disturb another."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A field that the server did not take: what was wanted, and what it has."""

    address: Address
    path: str
    wanted: Any
    got: Any


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a field did not arrive when it was written again; `refused` if the server said so."""

    text: str = ""
    refused: bool = False


async def carry_out(applier: Applier) -> Report:
    """Everything: the steps, what they did read back, then the doors that are shut last, and these read back too."""
    await applier.run()
    await verify(applier)
    if applier.held and not applier.stopping:
        await applier.run()
        await verify(applier)
    return applier.report()


async def verify(applier: Applier) -> None:
    """Compare everything that was written with what the server has now; what differs becomes `failed`."""
    await _resolve_unknown(applier)
    written = [s for s in applier.progress.values() if s.written and s.change.action != "delete"]
    strays = await _strays(applier, written)
    reasons: dict[tuple[Address, str], Reason] = {}
    for _ in range(ROUNDS):
        tried = await _try_again(applier, strays)
        reasons |= tried
        objects = {address for address, _ in tried}
        again = [s for s in written if s.change.address in objects]
        left = [s for s in strays if s.address not in objects] + await _strays(applier, again)
        if left == strays:
            break
        strays = left
    for stray in strays:
        applier.refute(stray.address, _sentence(applier, stray, reasons.get((stray.address, stray.path), Reason())))
    for state in written:
        state.written.clear()


async def _resolve_unknown(applier: Applier) -> None:
    """Look once more for what may have been created: time has passed."""
    for state in applier.progress.values():
        if state.outcome == "unknown" and state.change.action == "create":
            kind = kinds()[state.change.address.kind]
            try:
                row = await applier.look(kind, state.change.address, gather(state.change.fields))
            except ServerError:
                continue
            if row is not None:
                applier.names.add(kind.name, state.change.address.key, row)
                state.id, state.outcome = row["id"], "done"
                state.errors.clear()
                state.notes.append("the answer to its creation was lost; it was found afterwards")


async def _strays(applier: Applier, written: Iterable[Progress]) -> list[Stray]:
    by_kind: defaultdict[str, list[Progress]] = defaultdict(list)
    for state in written:
        by_kind[state.change.address.kind].append(state)
    found: list[Stray] = []
    for name, states in by_kind.items():
        rows = await _read_back(applier, kinds()[name], states)
        for state in states:
            row = rows.get(state.id)
            if row is not None:
                context = applier.context(kinds()[name], state.change.address)
                await read_files(applier.client, kinds()[name], gather(state.written), row, context)
            found += _compare(applier, state, row)
    return found


async def _read_back(applier: Applier, kind: Kind, states: list[Progress]) -> dict[Any, Row]:
    """The rows of written objects, by id."""
    ids = frozenset(s.id for s in states if s.id is not None)
    fields = {s.id: frozenset(gather(s.written)) for s in states}
    need = Need(
        {kind.name: frozenset(s.change.address.key for s in states)},
        {kind.name: frozenset().union(*fields.values())},
        {kind.name: ids},
    )
    rows: dict[Any, Row] = {}
    for tier in kind.capability(ReadBack).again(kind, ids, need, applier.names):
        lists = await together(fetch(applier.client, listing) for listing in tier)
        rows |= {row["id"]: row for found in lists for row in found if row["id"] in ids}
        if len(rows) == len(ids):
            break
    for state in states:
        if state.id is not None and state.id not in rows:
            known = gather((*state.change.all_fields, *state.change.keeps))
            found = await applier.look(kind, state.change.address, known)
            if found is not None:
                # A file that was replaced, or a page that was renamed, has another id.
                fields[found["id"]] = fields[state.id]
                state.id, rows[found["id"]] = found["id"], found
    polled = await told(applier.client, kind, rows, [fields[i] for i in rows], need, applier.names)
    full = await together(polled.complete(applier.client, row, fields[i]) for i, row in rows.items())
    return {i: row for i, row in zip(rows, full, strict=True) if row is not None}


def _compare(applier: Applier, state: Progress, row: Row | None) -> Iterable[Stray]:
    address = state.change.address
    if row is None:
        yield Stray(address, "", "an object", None)
        return
    kind = kinds()[address.kind]
    applier.names.add(kind.name, address.key, row)
    context = applier.context(kind, address)
    for name, wanted in gather(state.written).items():
        api = kind.fields[name]
        fixed = api.create_only and state.change.action != "create"
        if not fixed and api.read is not None and kind.capability(PartialRows).shows(kind, row, name, {}):
            for part, got, after in api.codec.differences(wanted, kind.live(row, name, context)):
                yield Stray(address, join(name, part), after, got)


async def _try_again(applier: Applier, strays: Iterable[Stray]) -> dict[tuple[Address, str], Reason]:
    """Write once more what did not stick for no known reason: by now, what it was waiting for may be there.

    Returns, for each (object, path) that was written again, why it did not arrive.
    """
    by_address = defaultdict(list)
    for stray in strays:
        if stray.path and not _why(applier, stray):
            by_address[stray.address].append(stray)
    reasons = {}
    # Subtasks come after their parents in the graph, and must be closed before them.
    for change in reversed(in_order([applier.progress[a].change for a in by_address])):
        for stray in by_address[change.address]:
            reasons[(stray.address, stray.path)] = await _cross(applier, stray)
    return reasons


async def _cross(applier: Applier, stray: Stray) -> Reason:
    """Take a field to its value, step by step if there is such a way; why it ended before."""
    kind, state = kinds()[stray.address.kind], applier.progress[stray.address]
    assert state.id is not None
    context, page = applier.context(kind, stray.address), kind.capability(Workflow).workflow_page(state.id, stray.path)
    try:
        if page is None:
            await applier.update(kind, state, dict([split(stray.path, stray.wanted)]))
            return Reason()
        visited, move = frozenset({stray.got}), None
        while move != stray.wanted:
            (row,) = await fetch(applier.client, page)
            move = kind.capability(Workflow).next_transition(stray.wanted, row, visited, context)
            if move is None:
                await applier.update(kind, state, dict([split(stray.path, stray.got)]))
                return Reason(kind.capability(Workflow).why_stuck(row))
            visited |= {move}
            await applier.update(kind, state, dict([split(stray.path, move)]))
    except (ServerError, Unresolved) as error:
        return Reason(str(error), refused=True)
    return Reason()


def _why(applier: Applier, stray: Stray) -> str:
    """The known reason why the server keeps another value, or ""."""
    kind, row = kinds()[stray.address.kind], applier.names.row(stray.address)
    if row is None:
        return ""
    context = applier.context(kind, stray.address)
    return kind.capability(DerivedFields).why_derived(row, stray.path, context) or kind.capability(KeptValues).why_kept(kind, stray.path, stray.wanted, row, context)


def _sentence(applier: Applier, stray: Stray, reason: Reason) -> str:
    """What did not stick, and why, as far as can be told."""
    if not stray.path:
        return "the server accepted it, but does not have it"
    why = _why(applier, stray) or reason.text
    if reason.refused and stray.wanted is True:
        return f"{stray.path}: {why}"
    said = f"{stray.path}: the server accepted {shown(stray.wanted)} but has {shown(stray.got)}"
    return f"{said} ({why})" if why else said

