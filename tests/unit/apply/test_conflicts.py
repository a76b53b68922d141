"""Changes that Redmine refuses without a reason, because another request changes the same parent."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from reconciler.apply import sender
from reconciler.apply.sender import Sender
from reconciler.errors import Rejected
from reconciler.model.kind import Request
from reconciler.redmine.client import Client

CHANGE = Request("PUT", "/issues/16.json", {"issue": {"status_id": 5}})


class Busy:
    """A client of a Redmine that refuses the first writes."""

    def __init__(self, times: int, *errors: str, repeated: bool = False) -> None:
        self.left, self.errors, self.repeated, self.sent = times, errors, repeated, 0

    async def write(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Nothing, or a refusal."""
        self.sent += 1
        if self.sent > self.left:
            return {}
        raise Rejected("422", status=422, errors=self.errors, repeated=self.repeated)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits."""
    monkeypatch.setattr(sender, "CONFLICT_PAUSES", (0.0, 0.0, 0.0))


def send(busy: Busy, request: Request) -> dict[str, Any]:
    """The response to a write."""
    return asyncio.run(Sender(cast("Client", busy)).send(request))


def test_a_change_refused_without_a_reason_is_sent_again() -> None:
    """Redmine has rolled it back, and accepts it when the other request is done."""
    busy = Busy(2)
    assert send(busy, CHANGE) == {}
    assert busy.sent == 3


@pytest.mark.parametrize(
    ("busy", "request_", "sent"),
    [
        (Busy(9), CHANGE, 4),
        (Busy(9, "Subject cannot be blank"), CHANGE, 1),
        (Busy(9, repeated=True), CHANGE, 1),
        (Busy(9), Request("DELETE", "/issues/16.json"), 1),
        (Busy(9), Request("POST", "/issues.json", {}), 1),
    ],
    ids=["always", "with a reason", "after a lost answer", "a deletion", "a creation"],
)
def test_other_refusals_stay(busy: Busy, request_: Request, sent: int) -> None:
    """Only a change without a reason is sent again, three times at most."""
    with pytest.raises(Rejected):
        send(busy, request_)
    assert busy.sent == sent
