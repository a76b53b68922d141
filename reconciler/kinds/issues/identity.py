"""Matches declared issues to live ones: Redmine gives issues no natural key."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.kinds.issues.similarity import Alike, differences
from reconciler.model.address import Row
from reconciler.model.custom_fields import CustomFields
from reconciler.model.kind import Matches, Object
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.requests import BESIDE
from reconciler.model.visibility import unknown_id

SHARED = "shares its key"
"""Is in the row of an undeclared issue whose stored key others have, too."""


def key_field(names: Names) -> CustomField | None:
    """The custom field that holds the keys; raises Unresolved when the configured one does not exist."""
    name = names.settings.get("issue_key_field")
    return CustomFields("issue").find(name, Context(names)) if name else None


def value_of(row: Row, field: CustomField) -> str:
    """A custom field's value in a row, or ""."""
    return next((str(f.get("value") or "") for f in row.get("custom_fields", ()) if f["id"] == field.id), "")


def name_of(row: Row, field: CustomField | None) -> str:
    """What an issue is called in its project: by the key that is stored in a custom field, else by its number."""
    # Not the subject: several issues can share it, and which one is meant is for `Matching` to find out.
    return (value_of(row, field) if field else "") or f"#{row['id']}"


def stored_key(values: Mapping[str, Any], names: Names) -> str:
    """The key that an issue with these canonical values has on the server, or ""."""
    field = key_field(names)
    return str((values.get("custom_fields") or {}).get(field.name) or "") if field else ""


def _named(wanted: Object, subject: str | None) -> str:
    return f"{wanted.address.project}/{subject}"


