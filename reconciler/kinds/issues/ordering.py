"""What the work on an issue depends on, and its side effects on other issues."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.kinds._queries import EVERY, criterion
from reconciler.kinds._shared_versions import moving
from reconciler.kinds.issues import parent_fields, relations
from reconciler.kinds.issues.identity import SHARED
from reconciler.kinds.issues.spec import BLOCKS, PARENT, VERSION, closes
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import Deletion, Dependencies, SideEffects
from reconciler.model.from_below import Placed
from reconciler.model.kind import Kind, Listing
from reconciler.model.name_index import Context, Names
from reconciler.model.pruning import Pruning

ISSUE = "issue"


class IssueDeletion(Deletion):
    """Subtasks are deleted too."""

    def takes_along(self, address: Address, row: Row, names: Names) -> Sequence[Placed]:
        # Not a subtask that is declared with another parent: it is moved before.
        return _by_number(parent_fields.staying(row, names), names)

    def live_below(self, address: Address, row: Row, names: Names) -> Sequence[Placed]:
        return _by_number(parent_fields.children(row, names), names)


class IssuePruning(Pruning):
    """Subtasks can be in other projects, and logged time does not change an issue's own row otherwise."""

    def why_kept(self, row: Row) -> str:
        # A manifest that was not read, or one that refers to the key, can mean either.
        return "other issues have the same key" if SHARED in row else ""

    def evidence(self, kind: Kind, row: Row) -> Any:
        return [super().evidence(kind, row), row.get("spent_hours")]

    def below(self, numbers: Sequence[int]) -> Listing | None:
        # One value with commas: of several, only the first is used (5.0 to 6.1).
        every = (*criterion("parent_id", "=", ",".join(map(str, numbers))), *EVERY)
        return Listing("/issues", "issues", every)


def _by_number(rows: Iterable[Row], names: Names) -> list[Placed]:
    return [(row["id"], names.live(ISSUE).keys[row["id"]]) for row in rows]


class IssueDependencies(Dependencies):
    """Versions, parents and predecessors come first; what an issue blocks is closed after it."""

    def depends_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        home = row and context.key("project", row["project"]["id"])
        # A move is a write in the old project as well: if that is closed, it has to be reopened first.
        if home not in (None, address.project):
            yield "", Address(CONTAINER, str(home))
        yield from (("relations", other) for other in relations.ended_by_others(values, row, context))
        # An issue cannot start before those that precede it end, so their dates are changed first (5.0 to 6.1).
        if row is not None and {"start_date", "due_date"} & set(changed):
            yield from (("follows", other) for other in relations.predecessors(row, context))
        if (version := values.get("fixed_version")) and (row is None or "fixed_version" in changed):
            yield from (
                ("fixed_version", project) for project in _moving(address, VERSION.address(version, context), context)
            )
        # Redmine reopens no issue whose version or parent is closed (5.0 to 6.1).
        # Closing is the other way round: parents wait for their subtasks (`Deferred` of the field `status`).
        if row is None or "status" not in changed or closes(values.get("status"), context):
            return
        for field, codec in (("fixed_version", VERSION), ("parent", PARENT)):
            name = values[field] if field in values else codec.decode(row.get(field), context)
            if isinstance(name, str | dict) and not str(name).startswith("#"):
                yield field, codec.address(name, context)

    def blocks(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        # An issue whose status does not change frees nothing that it blocks.
        if row is None or "status" in changed:
            return [(BLOCKS, other) for other in relations.blocked(row, context)]
        return ()


def _moving(issue: Address, version: Address, context: Context) -> Iterator[Address]:
    """The projects that may have to move before an issue can have a version of another project."""
    if version.project != issue.project:
        for project in (issue.project, version.project):
            yield from moving(project, context.names)


class IssueSideEffects(SideEffects):
    """A write to one issue changes the watchers, dates and status of others."""

    def side_effects_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Collection[str], context: Context
    ) -> Iterable[Address]:
        """Parents and related issues: who writes a journal becomes a watcher; dates and closings are passed on."""
        keys = context.names.live(ISSUE).keys
        live = keys.get((row or {}).get("parent", {}).get("id", 0))
        # A move concerns both parents, the old and the new one.
        if not values or row is None or "parent" in changed:
            parent = values.get("parent")
            yield from (PARENT.address(parent, context),) if parent else ()
            yield from (Address(ISSUE, live),) if live else ()
        if not values or {"relations", "status", "start_date", "due_date"} & set(changed):
            yield from relations.others(values, row, context)
