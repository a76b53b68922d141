"""The writes of the catalog: all that are ready, and those that only need these, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reconciler.apply.blame import about, item_error
from reconciler.catalog.item import Item
from reconciler.catalog.session import Outcome, Rows
from reconciler.errors import AnswerLost, CatalogError
from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.model.capabilities import PartialRows
from reconciler.model.catalog import CATALOG, Catalog, merged
from reconciler.model.program_fields import show
from reconciler.plan import catalog as plan
from reconciler.plan.diff import gather
from reconciler.plan.operations import ByProgram, Operation, OperationId

if TYPE_CHECKING:
    from reconciler.apply.executor import Applier


async def write(applier: Applier, wave: list[OperationId]) -> None:
    """Carry out operations in this order, in one call; each has its own outcome."""
    # The catalog first: who may watch a page can depend on a role.
    operations = sorted((applier.operations[n] for n in wave), key=lambda one: isinstance(one, ByProgram))
    chosen = [operation for operation in operations if not _blocked(applier, operation, wave)]
    if not chosen:
        return
    session = applier.client.catalog
    if session is None:
        for operation in chosen:
            field = operation.fields[0].path if isinstance(operation, ByProgram) else ""
            said = f"{field}: " if field else ""
            _fail(applier, operation, [(field, f"{said}REST cannot write it: {plan.NEEDED}")])
        return
    numbers = [applier.progress[operation.id.address].id for operation in chosen]
    items = plan.items(chosen, numbers, applier.names)
    for operation in chosen:
        applier.progress[operation.id.address].begun = True
    try:
        outcomes, rows = await session.write(items)
    except CatalogError as error:
        for operation in chosen:
            _fail(applier, operation, [("", str(error))])
    except AnswerLost as error:
        await _settle(applier, chosen, items, error)
    else:
        _take(applier, items, rows)
        _told(applier, chosen, outcomes)


def _blocked(applier: Applier, operation: Operation, wave: list[OperationId]) -> bool:
    """Whether an operation is skipped, because one that it requires, of an earlier call, has failed."""
    blocker = next((applier.failed[one] for one in sorted(operation.requires) if one in applier.failed), None)
    if blocker is not None:
        applier.skip(operation, blocker)
    return blocker is not None


def _told(applier: Applier, chosen: list[Operation], outcomes: list[Outcome]) -> None:
    for operation, outcome in zip(chosen, outcomes, strict=True):
        state = applier.progress[operation.id.address]
        if outcome.blocker is not None:
            applier.skip(operation, f"{chosen[outcome.blocker].id.address} failed")
        elif not outcome.ok:
            _fail(applier, operation, list(outcome.errors))
        else:
            state.id = outcome.id if operation.action != "delete" and not isinstance(operation, ByProgram) else state.id
            state.notes += outcome.notes
            state.written += (*operation.fields, *(state.change.unchanged if operation.id.number == 0 else ()))
            applier.complete(operation)


def _take(applier: Applier, items: Sequence[Item], read: Rows) -> None:
    """Take what the program has read back as the live state."""
    # A row may show the ids of others.
    for name, listed in sorted(read.items(), key=lambda one: kinds()[one[0]].rank):
        kind, names = kinds()[name], applier.names
        if not kind.has(Catalog):
            show(kind, listed, _projects(items), names)
            continue
        rows = [merged(kind, shown, names) for shown in listed]
        names.renamed = {address: old for address, old in names.renamed.items() if address.kind != name}
        # What was only expected to exist goes with the rest, unless it does by now.
        for key in list(names.live(name).ids):
            names.remove(Address(name, key))
        for row in rows:
            catalog = kind.capability(Catalog)
            names.add(name, catalog.key_of(row[CATALOG]), row)
            catalog.note(row, names)


def _projects(items: Iterable[Item]) -> set[str]:
    """The projects of which the program shows the fields that only it writes."""
    return {str(item.key[CONTAINER]) for item in items if item.key.get(CONTAINER)}


def _fail(applier: Applier, operation: Operation, errors: list[tuple[str, str]]) -> None:
    change = applier.progress[operation.id.address].change
    listed = []
    for field, message in errors:
        fields = [one for one in operation.fields if one.path.partition(".")[0] == field]
        listed.append(about(change, message, fields) if fields else item_error(change, message))
    applier.fail(operation, "failed", listed)


async def _settle(applier: Applier, chosen: list[Operation], items: list[Item], lost: AnswerLost) -> None:
    """After a lost answer: the program writes all or nothing, so what is there by now decides. Never sent twice."""
    session = applier.client.catalog
    assert session is not None
    try:
        rows = await session.read({item.kind for item in items}, _projects(items))
    except CatalogError:
        for operation in chosen:
            applier.fail(operation, "unknown", [item_error(applier.progress[operation.id.address].change, str(lost))])
        return
    _take(applier, items, rows)
    found = [_found(applier, operation) for operation in chosen]
    for operation, is_there in zip(chosen, found, strict=True):
        state, row = applier.progress[operation.id.address], applier.names.row(operation.id.address)
        # What cannot be seen, such as a password, was written if anything was.
        if is_there or (is_there is None and True in found and False not in found):
            state.id = row["id"] if row is not None else state.id
            state.written += operation.fields
            applier.complete(operation)
        else:
            applier.fail(operation, "unknown", [item_error(state.change, str(lost))])


def _found(applier: Applier, operation: Operation) -> bool | None:
    """Whether the live state is as after an operation; None if it does not show that."""
    address = operation.id.address
    kind, row = kinds()[address.kind], applier.names.row(address)
    if row is None or operation.action == "delete":
        return (row is None) == (operation.action == "delete")
    context, same = applier.writer.context(address), None
    for name, wanted in gather(operation.fields).items():
        api = kind.fields[name]
        if api.read is not None and kind.capability(PartialRows).shows(kind, row, name, {}):
            same = True
            if any(api.codec.differences(wanted, kind.live(row, name, context))):
                return False
    return True if operation.action == "create" else same
