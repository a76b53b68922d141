"""How issues are read: the lists of projects, by key, by number, and by who watches them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from reconciler.kinds._queries import EVERY, WINDOW, Params, chunks, criterion, portions
from reconciler.kinds.issues.identity import key_field, stored_key, value_of
from reconciler.kinds.issues.shortcut import ByName, Values, numbered
from reconciler.model.address import Address, Row, split_key
from reconciler.model.capabilities import BulkDetails, ReadBack, Streamed
from reconciler.model.field_sets import field_sets
from reconciler.model.kind import Kind, Listing, Need
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.pruning import Contents
from reconciler.model.requests import FieldLists, includes
from reconciler.model.spec import Id

NEWEST = Listing("/issues", "issues", (*EVERY[:2], ("sort", "id:desc")))
"""The issues of all projects, the newest first."""
WATCHING = ("user", "group")
"""The kinds of what can watch an issue."""


def tiers(kind: Kind, need: Need, names: Names) -> Iterable[list[Listing]]:
    """The lists of the needed issues: of their projects, or by number; only those with a key first, if all have one."""
    include = includes(kind.fields, _shown(need.fields.get(kind.name, frozenset())))
    projects, field = projects_of(need, names), key_field(names)
    by_id = list(_by_id(need.ids.get(kind.name, frozenset()), include))
    # An id for each key: no project has to be listed.
    if by_id and not need.has_all(kind.name) and len(need.ids[kind.name]) >= len(need.keys[kind.name]):
        yield by_id
        return
    by, unproven = _every_name(need, field), field is not None and field.filterable is None
    every = [_long(need, chunk, (), include, by, unproven) for chunk in chunks(projects)] + by_id
    # A filter on a field that does not support it is ignored, and everything is listed (5.0 to 6.1; test_trap_22).
    # One that the same plan creates is no field of any issue yet.
    if field is None or not field.filterable or field.id < 0 or need.everything:
        yield every
        return
    # An issue with a key can have the subject of one that is declared without: which of the two is meant cannot be
    # told from half of them.
    if need.has_all(kind.name) or _some_without_key(kind, need, names):
        yield every
    else:
        yield from _by_key(need, names, field, by_id, include)
    # Or it was moved to another project.
    # Runs after the tiers above were read and matched: only the keys that are still unknown.
    missing = sorted(split_key(k)[1] for k in need.keys.get(kind.name, frozenset()) - names.live(kind.name).ids.keys())
    some = (criterion(f"cf_{field.id}", "=", *portion) for portion in portions(missing))
    yield [Listing("/issues", "issues", (*keys, *EVERY, *include)) for keys in some]


def _by_key(
    need: Need, names: Names, field: CustomField, by_id: list[Listing], include: Params
) -> Iterator[list[Listing]]:
    """The lists of the issues with keys, then of those without."""
    projects = projects_of(need, names)
    keyed, others = (criterion(f"cf_{field.id}", operator) for operator in ("*", "!*"))
    if len(field.trackers) < len(names.live("tracker").ids):
        # Redmine shows no issue of a tracker without the field to a filter on it, `!*` neither (5.0 to 6.1).
        others = ()
    yield [_long(need, chunk, keyed, include, _keys(need, field)) for chunk in chunks(projects)] + by_id
    # Keys that no issue has: it may be there without one, and is then known by its subject.
    yield [_long(need, chunk, others, include, _subjects(need)) for chunk in chunks(projects)]


def _long(
    need: Need, projects: list[int], filters: Params, include: Params, by: Values, unproven: bool = False
) -> Listing:
    """A list of the issues of projects; if it is long, those with one of the values in one of the filters of `by`."""
    whole = all_of(projects, filters, include)
    if need.has_all("issue") or not by:
        return whole
    names = {split_key(k)[1] for k in need.keys.get("issue", ())}
    ids = {int(name[1:]) for name in names if name.startswith("#") and name[1:].isdecimal()}
    ids |= {*map(int, need.ids.get("issue", ()))}
    scope = (*criterion("project_id", "=", *projects), *filters)
    return replace(whole, instead=ByName(scope, by, ids, include, unproven))


def _every_name(need: Need, field: CustomField | None) -> Values:
    """The filters that show each needed issue, whatever it is known by; none if there are no such."""
    if field is None or field.id < 0:
        return _subjects(need)
    # Without a filter on the keys, only the whole list shows an issue whose subject has changed.
    return {} if field.filterable is False else {**_keys(need, field), **_subjects(need)}


def _keys(need: Need, field: CustomField) -> Values:
    return {f"cf_{field.id}": {split_key(k)[1] for k in need.keys.get("issue", ())}}


def _subjects(need: Need) -> Values:
    return {"subject": {split_key(k)[1] for k in need.titles.get("issue", ())}}


def _shown(fields: frozenset[str]) -> frozenset[str]:
    """The declared fields, and the relations that decide which status and dates Redmine takes."""
    return fields | {"relations"} if fields & {"status", "start_date", "due_date"} else fields


def lookup(address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
    """The list that shows an issue: by the key field, else by its subject."""
    project = names.live("project").ids.get(address.project)
    field, key = key_field(names), stored_key(values, names)
    # There is no exact filter then, and a wider one could show another issue.
    if project is None or (not key and "subject" not in values):
        return []
    exact = criterion(f"cf_{field.id}", "=", key) if field and key else criterion("subject", "=", values["subject"])
    return [Listing("/issues", "issues", (*criterion("project_id", "=", project), *exact, *EVERY))]


def details(kind: Kind, row: Row, fields: frozenset[str]) -> Listing | None:
    """The issue's own page, with what lists leave out."""
    # Lists show neither watchers nor journals, whatever they are asked to include (5.0 to 6.1).
    wanted = sorted(include for name, include in field_sets(kind).detailed.items() if name in fields)
    include = (("include", ",".join(wanted)),)
    return Listing(f"/issues/{row['id']}", "issue", include, paged=False, single=True) if wanted else None


