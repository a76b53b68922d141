"""JSON in pieces: while one call writes a long text, no other thread can run, not even the one of a progress bar."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


def pieces(value: Any, levels: int, **options: Any) -> Iterator[str]:
    """What `json.dumps(value, **options)` returns, in pieces: each value `levels` below this one is one of them.

    The keys of mappings are texts.
    """
    if not levels or not value or not isinstance(value, Mapping | list):
        yield json.dumps(value, **options)
        return
    opening, closing = "{}" if isinstance(value, Mapping) else "[]"
    for number, (name, part) in enumerate(_parts(value, sort=options.get("sort_keys", False))):
        yield f"{', ' if number else opening}{name}"
        yield from pieces(part, levels - 1, **options)
    yield closing


def _parts(value: Mapping[str, Any] | list[Any], *, sort: bool) -> Iterable[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return (("", part) for part in value)
    return ((f"{json.dumps(key)}: ", value[key]) for key in (sorted(value) if sort else value))


def sha256(value: Any, levels: int, *, default: Callable[[Any], Any] | None = None) -> str:
    """`sha256:…` of the JSON of a value, with sorted keys. `default` is that of `json.dumps`."""
    digest = hashlib.sha256()
    for piece in pieces(value, levels, sort_keys=True, default=default):
        digest.update(piece.encode())
    return f"sha256:{digest.hexdigest()}"
