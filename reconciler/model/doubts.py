"""Values that the server may refuse: which of them it does is a setting that the API does not show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.address import Row
from reconciler.model.capabilities import Capability
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context


class Doubts(Capability):
    """What is told as a warning in a plan."""

    def about(
        self, kind: Kind, row: Row | None, values: Mapping[str, Any], context: Context
    ) -> Iterable[tuple[str, str]]:
        """(field, sentence) for canonical values that this server may refuse."""
        return ()
