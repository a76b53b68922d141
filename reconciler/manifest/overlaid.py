"""Mappings whose entries come from several files: an object of a manifest, as an overlay changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.errors import Location
from reconciler.manifest.loader import Map


class Overlaid(Map):
    """A mapping with entries of others. `origins` has the mapping that each of these entries comes from."""

    __slots__ = ("origins",)

    def __init__(self, base: Map) -> None:
        super().__init__(base.file, base.at, base.root)
        self.update(base)
        self.marks.update(base.marks)
        self.origins: dict[str, Map] = dict(base.origins) if isinstance(base, Overlaid) else {}

    def where(self, key: str | None = None) -> Location:
        """The place of a key, in the file that it comes from; or of the mapping if there is no such key."""
        origin = self.origins.get(key or "")
        return super().where(key) if origin is None else origin.where(key)

    def origin(self, key: str) -> Map:
        """The mapping that an entry comes from: what is relative to the file is relative to that one's."""
        return self.origins.get(key, self)

    def take(self, key: str, value: Any, origin: Map) -> None:
        """Set an entry as another mapping has it."""
        self[key] = value
        self.marks[key] = origin.marks.get(key, origin.at)
        self.origins[key] = origin.origin(key)

    def drop(self, key: str) -> None:
        """Remove an entry."""
        for known in (self, self.marks, self.origins):
            known.pop(key, None)


def replaced(node: Map, values: Mapping[str, Any]) -> Map:
    """The mapping with other values of some keys, at the same places; itself if there are none."""
    if not values:
        return node
    made = Overlaid(node)
    made.update(values)
    return made
