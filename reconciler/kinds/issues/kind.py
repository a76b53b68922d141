"""Issues: `GET /issues`, `POST /projects/:p/issues`, `PUT/DELETE /issues/:id`.

Redmine gives an issue no natural key: it is the value of the custom field `issue_key_field`, else project + subject
(+ tracker). Lists show open issues of a project and its subprojects unless told otherwise; a filter that the server
does not know is ignored, so every row is checked again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.kinds.issues import notes, parent_fields, relations
from reconciler.kinds.issues.export import CORE, Carried, disabled
from reconciler.kinds.issues.identity import Matching, key_field, stored_key, value_of
from reconciler.kinds.issues.spec import BLOCKS, PARENT, VERSION, IssueSpec, closes, trackers_of
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.codecs import Ref, blank
from reconciler.model.kind import Listing, Matches, Object, Request
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Id, Spec


class Issues(Carried):
    """The only kind whose lists can be long; a POST that is sent twice makes two."""

    name = "issue"
    plural = "issues"
    spec = IssueSpec
    inside = True
    module = "issue_tracking"
    movable = True
    many = True
    identity = ("key",)
    steering = frozenset({"key", "id"})
    required = ("subject",)
    unique = False
    computed = parent_fields.DERIVED
    fragile = frozenset({"watchers", "status", "start_date", "due_date"})
    defaults = (("done_ratio", 0), ("is_private", False))
    apart = True
    follows = ("membership",)
    rank = 70

    # -- identity ----------------------------------------------------------------------------------------------

    def key(self, spec: Spec, project: str) -> str:
        assert isinstance(spec, IssueSpec)
        name = spec.key or spec.subject or (f"#{spec.id}" if spec.id else "")
        return f"{project}/{name}"

    def only_declared(self, settings: Mapping[str, Any]) -> bool:
        return not settings.get("issue_key_field")

    def lookups(self, settings: Mapping[str, Any], fields: Collection[str]) -> tuple[str, ...]:
        # Custom fields tell their trackers: what another tracker would destroy.
        return ("custom_field",) if settings.get("issue_key_field") or "tracker" in fields else ()

    def misfits(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        live = None if row is None else self.live(row, "tracker", context)
        tracker = values.get("tracker", live)
        known = trackers_of(context)
        if known is not None and tracker is not None and tracker != live and tracker not in known:
            said = f'tracker "{tracker}" is not enabled in project "{context.project}"'
            yield "tracker", said, "add it to the project's trackers"
        yield from self._shut_version(row, values.get("fixed_version"), context)
        number = context.names.id(Address("tracker", str(tracker)))
        for name in values.get("custom_fields") or ():
            field = context.names.custom_fields.get("issue", {}).get(name)
            if field and field.trackers and number is not None and number not in field.trackers:
                hint = "an administrator can add it: Administration → Custom fields"
                yield f"custom_fields.{name}", f'tracker "{tracker}" does not have this custom field', hint

    def _shut_version(self, row: Row | None, wanted: Any, context: Context) -> Iterable[tuple[str, str, str]]:
        """A version that takes no issues, and that the manifests do not declare: nothing would open it."""
        if wanted is None or (row is not None and self.live(row, "fixed_version", context) == wanted):
            return
        address = VERSION.address(wanted, context)
        status = (context.names.row(address) or {}).get("status", "open")
        if status != "open" and address.key not in context.names.planned.get("version", {}):
            yield "fixed_version", f"{address} is {status} and takes no issues", "declare it, so that it can be opened"

    def destroys(
        self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context
    ) -> Iterable[str]:
        if not values:
            return [f"deletes {row['spent_hours']:g} logged hours as well"] if row.get("spent_hours") else []
        lost = sorted(self._lost(row, values, context)) if "tracker" in changed else []
        said = [f'tracker "{values["tracker"]}" destroys {", ".join(lost)}'] if lost else []
        # Redmine clears them whenever the issue is saved (5.0 to 6.1).
        tracker = context.names.rows.get("tracker", {}).get(row["tracker"]["id"], {})
        idle = [] if lost else [n for n in disabled(self, tracker) if row.get(self.fields[n].read or n)]
        said += [f'Redmine clears {", ".join(idle)}, which its tracker has disabled'] if idle else []
        # Unless a setting allows relations between projects.
        moved = "project" in changed and row.get("relations")
        return [*said, *(["its relations may be deleted with the move"] if moved else [])]

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

    def takes_along(self, address: Address, row: Row, names: Names) -> list[str]:
        # A subtask that is declared with another parent has left before.
        found, fresh = dict[int, Row](), [row]
        while fresh := [c for one in fresh for c in parent_fields.staying(one, names) if c["id"] not in found]:
            found |= {c["id"]: c for c in fresh}
        return [names.keys[self.name][number] for number in sorted(found)]

    def check(self, found: Object, settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = found.spec
        assert isinstance(spec, IssueSpec)
        if not (spec.subject or spec.id or (spec.key and settings.get("issue_key_field"))):
            yield "", "subject is missing"
        if spec.start_date and spec.due_date and spec.due_date < spec.start_date:
            yield "due_date", f"due_date {spec.due_date} is before start_date {spec.start_date}"

    def key_of(self, row: Row, context: Context) -> str | None:
        project = context.key("project", row["project"]["id"])
        if project is None:
            return None
        field = key_field(context.names)
        return f"{project}/{(value_of(row, field) if field else '') or '#' + str(row['id'])}"

    def match(self, rows: Sequence[Row], context: Context, objects: Sequence[Object]) -> Matches:
        """By `id`, else by the key field, else by project and subject (and tracker)."""
        keys = {row["id"]: key for row in rows if (key := self.key_of(row, context)) is not None}
        found = Matching(keys, rows, context)
        found.settle(objects)
        return found.result()

    def identifies(self, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
        if stored_key(values, context.names):
            return self.key_of(row, context) == address.key
        tracker = values.get("tracker")
        return (
            row["subject"] == values.get("subject")
            and context.key("project", row["project"]["id"]) == address.project
            and (tracker is None or row["tracker"]["name"] == tracker)
        )

    # -- read --------------------------------------------------------------------------------------------------

    def crossing(self, number: Id, name: str) -> Listing | None:
        if name != "status":
            return None
        return Listing(f"/issues/{number}", "issue", (("include", "allowed_statuses,relations"),), single=True)

    def next_move(self, wanted: Any, row: Row, visited: frozenset[Any], context: Context) -> Any:
        """The wanted status if it is allowed now, else the nearest one (open ones first) that was not tried."""
        allowed = [s["name"] for s in row.get("allowed_statuses", ())]
        if wanted in allowed:
            return wanted
        order = list(context.names.ids.get("issue_status", {}))
        goal = order.index(wanted)
        fresh = [s for s in allowed if s not in visited and s in order]
        return min(fresh, key=lambda s: (closes(s, context), abs(order.index(s) - goal)), default=None)

    def dead_end(self, row: Row) -> str:
        allowed = ", ".join(s["name"] for s in row.get("allowed_statuses", ()) if s["id"] != row["status"]["id"])
        said = f'from "{row["status"]["name"]}" Redmine allows {allowed or "no other status"}'
        blockers = ", ".join(f"#{number}" for number in relations.blockers(row))
        return f"{said}; it is blocked by {blockers}" if blockers else said

    def marks(self, address: Address, row: Row | None, context: Context) -> Mapping[str, tuple[Any, Any]]:
        # Where no key is declared, the subject only names the issue in the manifests.
        spec = context.names.planned.get(self.name, {}).get(address.key)
        field = key_field(context.names) if spec is None or spec.key else None
        key = address.key.partition("/")[2]
        before = value_of(row, field) if row and field else ""
        marks = {} if field is None or before == key else {f"custom_fields.{field.name}": (before or None, key)}
        home = row and self.live(row, "project", context)
        return {**({"project": (home, address.project)} if home not in (None, address.project) else {}), **marks}

    def leans_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        home = row and context.key("project", row["project"]["id"])
        if home not in (None, address.project):
            yield "", Address("project", str(home))
        # An issue cannot start before those that precede it end; theirs are changed first.
        if row is not None and {"start_date", "due_date"} & set(changed):
            yield from (("follows", other) for other in relations.predecessors(values, row, context))
        # Redmine reopens no issue whose version or parent is closed (5.0 to 6.1).
        if row is None or "status" not in changed or closes(values.get("status"), context):
            return
        for field in ("fixed_version", "parent"):
            name = values[field] if field in values else self.live(row, field, context)
            codec = self.fields[field].codec
            if isinstance(codec, Ref) and isinstance(name, str | dict) and not str(name).startswith("#"):
                yield field, codec.address(name, context)

    def disturbs(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Collection[str], context: Context
    ) -> Iterable[Address]:
        """Parents and related issues: their journals make whoever writes a watcher; dates and closings spread."""
        keys = context.names.keys.get(self.name, {})
        live = keys.get((row or {}).get("parent", {}).get("id", 0))
        if not values or row is None or "parent" in changed:
            parent = values.get("parent")
            yield from (PARENT.address(parent, context),) if parent else ()
            yield from (Address(self.name, live),) if live else ()
        if not values or {"relations", "status", "start_date", "due_date"} & set(changed):
            yield from relations.others(values, row, context)

    def holds_up(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        if row is None or "status" in changed:
            return [(BLOCKS, other) for other in relations.blocked(values, row, context)]
        return ()

    # -- write -------------------------------------------------------------------------------------------------

    def later(self, values: Mapping[str, Any], context: Context) -> frozenset[str]:
        # Redmine drops the watchers of an author who may not add any (5.0 to 6.1); later it takes none who may not see
        # the issue (5.1 to 6.1).
        author = context.names.row(Address("user", str(values.get("author")))) or {}
        alone = {"watchers"} if values.get("author") and not author.get("admin") else set()
        return super().later(values, context) | alone

    def create(self, address: Address, values: Mapping[str, Any], context: Context) -> Request:
        return replace(super().create(address, values, context), login=values.get("author") or "")

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        for name, value in values.items():
            if value == "none":
                raise Unresolved(f'Redmine clears {name} when it is sent the text "none"', "write it differently")
        row = context.names.row(address) or {}
        own = {name: value for name, value in values.items() if name not in APART}
        related, later = values.get("relations") or {}, dict[str, Any]()
        if "parent" in own and (row.get("status") or {}).get("is_closed") and not closes(own.get("status"), context):
            # Redmine does not reopen an issue while its parent is closed: it leaves that first.
            later = {n: own.pop(n) for n in ("status",) if n in own}
        return [
            # A relation that goes may be what forbids other dates.
            *relations.deletions(related, row, number, context),
            *super().update(address, number, own, context),
            *super().update(address, number, later, context),
            *relations.creations(related, number, context),
            *notes.requests(values.get("notes") or (), row, number, context),
            # Whoever writes to an issue may become its watcher (5.0 to 6.1).
            *(self._watching(values["watchers"], row, number, context) if "watchers" in values else ()),
        ]

    def _watching(self, wanted: Sequence[Any], row: Row, number: Id, context: Context) -> Iterator[Request]:
        codec = self.fields["watchers"].codec
        new, held = set(codec.encode(wanted, context)), {w["id"] for w in row.get("watchers", ())}
        if new - held:
            body = {"watcher": {"user_ids": sorted(new - held)}}
            yield Request("POST", f"/issues/{number}/watchers", body, once=True)
        for user in sorted(held - new):
            yield Request("DELETE", f"/issues/{number}/watchers/{user}")

    def decided(self, row: Row, name: str, context: Context) -> str:
        return parent_fields.decided(row, name, context)

    def explain(self, name: str, wanted: Any, row: Row, context: Context) -> str:
        field, _, custom = name.partition(".")
        tracker, rows = row["tracker"], context.names.rows
        if field == "custom_fields":
            found = context.names.custom_fields.get("issue", {}).get(custom)
            off = found is not None and found.trackers and tracker["id"] not in found.trackers
            return f'tracker "{tracker["name"]}" does not have the custom field' if off else ""
        children = parent_fields.children(row, context.names)
        if field in parent_fields.DERIVED and children:
            return f"Redmine may derive it from the subtasks ({parent_fields.SETTINGS})"
        if field == "author":
            return "the user may not add issues to the project, or is locked"
        if field == "watchers":
            people = ((user, context.names.row(Address("user", str(user))) or {}) for user in wanted)
            # Before 6.0 only the list that a user is in tells the status.
            locked = [user for user, found in people if LOCKED in (found.get("status"), found.get("listed"))]
            lacking = [user for user in wanted if user not in self.live(row, name, context)]
            return f"locked users cannot watch: {', '.join(locked)}" if locked and lacking == locked else ""
        if field == "status" and closes(wanted, context):
            numbers = [f"#{r['id']}" for r in children if not closes(r["status"]["name"], context)]
            return f"subtasks are open: {', '.join(numbers)}" if numbers else _blocked(row, context)
        parent = rows.get("issue", {}).get((row.get("parent") or {}).get("id", 0))
        if field == "status" and parent and closes(parent["status"]["name"], context):
            return f"the parent #{parent['id']} is closed"
        enabled = rows.get("tracker", {}).get(tracker["id"], {}).get("enabled_standard_fields", ())
        off = field in CORE and self.fields[field].write not in enabled
        return f'tracker "{tracker["name"]}" has this field disabled' if off else ""


def _blocked(row: Row, context: Context) -> str:
    known = context.names.rows.get("issue", {})
    found = [n for n in relations.blockers(row) if n in known and not closes(known[n]["status"]["name"], context)]
    return f"it is blocked by {', '.join(f'#{n}' for n in found)}" if found else ""


LOCKED = 3
"""A user's status number."""
APART = frozenset({"watchers", "relations", "notes", "author"})
"""What travels by requests of its own."""
