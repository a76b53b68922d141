"""Custom fields: `GET /custom_fields`, which only administrators may; written by the program inside Redmine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.kinds._catalog import CatalogKind
from reconciler.kinds._custom_field_spec import FLAGS, FORMATS, OF_PROJECTS, TYPES, CustomFieldSpec
from reconciler.kinds._field_values import PossibleValues, options_of, renames
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import ReadOnly, Rows
from reconciler.model.catalog import CATALOG, Catalog, CatalogRows, wire
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import FLAG, NAME, PLAIN, REF, TEXT, WHOLE, Each, Fields
from reconciler.model.kind import Kind, Listing, Need, Object
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.ordering import Ordered


class _Catalog(Catalog):
    def program_key(self, address: Address) -> Mapping[str, Any]:
        customized, _, name = address.key.partition("/")
        return {"class": customized, "name": name}

    def key_of(self, shown: Mapping[str, Any]) -> str:
        return f"{shown['class']}/{shown['name']}"

    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        customized = shown.get("class") or shown.get("type")
        if not customized:
            return super().api_row(shown, names)
        row = names.row(Address("custom_field", f"{customized}/{shown['name']}"))
        known = {name: shown[name] for name in SAME if shown.get(name) is not None}
        values = [
            {"value": one, "label": one} for one in PossibleValues().decode(shown.get("possible_values"), ANYWHERE)
        ]
        made = {
            **({"possible_values": values} if values else {}),
            **({"possible_values": options_of(shown, row, names)} if shown.get("options") else {}),
            **{
                f"{kind}s": _refs(kind, shown[f"{kind}s"], names) for kind in ("tracker", "role") if f"{kind}s" in shown
            },
        }
        return {**super().api_row(shown, names), "customized_type": customized, **known, **made}

    def note(self, row: Row, names: Names) -> None:
        # What the program shows is complete, whatever the account may see.
        names.sees_definitions = names.sees_definitions or "class" in row.get(CATALOG, {})
        define(row, names)


ANYWHERE = Context(Names())
SAME = (
    "field_format",
    "is_required",
    "is_filter",
    "searchable",
    "multiple",
    "default_value",
    "regexp",
    "min_length",
    "max_length",
    "visible",
    "editable",
    "is_for_all",
)
"""What the API calls, and shows, as the program does."""


def _refs(kind: str, shown: Iterable[str] | None, names: Names) -> list[dict[str, Any]]:
    """References as the API shows them. One that is not known is a problem of its own."""
    numbers = ((names.id(Address(kind, name)), name) for name in shown or ())
    return [{"id": number, "name": name} for number, name in numbers if number is not None]


class _Shown(CatalogRows):
    """The API shows the number of an option or a user that is the default, and no name."""

    def shows(self, kind: Kind, row: Row, name: str, values: Mapping[str, Any]) -> bool:
        if name == "default_value" and "class" not in row.get(CATALOG, {}):
            return row.get("field_format") not in ("enumeration", "user", "version")
        return super().shows(kind, row, name, values)


class CustomFields(CatalogKind[CustomFieldSpec]):
    """Names are unique for each type of object. Redmine ignores another format of a saved one (5.0 to 7.0)."""

    name = "custom_field"
    plural = "custom_fields"
    spec = CustomFieldSpec
    identity = ("name", "type")
    required = ("field_format",)
    rank = 7
    _path = "/custom_fields"
    capabilities = (
        ReadOnly("Administration → Custom fields, which only an administrator's key can read"),
        _Catalog(),
        _Shown(),
        Ordered(grouped=True),
        Exporting(
            defaults=(("editable", True), ("visible", True), *((name, False) for name in FLAGS)),
            # Of other formats, and of older versions.
            unshown=frozenset({"description", *FORMATS, *TYPES}),
        ),
        Rows(
            {
                "name": NAME,
                "customized_type": NAME,
                "field_format": TEXT,
                "possible_values": Each(of=Fields(of={"value": PLAIN, "label": PLAIN.optional})).optional,
                "trackers": Each(of=REF).optional,
                "min_length": WHOLE.optional,
                "max_length": WHOLE.optional,
                "is_required": FLAG.optional,
            }
        ),
    )

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # 403 is no error: without definitions, names and ids are learnt from the objects (`state/live.py`).
        return ([Listing(self._path, self.plural, paged=False, none={403: None})],)

    def key(self, spec: CustomFieldSpec, project: str) -> str:
        return f"{spec.type}/{spec.name}"

    def key_of(self, row: Row, context: Context) -> str | None:
        # A side effect at the right moment: every row passes here before a manifest's value is translated.
        context.names.sees_definitions = True
        # The attribute is as old as that change of the projects' lists (5.1).
        context.names.lists_common_fields = "description" in row
        define(row, context.names)
        # Names are unique for each type of object only.
        return f"{row['customized_type']}/{row['name']}"

    def check(self, declared: Object[CustomFieldSpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = declared.spec
        for name, formats in FORMATS.items():
            if spec.field_format and spec.field_format not in formats and getattr(spec, name):
                yield name, f"{name} is not for the format {spec.field_format}, only for {_either(formats)}"
        for name, types in TYPES.items():
            if spec.type not in types and getattr(spec, name):
                yield name, f"{name} is only for custom fields of {_either(types)}, not of {spec.type}"
        if spec.field_format in ("user", "version") and spec.type not in OF_PROJECTS:
            yield "field_format", f"the format {spec.field_format} is only for {_either(OF_PROJECTS)}"
        if spec.roles and spec.visible:
            yield "roles", "roles are only for `visible: false`: Redmine clears those of a field that everybody sees"
        if spec.min_length and spec.max_length and spec.min_length > spec.max_length:
            yield "max_length", f"max_length {spec.max_length} is less than min_length {spec.min_length}"
        if spec.edit_tag_style == "radio" and spec.field_format not in (None, "bool"):
            yield "edit_tag_style", "radio is only for the format bool"
        if spec.field_format == "user" and spec.default_value not in (None, ""):
            # "is not included in the list", whoever it is (5.0 to 6.1): without an object, nobody is a choice.
            yield "default_value", "Redmine takes no default for the format user"
        if spec.field_format in NEEDED and getattr(spec, NEEDED[spec.field_format]) == []:
            yield NEEDED[spec.field_format], f"a custom field of this format needs {NEEDED[spec.field_format]}"

    def conflicts(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        wanted, live = values.get("field_format"), wire(row, "field_format") if row else None
        if live and wanted and wanted != live:
            said = f"field_format: cannot be changed: it is {live}"
            yield "field_format", said, "declare another custom field, or the format that it has"


NEEDED = {"list": "possible_values"}
"""Format → what a custom field of it must not lack."""


def _either(words: Iterable[str]) -> str:
    *some, last = words
    return f"{', '.join(some)} or {last}" if some else last


def define(row: Row, names: Names) -> None:
    """Add a custom field's definition to `names`."""
    customized, name = str(row["customized_type"]), str(row["name"])
    options = {str(o["value"]): str(o.get("label", o["value"])) for o in row.get("possible_values") or ()}
    form, visible = str(row.get("field_format") or ""), row.get("visible", True) is not False
    # As it is: the server can filter by it only when that has been written.
    now = row.get(CATALOG, row)
    known = names.custom_fields.setdefault(customized, {})
    # Under its former name.
    for other in [other for other, field in known.items() if field.id == row["id"] and other != name]:
        del known[other]
    known[name] = CustomField(
        id=row["id"],
        name=name,
        format=form,
        multiple=bool(row.get("multiple")),
        # A version field's "possible values" are only those shared with the whole system.
        options=options if form in ("list", "enumeration") else {},
        renamed=renames(names.spec(Address("custom_field", f"{customized}/{name}")), row),
        trackers=frozenset(t["id"] for t in row.get("trackers") or ()),
        filterable=bool(now.get("is_filter")),
        default=str(row.get("default_value") or ""),
        min_length=row.get("min_length"),
        max_length=row.get("max_length"),
        pattern=str(row.get("regexp") or ""),
        required=bool(row.get("is_required")),
        has_default=bool(row.get("default_value")),
        visible=visible,
        # Of users and groups, not even administrators are shown fields that are not visible (5.0 to 6.1).
        shown=visible or customized not in ("user", "group"),
        for_all=row.get("is_for_all"),
    )


KINDS = (CustomFields(),)
