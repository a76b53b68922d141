"""The part of a plan that the program inside Redmine carries out, and what it says to that beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

from msgspec.structs import replace

from reconciler.catalog.item import Item
from reconciler.catalog.session import Outcome
from reconciler.errors import Problem
from reconciler.kinds import kinds
from reconciler.kinds._catalog import CatalogKind
from reconciler.model.address import Address
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Object, scope_of
from reconciler.model.name_index import Context, Names
from reconciler.model.program_fields import declared_fields, field_item
from reconciler.model.spec import Id
from reconciler.model.unique import temporary
from reconciler.plan.diff import gather
from reconciler.plan.operations import ByProgram, Change, Operation, OperationId, Plan, Warned
from reconciler.plan.operations import Id as StepId
from reconciler.record import Record
from reconciler.redmine.client import Client

NEEDED = "set catalog_command, or give an administrator the output of `reconciler catalog script`"
"""What to do without a program inside Redmine."""


class Said(Record):
    """What the program says to the operations of a plan."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Warned, ...] = ()


def in_catalog(operation: Operation) -> bool:
    """Whether the program inside Redmine carries out an operation."""
    return isinstance(operation, ByProgram) or kinds()[operation.id.address.kind].has(Catalog)


def items(chosen: Sequence[Operation], numbers: Iterable[Id | None], names: Names) -> list[Item]:
    """The writes of operations, in this order; `numbers` are the ids of their objects."""
    places = {operation.id: place for place, operation in enumerate(chosen)}
    return [_item(operation, number, names, places) for operation, number in zip(chosen, numbers, strict=True)]


def _item(operation: Operation, number: Id | None, names: Names, places: dict[OperationId, int]) -> Item:
    address = operation.id.address
    kind = kinds()[address.kind]
    context = Context(names, scope_of(kind, address), address)
    needs = tuple(sorted(places[one] for one in operation.requires if one in places))
    values = gather(operation.fields)
    if isinstance(operation, ByProgram):
        item = field_item("update", kind, address, number, values, context)
    else:
        assert isinstance(kind, CatalogKind)
        item = _renamed(kind.item(operation.action, address, number, values, context), kind, operation, values)
    return replace(item, needs=needs)


def _renamed(item: Item, kind: CatalogKind[Any], operation: Operation, values: Mapping[str, Any]) -> Item:
    """The write with the names that its object has before and after it, where others take its name in between."""
    between = temporary(kind, operation.id.address)
    if values.get(kind.identity[0]) == between:
        item = replace(item, key=kind.capability(Catalog).program_key(Address(kind.name, between)))
    # The first write has found it under the name that it had, and may have given it another one.
    return replace(item, was=item.was if operation.id.number == 0 else None)


async def check(client: Client, plan: Plan, names: Names, objects: Iterable[Object] = ()) -> Said:
    """What Redmine itself says to the changes of the catalog: they are written, and rolled back.

    Only those that need nothing which the API has yet to write. `objects` are the declared ones. Raises CatalogError.
    """
    unseen = list(declared_fields(objects))
    if not unseen and not any(map(in_catalog, plan.operations)):
        return Said()
    if client.catalog is None:
        return Said(warnings=(*_unwritten(plan), *_unseen(unseen)))
    chosen = list(_first(plan))
    if not chosen:
        return Said()
    changes = {change.address: change for change in plan.changes}
    numbers = (changes[operation.id.address].id for operation in chosen)
    outcomes, _ = await client.catalog.write(items(chosen, numbers, names), check=True)
    said = list(zip((changes[o.id.address] for o in chosen), outcomes, strict=True))
    return Said(tuple(_problems(said)), tuple(_warnings(said)))


def _first(plan: Plan) -> Iterator[Operation]:
    """The operations of the catalog that can be carried out before all others, in their order."""
    operations = {operation.id: operation for operation in plan.operations}
    before: dict[StepId, Sequence[StepId]] = {number: one.predecessors for number, one in operations.items()}
    before |= {milestone.id: milestone.after for milestone in plan.milestones}
    possible: set[StepId] = set()
    for number in TopologicalSorter(before).static_order():
        # What is in no plan is done already.
        if not all(one in possible or one not in before for one in before.get(number, ())):
            continue
        if not isinstance(number, OperationId):
            possible.add(number)
        elif number in operations and in_catalog(operations[number]):
            possible.add(number)
            yield operations[number]


def _unwritten(plan: Plan) -> Iterator[Warned]:
    """Without a program: one warning for all changes that REST cannot write."""
    changes = [change for change in plan.changes if kinds()[change.address.kind].has(Catalog)]
    if changes:
        more = f" and {len(changes) - 1} more" if changes[1:] else ""
        yield Warned(changes[0].address, changes[0].source, f"REST cannot write it{more}: {NEEDED}")


def _unseen(declared: Sequence[tuple[Object, str]]) -> Iterator[Warned]:
    """Without a program: one warning for all fields that REST neither shows nor writes."""
    if declared:
        first, name = declared[0]
        more = f" and {len(declared) - 1} more" if declared[1:] else ""
        message = f"{name}: REST neither shows nor writes it{more}: {NEEDED}"
        yield Warned(first.address, first.where(name), message)


USED = ("it is in use: ", "in use: ")
LATER = "if these manifests take it out of use, apply with --keep-going first, then once more"


def _problems(said: Iterable[tuple[Change, Outcome]]) -> Iterator[Problem]:
    for change, outcome in said:
        for field, message in outcome.errors:
            place = change.place(field) if field else change.source
            # Most of the catalog is written before everything else, which may need it.
            yield Problem(place, message, str(change.address), LATER if message.startswith(USED) else "")


def _warnings(said: Iterable[tuple[Change, Outcome]]) -> Iterator[Warned]:
    for change, outcome in said:
        for note in outcome.notes:
            yield Warned(change.address, change.source, note)
