"""Issue statuses: `GET /issue_statuses`; written by the program inside Redmine."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from reconciler.kinds._catalog import CatalogKind
from reconciler.model.address import Row
from reconciler.model.capabilities import ReadOnly, Rows
from reconciler.model.catalog import Catalog, CatalogRows
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import FLAG, NAME
from reconciler.model.name_index import Names
from reconciler.model.ordering import Ordered
from reconciler.model.spec import REFUSE, Api, Name, Spec


class IssueStatusSpec(Spec):
    """An issue status. Its identity is the name, which is compared exactly."""

    name: Annotated[
        Name,
        StringConstraints(max_length=30),
        Field(description="At most 30 characters.", examples=["In progress"]),
        Api(clear=REFUSE),
    ]
    is_closed: Annotated[
        bool | None, Field(description="Whether issues with it count as closed.", examples=[False]), Api(clear=REFUSE)
    ] = None
    description: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters. Redmine 6.0 or later.", examples=["Somebody works on it"]),
    ] = None
    default_done_ratio: Annotated[
        int | None,
        Field(
            ge=0,
            le=100,
            description="The progress of issues with it, if the setting computes it by status (%).",
            examples=[50],
        ),
    ] = None


class _Catalog(Catalog):
    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        closed = {"is_closed": bool(shown["is_closed"])} if shown.get("is_closed") is not None else {}
        return {**super().api_row(shown, names), **closed}


class IssueStatuses(CatalogKind[IssueStatusSpec]):
    """Redmine sets `closed_on` of all issues with a status that becomes a closed one (5.0 to 7.0)."""

    name = "issue_status"
    plural = "issue_statuses"
    spec = IssueStatusSpec
    identity = ("name",)
    _path = "/issue_statuses"
    capabilities = (
        ReadOnly("Administration → Issue statuses"),
        _Catalog(),
        CatalogRows(),
        Exporting(unshown=frozenset({"description"})),
        Ordered(),
        Rows({"name": NAME, "is_closed": FLAG.optional}),
    )


KINDS = (IssueStatuses(),)
