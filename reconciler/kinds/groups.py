"""Groups: read for their names (`GET /groups`, administrators only)."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kind import Listing, Need
from reconciler.kinds.lookups import Lookup
from reconciler.names import Names


class Groups(Lookup):
    """The built-in groups (anonymous, non-member) are not in the list (5.0 to 7.0)."""

    fold = True

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # Others than administrators may not list groups: then a name can only be a user's.
        return ([Listing(self.path, self.plural, paged=False, none={403: None})],)


KINDS = (Groups("group", "/groups", "groups"),)
