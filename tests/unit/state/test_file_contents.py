"""The contents of live files, which are compared with those of declared ones."""

from __future__ import annotations

from collections.abc import Awaitable
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from calls import Server, call, says

from reconciler.redmine.client import Client
from reconciler.state import live

NOTE, PAGE = b"a note", b"<html><body>Sign in</body></html>"


def digest(*contents: bytes) -> tuple[str, int]:
    """What the digest of a file of the size of NOTE is, when the downloads have these contents; and how many there were."""
    server = Server(*(says(200, content=content) for content in contents))
    candidate: Any = SimpleNamespace(number=1, size=len(NOTE))

    def action(client: Client) -> Awaitable[Any]:
        return live._digest(client, candidate)

    return call(server, action), len(server.seen)


@pytest.mark.parametrize("other", [PAGE, b"", b"a"])
def test_a_page_in_place_of_a_file_is_not_its_content(other: bytes) -> None:
    """What has not the size that the server told is asked for once more: then it is the file."""
    assert digest(other, NOTE) == (sha256(NOTE).hexdigest(), 2)


def test_a_file_of_its_size_is_downloaded_once() -> None:
    """Its digest is that of its content."""
    assert digest(NOTE) == (sha256(NOTE).hexdigest(), 1)


def test_a_file_that_lost_a_part_on_the_server_differs() -> None:
    """If it has another size each time, that is its content, and it is replaced."""
    found, downloads = digest(b"a")
    assert (found == sha256(NOTE).hexdigest(), downloads) == (False, 2)
