"""The permissions that the fields of an issue need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.kinds.issues.note_pairs import Said, paired
from reconciler.kinds.issues.notes import edits
from reconciler.model.rights import Choice, Rights

BY_FIELD = {
    "notes": ("add_issue_notes", "edit_issues", "edit_own_issues"),
    "parent": ("manage_subtasks",),
    "relations": ("manage_issue_relations",),
    "watchers": ("add_issue_watchers", "delete_issue_watchers"),
    "is_private": ("set_issues_private", "set_own_issues_private"),
}
"""Fields that need a permission of their own."""
EDIT: Choice = ("edit_issue_notes", "edit_own_issue_notes")


class IssueRights(Rights):
    """To edit a note takes another permission than to add one."""

    def needed(self, action: str, changed: Mapping[str, tuple[Any, Any]]) -> Iterator[Choice]:
        yield from super().needed(action, {name: sides for name, sides in changed.items() if name != "notes"})
        if "notes" in changed:
            before, after = changed["notes"]
            yield from self._notes([{"author": None, "private": False, **note} for note in before or ()], after or ())

    def _notes(self, live: list[Said], wanted: Iterable[Said]) -> Iterator[Choice]:
        if any(held is None for _, held in paired(wanted, live)):
            yield self.fields["notes"]
        if any(edits(wanted, live)):
            yield EDIT
