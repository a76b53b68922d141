"""Redmine's filters for lists (`IssueQuery`, `TimeEntryQuery`, 5.0 to 6.1) as parameters of a request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

Params = tuple[tuple[str, str], ...]
CHUNK = 99
"""Ids in one request: Redmine 5.0 to 7.0 keep the filter in a 4 KB cookie and answer 500 when it is too long.

Not 100: after a full page, a list is asked for another one (see `pagination`)."""
WINDOW = 1000
"""The range of issue ids in one of the lists of an export."""
LENGTH = 1500
"""Bytes of keys in one request, for the same reason."""
EVERY = (("f[]", "status_id"), ("op[status_id]", "*"), ("sort", "id"))
"""Closed issues too, in an order in which no page moves when an issue is added."""

T = TypeVar("T")


def chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The items, as many at a time as one request takes."""
    for i in range(0, len(items), size):
        yield list(items[i : i + size])


def portions(keys: Iterable[str]) -> Iterator[list[str]]:
    """The same for keys, which can be long."""
    portion, length = list[str](), 0
    for key in keys:
        length += _weight(key)
        if portion and length > LENGTH:
            yield portion
            portion, length = [], _weight(key)
        portion.append(key)
    if portion:
        yield portion


def _weight(key: str) -> int:
    """The bytes of a key in the cookie, with what surrounds it."""
    # Rails writes what HTML gives a meaning as \\u003c.
    return len(json.dumps(key, ensure_ascii=False).encode()) + 5 * sum(key.count(c) for c in "<>&") + 8


def criterion(name: str, operator: str, *values: Any) -> tuple[tuple[str, str], ...]:
    """One filter of a query, in the form that takes several values."""
    # Not the short form `name=value`: it takes a leading `!` or `~`, and each `|`, for operators of its own.
    return (("f[]", name), (f"op[{name}]", operator), *((f"v[{name}][]", str(v)) for v in values))
