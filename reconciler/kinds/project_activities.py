"""A project's own version of shared activities: switched off, or with other values of custom fields."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from reconciler.kinds._catalog import CatalogKind
from reconciler.kinds.enumerations import ProgramFields
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Nesting, ReadOnly
from reconciler.model.catalog import CATALOG, Catalog, CatalogRows, Named
from reconciler.model.kind import Inside, Listing, Need
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import REFUSE, Api, Name, ProjectItem


class ProjectActivitySpec(ProjectItem):
    """What a project has different from a shared activity. Its identity is the project and the activity's name."""

    name: Annotated[
        Name,
        StringConstraints(max_length=30),
        Field(description="Name of the shared activity.", examples=["Development"]),
        Api(codec=Named(("time_entry_activity",)), clear=REFUSE),
    ]
    active: Annotated[
        bool | None,
        Field(description="Whether time can be logged on it in this project.", examples=[False]),
        Api(clear=REFUSE),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name.", examples=[{"Cost center": "4711"}]),
        Api(codec=ProgramFields("time_entry_activity"), clear=REFUSE),
    ] = None


class _Catalog(Catalog):
    def program_key(self, address: Address) -> Mapping[str, Any]:
        return {"project": address.project, "name": address.own_name}

    def key_of(self, shown: Mapping[str, Any]) -> str:
        return f"{shown['project']}/{shown['name']}"

    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        return {"id": shown["id"]} if "id" in shown else {}


class ProjectActivities(CatalogKind[ProjectActivitySpec]):
    """`state: absent` gives the project the shared activity again, with the time that was logged."""

    name = "project_time_entry_activity"
    plural = "project_time_entry_activities"
    spec = ProjectActivitySpec
    identity = ("name",)
    # Redmine takes no time on a shared activity that the project has of its own; what was logged before moves along.
    inside = Inside(follows=("time_entry",))
    rank = 85
    capabilities = (
        ReadOnly("Projects → Settings → Time tracking"),
        _Catalog(after_api=True),
        CatalogRows(),
        Nesting("time_entry_activities"),
    )

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        return ([],)

    def key_of(self, row: Row, context: Context) -> str | None:
        return self.capability(Catalog).key_of(row[CATALOG])


KINDS = (ProjectActivities(),)
