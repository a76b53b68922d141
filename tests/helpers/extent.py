"""How much runs of what is exhaustive or statistical: `make test` has a case of each kind, `make prove` the whole.

Tests that use it have the mark `prove`, by which `make prove` finds them. What has no short form has the mark `prove_only`.
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")
PROVE = os.environ.get("RECONCILER_PROVE", "")
"""`all` in `make prove`, a digit for one tenth of it; empty in `make test`."""
PARTS = 10


def either(some: T, whole: T) -> T:
    """What `make test` needs, or the whole for `make prove`."""
    return whole if PROVE else some
