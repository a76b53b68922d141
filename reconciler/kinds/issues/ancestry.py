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
        (start, end), (begin, stop) = spans[one], spans[other]
        return start <= begin < end or begin <= start < stop
    # A declared parent and a live one can make a cycle: it has no top.
    return one == other or one in _above(other, names) or other in _above(one, names)


def _spans(names: Names) -> Mapping[Address, Span]:
    """Where each issue and all below it stand in a walk through the trees: who is inside a span is below its issue."""
    if "ancestry" not in names.memo:
        found: dict[Address, Span] = {}
        below, todo = _below(names), list[tuple[Address, int]]()
        todo += [(top, -1) for top in below if _parent(top, names) is None]
        place = 0
        while todo:
            address, start = todo.pop()
            if start < 0:
                todo += [(address, place), *((child, -1) for child in below.get(address, ()))]
                place += 1
            else:
                found[address] = (start, place)
        names.memo["ancestry"] = found
    known: Mapping[Address, Span] = names.memo["ancestry"]
    return known


def _below(names: Names) -> dict[Address, list[Address]]:
    """Every issue, declared or live → those right below it."""
    found: defaultdict[Address, list[Address]] = defaultdict(list)
    for key in {**names.declared("issue"), **names.live("issue").ids}:
        address = Address("issue", key)
        found[address] = found[address]
        if parent := _parent(address, names):
            found[parent].append(address)
    return found


def _above(address: Address, names: Names) -> list[Address]:
    found: list[Address] = []
    while (parent := _parent(found[-1] if found else address, names)) and parent not in found:
        found.append(parent)
    return found


def _parent(address: Address, names: Names) -> Address | None:
    spec = names.declared("issue").get(address.key)
    if spec is not None and "parent" in spec.model_fields_set:
        if not spec.parent:
            return None
        return ISSUE.reference(spec.parent, address.project).addresses(names.is_inside)[0]
    number = ((names.row(address) or {}).get("parent") or {}).get("id")
    key = names.live("issue").keys.get(number or 0)
    return Address("issue", key) if key else None
