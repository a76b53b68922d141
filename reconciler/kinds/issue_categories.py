"""Issue categories: `GET/POST /projects/:p/issue_categories`, `PUT/DELETE /issue_categories/:id`."""

from collections.abc import Iterable
from typing import Annotated

from msgspec.structs import replace
from pydantic import Field, StringConstraints

from reconciler.kinds._queries import EVERY, criterion
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Deletion, PartialRows
from reconciler.model.codecs import Ref
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Inside, Kind, Listing, Need, project_lists
from reconciler.model.name_index import Context, Names
from reconciler.model.participation import UNASSIGNED, Participants
from reconciler.model.pruning import Pruning, Usage
from reconciler.model.rights import all_need
from reconciler.model.spec import PARTIAL, REFUSE, Api, Deferred, Id, Name, Principal, ProjectItem


class IssueCategorySpec(ProjectItem):
    """A category of a project's issues. Its identity is the project and the name, which is compared exactly."""

    name: Annotated[
        Name,
        StringConstraints(max_length=60),
        Field(description="At most 60 characters.", examples=["Backend"]),
        Api(clear=REFUSE),
    ]
    assigned_to: Annotated[
        Principal | None,
        Field(
            description="User (login) or group that new issues of the category are assigned to.", examples=["jsmith"]
        ),
        Api(
            codec=Ref(("user", "group")),
            write="assigned_to_id",
            clear="",
            deferred=Deferred("creations", via=frozenset({"category"}), behind=("issue",), fills="assigned_to"),
            label="Assignee",
        ),
    ] = None


CLOSED = 5


class _Rows(PartialRows):
    """Of a closed project, Redmine 5.0 shows only the names."""

    def writes_unseen(self, row: Row, context: Context) -> bool:
        # The project is reopened, and then its categories show their assignees. In an open project they stay hidden
        # from an account without the right to manage categories (5.0).
        spec, live = context.names.spec(context.container), context.names.row(context.container) or {}
        return spec is not None and spec.status == "active" and live.get("status") == CLOSED


class _Pruning(Pruning):
    """How many issues lose the category is told."""

    def link(self, kind: Kind, address: Address, number: Id) -> str:
        return f"/issue_categories/{number}/edit"

    def usage(self, number: Id, project: str) -> Usage | None:
        # In the project: without one, Redmine ignores a filter by category (5.0 to 6.1; test_trap_22).
        filters = (*criterion("category_id", "=", number), *EVERY, ("limit", "1"))
        return Usage(Listing(f"/projects/{project}/issues", "issues", filters, paged=False), "category")


class IssueCategories(Kind[IssueCategorySpec]):
    """Redmine stores an unknown assignee as none without an error (5.0 to 6.1), so names are checked before."""

    name = "issue_category"
    plural = "issue_categories"
    spec = IssueCategorySpec
    # Deleting a membership clears the member as assignee of categories (5.0 to 6.1), so that comes before.
    inside = Inside(module="issue_tracking", follows=("membership",))
    identity = ("name",)
    rank = 60
    capabilities = (
        all_need("manage_categories"),
        Deletion("its issues lose the category"),
        _Rows(),
        _Pruning(),
        Exporting(),
        Participants({"assigned_to": UNASSIGNED}),
    )

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        for lists in project_lists(self, need, names):
            yield [self._or_names(listing, names) for listing in lists]

    def _or_names(self, listing: Listing, names: Names) -> Listing:
        # Redmine 5.0 refuses the list of a closed project (403); the project's page shows the names, and no assignee.
        project = listing.seen_from
        # PARTIAL: what such a row lacks is not compared, or each plan would set the assignee again.
        mark = {"project": {"id": names.id(Address("project", project))}, PARTIAL: True}
        include = (("include", self.plural),)
        page = Listing(
            f"/projects/{project}", "project", include, single=True, inner=self.plural, mark=mark, none={403: None}
        )
        return replace(listing, none={403: page, 404: None})


KINDS = (IssueCategories(),)
