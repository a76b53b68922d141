"""What Redmine may refuse of an issue, or change, by settings that the API does not show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.kinds.issues import dates, links, progress
from reconciler.model.address import Row
from reconciler.model.doubts import Doubts
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context


class IssueDoubts(Doubts):
    """Dates that Redmine may move, links to other projects, and values that Redmine may replace."""

    def about(
        self, kind: Kind, row: Row | None, values: Mapping[str, Any], context: Context
    ) -> Iterable[tuple[str, str]]:
        yield from links.doubted(row, values, context)
        yield from progress.doubted(row, values, context)
        for found in dates.findings(row, values, context):
            if not found.certain:
                yield found.field, found.sentence
