"""The spec of custom fields."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reconciler.kinds._field_values import DefaultValue, Flag, ListValue, Option, Options, PossibleValues, Whole
from reconciler.kinds.roles import Words
from reconciler.model.catalog import Named, NamedSet
from reconciler.model.codecs import Text
from reconciler.model.spec import REFUSE, Api, Name, Spec

Customized = Literal[
    "issue",
    "project",
    "version",
    "user",
    "group",
    "time_entry",
    "document",
    "issue_priority",
    "time_entry_activity",
    "document_category",
]
Format = Literal[
    "string",
    "text",
    "link",
    "int",
    "float",
    "date",
    "list",
    "bool",
    "enumeration",
    "user",
    "version",
    "attachment",
    "progressbar",
]
FORMATS: Mapping[str, tuple[str, ...]] = {
    "possible_values": ("list",),
    "options": ("enumeration",),
    "multiple": ("list", "enumeration", "user", "version"),
    "regexp": ("string", "text", "link", "int", "float", "progressbar"),
    "min_length": ("string", "text", "link", "int", "float", "progressbar"),
    "max_length": ("string", "text", "link", "int", "float", "progressbar"),
    "searchable": ("string", "text", "list"),
    "text_formatting": ("string", "text"),
    "edit_tag_style": ("list", "bool", "enumeration", "user", "version"),
    "user_role": ("user",),
    "version_status": ("version",),
    "extensions_allowed": ("attachment",),
    "thousands_delimiter": ("int", "float"),
    "ratio_interval": ("progressbar",),
}
"""The formats for which a field means something; of others, Redmine drops or ignores it (`field_format.rb`)."""
TYPES: Mapping[str, tuple[str, ...]] = {
    "is_for_all": ("issue",),
    "trackers": ("issue",),
    "roles": ("issue", "project", "time_entry", "version"),
}
"""The types of objects for whose custom fields a field means something."""
FLAGS = (
    "is_required",
    "is_filter",
    "searchable",
    "multiple",
    "is_for_all",
    "full_width_layout",
    "thousands_delimiter",
)
"""What a new custom field is not, if nothing is said."""
OF_PROJECTS = ("issue", "project", "time_entry", "version", "document")
"""The types whose objects can have users and versions as values."""


class CustomFieldSpec(Spec):
    """A custom field. Its identity is the type of the objects that have it, and the name, which is compared exactly."""

    name: Annotated[
        Name,
        StringConstraints(max_length=30),
        Field(description="At most 30 characters.", examples=["Customer"]),
        Api(clear=REFUSE),
    ]
    type: Annotated[
        Customized,
        Field(description="What has it: `issue`, `project`, `user`, …", examples=["issue"]),
        Api(read="class", write=None, clear=REFUSE),
    ]
    field_format: Annotated[
        Format | None,
        Field(
            description="What its values are. Required for a new custom field, and never changes. `progressbar` needs "
            "Redmine 6.1 or later.",
            examples=["list"],
        ),
        Api(create_only=True, clear=REFUSE),
    ] = None
    description: Annotated[
        str | None,
        Field(description="What it is for; shown beside it.", examples=["Who pays for it."]),
        Api(codec=Text(), clear=""),
    ] = None
    is_required: Annotated[
        bool | None, Field(description="Whether it must have a value.", examples=[True]), Api(clear=REFUSE)
    ] = None
    is_filter: Annotated[
        bool | None, Field(description="Whether lists can be filtered by it.", examples=[True]), Api(clear=REFUSE)
    ] = None
    searchable: Annotated[
        bool | None,
        Field(description="Whether the search looks into it; of text and lists.", examples=[True]),
        Api(clear=REFUSE),
    ] = None
    editable: Annotated[
        bool | None,
        Field(description="Whether others than administrators can change it; of users and projects.", examples=[False]),
        Api(clear=REFUSE),
    ] = None
    visible: Annotated[
        bool | None,
        Field(description="Whether everybody sees it; if not, only `roles` (and administrators) do.", examples=[False]),
        Api(clear=REFUSE),
    ] = None
    roles: Annotated[
        list[Name] | None,
        Field(description="The roles that see it, with `visible: false`.", examples=[["Manager"]]),
        Api(codec=NamedSet(Named(("role",))), clear=REFUSE),
    ] = None
    multiple: Annotated[
        bool | None,
        Field(
            description="Whether it takes several values; of lists, enumerations, users and versions.", examples=[True]
        ),
        Api(clear=REFUSE),
    ] = None
    regexp: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(
            description="Regular expression (Ruby) that values match; at most 255 characters.", examples=["^[A-Z]{2}$"]
        ),
        Api(clear=""),
    ] = None
    min_length: Annotated[
        int | None, Field(ge=0, description="Characters that a value has at least.", examples=[2])
    ] = None
    max_length: Annotated[
        int | None, Field(ge=0, description="Characters that a value has at most.", examples=[40])
    ] = None
    possible_values: Annotated[
        list[ListValue] | None,
        Field(
            description="All values of a list, in order: a text, or `{value:, renamed_from:}`, which renames the value "
            "wherever it is used.",
            examples=[["Low", {"value": "High", "renamed_from": "Hihg"}]],
        ),
        Api(codec=PossibleValues(), clear=REFUSE),
    ] = None
    options: Annotated[
        list[Option] | None,
        Field(
            description="All options of an enumeration, in order: a name, or `{name:, active:, renamed_from:}`.",
            examples=[["Web", {"name": "Fax", "active": False}]],
        ),
        Api(codec=Options(), clear=REFUSE),
    ] = None
    default_value: Annotated[
        str | int | float | bool | None,
        Field(
            description="Value of new objects; of an enumeration the option's name. The format `user` has none.",
            examples=["Low"],
        ),
        Api(codec=DefaultValue()),
    ] = None
    is_for_all: Annotated[
        bool | None,
        Field(description="Whether the issues of all projects have it.", examples=[True]),
        Api(clear=REFUSE),
    ] = None
    trackers: Annotated[
        list[Name] | None,
        Field(description="The trackers whose issues have it.", examples=[["Bug", "Feature"]]),
        Api(codec=NamedSet(Named(("tracker",))), clear=REFUSE),
    ] = None
    url_pattern: Annotated[
        str | None,
        Field(
            description="URL that values link to; `%value%` stands for the value.",
            examples=["https://crm.example.net/%value%"],
        ),
        Api(clear=""),
    ] = None
    text_formatting: Annotated[
        Literal["full"] | None,
        Field(description="`full`: values are formatted like a description.", examples=["full"]),
        Api(clear=""),
    ] = None
    edit_tag_style: Annotated[
        Literal["check_box", "radio"] | None,
        Field(
            description="How a value is chosen. Default: a drop-down list. `radio` only of Booleans.",
            examples=["check_box"],
        ),
        Api(clear=""),
    ] = None
    user_role: Annotated[
        list[Name] | None,
        Field(description="Only members with one of these roles can be values. `[]`: all.", examples=[["Developer"]]),
        Api(codec=NamedSet(Named(("role",))), clear=REFUSE),
    ] = None
    version_status: Annotated[
        list[Literal["open", "locked", "closed"]] | None,
        Field(description="Only versions with one of these statuses can be values. `[]`: all.", examples=[["open"]]),
        Api(codec=Words(), clear=REFUSE),
    ] = None
    extensions_allowed: Annotated[
        str | None,
        Field(description="Extensions that files may have, with commas between them.", examples=["pdf, png"]),
        Api(clear=""),
    ] = None
    full_width_layout: Annotated[
        bool | None,
        Field(description="Whether it takes the whole width of an issue's page.", examples=[True]),
        Api(codec=Flag(), clear=REFUSE),
    ] = None
    thousands_delimiter: Annotated[
        bool | None,
        Field(description="Whether numbers have a delimiter for thousands. Redmine 6.0 or later.", examples=[True]),
        Api(codec=Flag(), clear=REFUSE),
    ] = None
    ratio_interval: Annotated[
        int | None,
        Field(
            ge=1, le=100, description="Step between values of a progress bar (%). Redmine 6.1 or later.", examples=[10]
        ),
        Api(codec=Whole(), clear=""),
    ] = None
