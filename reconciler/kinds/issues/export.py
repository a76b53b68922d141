"""How issues are exported: what a manifest says of one, and what another server would refuse."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.kinds.issues import dates, notes, relations
from reconciler.kinds.issues.identity import key_field, value_of
from reconciler.kinds.issues.spec import closes, trackers_of
from reconciler.model.address import Address, Row, split_key
from reconciler.model.codecs import blank
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context, Names
from reconciler.natural import natural


class IssueExport(Exporting):
    """Issues as manifests, without what another server would refuse."""

    def rename_for_export(self, kind: Kind, names: Names) -> None:
        # With a key field, a declared key would be stored there: an issue that has none is known by its subject.
        field, live = key_field(names), names.live(kind.name)
        for number, key in sorted(live.keys.items()) if field else ():
            if field and not value_of(live.rows[number], field):
                live.rekey(number, f"{split_key(key)[0]}/{live.rows[number]['subject']}")

    def identity_fields(self, kind: Kind, address: Address, row: Row, names: Names) -> dict[str, Any]:
        field = key_field(names)
        named = field is None or bool(value_of(row, field))
        key = {"key": address.own_name} if named else {}
        return {**super().identity_fields(kind, address, row, names), **key}

    def needs_id(self, row: Row, names: Names) -> bool:
        field = key_field(names)
        if field and value_of(row, field):
            return False
        if "subjects" not in names.memo:
            rows = (r for r in names.live("issue").rows.values() if not (field and value_of(r, field)))
            names.memo["subjects"] = Counter((r["project"]["id"], r["subject"]) for r in rows)
        return bool(names.memo["subjects"][row["project"]["id"], row["subject"]] > 1)

    def non_defaults(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> dict[str, Any]:
        # Fields that Redmine would fill in by itself are declared null.
        project = context.names.row(context.container) or {}
        category = context.names.live("issue_category").rows.get((row.get("category") or {}).get("id", 0), {})
        # What a new issue would get from a setting, the project or the category (5.0 to 6.1; test_trap_36).
        filled = {"start_date": True, "fixed_version": "default_version" in project}
        filled["assigned_to"] = "default_assignee" in project or "assigned_to" in category
        nulls = {n: None for n, by_itself in filled.items() if by_itself and n in values and blank(values[n])}
        # A user who writes to an issue may become its watcher (5.0 to 6.1).
        alone: dict[str, Any] = {"watchers": []} if values.get("watchers") == [] else {}
        kept = {**super().non_defaults(kind, values, row, context), **nulls, **alone}
        # From 7.0 on, issues of some trackers are private unless it is said that they are not.
        if context.names.live("tracker").rows.get(row["tracker"]["id"], {}).get("private_by_default"):
            kept["is_private"] = values.get("is_private")
        for name in ("status", "priority"):
            if kept.get(name) is not None and kept[name] == _default(name, values, context):
                del kept[name]
        # The key is exported as `key`.
        field = key_field(context.names)
        if field and "custom_fields" in kept:
            kept["custom_fields"] = {n: v for n, v in kept["custom_fields"].items() if n != field.name}
        if not kept.get("custom_fields", True):
            del kept["custom_fields"]
        return {name: kept[name] for name in kind.fields if name in kept}

    def doubts(self, values: Mapping[str, Any], row: Row, context: Context) -> Iterable[tuple[str, str]]:
        for said in notes.doubts(row.get("journals"), context):
            yield "notes", said

    def refused(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> Iterator[tuple[str, str]]:
        trackers, name = trackers_of(context), values.get("tracker")
        if trackers is not None and name is not None and name not in trackers:
            yield "tracker", f'"{name}" is no longer enabled in the project; another server would use the default'
            if values.get("status") not in (None, _default("status", values, context)):
                yield "status", f'of the tracker "{name}"; the workflow of another one may not lead to it'
        priority = context.names.row(Address("issue_priority", str(values.get("priority")))) or {}
        if not priority.get("active", True):
            yield "priority", f'"{values["priority"]}" is no longer active'
        # Redmine refuses a category of another project for a new issue (422, seen on 5.0).
        if isinstance(values.get("category"), Mapping):
            yield "category", f'belongs to project "{values["category"]["project"]}"'
        yield from self._disabled(kind, values, row, context)
        if not blank(values.get("assigned_to")) and not _assignable(values["assigned_to"], row, context):
            yield "assigned_to", "new issues of the project can no longer be assigned to it"
        if closes(values.get("status"), context):
            yield from self._wrongly_closed(row, context)
        early = [n for n, day in dates.bounds(row, context) if _earliest(values, day) < day]
        for field in ("start_date", "due_date") if early else ():
            if not blank(values.get(field)):
                yield field, f"starts before its predecessor ends: {_keys(early, context)}"

    def _wrongly_closed(self, row: Row, context: Context) -> Iterator[tuple[str, str]]:
        blockers = [n for n in relations.blockers(row) if _is_open(n, context)]
        below = _open_below(context).get(row["id"], [])
        if blockers:
            yield "status", f"closed although open issues block it: {_keys(blockers, context)}"
        elif below:
            yield "status", f"closed although subtasks are open: {_keys(below, context)}"

    def _disabled(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> Iterator[tuple[str, str]]:
        tracker = context.names.live("tracker").rows.get(row["tracker"]["id"], {})
        for name in disabled(kind, tracker):
            if not blank(values.get(name)) and (name, values[name]) not in self.defaults:
                yield name, f'disabled in tracker "{row["tracker"]["name"]}"'


CORE = frozenset(
    {"assigned_to", "category", "fixed_version", "parent", "start_date", "due_date"}
    | {"estimated_hours", "done_ratio", "description"}
)
"""The fields that a tracker can have disabled (5.0 to 6.1)."""


def disabled(kind: Kind, tracker: Row) -> list[str]:
    """The fields that a tracker has disabled."""
    enabled = tracker.get("enabled_standard_fields", [kind.fields[name].write for name in CORE])
    return [name for name in kind.fields if name in CORE and kind.fields[name].write not in enabled]


def _assignable(value: Any, row: Row, context: Context) -> bool:
    """Whether a new issue could be assigned to a user or group: who creates it, or a member with a role for that."""
    members, rows = context.names.live("membership"), context.names.live("role").rows
    # Redmine also takes the author as assignee (5.0 to 6.1). No members read: nothing is certain.
    if (row.get("author") or {}).get("id") == row["assigned_to"]["id"] or not members.ids:
        return True
    kind, name = next(iter(value.items())) if isinstance(value, Mapping) else ("user", value)
    member = context.names.row(Address("membership", f"{context.project}/{kind}:{name}")) or {}
    return any(rows.get(role["id"], {}).get("assignable", True) for role in member.get("roles", ()))


def _default(name: str, values: Mapping[str, Any], context: Context) -> Any:
    """The status or priority that a new issue gets where none is given."""
    if name == "priority":
        priorities = context.names.live("issue_priority").rows.values()
        return next((row["name"] for row in priorities if row.get("is_default")), None)
    tracker = context.names.row(Address("tracker", str(values.get("tracker")))) or {}
    return (tracker.get("default_status") or {}).get("name")


def _earliest(values: Mapping[str, Any], default: str) -> str:
    """The first day of an issue."""
    return min(str(values.get(field) or default) for field in ("start_date", "due_date"))


def _is_open(number: int, context: Context) -> bool:
    row = context.names.live("issue").rows.get(number)
    return row is not None and not closes(row["status"]["name"], context)


def _open_below(context: Context) -> dict[int, list[int]]:
    """The ids of the open subtasks of each issue. Only the ids are kept: the rows can be many, and are on disk."""
    if "open_below" not in context.names.memo:
        subtasks: defaultdict[int, list[int]] = defaultdict(list)
        for row in context.names.live("issue").rows.values():
            if row.get("parent") and not closes(row["status"]["name"], context):
                subtasks[row["parent"]["id"]].append(row["id"])
        context.names.memo["open_below"] = subtasks
    below: dict[int, list[int]] = context.names.memo["open_below"]
    return below


def _keys(numbers: Iterable[int], context: Context) -> str:
    """Issues by their keys, as ids differ on another server."""
    return ", ".join(sorted((context.key("issue", number) or f"#{number}" for number in numbers), key=natural))
