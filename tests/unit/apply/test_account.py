"""The account is asked again before much is created."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import apply_to

from reconciler.errors import RefusedError

NAMES = ", ".join(f"{{name: Team {number}}}" for number in range(12))
GROUPS = f"groups: [{NAMES}]"
ME = ("GET", "/users/current.json")


def test_rights_that_were_lost() -> None:
    """Where most declared objects are missing and the account is no administrator any more, nothing is written."""
    redmine = Canned()

    def lose(method: str, path: str) -> None:
        if path.startswith("/groups"):
            redmine.row("users", "admin")["admin"] = False

    redmine.before = lose
    with pytest.raises(RefusedError, match="may only be hidden"):
        apply_to(redmine, GROUPS)
    assert all(method == "GET" for method, _ in redmine.seen)


def test_a_first_apply() -> None:
    """Much that is new is created after one more request."""
    redmine = Canned()
    report = apply_to(redmine, GROUPS)
    assert {result.outcome for result in report.results} == {"done"}
    assert redmine.seen.count(ME) == 2


def test_what_is_mostly_there() -> None:
    """Where little is missing, the account is not asked again."""
    redmine = Canned()
    apply_to(redmine, GROUPS)
    redmine.seen.clear()
    apply_to(redmine, GROUPS.replace("Team 11", "Other"))
    assert redmine.seen.count(ME) == 1
