"""The spec of projects."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from msgspec.structs import replace
from pydantic import Field, StringConstraints

from reconciler.model.address import Reference
from reconciler.model.codecs import Codec, Ref, RefSet, Text, ordered
from reconciler.model.codecs import Names as NameSet
from reconciler.model.custom_fields import CustomFields, definition_of, number_of
from reconciler.model.forms import NAMED, WHOLE, Each
from reconciler.model.name_index import Context
from reconciler.model.spec import LOCAL, REFUSE, Api, Deferred, Gate, Name, Principal, Spec, Strings, VersionName

STATUS = {1: "active", 5: "closed", 9: "archived", 10: "scheduled for deletion"}
LEAVING = "the server is still deleting it; its identifier cannot be used until then"
MODULES = (
    *("issue_tracking", "time_tracking", "news", "documents", "files"),
    *("wiki", "repository", "boards", "calendar", "gantt"),
)
DEFINED = CustomFields("issue")
HIDDEN = ("trackers", "issue_custom_fields")
"""Redmine shows none of them without the module issue_tracking, whatever there are (trackers: 5.0, both: 6.1)."""
INSIDE = Deferred("references", inside=("membership",))
"""For fields that name what is inside the project, which exists only after it. Users and groups have to be members
first."""
DEFAULT_VERSION = replace(INSIDE, behind=("issue",), fills="fixed_version")
DEFAULT_ASSIGNEE = replace(INSIDE, behind=("issue",), fills="assigned_to")


class ProjectStatus(Codec):
    """Read as a number; written through actions of its own."""

    form = WHOLE

    def decode(self, wire: Any, context: Context) -> Any:
        return STATUS.get(wire, wire)


class IssueFields(Codec):
    """A set of issue custom fields by name."""

    lookups = ("custom_field",)
    form = Each(of=NAMED)

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        return [found for name in value or () for found in definition_of("issue", name, context)]

    def canonical(self, value: Any, context: Context) -> Any:
        return ordered(DEFINED.find(name, context).name for name in value or ())

    def decode(self, wire: Any, context: Context) -> Any:
        return ordered(field["name"] for field in wire or ())

    def encode(self, value: Any, context: Context) -> Any:
        return [number_of(DEFINED.find(name, context)) for name in value]


class ProjectSpec(Spec):
    """A project. Its identity is the identifier, which Redmine never changes."""

    identifier: Annotated[
        Name,
        StringConstraints(pattern=r"^[a-z0-9_-]{1,100}$"),
        Field(
            description="Lower-case letters, digits, - and _; 1 to 100 characters, not only digits. Never changes.",
            examples=["web-shop"],
        ),
        Api(clear=REFUSE),
    ]
    name: Annotated[
        Name | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["Web shop"]),
        Api(clear=REFUSE),
    ] = None
    description: Annotated[
        str | None,
        Field(description="Text.", examples=["Everything that customers see."]),
        Api(codec=Text(), main_text=True),
    ] = None
    homepage: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(description="URL, at most 255 characters.", examples=["https://shop.example.net"]),
        # "" is what Redmine stores for a new project without one (5.0 to 6.1).
        Api(clear=""),
    ] = None
    is_public: Annotated[
        # null is a 500 for `is_public` and `inherit_members` (5.0 to 6.1; test_trap_39), so both are refused here.
        bool | None,
        Field(description="Default: the server's setting.", examples=[False]),
        Api(clear=REFUSE, label="Public"),
    ] = None
    parent: Annotated[
        Name | None,
        Field(description="Identifier of the parent project.", examples=["products"]),
        # The id, never the identifier: `parent_id: shop` is a 500 (5.0 to 6.1; test_trap_39).
        Api(codec=Ref(("project",)), write="parent_id", clear="", label="Subproject of"),
    ] = None
    inherit_members: Annotated[
        bool | None,
        Field(description="Inherit the parent's members. Default: false.", examples=[True]),
        Api(clear=REFUSE),
    ] = None
    trackers: Annotated[
        Strings | None,
        Field(
            description="Names of all trackers of the project. Default: the server's setting.",
            examples=[["Bug", "Feature"]],
        ),
        # [] for null, here and below: Redmine takes null for the empty set as well (the modules: test_trap_15).
        Api(codec=RefSet(Ref(("tracker",))), write="tracker_ids", include="trackers", clear=[], label="Tracker"),
    ] = None
    enabled_modules: Annotated[
        Strings | None,
        Field(
            description="All enabled modules (issue_tracking, wiki, …). Default: the server's setting.",
            examples=[["issue_tracking", "wiki"]],
        ),
        Api(codec=NameSet(), write="enabled_module_names", include="enabled_modules", clear=[]),
    ] = None
    issue_custom_fields: Annotated[
        Strings | None,
        Field(
            description="Names of all issue custom fields of the project, except those that are for all projects. From "
            "Redmine 6.0 on, a field that every project has counts as one for all projects.",
            examples=[["Customer"]],
        ),
        Api(codec=IssueFields(), write="issue_custom_field_ids", include="issue_custom_fields", clear=[]),
    ] = None
    default_issue_query: Annotated[
        Name | None,
        Field(
            description="Name of an issue query that is visible to any users and for all projects. Write-only; set on "
            "create.",
            examples=["Updated issues"],
        ),
        Api(codec=Ref(("query",)), write="default_issue_query_id", read=None, create_only=True, clear=REFUSE),
    ] = None
    default_version: Annotated[
        VersionName | None,
        Field(
            description="Version of new issues: a name, or {project:, name:}; set after the version is created.",
            examples=["1.0"],
        ),
        Api(
            codec=Ref(("version",)),
            write="default_version_id",
            detail=True,
            clear="",
            deferred=DEFAULT_VERSION,
        ),
    ] = None
    default_assigned_to: Annotated[
        Principal | None,
        Field(description="User (login) or group that new issues are assigned to.", examples=["jsmith"]),
        Api(
            codec=Ref(("user", "group")),
            write="default_assigned_to_id",
            read="default_assignee",
            detail=True,
            clear="",
            deferred=DEFAULT_ASSIGNEE,
            label="Default assignee",
        ),
    ] = None
    status: Annotated[
        Literal["active", "closed", "archived"] | None,
        Field(description="Closed or archived after all changes inside. Default: active.", examples=["closed"]),
        Api(
            # 204 and ignored in a PUT (5.0 to 6.1; test_trap_05), hence no `write`: see `Projects.update`.
            codec=ProjectStatus(),
            write=None,
            update_only=True,
            clear=REFUSE,
            deferred=Deferred("referrers", when=lambda value, context: value != "active"),
            gate=Gate("active", frozenset({"closed", "archived"})),
        ),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name.", examples=[{"Customer": "ACME"}]),
        Api(codec=CustomFields("project"), clear=REFUSE, deferred=INSIDE),
    ] = None
    authoritative: Annotated[
        Strings | None,
        Field(
            description="Collections that the manifests declare completely, such as [memberships, versions]: `--prune` "
            "deletes what they do not declare. Replaces the configuration's; []: none.",
            examples=[["memberships", "versions"]],
        ),
        LOCAL,
    ] = None
