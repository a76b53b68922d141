"""The spec of issues."""

from typing import Annotated, Any

from pydantic import Field, PositiveInt, StringConstraints

from reconciler.kinds._permissions import lacks
from reconciler.kinds._server_settings import setting
from reconciler.kinds.issues.notes import Note, Notes
from reconciler.kinds.issues.relations import Relation, Relations
from reconciler.model.address import Address, Unresolved
from reconciler.model.attachments import Attached, Attachments
from reconciler.model.codecs import Number, Ref, RefSet, Text
from reconciler.model.custom_fields import CustomFields
from reconciler.model.name_index import Context
from reconciler.model.spec import (
    LOCAL,
    REFUSE,
    Api,
    Date,
    Deferred,
    IssueName,
    Name,
    Principal,
    ProjectItem,
    VersionName,
)

PARENT = Ref(("issue",), word="key")
VERSION = Ref(("version",))
WATCHERS = RefSet(Ref(("user", "group")))


def closed_parent(value: Any, context: Context) -> bool:
    """Whether the parent, by name, is closed and stays so: only closed issues can be put below it (5.0 to 6.1)."""
    if value is None:
        return False
    address = PARENT.address(value, context)
    row, spec = context.names.row(address), context.names.spec(address)
    # A declared status that is open reopens the parent in the same run.
    stays = spec is None or spec.status is None or closes(spec.status, context)
    return stays and bool(row and row["status"].get("is_closed"))


def closes(value: Any, context: Context) -> bool:
    """Whether a status, by name, is a closed one."""
    row = context.names.row(Address("issue_status", str(value)))
    return bool(row and row.get("is_closed"))


class Author(Ref):
    """Who creates the issue."""

    def written(self, value: Any, context: Context) -> Any:
        if isinstance(value, str) and lacks(value, "add_issues", context):
            raise Unresolved(f"{value} may no longer add issues to the project")
        return super().written(value, context)


BLOCKS = "blocks"
"""The label of issues that must be closed before another one can be."""


def trackers_of(context: Context) -> list[str] | None:
    """The trackers that a project will have: as declared, else as live; None if that is not known."""
    known: dict[str, list[str] | None] = context.names.memo.setdefault("trackers of", {})
    if context.project not in known:
        known[context.project] = _trackers(context)
    return known[context.project]


def _trackers(context: Context) -> list[str] | None:
    spec = context.names.spec(context.container)
    if spec is not None and spec.trackers is not None:
        return list(spec.trackers)
    row = context.names.row(context.container)
    if row is None:
        return setting("default_projects_tracker_ids", context.names) or None
    return [t["name"] for t in row["trackers"]] if row.get("trackers") else None


def why_shut(version: Any, context: Context) -> str:
    """Why a version, by name, takes no issues, unless the manifests declare it: or ""."""
    known: dict[Any, str] = context.names.memo.setdefault(("shut versions", context.project), {})
    # A version of another project is a mapping, which cannot be a key.
    name = version if isinstance(version, str) else tuple(sorted(version.items()))
    if name not in known:
        address = VERSION.address(version, context)
        status = (context.names.row(address) or {}).get("status", "open")
        shut = status != "open" and address.key not in context.names.declared("version")
        known[name] = f"{address} is {status} and accepts no issues" if shut else ""
    return known[name]


