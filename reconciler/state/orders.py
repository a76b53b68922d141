"""`ordered: true` of a document → the order of each of its lists, as an object that is compared and written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from reconciler.kinds import declarable, kinds
from reconciler.manifest.loader import Map, Seq
from reconciler.model.address import Address
from reconciler.model.catalog import CATALOG
from reconciler.model.custom_fields import FALSE, TRUE
from reconciler.model.kind import Kind, Object
from reconciler.model.name_index import Names
from reconciler.model.ordering import ORDERED, Ordered, order_in
from reconciler.state.partial import is_partial

ORDER = "order"
"""The kind of these objects."""


def fault(document: Map) -> str:
    """What is wrong with the key, or ""."""
    value = document.get(ORDERED)
    if value is not None and str(value).lower() not in TRUE | FALSE:
        return f"{ORDERED}: expected true or false"
    lists = declarable()
    if is_ordered(document) and not any(name in lists and lists[name].has(Ordered) for name in document):
        return f"{ORDERED}: none of the lists here has an order in Redmine"
    return ""


def is_ordered(document: Map) -> bool:
    """Whether the order of a document's lists is that of Redmine."""
    return str(document.get(ORDERED)).lower() in TRUE


def orders_of(document: Map, kind: Kind, objects: Iterable[Object]) -> Iterator[Object]:
    """The order of a list of a document; of one, or none, there is none to speak of."""
    if not is_ordered(document) or not kind.has(Ordered):
        return
    found: defaultdict[str, list[str]] = defaultdict(list)
    for declared in objects:
        placed = kind.capability(Ordered).place(kind, declared.address.key)
        if placed is not None and (is_partial(declared.spec) or declared.spec.state == "present"):
            found[placed[0]].append(placed[1])
    for place, names in found.items():
        if len(names) > 1:
            yield _object(document, kind, place, names)


def _object(document: Map, kind: Kind, place: str, names: Sequence[str]) -> Object:
    origin = document.origin(kind.plural)
    at = document.marks.get(kind.plural, document.at)
    body = Map(origin.file, at, origin.root)
    listed = Seq(origin.file, at)
    listed.extend(names)
    body.update(name=place, names=listed)
    body.marks |= {"name": at, "names": at}
    order = kinds()[ORDER]
    return Object(order, Address(ORDER, place), order.spec(name=place, names=list(names)), body)


def add_orders(objects: Iterable[Object], names: Names) -> None:
    """Add the orders that are declared as they are now, from the lists that were read."""
    lists = declarable()
    for declared in objects:
        if declared.kind.name == ORDER:
            place = declared.address.key
            known = order_in(lists[place.partition("/")[0]], place, names)
            shown = {"name": place, **({} if known is None else {"names": known})}
            names.add(ORDER, place, {"id": place, CATALOG: shown})
