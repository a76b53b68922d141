"""Which issue is above which, when everything is as declared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from reconciler.model.address import Address
from reconciler.model.codecs import Ref
from reconciler.model.name_index import Names

ISSUE = Ref(("issue",), word="key")

Span = tuple[int, int]


def related(one: Address, other: Address, names: Names) -> bool:
    """Whether one of two issues is above the other one, or both are the same."""
    spans = _spans(names)
    if one in spans and other in spans:
        # Spans are nested or apart, never crossing: one comparison instead of a walk up for each relation.
        (start, end), (begin, stop) = spans[one], spans[other]
        return start <= begin < end or begin <= start < stop
    # A declared parent and a live one can make a cycle: it has no top.
    return one == other or one in above(other, names) or other in above(one, names)


def _spans(names: Names) -> Mapping[Address, Span]:
    """The span of each issue in a walk through the trees: an issue is below another one if its span is inside."""
    if "ancestry" not in names.memo:
        spans: dict[Address, Span] = {}
        below, todo = _below(names), list[tuple[Address, int]]()
        everyone = (Address("issue", key) for key in {**names.declared("issue"), **names.live("issue").ids})
        todo += [(top, -1) for top in dict.fromkeys((*everyone, *below)) if _parent(top, names) is None]
        place = 0
        while todo:
            address, start = todo.pop()
            if start < 0:
                # Pushed below its children: it comes up again when they are done. No recursion, as trees can be deep.
                todo += [(address, place), *((child, -1) for child in below.get(address, ()))]
                place += 1
            else:
                spans[address] = (start, place)
        names.memo["ancestry"] = spans
    known: Mapping[Address, Span] = names.memo["ancestry"]
    return known


def below(address: Address, names: Names) -> list[Address]:
    """The issues right below one."""
    if "below" not in names.memo:
        names.memo["below"] = _below(names)
    known: Mapping[Address, list[Address]] = names.memo["below"]
    return known.get(address, [])


def _below(names: Names) -> dict[Address, list[Address]]:
    """Every issue, declared or live, that has some below it → those right below it."""
    below: defaultdict[Address, list[Address]] = defaultdict(list)
    declared, live = names.declared("issue"), names.live("issue")
    # Most issues have no parent, and are not looked at one by one.
    children = {number for number, row in live.rows.items() if row.get("parent")}
    children_by_name = {key for key, spec in declared.items() if "parent" in spec.model_fields_set}
    for key in {**declared, **live.ids} if children or children_by_name else ():
        if key in children_by_name or live.ids.get(key) in children:
            address = Address("issue", key)
            if parent := _parent(address, names):
                below[parent].append(address)
    return below


def above(address: Address, names: Names) -> list[Address]:
    """The issues above one, nearest first."""
    found: dict[Address, None] = {}
    one = address
    while (parent := _parent(one, names)) and parent not in found:
        found[parent], one = None, parent
    return list(found)


def _parent(address: Address, names: Names) -> Address | None:
    spec = names.spec(address)
    if spec is not None and "parent" in spec.model_fields_set:
        if not spec.parent:
            return None
        return ISSUE.reference(spec.parent, address.project).addresses(names.is_inside)[0]
    number = ((names.row(address) or {}).get("parent") or {}).get("id")
    key = names.live("issue").keys.get(number or 0)
    return Address("issue", key) if key else None
