"""What moves to another project with an issue: Redmine takes along the subtasks in the same project (5.0 to 6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.kinds.issues.parent_fields import staying
from reconciler.model.address import Address, Row
from reconciler.model.name_index import Context, Names

ISSUE = "issue"


def taken_along(row: Row | None, context: Context) -> Iterator[tuple[str, str, str]]:
    """(field, sentence, hint) for a subtask that would be moved with an issue above it, and is declared to stay.

    The next run would not find it where it is declared, and create it once more.
    """
    mover = _movers(context.names).get(row["id"]) if row is not None and row.get("parent") else None
    if row is None or mover is None or mover.project == context.project:
        return
    # One that is declared in a third project is moved there by itself.
    if context.key("project", row["project"]["id"]) == context.project:
        said = f"{mover.key} above it moves to that project, and Redmine takes its subtasks along"
        yield "", said, f'declare it in project "{mover.project}" too, or without a parent'


def _movers(names: Names) -> Mapping[int, Address]:
    """The live issues that are moved with one above them, by id → the one that the manifests move."""
    if "movers" not in names.memo:
        found: dict[int, Address] = {}
        for address, row in _moved(names):
            pending = [row]
            while pending:
                for child in staying(above := pending.pop(), names):
                    if child["id"] not in found and child["project"]["id"] == above["project"]["id"]:
                        found[child["id"]] = address
                        pending.append(child)
        names.memo["movers"] = found
    known: Mapping[int, Address] = names.memo["movers"]
    return known


def _moved(names: Names) -> Iterator[tuple[Address, Row]]:
    """The issues that are in another project than declared."""
    live, context = names.live(ISSUE), Context(names)
    for key in names.declared(ISSUE):
        address, row = Address(ISSUE, key), live.row(key)
        if row is not None and context.key("project", row["project"]["id"]) not in (None, address.project):
            yield address, row