class Matching:
    """Matches declared issues to live ones."""

    def __init__(self, rows: Sequence[Row], context: Context) -> None:
        self.keys: dict[int, str] = {}
        """The names of the issues in projects that were read."""
        self.context = context
        self.field = key_field(context.names)
        self.by_id = {row["id"]: row for row in rows}
        self.named: dict[str, list[Row]] = defaultdict(list)
        """With a key field: the issues of each name, whichever project they are in."""
        self.candidates: dict[str, list[Row]] = defaultdict(list)
        self.subjects: dict[str, list[Row]] = defaultdict(list)
        projects = context.names.live("project").keys
        for row in rows:
            project = projects.get(row["project"]["id"])
            if project is not None:
                self.keys[row["id"]] = f"{project}/{name_of(row, self.field)}"
            # Those beside the issues that are looked for may be a few of many that are alike.
            if BESIDE in row:
                continue
            if self.field:
                # Issues without a key share the name "": nothing ever looks it up.
                self.named[value_of(row, self.field)].append(row)
            self.candidates[self.keys.get(row["id"], "")].append(row)
            self.subjects[f"{project}/{row['subject']}"].append(row)
        self.renamed: dict[str, Object] = {}
        """subject → the declared issue without a key that had it earlier."""
        self.taken: dict[int, Object] = {}
        self.problems: list[tuple[Object, str, str]] = []

    def settle(self, objects: Sequence[Object]) -> None:
        """Find the live issue of each declared one, if there is one: by `id`, by key, by what they are."""
        unsettled: list[tuple[Object, list[Row]]] = []
        renamed = (o for o in objects if o.spec.renamed_from and not (self.field and o.spec.key))
        self.renamed = {_named(o, o.spec.renamed_from): o for o in renamed}
        # By `id` first, as it leaves no choice; those with a key before those with a subject only.
        for wanted in sorted(objects, key=lambda o: (o.spec.id is None, o.spec.key is None)):
            spec: Any = wanted.spec
            if spec.id:
                self._by_number(wanted, spec.id)
            else:
                unsettled.append((wanted, self._rows(wanted, spec)))
        self._share(unsettled)

    def _rows(self, wanted: Object, spec: Any) -> list[Row]:
        """The live issues that can be a declared one."""
        keyed = self.field and spec.key
        rows = self.candidates.get(wanted.address.key, []) if keyed else []
        # A key that no issue has may be new for an old issue: it is found by its subject once more, and gets the key.
        rows = rows or self._by_subject(wanted, spec.subject, keyed=keyed)
        if not keyed and len(rows) == 1 and self._is_passed_on(wanted):
            rows = []
        # As for other kinds: where the new name exists, it is renamed already.
        rows = rows or ([] if keyed else self._by_subject(wanted, spec.renamed_from, keyed=False))
        if self.field and not spec.key:
            # Those with a key are known by that: none of them is deleted for its subject.
            rows = [r for r in rows if not value_of(r, self.field)] or (rows if spec.state == "present" else [])
        if len(rows) > 1:
            # `or rows`: the declared tracker may be the very change that is planned.
            rows = [r for r in rows if spec.tracker in (None, r["tracker"]["name"])] or rows
        return rows or (self._elsewhere(wanted) if keyed else [])

    def _is_passed_on(self, wanted: Object) -> bool:
        """Whether the live issue of the same subject is another declared one, which is to be renamed."""
        if not self.renamed:
            return False
        seen, name = {wanted.address}, _named(wanted, wanted.spec.subject)
        while (taker := self.renamed.get(name)) is not None and taker.address not in seen:
            seen.add(taker.address)
            name = _named(taker, taker.spec.subject)
            if not self.subjects.get(name):
                return True
        return False

    def _share(self, unsettled: Sequence[tuple[Object, list[Row]]]) -> None:
        """Give each declared issue a live one. Of several that are alike each takes the one most like it, unless there
        are more live ones than declared."""
        alike: defaultdict[tuple[int, ...], list[Object]] = defaultdict(list)
        # Thousands can have one subject: they share one list.
        known: dict[tuple[int, ...], tuple[int, ...]] = {}
        for wanted, rows in unsettled:
            every = tuple(r["id"] for r in rows)
            if every not in known:
                # `or every`: all are taken, and pairing reports that two objects match one issue.
                known[every] = tuple(sorted(n for n in every if n not in self.taken)) or every
            if every:
                alike[known[every]].append(wanted)
        for numbers, rivals in alike.items():
            # More live than declared: which one to leave out would be a guess, and a wrong one edits somebody's issue.
            if len(numbers) > len(rivals):
                self._too_many(numbers, rivals)
            elif len(rivals) == 1 and numbers[0] not in self.taken:
                # The usual case: nothing to compare.
                self._take(rivals[0], self.by_id[numbers[0]])
            else:
                self._pair(numbers, rivals)

    def _too_many(self, numbers: Sequence[int], rivals: Sequence[Object]) -> None:
        said = f"several issues match: {', '.join(f'#{n}' for n in numbers)}"
        self.problems += [(wanted, said, f"set `id: {numbers[0]}` to choose one") for wanted in rivals]

    def _pair(self, numbers: Sequence[int], rivals: Sequence[Object]) -> None:
        """The pairs with the fewest differences first. What is left over is new, unless it has `renamed_from`."""
        # In the order of their numbers, `twin-2` before `twin-10`, as an export gives them.
        ordered = sorted(rivals, key=lambda o: (len(o.address.key), o.address))
        # Equal pairs first: the rest is compared each with each, which thousands of equal subjects would make too slow.
        left = self._pair_equals(numbers, ordered)
        rated: list[tuple[int, int, int, int]] = []
        free = [n for n in numbers if n not in self.taken]
        for place, wanted in left.items():
            # All are rated before any pair is taken, so the result does not depend on the order of the manifests.
            counts = [(differences(wanted, self.by_id[n], self.by_id, self.context), n) for n in free]
            alike = Counter(differs for differs, _ in counts)
            # Of equally good pairs, those first for which there is no other equally good one.
            rated += ((differs, alike[differs], place, n) for differs, n in counts)
        for _, _, place, number in sorted(rated):
            if place in left and number not in self.taken:
                self._take(left.pop(place), self.by_id[number])
        for wanted in left.values():
            if wanted.spec.renamed_from:
                # Nothing is free any more, which `_take` reports: a rename must not become a second issue.
                self._take(wanted, self.by_id[numbers[0]])

    def _pair_equals(self, numbers: Sequence[int], ordered: Sequence[Object]) -> dict[int, Object]:
        """Take the pairs without a difference, those with the fewest candidates first; return the others, by place."""
        alike = Alike([self.by_id[n] for n in numbers], self.by_id, self.context)
        left = dict(enumerate(ordered))
        equal = {place: alike.equals(wanted) for place, wanted in left.items()}
        for place in sorted(left, key=lambda place: (len(equal[place]), place)):
            number = next((n for n in equal[place] if n not in self.taken), None)
            if number is not None:
                self._take(left.pop(place), self.by_id[number])
        return left

    def _by_number(self, wanted: Object, number: int) -> None:
        row = self.by_id.get(number)
        if row is None:
            self.problems.append((wanted, *unknown_id("issue", number, self.context.names)))
        else:
            self._take(wanted, row)

    def _elsewhere(self, wanted: Object) -> list[Row]:
        """With a key field: the issue of that key in another project, unless it is declared there: it is moved."""
        planned = self.context.names.declared("issue")
        spec: Any = wanted.spec
        for name in filter(None, (spec.key, spec.renamed_from)):
            # One that is declared where it is stays there; it is not moved for its name.
            rows = [row for row in self.named.get(name, ()) if self.keys.get(row["id"], "") not in planned]
            if rows:
                return rows
        return []

    def _by_subject(self, wanted: Object, subject: str | None, *, keyed: Any) -> list[Row]:
        """Issues of a subject, if there is one; for a declared key, those that have none yet."""
        rows = self.subjects.get(f"{wanted.address.project}/{subject}", []) if subject else []
        return [row for row in rows if not (self.field and keyed) or not value_of(row, self.field)]

    def _take(self, wanted: Object, row: Row) -> None:
        # The first one keeps the row, and the problem is the second one's.
        other = self.taken.setdefault(row["id"], wanted)
        if other is not wanted:
            message = f"matches issue #{row['id']}, as does {other.address}"
            self.problems.append((wanted, message, "set issue_key_field in reconciler.yaml, or the `id` of each"))

    def result(self) -> Matches:
        """The matches. Undeclared issues that share a stored key, as copies do, have `SHARED` in their rows."""
        owned = {wanted.address.key: self.by_id[number] for number, wanted in self.taken.items()}
        left = [(number, key) for number, key in self.keys.items() if number not in self.taken]
        times = Counter(key for _, key in left)
        shared = {key for key, count in times.items() if count > 1 or key in owned}
        others = {key: self.by_id[number] for number, key in left if key not in shared}
        # The last one has the plain key, as those of other kinds. By number: in no list is the order of two certain.
        for number, key in sorted((pair for pair in left if pair[1] in shared), reverse=True):
            while key in owned or key in others:
                key = f"{key} #{number}"
            others[key] = {**self.by_id[number], SHARED: True}
        return Matches({**others, **owned}, tuple(self.problems))
