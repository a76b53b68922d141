"""Groups: read for their names (`GET /groups`, administrators only)."""

from __future__ import annotations

from reconciler.kinds.lookups import Lookup


class Groups(Lookup):
    """The built-in groups (anonymous, non-member) are not in the list (5.0 to 7.0)."""

    fold = True
    alternative = "user"


KINDS = (Groups("group", "/groups", "groups"),)
