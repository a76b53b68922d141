"""How much runs of what is exhaustive or statistical: `make test` has a case of each kind, `make prove` the whole.

Tests that use it have the mark `prove`, by which `make prove` finds them.
"""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

T = TypeVar("T")
PROVE = os.environ.get("RECONCILER_PROVE", "")
"""`all` in `make prove`, a digit for one tenth of it; empty in `make test`."""
PARTS = 10


def either(some: T, whole: T) -> T:
    """What `make test` needs, or the whole for `make prove`."""
    return whole if PROVE else some


def to_prove(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests that have more cases in `make prove`, or the tenth of them that it takes."""
    more = [item for item in items if any(item.iter_markers("prove"))]
    return [item for number, item in enumerate(more) if PROVE == "all" or number % PARTS == int(PROVE)]
