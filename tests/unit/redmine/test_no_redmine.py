"""What is not a Redmine that can be worked with: a sentence, before anything is written."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from promises import Tool
from stub import Stub

from reconciler.errors import (
    NotRedmine,
    ReconcilerError,
    Unreachable,
)

ISSUES = {"projects": [{"identifier": "shop", "issues": [{"subject": "it", "description": "text"}]}]}


def said(tool: Tool, error: type[ReconcilerError], data: dict[str, Any] = ISSUES) -> str:
    """What stops a plan: the error's text, which ends as a sentence does."""
    with pytest.raises(error) as caught:
        tool.plan(data)
    text = str(caught.value)
    assert text.endswith("."), text
    return text


# -- no Redmine ------------------------------------------------------------------------------------------------


def test_nothing_listens_at_the_port() -> None:
    """A port that nobody listens on is said to refuse the connection, with the address and what to check."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        text = said(Tool(url, "key", retries=0), Unreachable)
    assert text.startswith(f"GET /users/current failed at {url}: ")
    assert "the connection was refused; check the port in `url`" in text


def test_a_host_that_does_not_exist() -> None:
    """A host's name that cannot be resolved is said to be the reason, at once."""
    assert "could not be resolved" in said(Tool("http://redmine.invalid", "key"), Unreachable)


def test_a_page_instead_of_data() -> None:
    """A portal that answers every address with its own page is not taken for a Redmine."""
    with Stub(lambda method, path, body: (200, b"<html>Please log in</html>")) as stub:
        text = said(Tool(stub.url, "key"), NotRedmine)
    assert "instead of a JSON object: check `url`, and whether a login page or a proxy answers in its place" in text


def test_another_program_that_speaks_json() -> None:
    """JSON that is not Redmine's is not taken for a Redmine either."""
    with Stub(lambda method, path, body: (200, b'{"status": "ok"}')) as stub:
        assert "so this is not a Redmine: check `url`" in said(Tool(stub.url, "key"), NotRedmine)


@pytest.mark.parametrize("field", ["updated_on", "enabled_standard_fields"])
def test_a_redmine_that_is_too_old(field: str) -> None:
    """A Redmine before 4.2, whose users lack a field, and one before 5.0, whose trackers do, are refused as too old."""
    user = {"id": 1, "login": "admin", "admin": True, "updated_on": "2020-01-01T00:00:00Z"}
    tracker = {"id": 1, "name": "Bug", "enabled_standard_fields": []}
    user.pop(field, None)
    tracker.pop(field, None)

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        found = {"user": user} if path.startswith("/users/current") else {"trackers": [tracker]}
        return 200, json.dumps(found).encode()

    with Stub(answer) as stub:
        text = said(Tool(stub.url, "key"), NotRedmine)
    assert "Redmine 5.0 or later is required" in text