class IssueSpec(ProjectItem):
    """An issue."""

    project: Annotated[
        Name,
        Field(
            description="Identifier of the project; implied by nesting. Another one moves the issue.",
            examples=["web-shop"],
        ),
        # The one kind that can be moved by a PUT; a version's project is fixed (204, ignored; test_trap_05).
        Api(codec=Ref(("project",)), write="project_id", clear=REFUSE),
    ]

    key: Annotated[
        Name | None,
        Field(
            description="Name of the issue in manifests; stored in `issue_key_field`. Default: the subject.",
            examples=["login"],
        ),
        LOCAL,
    ] = None
    id: Annotated[
        PositiveInt | None,
        Field(description="The id of the issue, if key and subject are ambiguous.", examples=[123]),
        LOCAL,
    ] = None
    tracker: Annotated[
        Name | None,
        Field(description="Name of the tracker. Default: the first one of the project.", examples=["Bug"]),
        # null is 204 and ignored, here and for the status (5.0 to 6.1; test_trap_02).
        Api(codec=Ref(("tracker",)), write="tracker_id", clear=REFUSE),
    ] = None
    subject: Annotated[
        Name | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["Login fails"]),
        Api(clear=REFUSE),
    ] = None
    description: Annotated[
        str | None,
        Field(description="Text; line ends are not compared.", examples=["It happens with every browser.\n"]),
        Api(codec=Text(), main_text=True),
    ] = None
    status: Annotated[
        Name | None,
        Field(
            description="Name of the status; an issue is closed after its subtasks. Default: the tracker's.",
            examples=["In Progress"],
        ),
        Api(
            codec=Ref(("issue_status",)),
            write="status_id",
            clear=REFUSE,
            # Closing above an open subtask or behind an open blocker is 204 and ignored (5.0 to 6.1; test_trap_04).
            deferred=Deferred("referrers", when=closes, via=frozenset({"parent", BLOCKS})),
        ),
    ] = None
    priority: Annotated[
        Name | None,
        Field(
            description="Name of the priority. Default: the server's. Redmine computes it for issues with subtasks.",
            examples=["High"],
        ),
        # null is a 422: each issue has a priority.
        Api(codec=Ref(("issue_priority",)), write="priority_id", clear=REFUSE),
    ] = None
    category: Annotated[
        Name | None,
        Field(description="Name of a category of the project.", examples=["Backend"]),
        # The category's assignee becomes that of a new issue, even if the POST says none (test_trap_36).
        Api(codec=Ref(("issue_category",)), write="category_id", clear=""),
    ] = None
    fixed_version: Annotated[
        VersionName | None,
        Field(description="Target version: a name, or {project:, name:}.", examples=["1.0"]),
        Api(codec=VERSION, write="fixed_version_id", clear="", label="Target version"),
    ] = None
    assigned_to: Annotated[
        Principal | None,
        Field(
            description="A member of the project: login, name of a group, or {user:} / {group:}.", examples=["jsmith"]
        ),
        # null is ignored by a PUT (2.6 to 7.0); only "" clears.
        Api(codec=Ref(("user", "group")), write="assigned_to_id", clear="", label="Assignee"),
    ] = None
    parent: Annotated[
        IssueName | None,
        Field(description="Key of the parent issue, or {project:, key:}.", examples=["accounts"]),
        Api(
            codec=PARENT,
            # Not `parent_id`, which is 204 and ignored (5.0 to 6.1; test_trap_05).
            write="parent_issue_id",
            clear="",
            # An open issue below a closed one is a 422 (5.0 to 6.1): it is closed by the same run first.
            deferred=Deferred("itself", when=closed_parent),
            label="Parent task",
        ),
    ] = None
    start_date: Annotated[
        Date | None,
        Field(
            description="YYYY-MM-DD. Default: today; none from Redmine 7.0. Redmine computes it for issues with "
            "subtasks.",
            examples=["2026-11-02"],
        ),
        # Left out on create it becomes today, by a setting that is on by default (5.0 to 6.1); "" keeps it empty.
        Api(clear="", date=True),
    ] = None
    due_date: Annotated[
        Date | None,
        Field(description="YYYY-MM-DD. Redmine computes it for issues with subtasks.", examples=["2026-11-30"]),
        Api(clear="", date=True),
    ] = None
    estimated_hours: Annotated[
        float | None,
        Field(description="Hours.", ge=0, examples=[1.5]),
        Api(codec=Number(), clear="", label="Estimated time"),
    ] = None
    done_ratio: Annotated[
        int | None,
        Field(
            description="Percent, 0 to 100; null is 0. Redmine computes it for issues with subtasks.",
            ge=0,
            le=100,
            examples=[40],
        ),
        # Redmine makes 0 of null, so null and 0 are equal.
        Api(codec=Number(empty=0), clear=0, label="% Done"),
    ] = None
    # null and "" are a 500, and any text counts as true (seen on 5.0): booleans only.
    is_private: Annotated[
        bool | None,
        Field(description="Default: false; from Redmine 7.0, what the tracker says.", examples=[True]),
        Api(clear=REFUSE, label="Private"),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name.", examples=[{"Customer": "ACME", "Affected version": ["0.9"]}]),
        Api(codec=CustomFields("issue"), clear=REFUSE),
    ] = None
    watchers: Annotated[
        list[Principal] | None,
        Field(
            description="All watchers: logins, names of groups, or {user:} / {group:}.",
            examples=[["amy", {"group": "Support"}]],
        ),
        Api(
            codec=WATCHERS,
            # Taken by a POST only: a PUT is 204 and ignored (seen on 5.0), see `Issues._watching`.
            write="watcher_user_ids",
            include="watchers",
            detail=True,
            clear=[],
            label="Watcher",
        ),
    ] = None
    relations: Annotated[
        list[Relation] | None,
        Field(
            description="All relations, such as {blocks: KEY}; one that only the other issue declares is that issue's.",
            examples=[[{"blocks": "release"}, {"follows": "design", "delay": 2}]],
        ),
        Api(
            codec=Relations(),
            # A relation is an object of its own, with requests of its own.
            write=None,
            include="relations",
            update_only=True,
            clear={},
            # Redmine refuses a new subtask that starts before its parent, which a relation can have moved (5.0 to 6.1).
            deferred=Deferred("references", behind=("issue",)),
            label="Related issue",
        ),
    ] = None
    attachments: Annotated[
        list[Attached] | None,
        Field(
            description="Files: {file: PATH, filename: …, description: …}, or {filename: …, state: absent}. "
            "Others are kept.",
            examples=[[{"file": "login.png", "description": "What users see"}]],
        ),
        # No `detail`: unlike watchers and journals, attachments are in lists too, if asked for (5.0 to 6.1).
        Api(codec=Attachments(), write="uploads", read="attachments", include="attachments", clear=REFUSE),
    ] = None
    notes: Annotated[
        list[Note] | None,
        Field(
            description="Notes: strings, or {text:, author:, private: true}. `changed_from` is the earlier text "
            "of a note that is changed; {text:, state: absent} deletes one. Others are kept.",
            examples=[["It happens with every browser.", {"text": "Not with mine.", "author": "amy"}]],
        ),
        Api(
            codec=Notes(),
            write=None,
            read="journals",
            include="journals",
            detail=True,
            update_only=True,
            clear=REFUSE,
        ),
    ] = None
    author: Annotated[
        Name | None,
        Field(description="Login of the author; needs an administrator's API key. Never changed.", examples=["amy"]),
        # `author_id` is 204 and ignored (test_trap_05): the POST is sent as this user, see `Issues.create`.
        Api(codec=Author(("user",)), write=None, create_only=True, clear=REFUSE),
    ] = None
