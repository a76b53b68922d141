"""Which issues lists leave out: the roles of an account say which ones it sees (`issues_visibility`, 5.0 to 7.0)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from reconciler.kinds.issues.note_pairs import paired
from reconciler.kinds.issues.notes import Notes, edits
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import PartialRows
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context, Names
from reconciler.model.visibility import ADMINISTRATOR, Hidden, Hiding, Sight

HIDDEN = {
    "default": 'private issues of others in project "{}" are hidden from this account',
    "own": 'issues in project "{}" that this account neither wrote nor is assigned are hidden from it',
}


class IssueHiding(Hiding):
    """Private issues of others, or all of others, are left out; a role can also see none."""

    def hides(self, project: Address, sight: Sight, names: Names) -> Hidden | None:
        roles = sight.grants(project, names, "view_issues")
        if roles is None:
            return Hidden(f'private issues are hidden from this account, which is no member of project "{project.key}"')
        if not roles:
            return Hidden(f'this account may not see the issues of project "{project.key}"', certain=True)
        seen = {role.get("issues_visibility") for role in roles}
        # A role that sees all can still be limited to some trackers: nothing shows that (5.0 to 7.0).
        widest = next((name for name in ("all", "default") if name in seen), "own")
        return Hidden(HIDDEN[widest].format(project.key)) if widest in HIDDEN else None

    def parts_hidden(
        self, row: Row, values: Mapping[str, Any], changed: Collection[str], sight: Sight, context: Context
    ) -> Iterable[tuple[str, str]]:
        missing = [note for note, held in _notes(row, values, context) if held is None]
        lacking = any(note.get("private") or "changed_from" in note for note in missing)
        if "notes" in changed and lacking and not sight.grants(context.container, context.names, "view_private_notes"):
            yield "notes", "a note may exist already: private notes of others are hidden from this account"


class IssueRows(PartialRows):
    """Watchers are for those to see who have the permission `view_issue_watchers` (5.0 to 7.0)."""

    def shows(self, kind: Kind, row: Row, name: str, values: Mapping[str, Any]) -> bool:
        return ("watchers" in row) if name == "watchers" else super().shows(kind, row, name, values)


def for_others(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
    """Conflicts with what only administrators can do: write an issue or a note as another user."""
    if context.names.sight is None:
        return
    # Redmine ignores the header of others, and takes the account itself for the author (5.0 to 6.1).
    me = str(context.names.sight.me["login"]).casefold()
    said, hint = "only administrators can write as another user", "omit the author, or use an administrator's API key"
    if row is None and str(values.get("author") or me).casefold() != me:
        yield "author", f"author: {said}", hint
    new = (note for note, held in _notes(row or {}, values, context) if held is None)
    if any(str(note.get("author", me)).casefold() != me for note in new):
        yield "notes", f"notes: {said}", hint


def published(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
    """Conflicts with what Redmine would publish: without the permission it makes nothing private, and does not say so
    (5.0 to 6.1)."""
    sight, names = context.names.sight, context.names
    if sight is None or not names.is_live(context.container):
        return
    own = row is None or (row.get("author") or {}).get("id") == sight.me["id"]
    for_issues = ("set_issues_private", *(("set_own_issues_private",) if own else ()))
    said, hint = "this account may not make {} private, so Redmine would publish {}", f"{PRIVATE}; or {ADMINISTRATOR}"
    private = values.get("is_private") is True and not (row or {}).get("is_private")
    if private and not any(sight.grants(context.container, names, right) for right in for_issues):
        yield "is_private", f"is_private: {said.format('the issue', 'it')}", hint.format("Set issues public or private")
    pairs = ((note, held) for note, held in _notes(row or {}, values, context) if note.get("private"))
    changed = any(held is None or not held["private"] for _, held in pairs)
    if changed and not sight.grants(context.container, names, "set_notes_private"):
        yield "notes", f"notes: {said.format('notes', 'them')}", hint.format("Set notes as private")


def uneditable(row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
    """Conflicts with notes that the account may not edit: a 403, or 204 and still private (5.0 to 6.1)."""
    sight, names = context.names.sight, context.names
    # One problem of a note is enough.
    if sight is None or row is None or any(name == "notes" for name, *_ in published(row, values, context)):
        return
    wanted, live = values.get("notes") or (), Notes().decode(row.get("journals"), context)
    authors = {j["id"]: (j.get("user") or {}).get("id") for j in row.get("journals", ())}
    others = any(authors[note["id"]] != sight.me["id"] for note in edits(wanted, live))
    rights = ("edit_issue_notes", *(() if others else ("edit_own_issue_notes",)))
    if any(edits(wanted, live)) and not any(sight.grants(context.container, names, right) for right in rights):
        label = "Edit notes" if others else "Edit own notes"
        said = f"notes: this account may not edit {'the notes of others' if others else 'its notes'}"
        yield "notes", said, f"{PRIVATE.format(label)}; or {ADMINISTRATOR}"
    shown = any(held["private"] for note, held in paired(wanted, live) if held and note.get("private") is False)
    if shown and not sight.grants(context.container, names, "set_notes_private"):
        hint = f"{PRIVATE.format('Set notes as private')}; or {ADMINISTRATOR}"
        yield "notes", "notes: this account may not make private notes public", hint


PRIVATE = 'it needs a role with the permission "{}"'


def _notes(row: Row, values: Mapping[str, Any], context: Context) -> Any:
    return paired(values.get("notes") or (), Notes().decode(row.get("journals"), context))
