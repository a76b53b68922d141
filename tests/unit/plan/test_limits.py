"""More deletions than the limits are refused before anything is written."""

from __future__ import annotations

import pytest

from reconciler.config import Limits
from reconciler.errors import RefusedError
from reconciler.plan.limits import check


@pytest.mark.parametrize(
    ("deletes", "objects", "limits", "allowed", "said"),
    [
        (10, 20, Limits(), None, None),
        (11, 500, Limits(), None, "limit of 10"),
        (11, 500, Limits(), 11, None),
        (12, 500, Limits(deletes=50), 11, "--max-deletes 11"),
        (3, 10, Limits(delete_ratio=0.3), None, None),
        (4, 10, Limits(delete_ratio=0.3), None, "30% of the 10"),
        (4, 10, Limits(delete_ratio=0.3), 4, None),
        (1, 1, Limits(deletes=0), None, "limit of 0"),
        (0, 0, Limits(deletes=0, delete_ratio=0.0), None, None),
    ],
)
def test_limits(deletes: int, objects: int, limits: Limits, allowed: int | None, said: str | None) -> None:
    """A count and a share bound the deletions; --max-deletes stands in for both."""
    if said is None:
        check(deletes, objects, limits, allowed)
    else:
        with pytest.raises(RefusedError, match=said):
            check(deletes, objects, limits, allowed)
