"""Which of the custom fields of `setup.rb` the server of a test has: that for keys, and those that the test names.

    @pytest.mark.custom_fields("Issue list", "Project user")
    @pytest.mark.custom_fields(EVERY)

Redmine reads all definitions anew for each object that it shows or writes, a millisecond for each field: with all of
them, its answers take twice as long. A test has what its own mark names and what that of its file names.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.sandbox import Running, Sandbox
from reconciler.sandbox.sqlite import SQLite

Again = Callable[[], Running]
"""What brings a server back into the state in which its test got it."""
EVERY = "every custom field"
ALWAYS = ("Config key",)
TABLES = (
    "custom_field_enumerations",
    "custom_fields_projects",
    "custom_fields_roles",
    "custom_fields_trackers",
    "custom_values",
)
"""What belongs to a custom field, by its `custom_field_id` (5.0 to 6.1)."""
NAMED = re.compile(
    r"(?:Issue|Project|User|Group|Version|TimeEntry) "
    r"(?:attachment|bool|date|enumeration|float|int|link|list|progressbar|string|text|user|version)(?: multiple)?\b"
    r"|Bugs only|Some projects"
)
"""The names that `setup.rb` gives."""


def names_in(text: str) -> list[str]:
    """The custom fields that a text names, and that for keys."""
    return sorted({*ALWAYS, *NAMED.findall(text)})


def named_in(text: str) -> pytest.MarkDecorator:
    """The mark for a test whose data is a text, with the custom fields that it names."""
    return pytest.mark.custom_fields(*names_in(text))


def wanted(item: pytest.Item) -> frozenset[str] | None:
    """The names of the custom fields that a test needs; None for all. Raises ValueError for unknown names."""
    names = frozenset(name for mark in item.iter_markers("custom_fields") for name in mark.args)
    if EVERY in names:
        return None
    unknown = sorted(name for name in names - {*ALWAYS} if not NAMED.fullmatch(name))
    if unknown:
        raise ValueError(f"There is no custom field {', '.join(unknown)} in setup.rb.")
    return names.union(ALWAYS)


def reset(sandbox: Sandbox, names: Collection[str] | None) -> Running:
    """Bring a running server back into the state of its setup, with some of its custom fields (None: all)."""
    sandbox.reset()
    running = sandbox.status()
    assert running is not None, "the test server died; see its puma.log"
    # With PostgreSQL all are there: what a test does not name does not disturb it.
    if names is not None and running.database == SQLite.name:
        _keep(sandbox.db, list(names))
    return running


def _keep(database: Path, marks: Sequence[str]) -> None:
    """Remove all other custom fields; the server notices it with its next request."""
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.execute(f"DELETE FROM custom_fields WHERE name NOT IN ({', '.join('?' * len(marks))})", marks)
        for table in TABLES:
            connection.execute(f"DELETE FROM {table} WHERE custom_field_id NOT IN (SELECT id FROM custom_fields)")
