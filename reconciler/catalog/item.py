"""What the program inside Redmine is asked to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import field

from reconciler.record import Record


class Item(Record):
    """One write: an object of a kind, by the key that the program knows it by; `needs` are the numbers of others."""

    op: str
    kind: str
    key: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    id: Any = None
    was: Mapping[str, Any] | None = None
    """The key that the object must still have."""
    needs: tuple[int, ...] = ()
