"""What an instance asks of its database, whichever it is: `sqlite.SQLite` or `postgresql.PostgreSQL`.

The SQL here is the same for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Protocol

INSTANCES = "var/lib/redmine"

# What an administrator would set in the browser: REST API on, no mail notifications (each doubles the time of a
# write), an API key, and a password that does not have to be changed first.
CONFIGURE = """
    DELETE FROM settings WHERE name IN ('rest_api_enabled', 'notified_events');
    INSERT INTO settings (name, value, updated_on) VALUES
        ('rest_api_enabled', '1', CURRENT_TIMESTAMP),
        ('notified_events', '--- []\n', CURRENT_TIMESTAMP);
    UPDATE users SET must_change_passwd = FALSE WHERE login = 'admin';
    DELETE FROM tokens WHERE action = 'api';
    INSERT INTO tokens (user_id, action, value, created_on, updated_on)
        SELECT id, 'api', '{api_key}', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP FROM users WHERE login = 'admin';
"""
# Redmine's default data (lib/redmine/default_data/loader.rb). It makes the built-in roles again by itself.
DEFAULT_DATA = (
    *("custom_fields_trackers", "enumerations", "issue_statuses", "projects_trackers", "queries", "queries_roles"),
    *("roles", "roles_managed_roles", "trackers", "workflows"),
)
DEFAULT_SETTINGS = "DELETE FROM settings WHERE name = 'default_projects_tracker_ids'"


class Database(Protocol):
    """The database of one instance: the folder `folder` inside the unpacked Debian `root`.

    All methods raise SandboxError.
    """

    name: ClassVar[str]
    """What options and states call it."""
    title: ClassVar[str]
    """What people call it."""
    packages: ClassVar[Sequence[str]]
    """Debian's packages that it needs beside those of every Redmine."""
    suffix: ClassVar[str]
    """Of the files that its contents are kept in."""
    files: ClassVar[Sequence[str]]
    """Patterns of the names of its own files, which only `copy_from` may copy."""
    workers: ClassVar[int]
    """Processes of a Redmine that is not told how many."""
    most_workers: ClassVar[int]
    """How many processes can use it at the same time."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Nothing is read or started yet."""

    def threads(self, version: str) -> str:
        """Threads of each process of Redmine `version`, as puma takes them."""

    def yml(self, name: str) -> str:
        """Redmine's `config/database.yml` for this database, once its folder is that of the instance `name`."""

    def check(self) -> None:
        """Fail if its programs cannot run here, before Redmine's configuration says that it exists."""

    def initialize(self) -> None:
        """Create it, without any table."""

    def copy_from(self, template: Path) -> None:
        """Create it as a copy of the one in the folder `template`, which is not in use."""

    def start(self) -> None:
        """Start its server, unless it is running."""

    def stop(self) -> None:
        """Stop its server, if it is running; also what is left of one that was killed."""

    def opened(self) -> AbstractContextManager[None]:
        """Keep its server running meanwhile."""

    def reachable(self) -> bool:
        """Whether programs inside can use it now."""

    def configure(self, api_key: str) -> None:
        """Enable the REST API of a freshly migrated Redmine for `admin`, with `api_key`. Needs `opened`."""

    def empty(self) -> None:
        """Remove Redmine's default data, which a freshly migrated Redmine does not have. Ids start over."""

    def save(self, file: Path) -> None:
        """Write its contents into `file`, while Redmine may be running. Needs `opened`."""

    def restore(self, file: Path) -> None:
        """Replace its contents with those in `file`, in well under a second. Needs `opened`.

        Redmine may be running; its processes notice that settings have changed.
        """
