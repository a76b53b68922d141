"""Whom issues name, and what these people must be in the project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.kinds._members import is_account, may_be_admin
from reconciler.kinds.issues.note_pairs import paired
from reconciler.kinds.issues.notes import Notes
from reconciler.model.address import Address, Row
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context
from reconciler.model.participation import ASSIGNABLE, Part, Participants

UNSEEN = "Redmine takes no watcher who cannot see the issue (from 5.1 on)"
PARTS: Mapping[str, Part] = {
    "assigned_to": Part(ASSIGNABLE),
    # The request is sent as the author: in a public project, non members have rights that no list shows.
    "author": Part("add_issues", outsiders=True),
    "notes": Part("add_issue_notes", outsiders=True),
    "watchers": Part("", outsiders=True, effect=UNSEEN),
}


class IssuePeople(Participants):
    """Assignees, authors and watchers."""

    def newly_named(self, kind: Kind, name: str, value: Any, row: Row | None, context: Context) -> Iterable[Address]:
        if name != "notes":
            return super().newly_named(kind, name, value, row, context)
        live = Notes().decode((row or {}).get("journals"), context)
        missing = [note for note, held in paired(value, live) if held is None]
        return [context.resolve(reference) for reference in Notes().references(missing, context)]

    def exempt(self, name: str, person: Address, row: Row | None, values: Mapping[str, Any], context: Context) -> bool:
        if name == "assigned_to":
            return self._is_author(person, row, values, context)
        # With the POST, Redmine takes every active user as a watcher (5.0 to 6.1).
        added_later = row is not None or (values.get("author") and not is_admin_author(values, context))
        return may_be_admin(person, context.names) or (name == "watchers" and not added_later)

    def _is_author(self, person: Address, row: Row | None, values: Mapping[str, Any], context: Context) -> bool:
        """Authors can have their own issues (5.0 to 6.1)."""
        if row is not None:
            return bool(context.names.id(person) == (row.get("author") or {}).get("id"))
        if values.get("author"):
            return person.kind == "user" and person.key == values["author"]
        return is_account(person, context.names)


def is_admin_author(values: Mapping[str, Any], context: Context) -> bool:
    """Whether the declared author of a new issue is an administrator."""
    return may_be_admin(Address("user", str(values["author"])), context.names)