class IssueReadBack(ReadBack):
    """By number after a write; by the key field, or else the subject, after a lost answer."""

    def identifies(self, kind: Kind, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
        if stored_key(values, context.names):
            return kind.key_of(row, context) == address.key
        tracker = values.get("tracker")
        # The server's filter is not trusted: it may have been ignored (test_trap_22).
        return (
            row["subject"] == values.get("subject")
            and context.key("project", row["project"]["id"]) == address.project
            and (tracker is None or row["tracker"]["name"] == tracker)
        )

    def likeness(self, kind: Kind, row: Row, context: Context) -> Hashable:
        field = key_field(context.names)
        key = value_of(row, field) if field else ""
        return row["project"]["id"], key, "" if key else row["subject"]

    def again(self, kind: Kind, ids: frozenset[Id], need: Need, names: Names) -> Iterable[list[Listing]]:
        yield list(_by_id(ids, includes(kind.fields, need.fields.get(kind.name, ()))))


class IssueStream(Streamed):
    """The only kind whose lists can be very long."""

    def last(self, projects: Sequence[int]) -> Iterable[Listing]:
        for chunk in chunks(projects):
            # EVERY without its order: the greatest id comes first here.
            every = (*criterion("project_id", "=", *chunk), *EVERY[:2], ("sort", "id:desc"), ("limit", "1"))
            yield Listing("/issues", "issues", every, paged=False)

    def windows(self, kind: Kind, projects: Sequence[int], fields: frozenset[str], last: int) -> Iterator[Listing]:
        for first in range(1, last + 1, WINDOW):
            between = criterion("issue_id", "><", first, min(first + WINDOW - 1, last))
            yield from (all_of(chunk, between, includes(kind.fields, fields)) for chunk in chunks(projects))


class WatcherLists(BulkDetails):
    """One list for each user and group shows the issues that they watch, and one the issues that have notes."""

    def lists(self, kind: Kind, rows: Mapping[Id, Row], need: Need, names: Names) -> Iterable[FieldLists]:
        about = _about(kind, rows, need, names)
        # An issue in none of the lists has no watchers only if there is a list for everybody.
        if all(names.live(kind).whole for kind in WATCHING):
            people = [row for kind in WATCHING for row in names.live(kind).rows.values() if not row.get("builtin")]
            pairs = ((row["id"], some) for row in people for some in about)
            lists = ((_brief(some, "watcher_id", "=", who), {"id": who}) for who, some in pairs)
            yield FieldLists("watchers", tuple(lists))
        if need.everything:
            # 5.0 finds every issue that has a history, as it takes an empty note for one.
            yield FieldLists("notes", tuple((_brief(some, "notes", "*"), None) for some in about))


def _about(kind: Kind, rows: Mapping[Id, Row], need: Need, names: Names) -> list[Params]:
    """The filters, one for each list, that leave just these issues, or few others."""
    if need.everything:
        return [criterion("project_id", "=", *chunk) for chunk in chunks(projects_of(need, names))]
    field = key_field(names)
    # Few of the issues, or some without a key: by number. Else one filter for each hundred projects is shorter.
    if 2 * len(rows) < len(names.live(kind.name).rows) or not _keyed(rows.values(), field):
        return [numbered(chunk) for chunk in chunks(sorted(map(int, rows)))]
    homes = sorted({row["project"]["id"] for row in rows.values()})
    keyed = criterion(f"cf_{field.id}", "*") if field else ()
    return [(*criterion("project_id", "=", *chunk), *keyed) for chunk in chunks(homes)]


def _some_without_key(kind: Kind, need: Need, names: Names) -> bool:
    """Whether a needed issue is declared, as present or as absent, with a subject only."""
    declared, absent = names.declared(kind.name), names.absent(kind.name)
    subjects = need.titles.get(kind.name, frozenset())
    return any(
        _by_subject(declared[key]) if key in declared else key in absent and key in subjects
        for key in need.keys.get(kind.name, ())
    )


def _by_subject(spec: Any) -> bool:
    # What was renamed decides which issue another one of its earlier subject is, even if it has an `id`.
    return not spec.key and (not spec.id or bool(spec.renamed_from))


def projects_of(need: Need, names: Names) -> list[int]:
    """The numbers of the needed projects; an archived one has none that could be learnt, and shows nothing."""
    known = names.live("project").ids
    return sorted(n for p in need.projects("issue") if isinstance(n := known.get(p), int))


def all_of(projects: list[int], filters: Params, include: Params) -> Listing:
    # As a filter (`f[]`), project_id means just these projects; as a parameter it takes in their subprojects.
    return Listing("/issues", "issues", (*criterion("project_id", "=", *projects), *filters, *EVERY, *include))


class IssueContents(Contents):
    """One list for many projects."""

    def lists(self, kind: Kind, projects: Mapping[str, Id]) -> Iterable[Listing]:
        numbers = sorted(number for number in projects.values() if isinstance(number, int))
        return (all_of(chunk, (), ()) for chunk in chunks(numbers))


def _by_id(ids: frozenset[Id], include: tuple[tuple[str, str], ...]) -> Iterable[Listing]:
    for chunk in chunks(sorted(map(int, ids))):
        yield Listing("/issues", "issues", (*numbered(chunk), *EVERY, *include))


def _keyed(rows: Iterable[Row], field: CustomField | None) -> bool:
    """Whether a filter on the keys, if there are such, shows all these issues."""
    return field is None or (bool(field.filterable) and all(value_of(row, field) for row in rows))


def _brief(some: Params, *more: Any) -> Listing:
    return Listing("/issues", "issues", (*some, *criterion(*more), *EVERY), brief=True)
