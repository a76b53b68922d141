"""What kinds of the catalog share: lists of names that the API shows, and that the program inside Redmine writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from reconciler.catalog.item import Item
from reconciler.model.address import Address, Row
from reconciler.model.catalog import CATALOG, Catalog, wire
from reconciler.model.kind import Kind, Listing, Need
from reconciler.model.name_index import Context, Names
from reconciler.model.requests import payload
from reconciler.model.spec import Id, Spec

S = TypeVar("S", bound=Spec)


class CatalogKind(Kind[S], Generic[S], abstract=True):
    """A kind of the catalog. `_path` is the API's list, "" if the API shows none."""

    _path = ""
    rank = 5

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        return ([Listing(self._path, self.plural, paged=False)],) if self._path else ([],)

    def live(self, row: Row, name: str, context: Context) -> Any:
        api = self.fields[name]
        return api.codec.decode(wire(row, api.read or name), context)

    def item(self, op: str, address: Address, number: Id | None, values: Mapping[str, Any], context: Context) -> Item:
        """The write of an object: `create`, `update` or `delete`."""
        catalog, row = self.capability(Catalog), context.names.row(address)
        body = {
            name: value for name, value in payload(self.fields, values, context).items() if name not in self.identity
        }
        # What the same plan creates has no key yet, also where a second step updates it.
        was = self.shown_key(row) if row and row.get(CATALOG) and op != "create" else None
        return Item(op, self.name, catalog.program_key(address), body, number, was)

    def shown_key(self, row: Row) -> Mapping[str, Any]:
        """The key by which the program knows a live object."""
        catalog = self.capability(Catalog)
        return catalog.program_key(Address(self.name, catalog.key_of(row[CATALOG])))
