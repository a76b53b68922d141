"""News: `GET/POST /projects/:p/news`, `GET/PUT/DELETE /news/:id` (4.1 to 7.0).

The answer to a POST is 204 without an id, and a second POST makes a second one, so news are looked up by their title.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field, PositiveInt, StringConstraints

from reconciler.kinds._keyless import Alike
from reconciler.model.address import Address, Row
from reconciler.model.attachments import Attached, Attaching, Attachments
from reconciler.model.codecs import Text
from reconciler.model.kind import Listing, Need
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import REFUSE, Api, Name, ProjectItem, Spec


class NewsSpec(ProjectItem):
    """A piece of news. Its identity is the project and the title."""

    id: Annotated[
        PositiveInt | None, Field(description="Its number, where several have the same title.")
    ] = None
    title: Annotated[
        Name, StringConstraints(max_length=60), Field(description="At most 60 characters."), Api(clear=REFUSE)
    ]
    summary: Annotated[
        str | None, StringConstraints(max_length=255), Field(description="At most 255 characters."), Api(clear="")
    ] = None
    description: Annotated[
        Name | None, Field(description="The text; line ends are not compared."), Api(codec=Text(), clear=REFUSE)
    ] = None
    attachments: Annotated[
        list[Attached] | None,
        Field(description="Files, by name; those that are not mentioned are left alone."),
        Api(codec=Attachments(), write="uploads", read="attachments", include="attachments", detail=True, clear=REFUSE),
    ] = None


class News(Alike, Attaching):
    """Lists leave attachments out: they cost one more request for each of the news that declares some."""

    name = "news"
    plural = "news"
    spec = NewsSpec
    module = "news"
    identity = ("title",)
    silent = True
    required = ("description",)
    loss = "its comments and attachments are deleted"
    apart = True
    rank = 82

    def key(self, spec: Spec, project: str) -> str:
        assert isinstance(spec, NewsSpec)
        return f"{project}/{spec.title} #{spec.id}" if spec.id else f"{project}/{spec.title}"

    def nature(self, row: Row, context: Context) -> Hashable:
        return self.home(row, context), row["title"]

    def wanted(self, address: Address, values: Mapping[str, Any], context: Context) -> Hashable:
        return address.project, values.get("title", address.key.partition("/")[2])

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        yield [
            Listing(f"/projects/{p}/news", "news", none={403: None, 404: None})
            for p in need.projects(self.name)
            if p in names.ids.get("project", {})
        ]

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        if "attachments" not in fields:
            return None
        return Listing(f"/news/{row['id']}", "news", (("include", "attachments"),), paged=False, single=True)


KINDS = (News(),)
