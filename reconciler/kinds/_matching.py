"""Which live issue is which declared one: Redmine gives issues no natural key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.customfields import CustomFields
from reconciler.kind import Matches, Object
from reconciler.names import Context, CustomField, Names, Row


def key_field(names: Names) -> CustomField | None:
    """The custom field that holds the keys; raises Unresolved when the configured one does not exist."""
    name = names.settings.get("issue_key_field")
    return CustomFields("issue").find(name, Context(names)) if name else None


def value_of(row: Row, field: CustomField) -> str:
    """A custom field's value in a row, or ""."""
    return next((str(f.get("value") or "") for f in row.get("custom_fields", ()) if f["id"] == field.id), "")


class Matching:
    """Which of the live issues is which of the declared ones."""

    def __init__(self, keys: Mapping[int, str], rows: Sequence[Row], context: Context) -> None:
        self.keys = keys
        self.context = context
        self.field = key_field(context.names)
        self.by_id = {row["id"]: row for row in rows}
        self.named: dict[str, list[int]] = defaultdict(list)
        for number, key in keys.items() if self.field else ():
            self.named[key.partition("/")[2]].append(number)
        self.candidates: dict[str, list[Row]] = defaultdict(list)
        self.subjects: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self.candidates[self._natural(row)].append(row)
            self.subjects[self._subject(row)].append(row)
        self.taken: dict[int, Object] = {}
        self.problems: list[tuple[Object, str, str]] = []

    def _natural(self, row: Row) -> str:
        return self.keys.get(row["id"], "") if self.field else self._subject(row)

    def _subject(self, row: Row) -> str:
        return f"{self.context.key('project', row['project']['id'])}/{row['subject']}"

    def settle(self, wanted: Object) -> None:
        """Find the live issue of one declared issue, if there is one."""
        spec: Any = wanted.spec
        if spec.id:
            self._by_number(wanted, spec.id)
            return
        natural = wanted.address.key if self.field else f"{wanted.address.project}/{spec.renamed_from or spec.subject}"
        rows = self.candidates.get(natural) or self._by_subject(wanted, spec)
        if len(rows) > 1:
            rows = [r for r in rows if spec.tracker in (None, r["tracker"]["name"])] or rows
        if not rows:
            self._elsewhere(wanted)
        if len(rows) > 1:
            ids = ", ".join(f"#{r['id']}" for r in rows)
            self.problems.append((wanted, f"several issues match: {ids}", f"say which: id: {rows[0]['id']}"))
        elif rows:
            self._take(wanted, rows[0])

    def _by_number(self, wanted: Object, number: int) -> None:
        row = self.by_id.get(number)
        project = None if row is None else self.context.key("project", row["project"]["id"])
        if row is None:
            self.problems.append((wanted, f"there is no issue #{number}", "leave id out to create one"))
        elif project != wanted.address.project:
            where = f'project "{project}"' if project else "another project"
            self.problems.append((wanted, f"issue #{number} is in {where}", "move it in Redmine, or declare it there"))
        else:
            self._take(wanted, row)

    def _elsewhere(self, wanted: Object) -> None:
        """With a key field: the key must not be another project's, or the issue would be there twice."""
        project, _, name = wanted.address.key.partition("/")
        for number in self.named.get(name, ()):
            owner = self.keys[number].partition("/")[0]
            if owner != project:
                said = f'issue #{number} of project "{owner}" has the key "{name}"'
                self.problems.append((wanted, said, "move it in Redmine, or take another key"))

    def _by_subject(self, wanted: Object, spec: Any) -> list[Row]:
        """Issues of the same subject that have no key yet."""
        named = f"{wanted.address.project}/{spec.subject}"
        return [r for r in self.subjects.get(named, []) if not self.field or not value_of(r, self.field)]

    def _take(self, wanted: Object, row: Row) -> None:
        other = self.taken.setdefault(row["id"], wanted)
        if other is not wanted:
            message = f"{other.address} and this one both match issue #{row['id']}"
            self.problems.append((wanted, message, "set issue_key_field in reconciler.yaml, or give each its id"))

    def result(self) -> Matches:
        """What was found."""
        owned = {wanted.address.key: self.by_id[number] for number, wanted in self.taken.items()}
        others = {key: self.by_id[i] for i, key in self.keys.items() if i not in self.taken and key not in owned}
        return Matches({**others, **owned}, tuple(self.problems))
