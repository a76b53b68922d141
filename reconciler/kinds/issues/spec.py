"""The spec of issues."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PositiveInt, StringConstraints

from reconciler.kinds._permissions import lacks
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
            raise Unresolved(f"{value} may add no issues to the project any more")
        return super().written(value, context)


BLOCKS = "blocks"
"""The label of issues that must be closed before another one can be."""


def trackers_of(context: Context) -> list[str] | None:
    """The trackers that a project will have: as declared, else as live; None if that is not known."""
    spec = context.names.spec(context.container)
    if spec is not None and spec.trackers is not None:
        return list(spec.trackers)
    row = context.names.row(context.container) or {}
    return [t["name"] for t in row["trackers"]] if row.get("trackers") else None


class IssueSpec(ProjectItem):
    """An issue."""

    project: Annotated[
        Name,
        Field(description="Identifier of the project (given by nesting, or here); another one moves the issue."),
        Api(codec=Ref(("project",)), write="project_id", clear=REFUSE),
    ]

    key: Annotated[
        Name | None,
        Field(description="Names the issue in the manifests; stored in `issue_key_field`. Default: the subject."),
        LOCAL,
    ] = None
    id: Annotated[
        PositiveInt | None,
        Field(description="The issue's number, where key and subject cannot tell which one it is."),
        LOCAL,
    ] = None
    tracker: Annotated[
        Name | None,
        Field(description="Name of the tracker. Default: the project's first."),
        Api(codec=Ref(("tracker",)), write="tracker_id", clear=REFUSE),
    ] = None
    subject: Annotated[
        Name | None, StringConstraints(max_length=255), Field(description="At most 255 characters."), Api(clear=REFUSE)
    ] = None
    description: Annotated[
        str | None, Field(description="Text; line ends are not compared."), Api(codec=Text(), main_text=True)
    ] = None
    status: Annotated[
        Name | None,
        Field(description="Name of the status; a closed one comes after the subtasks. Default: the tracker's."),
        Api(
            codec=Ref(("issue_status",)),
            write="status_id",
            clear=REFUSE,
            deferred=Deferred("referrers", when=closes, via=frozenset({"parent", BLOCKS})),
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
        Api(codec=VERSION, write="fixed_version_id", clear="", label="Target version"),
    ] = None
    assigned_to: Annotated[
        Principal | None,
        Field(description="A member of the project: login, name of a group, or {user:} / {group:}."),
        # null is ignored by a PUT (2.6 to 7.0); only "" clears.
        Api(codec=Ref(("user", "group")), write="assigned_to_id", clear="", label="Assignee"),
    ] = None
    parent: Annotated[
        IssueName | None,
        Field(description="Key of the parent issue, or {project:, key:}."),
        Api(
            codec=PARENT,
            write="parent_issue_id",
            clear="",
            deferred=Deferred("itself", when=closed_parent),
            label="Parent task",
        ),
    ] = None
    start_date: Annotated[
        Date | None,
        Field(description="YYYY-MM-DD. Default: today (none from Redmine 7.0). Derived for issues with subtasks."),
        Api(clear="", date=True),
    ] = None
    due_date: Annotated[
        Date | None, Field(description="YYYY-MM-DD. Derived for issues with subtasks."), Api(clear="", date=True)
    ] = None
    estimated_hours: Annotated[
        float | None, Field(description="Hours.", ge=0), Api(codec=Number(), clear="", label="Estimated time")
    ] = None
    done_ratio: Annotated[
        int | None,
        Field(description="Percent, 0 to 100; null is 0. Derived for issues with subtasks.", ge=0, le=100),
        Api(codec=Number(empty=0), clear=0, label="% Done"),
    ] = None
    is_private: Annotated[
        bool | None,
        Field(description="Default: false; from Redmine 7.0, what the tracker says."),
        Api(clear=REFUSE, label="Private"),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name."),
        Api(codec=CustomFields("issue"), clear=REFUSE),
    ] = None
    watchers: Annotated[
        list[Principal] | None,
        Field(description="All watchers: logins, names of groups, or {user:} / {group:}."),
        Api(
            codec=WATCHERS,
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
            description="All relations, {blocks: KEY} and so on; those that another issue declares are that issue's."
        ),
        Api(
            codec=Relations(),
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
            "Others are left alone."
        ),
        Api(codec=Attachments(), write="uploads", read="attachments", include="attachments", clear=REFUSE),
    ] = None
    notes: Annotated[
        list[Note] | None,
        Field(description="Notes that it has: texts, or {text:, author:, private: true}. Others are left alone."),
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
        Field(description="Login of the user who creates the issue; for administrators only. Never changed."),
        Api(codec=Author(("user",)), write=None, create_only=True, clear=REFUSE),
    ] = None
