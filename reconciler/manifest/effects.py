"""What overlays have changed in the manifests."""

from __future__ import annotations

from reconciler.errors import Location
from reconciler.record import Record


class Effect(Record):
    """One thing that an overlay changes of an object, where it says so, and where the manifests say otherwise.

    `same` is true if they say the same, so that nothing is changed.
    """

    location: Location
    subject: str
    sentence: str
    before: Location | None = None
    same: bool = False

    def __str__(self) -> str:
        place = f" ({self.before})" if self.before else ""
        if self.same and self.before:
            place = f" is the same in {self.before}"
        return f"{self.location}: {self.subject}: {self.sentence}{place}"
