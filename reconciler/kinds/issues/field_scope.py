"""Which custom fields an issue has: those that both its tracker and its project have.

Definitions name the trackers. Projects list their own issue custom fields, from 5.1 on with those that are for all
projects; before, which these are shows by issues alone: an issue shows exactly the custom fields that it has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from reconciler.kinds.issues.spec import trackers_of
from reconciler.kinds.projects.spec import DEFINED
from reconciler.model.address import CONTAINER, Address, Row, Unresolved
from reconciler.model.custom_field_scope import Availability, FieldScope
from reconciler.model.name_index import Context, CustomField, Names

TRACKER_HINT = "ask an administrator to add it: Administration → Custom fields"
PROJECT_HINT = "add it to the project's issue_custom_fields"
UNKNOWN = Availability(None)
Shown = Mapping[tuple[int, int], frozenset[int]]
"""(project, tracker) → the custom fields that its issues show, all by id."""


class IssueFieldScope(FieldScope):
    """By tracker and project. Nothing is claimed if the account may not see the definitions."""

    def changes_with(self, changed: Collection[str]) -> bool:
        return not {"tracker", CONTAINER}.isdisjoint(changed)

    def availability(
        self, field: CustomField, row: Row | None, values: Mapping[str, Any], context: Context
    ) -> Availability:
        author = context.names.row(Address("user", str(values.get("author")))) or {}
        if row is None and values.get("author") and not field.visible and not author.get("admin"):
            # An issue is created as its author, who may not see the field, and then lacks it for the moment.
            return UNKNOWN
        numbers = _trackers(row, values, context)
        having = [name for name, number in numbers.items() if number in field.trackers]
        if numbers and not having:
            which = f'tracker "{next(iter(numbers))}" does' if len(numbers) == 1 else "the project's trackers do"
            return Availability(False, f"{which} not have this custom field", TRACKER_HINT)
        in_project = _in_project(field, context)
        # Without a tracker, and of a project whose trackers are not known, the issue may get one without the field.
        sure = bool(numbers) and len(having) == len(numbers)
        return in_project if sure or not in_project.has else UNKNOWN


def _trackers(row: Row | None, values: Mapping[str, Any], context: Context) -> Mapping[str, int]:
    """The trackers that the issue will have one of, name → id: one, if it is declared or live."""
    name = values.get("tracker") or (row and context.key("tracker", row["tracker"]["id"]))
    names = [str(name)] if name else trackers_of(context) or []
    ids = {name: context.names.id(Address("tracker", name)) for name in names}
    # A tracker that is not known is a problem of its own.
    return {} if None in ids.values() else {name: number for name, number in ids.items() if number is not None}


def _in_project(field: CustomField, context: Context) -> Availability:
    known = context.names.memo.setdefault("issue_fields_in", {})
    at = context.project, field.id
    if at not in known:
        known[at] = _look(field, context)
    found: Availability = known[at]
    return found


def _look(field: CustomField, context: Context) -> Availability:
    has = _listed(field, context)
    if has is None and not _declares(context):
        has = _shown_in(field, context)
        # From 5.1 on, what is for all projects is in these lists too: nothing follows from them.
        if has is None and not context.names.lists_common_fields and _elsewhere(field, context):
            said = f'project "{context.project}" may not have this custom field: only other projects list it'
            return Availability(None, said)
    if has is False:
        return Availability(False, f'project "{context.project}" does not have this custom field', PROJECT_HINT)
    return Availability(has)


def _declares(context: Context) -> bool:
    """Whether the project's custom fields are declared, and will be what is declared."""
    spec = context.names.spec(context.container)
    fixed = spec is not None and "issue_custom_fields" in spec.create_only and context.names.is_live(context.container)
    return spec is not None and "issue_custom_fields" in spec.model_fields_set and not fixed


def _listed(field: CustomField, context: Context) -> bool | None:
    """Whether the project has the custom field, by what is declared, else by its list; None if that is not certain."""
    names, for_all = context.names, _for_all(field, context.names)
    if for_all:
        return True
    if _declares(context):
        wanted = set[str]()
        # A field that does not exist is a problem of the project.
        with suppress(Unresolved):
            spec = names.spec(context.container)
            wanted = {DEFINED.find(name, context).name for name in spec.issue_custom_fields or ()}
        return True if field.name in wanted else for_all
    row = names.row(context.container)
    if row is None:
        # A new project has only what is for all.
        return for_all
    listed = _list_of(row)
    if listed is None:
        return None
    return True if field.id in listed else False if names.lists_common_fields else for_all


def _list_of(row: Row) -> frozenset[int] | None:
    """The custom fields that a project lists; None if it does not show any list (its module is off)."""
    listed = row.get("issue_custom_fields")
    return None if listed is None else frozenset(item["id"] for item in listed)


def _shown_in(field: CustomField, context: Context) -> bool | None:
    """Whether the project has the custom field, by an issue with a tracker that has it."""
    here = context.names.id(context.container)
    shown = [ids for (at, tracker), ids in _shown(context.names).items() if at == here and tracker in field.trackers]
    return field.id in shown[0] if shown else None


def _elsewhere(field: CustomField, context: Context) -> bool:
    rows = context.names.live(CONTAINER).rows.values()
    return any(field.id in (_list_of(row) or ()) for row in rows)


def _for_all(field: CustomField, names: Names) -> bool | None:
    """Whether all projects have a custom field; None if that cannot be told."""
    if field.for_all is not None:
        return field.for_all
    rows = names.live(CONTAINER).rows
    if names.lists_common_fields:
        lists = [listed for row in rows.values() if (listed := _list_of(row)) is not None]
        # Each of them can also have it of its own.
        return None if all(field.id in listed for listed in lists) else False
    for (project, tracker), ids in _shown(names).items():
        own = _list_of(rows[project]) if project in rows else None
        if tracker in field.trackers and field.id not in ids:
            return False
        if field.id in ids and own is not None and field.id not in own:
            return True
    return None


def _shown(names: Names) -> Shown:
    """What issues show, from one of each project and tracker."""
    if "issue_fields" not in names.memo:
        found: dict[tuple[int, int], frozenset[int]] = {}
        for row in names.live("issue").rows.values():
            # An issue without any custom field looks like a row that does not show them.
            if row.get("custom_fields"):
                where = row["project"]["id"], row["tracker"]["id"]
                found.setdefault(where, frozenset(item["id"] for item in row["custom_fields"]))
        names.memo["issue_fields"] = found
    shown: Shown = names.memo["issue_fields"]
    return shown
