"""What is new in Redmine 7.0, against its answers: there is no package of it to test with yet."""

from __future__ import annotations

import json
from typing import Any

import pytest
from canned import Canned
from engine import apply_to, offline, plan_of

TODAY = "2026-09-01"
SHOP = "projects: [{identifier: shop, name: Shop, enabled_modules: [issue_tracking], trackers: [Bug]}]\n"


class Seven(Canned):
    """A Redmine 7.0 with `default_issue_due_date_offset`, and trackers that can make issues private.

    `sent` are the issues of all POSTs, with what Redmine refuses.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []
        self.set(self.row("trackers", "Bug"), "trackers", private_by_default=True)

    def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """A new issue gets a due date that counts from today, unless it is sent one, or none."""
        if method != "POST" or "/issues" not in target:
            return super().answer(method, target, body)
        fields = json.loads(body)["issue"]
        self.sent.append(fields)
        if str(fields.get("start_date", "")) > fields.get("due_date", TODAY) != "":
            return 422, b'{"errors": ["Due date must be greater than start date"]}'
        if fields.get("due_date") == "":
            fields = {**fields, "due_date": None}
        return super().answer(method, target, json.dumps({"issue": fields}).encode())


def test_a_user_can_get_mail_about_what_it_watches_only() -> None:
    """`only_my_watches` is a value of `mail_notification`."""
    user = "{login: amy, firstname: Amy, lastname: Able, mail: amy@example.net, mail_notification: only_my_watches}"
    assert offline(f"users: [{user}]").problems == ()


@pytest.mark.parametrize("day, posts", [("2026-08-01", 1), ("2026-10-01", 2)])
def test_an_issue_that_starts_after_the_default_due_date_is_created(day: str, posts: int) -> None:
    """Where the server would fill in a due date before its start, it is told that there is none; else it may."""
    server, text = Seven(), SHOP + f"issues: [{{project: shop, subject: s, start_date: {day}}}]"
    assert {result.outcome for result in apply_to(server, text).results} == {"done"}
    assert [fields.get("due_date", "not sent") for fields in server.sent] == ["not sent", ""][:posts]
    assert plan_of(server, text).changes == ()


def test_what_is_refused_for_another_reason_stays_refused() -> None:
    """A due date that the manifest gives is sent once."""
    server = Seven()
    server.add("projects", identifier="shop", name="Shop", trackers=["Bug"], enabled_modules=["issue_tracking"])
    issue = "{project: shop, subject: s, start_date: 2026-10-01, due_date: 2026-10-02}"
    apply_to(server, f"issues: [{issue}]")
    assert [fields["due_date"] for fields in server.sent] == ["2026-10-02"]
