"""Queries that everybody or some roles can use: `GET /queries`; written by the program inside Redmine."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from reconciler.kinds._catalog import CatalogKind
from reconciler.kinds._query_fields import Columns, Filter, Filters, GroupBy, Sort, SortBy
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import ReadOnly, Rows
from reconciler.model.catalog import CATALOG, Catalog, CatalogRows, Named, NamedSet
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import FLAG, NAME, WHOLE
from reconciler.model.kind import Listing, Need, Object
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import REFUSE, Api, Name, Spec

ISSUES = "issue"


class QuerySpec(Spec):
    """A query for everybody or for some roles. Its identity is what it lists, its project if any, and the name.

    Queries that only one person sees are never read or changed.
    """

    name: Annotated[
        Name,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["Urgent"]),
        Api(clear=REFUSE),
    ]
    type: Annotated[
        Literal["issue", "time_entry", "project"],
        Field(description="What it lists: `issue` (the default), `time_entry` or `project`.", examples=["time_entry"]),
        Api(write=None, clear=REFUSE),
    ] = "issue"
    project: Annotated[
        Name | None,
        Field(description="Identifier of the only project that has it. Default: all projects.", examples=["web-shop"]),
        Api(codec=Named((CONTAINER,)), write=None, clear=REFUSE),
    ] = None
    visibility: Annotated[
        Literal["public", "roles"] | None,
        Field(
            description="Who can use it: everybody, or members with one of `roles`. Required for a new query.",
            examples=["public"],
        ),
        Api(clear=REFUSE),
    ] = None
    roles: Annotated[
        list[Name] | None,
        Field(description="The roles that can use it, with `visibility: roles`.", examples=[["Manager"]]),
        Api(codec=NamedSet(Named(("role",))), clear=REFUSE),
    ] = None
    filters: Annotated[
        dict[Name, Filter] | None,
        Field(
            description="All its filters: field (or custom field) → a value, a list of values, or `{operator:, "
            "values:}`; values by name, users by login, projects by identifier. Operators are Redmine's, or `is`, "
            "`is_not`, `open`, `closed`, `any`, `none`, `contains`, `contains_not`.",
            examples=[{"status": {"operator": "open"}, "tracker": ["Bug", "Feature"], "assigned_to": "me"}],
        ),
        Api(codec=Filters(), clear=REFUSE),
    ] = None
    columns: Annotated[
        list[Name] | None,
        Field(
            description="Its columns, in order; `[]`: the default ones.",
            examples=[["status", "subject", "due_date"]],
        ),
        Api(codec=Columns(), clear=REFUSE),
    ] = None
    sort: Annotated[
        list[SortBy] | None,
        Field(
            description="Columns that it is sorted by; `{COLUMN: desc}` for descending.",
            examples=[[{"priority": "desc"}, "due_date"]],
        ),
        Api(codec=Sort(), clear=REFUSE),
    ] = None
    group_by: Annotated[
        Name | None, Field(description="Column that it is grouped by.", examples=["status"]), Api(codec=GroupBy())
    ] = None
    totals: Annotated[
        list[Name] | None,
        Field(description="Columns whose totals it shows.", examples=[["estimated_hours"]]),
        Api(codec=Columns(), clear=REFUSE),
    ] = None


KEYED = re.compile(r"(issue|time_entry|project)@([a-z0-9_-]*)/(.*)", re.DOTALL)


def key_of(listed: str, project: str | None, name: str) -> str:
    """The name of a query of issues for all projects; of others `issue@shop/Open bugs`, `time_entry@/By week`."""
    plain = listed == ISSUES and not project and not KEYED.fullmatch(name)
    return name if plain else f"{listed}@{project or ''}/{name}"


class _Catalog(Catalog):
    def program_key(self, address: Address) -> Mapping[str, Any]:
        keyed = KEYED.fullmatch(address.key)
        listed, project, name = keyed.groups() if keyed else (ISSUES, "", address.key)
        return {"type": listed, "project": project or None, "name": name}

    def key_of(self, shown: Mapping[str, Any]) -> str:
        return key_of(shown["type"], shown["project"], shown["name"])


class Queries(CatalogKind[QuerySpec]):
    """The API lists those of issues alone, and does not say which project is meant before projects are read."""

    name = "query"
    plural = "queries"
    spec = QuerySpec
    identity = ("name", "type", "project")
    required = ("visibility",)
    rank = 9
    _path = "/queries"
    capabilities = (
        ReadOnly("Issues → Save, visible to any users, for all projects"),
        _Catalog(after_api=True),
        CatalogRows(),
        Exporting(defaults=(("type", ISSUES),)),
        Rows({"name": NAME, "is_public": FLAG.optional, "project_id": WHOLE.optional}),
    )

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # Paged, unlike the other lists of the catalog (5.0 to 6.1).
        return ([Listing(self._path, self.plural)],)

    def key(self, spec: QuerySpec, project: str) -> str:
        return key_of(spec.type, spec.project, spec.name)

    def key_of(self, row: Row, context: Context) -> str | None:
        if CATALOG in row:
            return self.capability(Catalog).key_of(row[CATALOG])
        everywhere = row["is_public"] and not row.get("project_id")
        return key_of(ISSUES, None, str(row["name"])) if everywhere else None

    def check(self, declared: Object[QuerySpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = declared.spec
        if spec.visibility == "roles" and spec.roles is not None and not spec.roles:
            yield "roles", "with `visibility: roles`, at least one role must be given"
        if spec.visibility == "public" and spec.roles:
            yield "roles", "roles are only for `visibility: roles`: Redmine clears those of a query for everybody"
        if spec.type == "project" and spec.project:
            yield "project", "a query that lists projects is in none"


KINDS = (Queries(),)
