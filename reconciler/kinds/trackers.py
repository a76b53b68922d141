"""Trackers: `GET /trackers`; written by the program inside Redmine."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from reconciler.kinds._catalog import CatalogKind
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import ReadOnly, Rows, VersionProbe
from reconciler.model.catalog import Catalog, CatalogRows, Named, existing
from reconciler.model.codecs import Codec, ordered
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import ANY, NAME, REF, TEXT, Each
from reconciler.model.name_index import Context, Names
from reconciler.model.ordering import Ordered
from reconciler.model.spec import REFUSE, Api, Name, Spec

CoreField = Literal[
    "assigned_to",
    "category",
    "fixed_version",
    "parent_issue",
    "start_date",
    "due_date",
    "estimated_hours",
    "done_ratio",
    "description",
    "priority",
]
"""Redmine's `Tracker::CORE_FIELDS`, without `_id` (to 7.0); 5.0 has no `priority`."""
WITH_ID = ("assigned_to", "category", "fixed_version", "parent_issue", "priority")


def with_id(field: str) -> str:
    """What Redmine calls a core field."""
    return f"{field}_id" if field in WITH_ID else field


class CoreFields(Codec):
    """A set of core fields, by their names without `_id`."""

    form = ANY

    def canonical(self, value: Any, context: Context) -> Any:
        return ordered(value or ())

    def decode(self, wire: Any, context: Context) -> Any:
        return ordered(name.removesuffix("_id") for name in wire or ())

    def encode(self, value: Any, context: Context) -> Any:
        return [with_id(name) for name in value or ()]


class TrackerSpec(Spec):
    """A tracker. Its identity is the name, which is compared exactly."""

    name: Annotated[
        Name,
        StringConstraints(max_length=30),
        Field(description="At most 30 characters.", examples=["Task"]),
        Api(clear=REFUSE),
    ]
    default_status: Annotated[
        Name | None,
        Field(description="Status of new issues. Required for a new tracker.", examples=["New"]),
        Api(codec=Named(("issue_status",)), clear=REFUSE),
    ] = None
    description: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["Work to do"]),
    ] = None
    is_in_roadmap: Annotated[
        bool | None, Field(description="Whether the roadmap shows its issues.", examples=[True]), Api(clear=REFUSE)
    ] = None
    core_fields: Annotated[
        list[CoreField] | None,
        Field(
            description="The enabled standard fields. Redmine clears the others when an issue is saved.",
            examples=[["assigned_to", "due_date", "priority", "description"]],
        ),
        Api(codec=CoreFields(), clear=REFUSE),
    ] = None
    private_by_default: Annotated[
        bool | None,
        Field(description="Whether new issues are private. Redmine 7.0 or later.", examples=[False]),
        Api(clear=REFUSE),
    ] = None


class _Supported(VersionProbe):
    """From Redmine 5.0 on, trackers show which core fields they have enabled."""

    def is_supported(self, rows: Iterable[Row]) -> bool:
        # True without trackers: such a Redmine is not too old, only not set up. Those of a plan lack it, too.
        return all("enabled_standard_fields" in row for row in rows if existing(row))


class _Catalog(Catalog):
    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        row = dict(super().api_row(shown, names))
        if "core_fields" in shown:
            row["enabled_standard_fields"] = [with_id(name) for name in shown["core_fields"] or ()]
        if isinstance(status := shown.get("default_status"), str):
            known = Address("issue_status", status)
            row["default_status"] = {"id": names.id(known), "name": status}
        return row


class Trackers(CatalogKind[TrackerSpec]):
    """Trackers. Their rows also show whether the server is supported."""

    name = "tracker"
    plural = "trackers"
    spec = TrackerSpec
    identity = ("name",)
    required = ("default_status",)
    _path = "/trackers"
    capabilities = (
        ReadOnly("Administration → Trackers"),
        _Catalog(),
        CatalogRows(),
        Exporting(unshown=frozenset({"private_by_default"})),
        Ordered(),
        _Supported(),
        Rows({"name": NAME, "enabled_standard_fields": Each(of=TEXT).optional, "default_status": REF.optional}),
    )


KINDS = (Trackers(),)
