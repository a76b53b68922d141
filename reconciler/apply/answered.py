"""Creations that need no read-back: the answer to a POST shows the new object as Redmine has saved it.

That counts for the fields that it shows, as long as nothing that was written later can have changed them. Redmine makes
the answer from what it has in memory; `tests/server/test_answers.py` compares it with a GET, kind by kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.apply.executor import Applier
from reconciler.apply.progress import Progress
from reconciler.kinds import kinds
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.capabilities import PartialRows, SideEffects
from reconciler.model.catalog import Catalog
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context
from reconciler.plan.diff import gather


def unconfirmed(applier: Applier, written: Iterable[Progress]) -> list[Progress]:
    """Those of the written objects that must be read back."""
    later = _Later(applier)
    return [state for state in written if later.may_change(state) or not _as_written(applier, state)]


def _as_written(applier: Applier, state: Progress) -> bool:
    """Whether the answer to its creation shows all that was written of an object, as it was written."""
    address = state.change.address
    row, context = applier.names.row(address), applier.writer.context(address)
    values = gather(state.written).items()
    return row is not None and all(_shown(kinds()[address.kind], row, *pair, context) for pair in values)


def _shown(kind: Kind, row: Row, name: str, wanted: Any, context: Context) -> bool:
    api = kind.fields[name]
    if api.read is None:
        # Nothing ever shows it.
        return True
    if not api.shown_on_create or not kind.capability(PartialRows).shows(kind, row, name, {}):
        return False
    try:
        has_files = any(True for _ in api.codec.files(wanted, row.get(api.read), context))
        exact = all(api.codec.is_exact(value) for _, value in api.codec.parts(wanted))
        return exact and not has_files and not api.codec.differences(wanted, kind.live(row, name, context))
    except Unresolved:
        return False


class _Later:
    """What was written besides creations, which may change a new object after the answer to its POST."""

    def __init__(self, applier: Applier) -> None:
        self.applier = applier
        begun = {a: s for a, s in applier.progress.items() if s.begun}
        self.changed = {a for a, state in begun.items() if state.rewritten or state.change.action != "create"}
        self.kinds = {address.kind for address in self.changed}
        self.touched = self.changed.union(_named(begun, self.changed))
        # A definition decides what other objects have, whether they name it or not.
        self.definitions = any(kinds()[name].has(Catalog) for name in self.kinds)

    def may_change(self, state: Progress) -> bool:
        """Whether a written object may have other values than its answer shows; also if it has none."""
        address = state.change.address
        if not state.answered or state.adopted or self.definitions or address in self.touched:
            return True
        near = {other for operation in state.change.operations for other in operation.waits_for}
        # Dates, for one, are passed on from issue to issue, by others that the plan does not mention.
        return not near.isdisjoint(self.changed) or (address.kind in self.kinds and self._names_its_like(state))

    def _names_its_like(self, state: Progress) -> bool:
        kind, context = kinds()[state.change.address.kind], self.applier.writer.context(state.change.address)
        if kind.name not in kind.capability(SideEffects).on:
            return False
        values = gather(state.written).items()
        references = (r for name, value in values for r in kind.fields[name].codec.references(value, context))
        return any(kind.name in reference.kinds for reference in references)


def _named(begun: Mapping[Address, Progress], changed: set[Address]) -> Iterator[Address]:
    """What changed objects name, and what those name that have side effects on it: the parent of a subtask."""
    for address, state in begun.items():
        passed_on = kinds()[address.kind].capability(SideEffects).on
        for operation in state.change.operations:
            for other in operation.waits_for:
                if address in changed or other.kind in passed_on:
                    yield other
