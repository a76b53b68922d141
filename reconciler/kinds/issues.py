"""Issues: `GET /issues`, `POST /projects/:p/issues`, `PUT/DELETE /issues/:id`.

Redmine gives an issue no natural key: it is the value of the custom field `issue_key_field`, else project + subject
(+ tracker). Lists show open issues of a project and its subprojects unless told otherwise; a filter that the server
does not know is ignored, so every row is checked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, PositiveInt, StringConstraints

from reconciler.codecs import Number, Ref, Text
from reconciler.customfields import CustomFields
from reconciler.kind import Kind, Listing, Matches, Need, Object, Request
from reconciler.kinds._matching import Matching, key_field, value_of
from reconciler.names import Address, Context, Names, Row, Unresolved
from reconciler.spec import REFUSE, Api, Date, Deferred, Id, IssueName, Name, Principal, ProjectItem, Spec, VersionName

PARENT = Ref(("issue",), word="key")
VERSION = Ref(("version",))
CHUNK = 100
"""Ids in one request: Redmine 5.0 to 7.0 keep the filter in a 4 KB cookie and answer 500 when it is too long."""

DERIVED = frozenset({"priority", "start_date", "due_date", "done_ratio"})
"""What Redmine computes for an issue with subtasks, unless its settings say otherwise."""


def trackers_of(context: Context) -> list[str] | None:
    """The trackers that a project will have: as declared, else as live; None if that is not known."""
    spec = context.names.planned.get("project", {}).get(context.project)
    if spec is not None and spec.trackers is not None:
        return list(spec.trackers)
    row = context.names.row(Address("project", context.project)) or {}
    return [t["name"] for t in row["trackers"]] if row.get("trackers") else None


def closed_parent(value: Any, context: Context) -> bool:
    """Whether the parent, by name, is closed and stays so: only what is closed itself can be put below it."""
    if value is None:
        return False
    address = PARENT.address(value, context)
    row, spec = context.names.row(address), context.names.planned.get("issue", {}).get(address.key)
    stays = spec is None or spec.status is None or closes(spec.status, context)
    return stays and bool(row and row["status"].get("is_closed"))


def closes(value: Any, context: Context) -> bool:
    """Whether a status, by name, is a closed one."""
    row = context.names.row(Address("issue_status", str(value)))
    return bool(row and row.get("is_closed"))


class IssueSpec(ProjectItem):
    """An issue."""

    key: Annotated[
        Name | None,
        Field(description="Names the issue in the manifests; stored in `issue_key_field`. Default: the subject."),
    ] = None
    id: Annotated[
        PositiveInt | None, Field(description="The issue's number, where key and subject cannot tell which one it is.")
    ] = None
    tracker: Annotated[
        Name | None,
        Field(description="Name of the tracker. Default: the project's first."),
        Api(codec=Ref(("tracker",)), write="tracker_id", clear=REFUSE),
    ] = None
    subject: Annotated[
        Name | None, StringConstraints(max_length=255), Field(description="At most 255 characters."), Api(clear=REFUSE)
    ] = None
    description: Annotated[str | None, Field(description="Text; line ends are not compared."), Api(codec=Text())] = None
    status: Annotated[
        Name | None,
        Field(description="Name of the status; a closed one comes after the subtasks. Default: the tracker's."),
        Api(
            codec=Ref(("issue_status",)),
            write="status_id",
            clear=REFUSE,
            deferred=Deferred("referrers", when=closes, via=frozenset({"parent"})),
        ),
    ] = None
    priority: Annotated[
        Name | None,
        Field(description="Name of the priority. Default: a setting. Derived for issues with subtasks."),
        Api(codec=Ref(("issue_priority",)), write="priority_id", clear=REFUSE),
    ] = None
    category: Annotated[
        Name | None,
        Field(description="Name of a category of the project."),
        Api(codec=Ref(("issue_category",)), write="category_id", clear=""),
    ] = None
    fixed_version: Annotated[
        VersionName | None,
        Field(description="Target version: a name, or {project:, name:}."),
        Api(codec=VERSION, write="fixed_version_id", clear=""),
    ] = None
    assigned_to: Annotated[
        Principal | None,
        Field(description="A member of the project: login, name of a group, or {user:} / {group:}."),
        # null is ignored by a PUT (2.6 to 7.0); only "" clears.
        Api(codec=Ref(("user", "group")), write="assigned_to_id", clear=""),
    ] = None
    parent: Annotated[
        IssueName | None,
        Field(description="Key of the parent issue, or {project:, key:}."),
        Api(codec=PARENT, write="parent_issue_id", clear="", deferred=Deferred("itself", when=closed_parent)),
    ] = None
    start_date: Annotated[
        Date | None, Field(description="YYYY-MM-DD. Default: today. Derived for issues with subtasks."), Api(clear="")
    ] = None
    due_date: Annotated[
        Date | None, Field(description="YYYY-MM-DD. Derived for issues with subtasks."), Api(clear="")
    ] = None
    estimated_hours: Annotated[
        float | None, Field(description="Hours.", ge=0), Api(codec=Number(), clear="")
    ] = None
    done_ratio: Annotated[
        int | None,
        Field(description="Percent, 0 to 100; null is 0. Derived for issues with subtasks.", ge=0, le=100),
        Api(codec=Number(empty=0), clear=0),
    ] = None
    is_private: Annotated[bool | None, Field(description="Default: false."), Api(clear=REFUSE)] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name."),
        Api(codec=CustomFields("issue"), clear=REFUSE),
    ] = None


class Issues(Kind):
    """The only kind whose lists can be long; a POST that is sent twice makes two."""

    name = "issue"
    plural = "issues"
    spec = IssueSpec
    inside = True
    module = "issue_tracking"
    identity = ("key",)
    steering = frozenset({"key", "id"})
    required = ("subject",)
    unique = False
    follows = ("membership",)
    rank = 70

    # -- identity ----------------------------------------------------------------------------------------------

    def key(self, spec: Spec, project: str) -> str:
        assert isinstance(spec, IssueSpec)
        name = spec.key or spec.subject or (f"#{spec.id}" if spec.id else "")
        return f"{project}/{name}"

    def only_declared(self, settings: Mapping[str, Any]) -> bool:
        return not settings.get("issue_key_field")

    def lookups(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        return ("custom_field",) if settings.get("issue_key_field") else ()

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

    def takes_along(self, address: Address, row: Row, names: Names) -> list[str]:
        keys, rows = names.keys.get(self.name, {}), names.rows.get(self.name, {})
        below = {row["id"]}
        while more := {i for i, r in rows.items() if (r.get("parent") or {}).get("id") in below} - below:
            below |= more
        return [keys[i] for i in sorted(below - {row["id"]})]

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
        for wanted in objects:
            found.settle(wanted)
        return found.result()

    def identifies(self, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
        if key_field(context.names):
            return self.key_of(row, context) == address.key
        tracker = values.get("tracker")
        return (
            row["subject"] == values.get("subject")
            and context.key("project", row["project"]["id"]) == address.project
            and (tracker is None or row["tracker"]["name"] == tracker)
        )

    # -- read --------------------------------------------------------------------------------------------------

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        include = self.includes(need.fields.get(self.name, ()))
        known = names.ids.get("project", {})
        # An archived project has no number that could be learnt, and shows nothing.
        projects = sorted(n for p in need.projects(self.name) if isinstance(n := known.get(p), int))
        chunks = [projects[i : i + CHUNK] for i in range(0, len(projects), CHUNK)]
        field = key_field(names)
        by_id = list(self._by_id(need.ids.get(self.name, frozenset()), include))
        if len(by_id) > 0 and len(need.ids[self.name]) >= len(need.keys[self.name]):
            yield by_id
            return
        if field is None or not field.filterable:
            yield [self._all(chunk, (), include) for chunk in chunks] + by_id
            return
        keyed, others = (criterion(f"cf_{field.id}", operator) for operator in ("*", "!*"))
        yield [self._all(chunk, keyed, include) for chunk in chunks] + by_id
        # Keys that no issue has: it may be there without one, and is then known by its subject.
        yield [self._all(chunk, others, include) for chunk in chunks]

    def _all(self, projects: list[int], filters: Params, include: Params) -> Listing:
        # As a filter (`f[]`), project_id means just these projects; as a parameter it takes in their subprojects.
        return Listing("/issues", "issues", (*criterion("project_id", "=", *projects), *filters, *EVERY, *include))

    def again(self, ids: frozenset[Id], need: Need, names: Names) -> Iterable[list[Listing]]:
        yield list(self._by_id(ids, self.includes(need.fields.get(self.name, ()))))

    def _by_id(self, ids: frozenset[Id], include: tuple[tuple[str, str], ...]) -> Iterable[Listing]:
        numbers = sorted(map(int, ids))
        for i in range(0, len(numbers), CHUNK):
            chosen = ",".join(map(str, numbers[i : i + CHUNK]))
            yield Listing("/issues", "issues", (("issue_id", chosen), ("status_id", "*"), ("sort", "id"), *include))

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        project = names.ids.get("project", {}).get(address.project)
        field = key_field(names)
        if project is None or (field is None and "subject" not in values):
            return []
        exact = (
            criterion(f"cf_{field.id}", "=", address.key.partition("/")[2])
            if field
            else criterion("subject", "=", values["subject"])
        )
        return [Listing("/issues", "issues", (*criterion("project_id", "=", project), *exact, *EVERY))]

    def crossing(self, number: Id, name: str) -> Listing | None:
        if name != "status":
            return None
        return Listing(f"/issues/{number}", "issue", (("include", "allowed_statuses"),), paged=False, single=True)

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
        return f'from "{row["status"]["name"]}" Redmine allows {allowed or "no other status"}'

    def marks(self, address: Address, row: Row | None, context: Context) -> Mapping[str, tuple[Any, Any]]:
        field, key = key_field(context.names), address.key.partition("/")[2]
        before = value_of(row, field) if row and field else ""
        return {} if field is None or before == key else {f"custom_fields.{field.name}": (before or None, key)}

    def leans_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        # Redmine reopens no issue whose version or parent is closed (5.0 to 6.1).
        if row is None or "status" not in changed or closes(values.get("status"), context):
            return
        for field in ("fixed_version", "parent"):
            name = values[field] if field in values else self.live(row, field, context)
            codec = self.fields[field].codec
            if isinstance(codec, Ref) and isinstance(name, str | dict) and not str(name).startswith("#"):
                yield field, codec.address(name, context)

    # -- write -------------------------------------------------------------------------------------------------

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        for name, value in values.items():
            if value == "none":
                raise Unresolved(f'Redmine clears {name} when it is sent the text "none"', "write it differently")
        return super().update(address, number, values, context)

    def explain(self, name: str, wanted: Any, row: Row, context: Context) -> str:
        field, _, custom = name.partition(".")
        tracker, rows = row["tracker"], context.names.rows
        if custom:
            found = context.names.custom_fields.get("issue", {}).get(custom)
            off = found is not None and found.trackers and tracker["id"] not in found.trackers
            return f'tracker "{tracker["name"]}" does not have the custom field' if off else ""
        children = [r for r in rows.get("issue", {}).values() if (r.get("parent") or {}).get("id") == row["id"]]
        if field in DERIVED and children:
            return "Redmine derives it from the subtasks (Administration → Settings → Issue tracking)"
        if field == "status" and closes(wanted, context):
            numbers = [f"#{r['id']}" for r in children if not closes(r["status"]["name"], context)]
            return f"subtasks are open: {', '.join(numbers)}" if numbers else ""
        parent = rows.get("issue", {}).get((row.get("parent") or {}).get("id", 0))
        if field == "status" and parent and closes(parent["status"]["name"], context):
            return f"the parent #{parent['id']} is closed"
        enabled = rows.get("tracker", {}).get(tracker["id"], {}).get("enabled_standard_fields", ())
        off = self.fields[field].write not in (*enabled, *NEVER_DISABLED)
        return f'tracker "{tracker["name"]}" has this field disabled' if off else ""


Params = tuple[tuple[str, str], ...]
NEVER_DISABLED = ("tracker_id", "status_id", "subject", "priority_id", "is_private", "parent_issue_id")
EVERY = (("f[]", "status_id"), ("op[status_id]", "*"), ("sort", "id"))
"""Closed issues too, in an order in which a list does not move when an issue is added."""


def criterion(name: str, operator: str, *values: Any) -> tuple[tuple[str, str], ...]:
    """One filter of a query, in the form that takes several values."""
    return (("f[]", name), (f"op[{name}]", operator), *((f"v[{name}][]", str(v)) for v in values))


KINDS = (Issues(),)
