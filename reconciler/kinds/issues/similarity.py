"""How similar a live issue is to a declared one, by the fields that lists show as they are declared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.model.address import Row, Unresolved
from reconciler.model.attachments import name_of
from reconciler.model.codecs import blank, unix_lines
from reconciler.model.custom_fields import CustomFields
from reconciler.model.kind import Object
from reconciler.model.name_index import Context

NAMED = ("tracker", "status", "priority", "category", "fixed_version")
PEOPLE = ("assigned_to", "author")
PLAIN = ("description", "start_date", "due_date", "done_ratio", "estimated_hours", "is_private")
COMPARED = ("subject", *PLAIN)
"""What is compared as it is; an export gives keys by the subject first, then by the rest."""


def differences(wanted: Object, row: Row, rows: Mapping[int, Row], context: Context) -> int:
    """The number of declared fields in which a live issue differs, among those that lists show as declared."""
    fields = wanted.fields
    # Only plain names: `{project:, name:}` would have to be resolved, and shows as another value until then.
    named = sum(fields[n] != (row.get(n) or {}).get("name") for n in NAMED if isinstance(fields.get(n), str))
    plain = sum(not _same(fields[n], row.get(n)) for n in COMPARED if n in fields)
    assignee = (row.get("assigned_to") or {}).get("id", 0)
    # The row does not say whether the assignee is a user or a group.
    person = fields.get("assigned_to") not in (None, context.key("user", assignee), context.key("group", assignee))
    author = fields.get("author") not in (None, context.key("user", (row.get("author") or {}).get("id", 0)))
    apart = _other_parent(wanted, row, rows, context) + _other_files(fields, row)
    return int(named + plain + person + author + apart + _other_values(wanted, row, context))


def _other_parent(wanted: Object, row: Row, rows: Mapping[int, Row], context: Context) -> int:
    """Whether the declared parent has another subject than the live one, as far as both are known."""
    parent = wanted.fields.get("parent")
    if not parent:
        return 0
    near = parent if isinstance(parent, Mapping) else {"project": wanted.address.project, "key": parent}
    spec = context.names.declared("issue").get(f"{near.get('project')}/{near.get('key')}")
    subject = getattr(spec, "subject", None)
    live = rows.get((row.get("parent") or {}).get("id", 0))
    # A live parent that was not read is no difference: it may be the one.
    return int(bool(subject) and ("parent" not in row or (live is not None and live["subject"] != subject)))


def _other_files(fields: Mapping[str, Any], row: Row) -> int:
    """Whether the issue lacks a declared attachment, by name."""
    there = {item["filename"] for item in row.get("attachments", ())}
    wanted = {name_of(item) for item in fields.get("attachments") or () if item.get("state") != "absent"}
    return int("attachments" in row and not wanted <= there)


def _other_values(wanted: Object, row: Row, context: Context) -> int:
    """The number of declared custom fields in which an issue has another value."""
    if not wanted.fields.get("custom_fields"):
        return 0
    codec = CustomFields("issue")
    live, differing = codec.decode(row.get("custom_fields"), context), 0
    for _, piece in codec.pieces(wanted.fields["custom_fields"]):
        try:
            differing += len(codec.differences(codec.canonical(piece, context), live))
        # A value that cannot be read for this server is reported elsewhere; here it just does not match.
        except Unresolved:
            differing += 1
    return differing


def _same(declared: Any, live: Any) -> bool:
    if isinstance(declared, str) and isinstance(live, str):
        return unix_lines(declared) == unix_lines(live)
    return bool(declared == live) or (blank(declared) and blank(live))


class Alike:
    """An index of live issues by their values: those without a difference are found without comparing each."""

    def __init__(self, rows: Sequence[Row], every: Mapping[int, Row], context: Context) -> None:
        self.context, self.every = context, every
        self.rows = {row["id"]: row for row in rows}
        self.by_value: defaultdict[tuple[str, Hashable], set[int]] = defaultdict(set)
        for row in rows:
            for field, value in _live(row):
                self.by_value[field, value].add(row["id"])
        self.known: dict[str, list[int]] = {}

    def equals(self, wanted: Object) -> list[int]:
        """The ids of the issues without a difference."""
        # The fields without the key: equal declarations share one answer.
        said = repr(sorted((name, repr(value)) for name, value in wanted.fields.items()))
        if said not in self.known:
            sets = sorted((self.by_value.get(pair, set()) for pair in _declared(wanted.fields)), key=len)
            # The smallest set first, so that the work is in proportion to the rarest value.
            equal = set.intersection(*sets) if sets else set(self.rows)
            # The index only narrows down: what it does not contain (people, files, custom fields) is compared here.
            self.known[said] = [n for n in sorted(equal) if not self._differs(wanted, n)]
        return self.known[said]

    def _differs(self, wanted: Object, number: int) -> int:
        return differences(wanted, self.rows[number], self.every, self.context)


def _live(row: Row) -> Iterator[tuple[str, Hashable]]:
    yield from ((name, (row.get(name) or {}).get("name")) for name in NAMED)
    yield from ((name, _plain(row.get(name))) for name in COMPARED)


def _declared(fields: Mapping[str, Any]) -> Iterator[tuple[str, Hashable]]:
    yield from ((name, fields[name]) for name in NAMED if isinstance(fields.get(name), str))
    yield from ((name, _plain(fields[name])) for name in COMPARED if name in fields)


def _plain(value: Any) -> Hashable:
    """A value as `_same` compares it."""
    if isinstance(value, str):
        return unix_lines(value) or None
    return None if blank(value) else value
