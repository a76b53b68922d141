"""Consistent copies of a SQLite database that a server has open.

SQLite's backup API writes through the destination's journal, so a server always sees a complete database. Copying the
file would not guarantee that, least of all in WAL mode (Redmine 6.x).
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from reconciler.errors import SandboxError

PATIENCE = 10.0  # seconds to wait while a server is writing

# Redmine caches its settings until the latest `updated_on` changes (Setting.check_cache); the sandbox runs in UTC.
TOUCH = "UPDATE settings SET updated_on = strftime('%Y-%m-%d %H:%M:%f', 'now')"

# What an administrator would set in the browser: REST API on, no mail notifications (each doubles the time of a
# write), an API key, and a password that does not have to be changed first.
CONFIGURE = """
    DELETE FROM settings WHERE name IN ('rest_api_enabled', 'notified_events');
    INSERT INTO settings (name, value, updated_on) VALUES
        ('rest_api_enabled', '1', CURRENT_TIMESTAMP),
        ('notified_events', '--- []' || char(10), CURRENT_TIMESTAMP);
    UPDATE users SET must_change_passwd = 0 WHERE login = 'admin';
    DELETE FROM tokens WHERE action = 'api';
"""
# Redmine's default data (lib/redmine/default_data/loader.rb). It makes the built-in roles again by itself.
DEFAULT_DATA = (
    *("custom_fields_trackers", "enumerations", "issue_statuses", "projects_trackers", "queries", "queries_roles"),
    *("roles", "roles_managed_roles", "trackers", "workflows"),
)
ADD_KEY = """
    INSERT INTO tokens (user_id, action, value, created_on, updated_on)
    SELECT id, 'api', ?, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP FROM users WHERE login = 'admin'
"""


def copy(source: Path, target: Path) -> None:
    """Make `target` a copy of `source`; both may be in use. Raises SandboxError if one stays locked."""
    # `closing`, as a connection's own `with` ends a transaction and leaves the file open.
    with closing(_open(source)) as old, closing(_open(target)) as new:
        _backup(old, new)


def restore(snapshot: Path, live: Path) -> None:
    """Replace the contents of the `live` database with `snapshot`, in milliseconds, even while Redmine is running."""
    with closing(_open(snapshot)) as old, closing(_open(live)) as new:
        # Not by replacing the file: a server keeps the old one open, and would go on writing there.
        _backup(old, new)
        with new:
            new.execute(TOUCH)


def configure(database: Path, api_key: str) -> None:
    """Enable the REST API of a freshly migrated Redmine for `admin`, with `api_key`."""
    with closing(_open(database)) as connection:
        # A script takes no parameters, so the API key is added by a statement of its own.
        connection.executescript(CONFIGURE)
        with connection:
            connection.execute(ADD_KEY, (api_key,))


def empty(database: Path) -> None:
    """Remove Redmine's default data, which a freshly migrated Redmine does not have. Ids start over."""
    with closing(_open(database)) as connection, connection:
        for table in DEFAULT_DATA:
            connection.execute(f"DELETE FROM {table}")
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        connection.execute("DELETE FROM settings WHERE name = 'default_projects_tracker_ids'")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE)
    connection.execute("PRAGMA synchronous = OFF")  # faster; a power cut may lose data, which is disposable
    return connection


def _backup(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    deadline = time.monotonic() + PATIENCE

    def check(_status: int, _remaining: int, _total: int) -> None:
        if time.monotonic() > deadline:
            raise SandboxError(f"The sandbox's database was locked for {PATIENCE:.0f} s; try again.")

    # Without `pages` it copies all at once; `sleep` is the pause after a locked database, which calls `check`.
    old.backup(new, progress=check, sleep=0.005)
