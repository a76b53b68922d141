"""Issue categories: `GET/POST /projects/:p/issue_categories`, `PUT/DELETE /issue_categories/:id`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field, StringConstraints

from reconciler.model.address import Row
from reconciler.model.codecs import Ref
from reconciler.model.kind import Kind, Listing
from reconciler.model.name_index import Context
from reconciler.model.spec import PARTIAL, REFUSE, Api, Id, Name, Principal, ProjectItem


class IssueCategorySpec(ProjectItem):
    """A category of a project's issues. Its identity is the project and the name, which is compared exactly."""

    name: Annotated[
        Name, StringConstraints(max_length=60), Field(description="At most 60 characters."), Api(clear=REFUSE)
    ]
    assigned_to: Annotated[
        Principal | None,
        Field(description="User (login) or group that new issues of the category are assigned to."),
        Api(codec=Ref(("user", "group")), write="assigned_to_id", clear="", label="Assignee"),
    ] = None


class IssueCategories(Kind):
    """Redmine stores an unknown assignee as none and says nothing (5.0 to 6.1); names are checked before."""

    name = "issue_category"
    plural = "issue_categories"
    spec = IssueCategorySpec
    inside = True
    module = "issue_tracking"
    identity = ("name",)
    loss = "its issues lose their category"
    follows = ("membership",)
    rank = 60

    def blind(self, row: Row, context: Context) -> bool:
        # The project is reopened, and then its categories show their assignees.
        spec = context.names.planned.get("project", {}).get(context.project)
        return spec is not None and spec.status == "active"

    def listing(self, project: str, number: Id) -> Listing:
        # 5.0 refuses the list of a closed project (403); the project's page shows the names, but no assignee.
        mark = {"project": {"id": number}, PARTIAL: True}
        include = (("include", self.plural),)
        page = Listing(
            f"/projects/{project}", "project", include, single=True, inner=self.plural, mark=mark, none={403: None}
        )
        return replace(super().listing(project, number), none={403: page, 404: None})


KINDS = (IssueCategories(),)
