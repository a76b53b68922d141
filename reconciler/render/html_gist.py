"""What a folded object of a page says in one line: so that nobody has to unfold all of them to know what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.render.safe import html
from reconciler.render.words import Field

if TYPE_CHECKING:
    from reconciler.plan.operations import Change

FIELDS = 3
"""Fields that are named; more are counted."""
LONG = 60
"""Characters of a value to show."""


def gist(change: Change, fields: Sequence[Field], because: str = "") -> str:
    """`status New → Closed · description · 2 more`; "" if there is nothing that the heading does not say.

    Of what was skipped, why.
    """
    address = change.address
    said = {address.key, address.own_name, address.project}
    parts = [_part(field) for field in fields if field.lines or field.before is not None or field.after not in said]
    more = [f"{len(parts) - FIELDS} more"] if len(parts) > FIELDS else []
    text = f"because {because}" if because else " · ".join([*parts[:FIELDS], *more])
    return f'<span class="gist">{html(text)}</span>' if text else ""


def _part(field: Field) -> str:
    if field.lines:
        return field.label
    before = [] if field.before is None else [_cut(field.before), "→"]
    return " ".join([field.label, *before, _cut(field.after)])


def _cut(text: str) -> str:
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"
