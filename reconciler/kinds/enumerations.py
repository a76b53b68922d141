"""Priorities, activities and document categories: `GET /enumerations/:kind`; written by the program inside Redmine."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from reconciler.kinds._catalog import CatalogKind
from reconciler.model.address import Row
from reconciler.model.capabilities import ReadOnly, Rows
from reconciler.model.catalog import Catalog, CatalogRows
from reconciler.model.custom_fields import CustomFields, decode, encode
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import ANY, FLAG, NAME
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.ordering import Ordered
from reconciler.model.spec import REFUSE, Api, Name, Spec


class ProgramFields(CustomFields):
    """The custom fields of what the program writes: by name, with values as Redmine stores them."""

    form = ANY

    def decode(self, wire: Any, context: Context) -> Any:
        if not isinstance(wire, Mapping):
            return super().decode(wire, context)
        fields = self.fields(context)
        return {name: decode(fields.get(name, CustomField(0, name)), value, context) for name, value in wire.items()}

    def encode(self, value: Any, context: Context) -> Any:
        return {name: encode(self.find(name, context), one, context) for name, one in value.items()}


class EnumerationSpec(Spec):
    """A value of an enumeration. Its identity is the name, which is compared exactly."""

    name: Annotated[
        Name,
        StringConstraints(max_length=30),
        Field(description="At most 30 characters.", examples=["Normal"]),
        Api(clear=REFUSE),
    ]
    is_default: Annotated[
        bool | None,
        Field(description="Whether new objects get it. Of a list, at most one is.", examples=[True]),
        Api(clear=REFUSE),
    ] = None
    active: Annotated[
        bool | None,
        Field(description="Whether objects can get it; those that have it keep it.", examples=[True]),
        Api(clear=REFUSE),
    ] = None


VALUES = Field(description="Values of its custom fields, by name.", examples=[{"Billable": True}])


class PrioritySpec(EnumerationSpec):
    """A priority of issues. Its identity is the name, which is compared exactly."""

    custom_fields: Annotated[
        dict[str, Any] | None, VALUES, Api(codec=ProgramFields("issue_priority"), clear=REFUSE)
    ] = None


class ActivitySpec(EnumerationSpec):
    """An activity of time entries. Its identity is the name, which is compared exactly."""

    custom_fields: Annotated[
        dict[str, Any] | None, VALUES, Api(codec=ProgramFields("time_entry_activity"), clear=REFUSE)
    ] = None


class CategorySpec(EnumerationSpec):
    """A category of documents. Its identity is the name, which is compared exactly."""

    custom_fields: Annotated[
        dict[str, Any] | None, VALUES, Api(codec=ProgramFields("document_category"), clear=REFUSE)
    ] = None


class _ActiveOnly(ReadOnly):
    """Only active values can be given to an object."""

    _what: str = ""

    def why_unusable(self, row: Row) -> str:
        return "" if row.get("active", True) else f'the {self._what} "{row["name"]}" is not active'


class _Catalog(Catalog):
    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        flags = {name: shown[name] for name in ("active", "is_default") if shown.get(name) is not None}
        return {**super().api_row(shown, names), **flags}


class Enumeration(CatalogKind[EnumerationSpec], abstract=True):
    """Values of an enumeration. Objects keep a value that is no longer active (`active`, 5.0 to 7.0)."""

    spec = EnumerationSpec
    identity = ("name",)

    def __init__(self, name: str, plural: str, menu: str, spec: type[EnumerationSpec]) -> None:
        self.name, self.plural, self.spec = name, plural, spec
        self._path = f"/enumerations/{plural}"
        self.capabilities = (
            _ActiveOnly(f"Administration → Enumerations → {menu}", name.replace("_", " ")),
            _Catalog(),
            CatalogRows(),
            Exporting(defaults=(("is_default", False), ("active", True))),
            Ordered(),
            Rows({"name": NAME, "active": FLAG.optional}),
        )


KINDS = (
    Enumeration("issue_priority", "issue_priorities", "Issue priorities", PrioritySpec),
    Enumeration("time_entry_activity", "time_entry_activities", "Activities (time tracking)", ActivitySpec),
    Enumeration("document_category", "document_categories", "Document categories", CategorySpec),
)
