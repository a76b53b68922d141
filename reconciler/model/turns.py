"""Work on objects that must not overlap with work on others, although neither names the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Capability
from reconciler.model.name_index import Context


class Turns(Capability):
    """Objects that Redmine reads while it writes others: two requests at the same time would not see each other.

    A turn is named by an object. All work that is `ahead` in it is done, or has failed, before any that is `behind`.
    Arguments as in `Dependencies`; there are no values with a deletion.
    """

    def ahead(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[Address]:
        """The turns in which the first operation on this object comes first."""
        return ()

    def behind(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[Address]:
        """The turns in which the work on this object comes after all that is ahead."""
        return ()
