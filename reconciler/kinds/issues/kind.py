"""Issues: `GET /issues`, `POST /projects/:p/issues`, `PUT/DELETE /issues/:id`.

Redmine gives an issue no natural key: it is the value of the custom field `issue_key_field`, else project + subject
(+ tracker). Lists show open issues of a project and its subprojects unless asked otherwise; a filter that the server
does not know is ignored, so every row is checked again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from reconciler.kinds.issues import dates, links, moves, notes, parent_fields, read, relations
from reconciler.kinds.issues.creation import IssueCreation, StoredKey
from reconciler.kinds.issues.disabled_fields import disabled_fields
from reconciler.kinds.issues.doubts import IssueDoubts
from reconciler.kinds.issues.export import CORE, IssueExport, disabled
from reconciler.kinds.issues.field_scope import IssueFieldScope
from reconciler.kinds.issues.hiding import IssueHiding, IssueRows, for_others, published, uneditable
from reconciler.kinds.issues.identity import Matching, key_field, name_of
from reconciler.kinds.issues.ordering import IssueDeletion, IssueDependencies, IssuePruning, IssueSideEffects
from reconciler.kinds.issues.people import PARTS, IssuePeople
from reconciler.kinds.issues.permissions import BY_FIELD, IssueRights
from reconciler.kinds.issues.read import WATCHING, IssueContents, IssueReadBack, IssueStream, WatcherLists
from reconciler.kinds.issues.spec import IssueSpec, closes, trackers_of, why_shut
from reconciler.kinds.issues.workflow import IssueKeptValues, ParentFields, StatusWorkflow
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.attachments import attaching
from reconciler.model.capabilities import Rows
from reconciler.model.codecs import blank
from reconciler.model.containers import ProjectIncludes
from reconciler.model.forms import NAMED, NUMBER, REF, TEXT, Each
from reconciler.model.kind import Inside, Kind, Listing, Matches, Need, Object, Request
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Id


class Issues(Kind[IssueSpec]):
    """Lists can be very long, and a POST that is sent twice makes two."""

    name = "issue"
    plural = "issues"
    spec = IssueSpec
    inside = Inside(module="issue_tracking", follows=("membership",))
    identity = ("key",)
    required = ("subject",)
    rank = 70
    capabilities = (
        IssueRights(("add_issues",), ("edit_issues", "edit_own_issues"), ("delete_issues",), BY_FIELD),
        IssueContents("issue", "issues"),
        Rows(
            {
                "subject": TEXT,
                "tracker": NAMED,
                "status": NAMED,
                "priority": NAMED,
                "author": REF.optional,
                "spent_hours": NUMBER.optional,
                "allowed_statuses": Each(of=NAMED).optional,
            },
            title="subject",
        ),
        IssueCreation(unique=False, newest=read.NEWEST),
        IssueReadBack(),
        WatcherLists({"watchers": WATCHING}),
        IssueStream(),
        IssueDeletion(),
        IssuePruning(),
        IssueDependencies(),
        IssueSideEffects(
            frozenset({"watchers", "status", "start_date", "due_date", "fixed_version"}), on=frozenset({"issue"})
        ),
        StatusWorkflow(),
        ParentFields(parent_fields.DERIVED),
        IssueKeptValues(),
        IssuePeople(PARTS),
        IssueDoubts(),
        StoredKey(),
        IssueFieldScope(),
        # Which custom fields there are in a project.
        ProjectIncludes("issue_custom_fields"),
        IssueHiding(),
        IssueRows(),
        IssueExport(own_files=True, defaults=(("done_ratio", 0), ("is_private", False))),
    )

    # -- identity ----------------------------------------------------------------------------------------------

    def key(self, spec: IssueSpec, project: str) -> str:
        name = spec.key or spec.subject or (f"#{spec.id}" if spec.id else "")
        return f"{project}/{name}"

    def conflicts(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        tracker, known = values.get("tracker"), trackers_of(context)
        # Redmine would answer 201 and take the project's first tracker (5.0 to 6.1; test_trap_03).
        elsewhere = known is not None and tracker is not None and tracker not in known
        if elsewhere and (row is None or tracker != self.live(row, "tracker", context)):
            said = f'tracker "{tracker}" is not enabled in project "{context.project}"'
            yield "tracker", said, "add it to the project's trackers"
        yield from self._shut_version(row, values.get("fixed_version"), context)
        yield from disabled_fields(self, row, values, context)
        yield from links.refused(row, values, context)
        yield from moves.taken_along(row, context)
        for found in dates.findings(row, values, context):
            if found.certain:
                yield found.field, found.sentence, found.hint
        if context.names.sight is not None:
            yield from for_others(row, values, context)
            yield from published(row, values, context)
            yield from uneditable(row, values, context)

    def _shut_version(self, row: Row | None, wanted: Any, context: Context) -> Iterable[tuple[str, str, str]]:
        """A version that takes no issues, and that the manifests do not declare: nothing would open it."""
        why = "" if wanted is None else why_shut(wanted, context)
        # An issue may keep a version that was locked since: only a change is refused.
        if why and (row is None or self.live(row, "fixed_version", context) != wanted):
            yield "fixed_version", why, "declare it so that it is reopened"

    def losses(self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context) -> Iterable[str]:
        if not values:
            # Logged time is deleted with its issue unless the request says otherwise (5.0 to 6.1); this one does not.
            return [f"also deletes {row['spent_hours']:g} logged hours"] if row.get("spent_hours") else []
        # Redmine keeps none of it: back on the old tracker, the values are gone (5.0 to 6.1; test_trap_14).
        lost = sorted(self._lost(row, values, context)) if "tracker" in changed else []
        said = [f'tracker "{values["tracker"]}" deletes {", ".join(lost)}'] if lost else []
        # Redmine clears them whenever the issue is saved (5.0 to 6.1).
        tracker = context.names.live("tracker").rows.get(row["tracker"]["id"], {})
        idle = [] if lost else [n for n in disabled(self, tracker) if row.get(self.fields[n].read or n)]
        said += [f"Redmine clears {', '.join(idle)}, which the tracker disables"] if idle else []
        # Unless a setting allows relations between projects.
        moved = "project" in changed and row.get("relations")
        return [*said, *(["the move may delete its relations"] if moved else [])]

    def _lost(self, row: Row, values: Mapping[str, Any], context: Context) -> Iterator[str]:
        """The values that another tracker does not have: Redmine deletes them for good (5.0 to 6.1)."""
        tracker = context.names.row(Address("tracker", values["tracker"])) or {}
        known = {f.id: f for f in context.names.custom_fields.get("issue", {}).values()}
        for item in row.get("custom_fields", ()):
            field = known.get(item["id"])
            if field and field.trackers and tracker.get("id") not in field.trackers and not blank(item.get("value")):
                yield f"custom field {field.name}"
        enabled = tracker.get("enabled_standard_fields", ())
        for name, api in self.fields.items():
            if name in CORE and api.write not in enabled and not blank(row.get(api.read or name)):
                yield name

    def check(self, declared: Object[IssueSpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = declared.spec
        if not (spec.subject or spec.id or (spec.key and settings.get("issue_key_field"))):
            why = ": only with `issue_key_field` in reconciler.yaml is an issue found by its key" if spec.key else ""
            yield "", f"subject is missing{why}"
        if spec.start_date and spec.due_date and spec.due_date < spec.start_date:
            yield "due_date", f"due_date {spec.due_date} is before start_date {spec.start_date}"

    def key_of(self, row: Row, context: Context) -> str | None:
        project = context.key("project", row["project"]["id"])
        return None if project is None else f"{project}/{name_of(row, key_field(context.names))}"

    def match(self, rows: Sequence[Row], context: Context, objects: Sequence[Object[IssueSpec]]) -> Matches:
        """By `id`, else by the key field, else by project and subject (and tracker)."""
        matching = Matching(rows, context)
        matching.settle(objects)
        return matching.result()

    # -- read --------------------------------------------------------------------------------------------------

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        return read.tiers(self, need, names)

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        return read.lookup(address, names, values)

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        return read.details(self, row, fields)

    # -- write -------------------------------------------------------------------------------------------------

    def create(self, address: Address, values: Mapping[str, Any], context: Context) -> Request:
        # Only administrators can act for others (`X-Redmine-Switch-User`); for anybody else it is ignored.
        request = replace(super().create(address, values, context), login=values.get("author") or "")
        filled = [name for name, other in FILLED_IN if name not in values and not blank(values.get(other))]
        return replace(request, instead=replace(request, body=_without(filled, request))) if filled else request

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        for name, value in values.items():
            # Text attributes of a PUT only (5.0 to 7.0; test_trap_13): a POST and custom fields are safe.
            if value == "none":
                raise Unresolved(f'Redmine treats the text "none" as an empty {name}', "change the text")
        row = context.names.row(address) or {}
        own = {name: value for name, value in values.items() if name not in APART}
        related, later = values.get("relations") or {}, dict[str, Any]()
        if "parent" in own and (row.get("status") or {}).get("is_closed") and not closes(own.get("status"), context):
            # Redmine does not reopen an issue below a closed parent (5.0 to 6.1): it leaves that first.
            later = {n: own.pop(n) for n in ("status",) if n in own}
        return [
            # First, as a relation that is deleted may be what forbids the new dates.
            *relations.deletions(related, row, number, context),
            *attaching(super().update, address, number, own, context),
            *super().update(address, number, later, context),
            *relations.creations(related, number, context),
            *notes.requests(values.get("notes") or (), row, number, context),
            # Last, as a user who writes to an issue may become its watcher (5.0 to 6.1).
            *(self._watching(values["watchers"], row, number, context) if "watchers" in values else ()),
        ]

    def _watching(self, wanted: Sequence[Any], row: Row, number: Id, context: Context) -> Iterator[Request]:
        codec = self.fields["watchers"].codec
        # By id: what is live may include users and groups that no manifest can name.
        new, held = set(codec.encode(wanted, context)), {w["id"] for w in row.get("watchers", ())}
        if new - held:
            body = {"watcher": {"user_ids": sorted(new - held)}}
            # One POST for all, and one DELETE for each: there is no other form (5.0 to 6.1).
            yield Request("POST", f"/issues/{number}/watchers", body, once=True)
        for user in sorted(held - new):
            yield Request("DELETE", f"/issues/{number}/watchers/{user}")


FILLED_IN = (("due_date", "start_date"), ("start_date", "due_date"))
"""A date that a setting may fill in, and the declared one that it may not fit, which is a 422.

A due date counts from today and can be before a later start (7.0). The start is today and can be after the due date
(on by default, 5.0 to 6.1).
"""


def _without(dates: Iterable[str], request: Request) -> Mapping[str, Any]:
    """The body of a creation that leaves no date to be filled in."""
    return {wrapper: {**fields, **dict.fromkeys(dates, "")} for wrapper, fields in (request.body or {}).items()}


APART = frozenset({"watchers", "relations", "notes", "author"})
"""The fields that are sent by requests of their own."""
