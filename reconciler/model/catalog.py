"""Kinds that the API at most reads: the program inside Redmine (`catalog/`) writes them, and shows what the API hides.

Their rows are those of the API, with what the program shows under `CATALOG`. A row that the API has not shown yet, of
an object that is only declared or was just created, is made from that (`Catalog.api_row`), so that everything else
reads rows of one form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Capability, PartialRows
from reconciler.model.codecs import Ref, RefSet
from reconciler.model.forms import ANY, Form
from reconciler.model.name_index import Context, Names

if TYPE_CHECKING:
    from reconciler.model.kind import Kind

CATALOG = "catalog"
"""The key of a row under which is what the program shows."""


class Catalog(Capability):
    """What the program calls the objects of a kind, and how the API shows them."""

    after_api: bool = False
    """Whether its objects refer to what only the API writes, such as projects."""
    unlisted: bool = False
    """Whether the API does not show which objects there are: only the program can tell what a name means."""

    def program_key(self, address: Address) -> Mapping[str, Any]:
        """The key by which the program knows an object."""
        return {"name": address.key}

    def key_of(self, shown: Mapping[str, Any]) -> str:
        """The key of an object that the program shows."""
        return str(shown["name"])

    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        """What the API shows of an object, as far as it follows from the given fields; for what relies on such rows."""
        return {name: shown[name] for name in ("id", "name") if name in shown}

    def identity(self, shown: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields of the identity that manifests write otherwise than the program shows them."""
        return {}

    def note(self, row: Row, names: Names) -> None:
        """Take note of a row that was not read from the API: the definition of a custom field."""


class CatalogRows(PartialRows):
    """Without the program, a row has what the API shows."""

    def shows(self, kind: Kind, row: Row, name: str, values: Mapping[str, Any]) -> bool:
        return (kind.fields[name].read or name) in row.get(CATALOG, row)


def merged(kind: Kind, shown: Mapping[str, Any], names: Names) -> Row:
    """The row of an object that the program shows; what the API has shown of it is kept."""
    known = names.live(kind.name).rows.get(shown["id"]) or {}
    # The program was asked last.
    catalog = kind.capability(Catalog)
    return {**known, **catalog.api_row(shown, names), CATALOG: {**shown, **catalog.identity(shown)}}


def existing(row: Row | None) -> Row | None:
    """The row, unless it is of an object that is only declared: those have numbers below zero."""
    return row if row is None or not isinstance(row["id"], int) or row["id"] >= 0 else None


def wire(row: Row, name: str) -> Any:
    """The value of a field, from the program if it was asked, else from the API."""
    return row.get(CATALOG, row).get(name)


class Named(Ref):
    """One other object that the program takes and shows by name."""

    form: ClassVar[Form] = ANY

    def decode(self, wire: Any, context: Context) -> Any:
        if isinstance(wire, Mapping) or not wire:
            return super().decode(wire, context)
        # What is renamed is renamed wherever it is named.
        renamed = context.names.renamed.items()
        return next((new.key for new, old in renamed if old == wire and new.kind in self.kinds), wire)

    def encode(self, value: Any, context: Context) -> Any:
        return value


class NamedSet(RefSet):
    """A set of such objects."""

    form: ClassVar[Form] = ANY
