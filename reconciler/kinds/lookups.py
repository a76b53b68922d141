"""What only an administrator can create, in Redmine itself: the API lists it and cannot write it (up to 7.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.address import Row
from reconciler.model.capabilities import ReadOnly, Rows, VersionProbe
from reconciler.model.forms import FLAG, NAME, PLAIN, REF, TEXT, WHOLE, Each, Fields
from reconciler.model.kind import Kind, Listing, Need
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.spec import Spec


class Lookup(Kind[Spec], abstract=True):
    """A list of names that manifests refer to."""

    spec = Spec
    _rows = Rows({"name": NAME})

    def __init__(self, name: str, path: str, root: str, menu: str) -> None:
        self.name = name
        self.plural = root
        self.path = path
        self.capabilities = (self._read_only(f"Administration → {menu}"), self._rows)

    def _read_only(self, menu: str) -> ReadOnly:
        return ReadOnly(menu)

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        return ([Listing(self.path, self.plural, paged=False)],)

    def key_of(self, row: Row, context: Context) -> str | None:
        return str(row["name"])


class Enumeration(Lookup, abstract=True):
    """Values of an enumeration. Objects keep a value that is no longer active (`active`, 5.0 to 7.0)."""

    _rows = Rows({"name": NAME, "active": FLAG.optional})

    def _read_only(self, menu: str) -> ReadOnly:
        return _ActiveOnly(menu, self.name.replace("_", " "))


@dataclass(frozen=True)
class _ActiveOnly(ReadOnly):
    """Only active values can be given to an object."""

    _what: str = ""

    def why_unusable(self, row: Row) -> str:
        return "" if row.get("active", True) else f'the {self._what} "{row["name"]}" is not active'


class _Supported(VersionProbe):
    """From Redmine 5.0 on, trackers show which core fields they have enabled."""

    def is_supported(self, rows: Iterable[Row]) -> bool:
        # True without trackers: such a Redmine is not too old, only not set up.
        return all("enabled_standard_fields" in row for row in rows)


class Trackers(Lookup, abstract=True):
    """Trackers. Their rows also show whether the server is supported."""

    _rows = Rows({"name": NAME, "enabled_standard_fields": Each(of=TEXT).optional, "default_status": REF.optional})

    def __init__(self, name: str, path: str, root: str, menu: str) -> None:
        super().__init__(name, path, root, menu)
        self.capabilities = (*self.capabilities, _Supported())


class Roles(Lookup, abstract=True):
    """Roles that members can have. Only their own pages show the permissions (5.0 to 7.0)."""

    _rows = Rows({"name": NAME, "assignable": FLAG.optional, "permissions": Each(of=TEXT).optional})

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        return Listing(f"{self.path}/{row['id']}", "role", single=True)


class Queries(Lookup, abstract=True):
    """Public queries of issues for all projects: those of one project cannot exist before it."""

    _rows = Rows({"name": NAME, "is_public": FLAG, "project_id": WHOLE.optional})

    def __init__(self) -> None:
        super().__init__("query", "/queries", "queries", "")
        self.capabilities = (ReadOnly("Issues → Save, visible to any users, for all projects"), self._rows)

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # Paged, unlike the other lists here (5.0 to 6.1).
        return ([Listing(self.path, self.plural)],)

    def key_of(self, row: Row, context: Context) -> str | None:
        return str(row["name"]) if row["is_public"] and not row.get("project_id") else None


class CustomFieldLookup(Lookup, abstract=True):
    """Custom fields' definitions: for administrators only (403 for others, on every version)."""

    _rows = Rows(
        {
            "name": NAME,
            "customized_type": NAME,
            "field_format": TEXT,
            "possible_values": Each(of=Fields(of={"value": PLAIN, "label": PLAIN.optional})).optional,
            "trackers": Each(of=REF).optional,
            "min_length": WHOLE.optional,
            "max_length": WHOLE.optional,
        }
    )

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # 403 is no error: without definitions, names and ids are learnt from the objects (`state/live.py`).
        return ([Listing(self.path, self.plural, paged=False, none={403: None})],)

    def key_of(self, row: Row, context: Context) -> str | None:
        # A side effect at the right moment: every row passes here before a manifest's value is translated.
        define(row, context.names)
        # Names are unique for each type of object only.
        return f"{row['customized_type']}/{row['name']}"


def define(row: Mapping[str, Any], names: Names) -> None:
    """Add a custom field's definition to `names`."""
    options = {str(o["value"]): str(o.get("label", o["value"])) for o in row.get("possible_values") or ()}
    names.sees_definitions = True
    # The attribute is as old as that change of the projects' lists (5.1).
    names.lists_common_fields = "description" in row
    names.custom_fields.setdefault(row["customized_type"], {})[row["name"]] = CustomField(
        id=row["id"],
        name=row["name"],
        format=row["field_format"],
        multiple=bool(row.get("multiple")),
        # A version field's "possible values" are only those shared with the whole system.
        options=options if row["field_format"] in ("list", "enumeration") else {},
        trackers=frozenset(t["id"] for t in row.get("trackers") or ()),
        filterable=bool(row.get("is_filter")),
        default=str(row.get("default_value") or ""),
        min_length=row.get("min_length"),
        max_length=row.get("max_length"),
        pattern=str(row.get("regexp") or ""),
        required=bool(row.get("is_required")),
        has_default=bool(row.get("default_value")),
        visible=row.get("visible", True) is not False,
        # Of users and groups, not even administrators are shown fields that are not visible (5.0 to 6.1).
        shown=row.get("visible", True) is not False or row["customized_type"] not in ("user", "group"),
        for_all=row.get("is_for_all"),
    )


KINDS = (
    CustomFieldLookup(
        "custom_field", "/custom_fields", "custom_fields", "Custom fields, which only an administrator's key can read"
    ),
    Trackers("tracker", "/trackers", "trackers", "Trackers"),
    Lookup("issue_status", "/issue_statuses", "issue_statuses", "Issue statuses"),
    Enumeration(
        "issue_priority", "/enumerations/issue_priorities", "issue_priorities", "Enumerations → Issue priorities"
    ),
    Enumeration(
        "time_entry_activity",
        "/enumerations/time_entry_activities",
        "time_entry_activities",
        "Enumerations → Activities (time tracking)",
    ),
    Roles("role", "/roles", "roles", "Roles and permissions"),
    Queries(),
)
