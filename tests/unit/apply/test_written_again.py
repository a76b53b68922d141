"""What is written again because it was read back with a difference, and what that does to others."""

from __future__ import annotations

from typing import Any

from canned import Canned
from engine import apply_to, plan_of


class Passing(Canned):
    """It drops the first change of the first issue. The second one changes the other issue, too, as the closing of an
    issue closes its duplicates."""

    dropped = False

    def _write(self, method: str, parts: list[str], body: bytes, params: Any) -> tuple[int, bytes]:
        if (method, parts) != ("PUT", ["issues", "1"]):
            return super()._write(method, parts, body, params)
        if not self.dropped:
            self.dropped = True
            return 204, b""
        self.row("issues", 2)["description"] = "closed as a duplicate"
        return super()._write(method, parts, body, params)


def test_what_a_second_write_changes_elsewhere_is_compared_again() -> None:
    """An issue that was right before another one was written again may not be any more."""
    redmine = Passing()
    redmine.add("projects", identifier="shop", name="Shop", enabled_modules=["issue_tracking"])
    for subject in ("first", "other"):
        redmine.add("issues", project="shop", subject=subject, description="old")
    text = (
        "issues: [{project: shop, subject: first, description: one}, {project: shop, subject: other, description: two}]"
    )
    report = apply_to(redmine, text, concurrency=1)
    assert [result.outcome for result in report.results] == ["done", "done"]
    assert plan_of(redmine, text).changes == ()
