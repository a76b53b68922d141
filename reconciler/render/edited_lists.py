"""Lists whose items are edited: an item says what it was (`changed_from`), or that it is to go (`state: absent`).

The old and the new form of an item stand together, and a text of several lines is compared line by line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reconciler.plan.diff import detail

CONTROL = ("changed_from", "state")
"""What says how an item is edited, and is no part of it."""
Show = Callable[[Any], str]


def is_edited(items: Sequence[Any]) -> bool:
    """Whether items of a list are edited."""
    return any(isinstance(item, Mapping) and not item.keys().isdisjoint(CONTROL) for item in items)


def lines(before: Sequence[Any], after: Sequence[Any], show: Show) -> list[str]:
    """The diff, in the order of the list, and the number of unchanged items; `show` gives one item on one line."""
    left, diff, unchanged = defaultdict[str, list[Mapping[str, Any]]](list), list[str](), 0
    for item in before:
        left[str(item["text"]).rstrip("\n")].append(item)
    for item in after:
        others = left.get(str(item.get("changed_from", item["text"])).rstrip("\n"), [])
        place = next((n for n, other in enumerate(others) if _by_same(other, item)), None)
        old = None if place is None else others.pop(place)
        new = None if item.get("state") == "absent" else {k: v for k, v in item.items() if k not in CONTROL}
        unchanged += old == new
        diff += _item(old, new, show) if old != new else []
    return [*diff, f" … {unchanged} unchanged"] if unchanged else diff


def _by_same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return old.get("author") == new.get("author") or "author" not in old


def _item(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, show: Show) -> list[str]:
    if old and new and "\n" in f"{old['text']}{new['text']}" and old["text"] != new["text"]:
        rest = [{k: v for k, v in side.items() if k != "text"} for side in (old, new)]
        return [
            *detail(old["text"].rstrip("\n"), new["text"].rstrip("\n")),
            *(detail(*rest) if rest[0] != rest[1] else ()),
        ]
    return [f"{sign}{show(side)}" for sign, side in (("-", old), ("+", new)) if side]
