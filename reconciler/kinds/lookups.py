"""What only Redmine's administration can make: read for its names, never written (the API has no way, up to 7.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.kind import Kind, Listing, Need
from reconciler.names import Context, CustomField, Names, Row
from reconciler.spec import Spec


class Lookup(Kind):
    """A list of names that manifests refer to."""

    readonly = True
    spec = Spec

    def __init__(self, name: str, path: str, root: str) -> None:
        self.name = name
        self.plural = root
        self.path = path

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        return ([Listing(self.path, self.plural, paged=False)],)

    def key_of(self, row: Row, context: Context) -> str | None:
        return str(row["name"])


class CustomFieldLookup(Lookup):
    """Custom fields' definitions: for administrators only (403 for others, on every version)."""

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        return ([Listing(self.path, self.plural, paged=False, none={403: None})],)

    def key_of(self, row: Row, context: Context) -> str | None:
        define(row, context.names)
        return f"{row['customized_type']}/{row['name']}"


def define(row: Mapping[str, Any], names: Names) -> None:
    """Take a custom field's definition into `names`."""
    options = {str(o["value"]): str(o.get("label", o["value"])) for o in row.get("possible_values") or ()}
    names.custom_fields.setdefault(row["customized_type"], {})[row["name"]] = CustomField(
        id=row["id"],
        name=row["name"],
        format=row["field_format"],
        multiple=bool(row.get("multiple")),
        # A version field's "possible values" are only those shared with the whole system.
        options=options if row["field_format"] in ("list", "enumeration") else {},
        trackers=frozenset(t["id"] for t in row.get("trackers") or ()),
        filterable=bool(row.get("is_filter")),
    )


KINDS = (
    CustomFieldLookup("custom_field", "/custom_fields", "custom_fields"),
    Lookup("tracker", "/trackers", "trackers"),
    Lookup("issue_status", "/issue_statuses", "issue_statuses"),
    Lookup("issue_priority", "/enumerations/issue_priorities", "issue_priorities"),
    Lookup("role", "/roles", "roles"),
)
