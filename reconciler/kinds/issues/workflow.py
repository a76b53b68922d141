"""How issues get their status, and why Redmine keeps other values than those that were sent."""

from __future__ import annotations

from typing import Any

from reconciler.kinds.issues import parent_fields, relations
from reconciler.kinds.issues.export import CORE
from reconciler.kinds.issues.progress import BY_STATUS
from reconciler.kinds.issues.spec import closes
from reconciler.model.address import Row
from reconciler.model.capabilities import DerivedFields, KeptValues, Workflow
from reconciler.model.kind import Kind, Listing
from reconciler.model.name_index import Context
from reconciler.model.spec import Id

PERMITTED = CORE | {"priority", "custom_fields"}
"""The fields that a workflow can require or make read-only, by tracker, status and role; no API shows that (5.0 to
7.0)."""
PERMISSIONS = "Administration → Workflow → Fields permissions"


class StatusWorkflow(Workflow):
    """A status is reached by transitions that the workflow allows (`allowed_statuses`, from 5.0 on)."""

    def workflow_page(self, number: Id, name: str) -> Listing | None:
        if name != "status":
            return None
        # With the relations: where no status is left, an open blocker may be why.
        return Listing(f"/issues/{number}", "issue", (("include", "allowed_statuses,relations"),), single=True)

    def next_transition(self, wanted: Any, row: Row, visited: frozenset[Any], context: Context) -> Any:
        """The wanted status if it is allowed now, else the nearest one (open ones first) that was not tried, and that
        can be on the way."""
        allowed = [s["name"] for s in row.get("allowed_statuses", ())]
        if wanted in allowed:
            return wanted
        # The server's order of statuses: the nearer one is to the goal in it, the likelier it is on the way.
        order = list(context.names.live("issue_status").ids)
        goal = order.index(wanted)
        # An issue that is to be open is not closed on the way: that would close its duplicates for good (5.0 to 6.1).
        may_close = closes(wanted, context) or closes(row["status"]["name"], context)
        fresh = [s for s in allowed if s not in visited and s in order and (may_close or not closes(s, context))]
        return min(fresh, key=lambda s: (closes(s, context), abs(order.index(s) - goal)), default=None)

    def why_stuck(self, row: Row) -> str:
        allowed = ", ".join(s["name"] for s in row.get("allowed_statuses", ()) if s["id"] != row["status"]["id"])
        reason = f'no way to it was found; from "{row["status"]["name"]}" Redmine allows {allowed or "no other status"}'
        blockers = ", ".join(f"#{number}" for number in relations.blockers(row))
        return f"{reason}; blocked by {blockers}" if blockers else reason

    def why_required(self, path: str, context: Context) -> str:
        field, _, custom = path.partition(".")
        known = context.names.custom_fields.get("issue", {}).get(custom)
        # The definition says so already.
        required = known is not None and known.required
        return f"the workflow may require it: {PERMISSIONS}" if field in PERMITTED and not required else ""


class ParentFields(DerivedFields):
    """What Redmine computes for an issue with subtasks."""

    def why_derived(self, row: Row, name: str, context: Context) -> str:
        return parent_fields.decided(row, name, context)


class IssueKeptValues(KeptValues):
    """Why Redmine answered 204 and kept another value."""

    def why_kept(self, kind: Kind, name: str, wanted: Any, row: Row, context: Context) -> str:
        field, _, custom = name.partition(".")
        if field == "custom_fields":
            return _lacks_custom_field(row, custom, context)
        if field in parent_fields.DERIVED and parent_fields.children(row, context.names):
            return f"Redmine may compute it from the subtasks ({parent_fields.SETTINGS})"
        if field == "author":
            return "the user is locked, or may not add issues to the project"
        why = _keeps_status(wanted, row, context) if field == "status" else ""
        why = why or (_disabled(kind, field, row, context) if field in CORE else "")
        return why or (f"Redmine may take it from the status ({BY_STATUS})" if field == "done_ratio" else "")

    def suspected(self, path: str) -> str:
        # 204, although nothing is stored for who was locked meanwhile (5.0 to 6.1) or may not see it (5.1 to 6.1).
        if path == "watchers":
            return "Redmine drops watchers who are locked or may not see the issue"
        permitted = path.partition(".")[0] in PERMITTED
        return f"the workflow may make the field read-only: {PERMISSIONS}" if permitted else ""


def _lacks_custom_field(row: Row, name: str, context: Context) -> str:
    tracker, field = row["tracker"], context.names.custom_fields.get("issue", {}).get(name)
    if field is None:
        return ""
    if field.trackers and tracker["id"] not in field.trackers:
        return f'tracker "{tracker["name"]}" does not have the custom field'
    # An issue shows exactly the custom fields that it has, to administrators.
    shown = {item["id"] for item in row.get("custom_fields") or ()}
    lacks = context.names.sees_definitions and field.id not in shown
    return f'project "{context.project}" does not have the custom field' if lacks else ""


def _keeps_status(wanted: Any, row: Row, context: Context) -> str:
    """Redmine closes no issue above open ones or behind open blockers, and reopens none below a closed one."""
    if closes(wanted, context):
        children = parent_fields.children(row, context.names)
        numbers = [f"#{child['id']}" for child in children if not closes(child["status"]["name"], context)]
        return f"subtasks are open: {', '.join(numbers)}" if numbers else _blocked(row, context)
    parent = context.names.live("issue").rows.get((row.get("parent") or {}).get("id", 0))
    shut = parent is not None and closes(parent["status"]["name"], context)
    return f"the parent issue #{parent['id']} is closed" if parent and shut else ""


def _disabled(kind: Kind, field: str, row: Row, context: Context) -> str:
    tracker = row["tracker"]
    enabled = context.names.live("tracker").rows.get(tracker["id"], {}).get("enabled_standard_fields", ())
    off = kind.fields[field].write not in enabled
    return f'disabled in tracker "{tracker["name"]}"' if off else ""


def _blocked(row: Row, context: Context) -> str:
    known = context.names.live("issue").rows
    numbers = [n for n in relations.blockers(row) if n in known and not closes(known[n]["status"]["name"], context)]
    return f"blocked by {', '.join(f'#{n}' for n in numbers)}" if numbers else ""
