"""News: `GET/POST /projects/:p/news`, `GET/PUT/DELETE /news/:id` (4.1 to 7.0).

The answer to a POST is 204 without an id, and a second POST makes a second one, so news are looked up by their title.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, PositiveInt, StringConstraints

from reconciler.kinds._keyless import Keyless
from reconciler.kinds._watching import WATCHED, Audience
from reconciler.model.address import Address, Row
from reconciler.model.attachments import Attached, Attachments, attaching
from reconciler.model.capabilities import Creation, Deletion
from reconciler.model.codecs import Text
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Inside, Kind, Listing, Need, Request, project_lists
from reconciler.model.name_index import Context, Names
from reconciler.model.pruning import Contents
from reconciler.model.rights import all_need
from reconciler.model.spec import LOCAL, REFUSE, Api, Id, Name, ProjectItem


class NewsSpec(ProjectItem):
    """A news item. Its identity is the project and the title."""

    id: Annotated[
        PositiveInt | None, Field(description="The id, if several items have the same title.", examples=[12]), LOCAL
    ] = None
    title: Annotated[
        Name,
        StringConstraints(max_length=60),
        Field(description="At most 60 characters.", examples=["Version 1.0 is out"]),
        Api(clear=REFUSE),
    ]
    summary: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["Faster, and it prints."]),
        Api(clear=""),
    ] = None
    description: Annotated[
        Name | None,
        Field(description="The text; line ends are not compared.", examples=["It is on the *Files* page.\n"]),
        Api(codec=Text(), clear=REFUSE, main_text=True),
    ] = None
    watchers: WATCHED = None
    attachments: Annotated[
        list[Attached] | None,
        Field(description="Files, by name; undeclared ones are kept.", examples=[[{"file": "announcement.pdf"}]]),
        # The index ignores `include=attachments` (5.0 to 6.1), hence `detail`.
        Api(codec=Attachments(), write="uploads", read="attachments", include="attachments", detail=True, clear=REFUSE),
    ] = None


class _Export(Exporting):
    """Who writes news becomes their watcher (5.0 to 6.1), so that nobody watches them has to be said."""

    def non_defaults(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> dict[str, Any]:
        alone: dict[str, Any] = {"watchers": []} if values.get("watchers") == [] else {}
        kept = {**super().non_defaults(kind, values, row, context), **alone}
        return {name: kept[name] for name in kind.fields if name in kept}


class News(Keyless[NewsSpec]):
    """Lists leave attachments out, so news that declare some take one more request each."""

    name = "news"
    plural = "news"
    spec = NewsSpec
    inside = Inside(module="news")
    identity = ("title",)
    required = ("description",)
    rank = 82
    capabilities = (
        all_need("manage_news"),
        # 204 without an id or a body (5.0 to 6.1): the object is found again by its title.
        Creation(unique=False, answers=False, newest_first=True),
        Deletion("also deletes its comments and attachments"),
        Contents("news item", "news items"),
        Audience(),
        _Export(own_files=True),
    )

    def key(self, spec: NewsSpec, project: str) -> str:
        return f"{project}/{spec.title} #{spec.id}" if spec.id else f"{project}/{spec.title}"

    def nature(self, row: Row, context: Context) -> Hashable:
        return self.home(row, context), row["title"]

    def wanted(self, address: Address, values: Mapping[str, Any], context: Context) -> Hashable:
        # `values` can be just the fields that were written; the title is in the key then.
        return address.project, values.get("title", address.own_name)

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        yield from project_lists(self, need, names, paged=True)

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        if "attachments" not in fields:
            return None
        return Listing(f"/news/{row['id']}", "news", (("include", "attachments"),), paged=False, single=True)

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        return attaching(super().update, address, number, values, context)


KINDS = (News(),)
