"""The order of a list in Redmine, which follows from a manifest's with `ordered: true`."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from reconciler.kinds._catalog import CatalogKind
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Dependencies, FixedKey, ReadOnly
from reconciler.model.catalog import CATALOG, Catalog, CatalogRows
from reconciler.model.codecs import Codec, Difference
from reconciler.model.forms import ANY
from reconciler.model.name_index import Context, Names
from reconciler.model.ordering import Implied, Ordered, rearranged
from reconciler.model.spec import REFUSE, Api, Name, Spec


class Sequence(Codec):
    """Names in their order. Those of others in between do not matter."""

    form = ANY

    def equal(self, desired: Any, live: Any) -> bool:
        return rearranged(live or (), desired) == list(desired)

    def differences(self, desired: Any, live: Any) -> list[Difference]:
        return [] if self.equal(desired, live) else [("", rearranged(live or (), desired), list(desired))]


class OrderSpec(Spec):
    """The order of a list, from a manifest with `ordered: true`."""

    name: Annotated[Name, Field(description="The list."), Api(clear=REFUSE)]
    names: Annotated[
        list[Name] | None, Field(description="The names in their order."), Api(codec=Sequence(), clear=REFUSE)
    ] = None


class _Catalog(Catalog):
    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        return {"id": shown["id"]} if "id" in shown else {}


class _After(Dependencies):
    """All that the list names must be there."""

    def depends_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        from reconciler.kinds import declarable  # not above: that package imports this module

        kind = declarable()[address.key.partition("/")[0]]
        key = kind.capability(Ordered).key
        return [("names", Address(kind.name, key(address.key, name))) for name in values.get("names") or ()]


class Orders(CatalogKind[OrderSpec]):
    """Redmine's lists all have an order, whether a manifest declares it or not."""

    name = "order"
    plural = "orders"
    spec = OrderSpec
    identity = ("name",)
    rank = 9
    capabilities = (ReadOnly("Administration"), _Catalog(), CatalogRows(), Implied(), FixedKey(), _After())

    def key_of(self, row: Row, context: Context) -> str | None:
        return self.capability(Catalog).key_of(row[CATALOG])


KINDS = (Orders(),)
