"""Issue categories: `GET/POST /projects/:p/issue_categories`, `PUT/DELETE /issue_categories/:id`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, StringConstraints

from reconciler.codecs import Ref
from reconciler.kind import Kind, Listing, Need
from reconciler.names import Names
from reconciler.spec import REFUSE, Api, Name, Principal, ProjectItem


class IssueCategorySpec(ProjectItem):
    """A category of a project's issues. Its identity is the project and the name, which is compared exactly."""

    name: Annotated[
        Name, StringConstraints(max_length=60), Field(description="At most 60 characters."), Api(clear=REFUSE)
    ]
    assigned_to: Annotated[
        Principal | None,
        Field(description="User (login) or group that new issues of the category are assigned to."),
        Api(codec=Ref(("user", "group")), write="assigned_to_id", clear=""),
    ] = None


class IssueCategories(Kind):
    """Redmine stores an unknown assignee as none and says nothing (5.0 to 6.1); names are checked before."""

    name = "issue_category"
    plural = "issue_categories"
    spec = IssueCategorySpec
    inside = True
    module = "issue_tracking"
    identity = ("name",)
    follows = ("membership",)
    rank = 60

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        yield [
            Listing(f"/projects/{p}/{self.plural}", self.plural, paged=False, none={403: None, 404: None}, seen_from=p)
            for p in need.projects(self.name)
            if p in names.ids.get("project", {})
        ]


KINDS = (IssueCategories(),)
