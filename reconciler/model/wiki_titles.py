"""The titles of wiki pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REMOVED = ",./?;|:"


def titleize(title: str) -> str:
    """A title as Redmine makes it (`Wiki.titleize`, 5.0 to 6.1): `release notes: 1.0` is `Release_notes_10`."""
    # Blanks first, as Redmine does: `a / b` becomes `A__b`.
    kept = re.sub(r"[ \t\n\v\f\r]+", "_", title).translate(dict.fromkeys(map(ord, REMOVED)))
    return kept[:1].upper() + kept[1:]


def lease_page(settings: Mapping[str, Any]) -> str:
    """The id of the page that the lease is kept on, which belongs to no manifest and no export; "" for none."""
    project, title = settings.get("lease") or ("", "")
    return f"{project}/{titleize(title)}" if project else ""
