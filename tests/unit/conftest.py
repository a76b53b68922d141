"""What tests without a server share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from canned import Canned, reached
from catalog import Counting


@pytest.fixture
def canned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    """A Redmine in memory with a project `shop`; the current folder is empty, and the environment leads to the server."""
    server = Canned()
    server.add("projects", identifier="shop")
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(("REDMINE_", "RECONCILER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REDMINE_URL", server.url)
    monkeypatch.setenv("REDMINE_API_KEY", server.api_key)
    with reached(server):
        yield server


@pytest.fixture
def program(canned: Canned, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """The program of the server, which a command starts too."""
    session = Counting(canned)
    monkeypatch.setattr("reconciler.redmine.client.Session", lambda command, key: session)
    monkeypatch.setenv("REDMINE_CATALOG_COMMAND", "the program")
    return session
