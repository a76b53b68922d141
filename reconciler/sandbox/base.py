"""One unpacked, migrated and configured Redmine per version, shared by all instances of that version.

Debian's Redmine is multi-tenant (`REDMINE_INSTANCE`, lib/redmine/multi_tenancy.rb): an instance is one folder below
/var/lib/redmine, and all share the code. The base has one such folder for each database, which new instances are copied
from.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from reconciler.errors import SandboxError
from reconciler.sandbox import inside, packages, process
from reconciler.sandbox.archive import OWN_SERVER
from reconciler.sandbox.database import INSTANCES as INSTANCES
from reconciler.sandbox.database import Database
from reconciler.sandbox.postgresql import PostgreSQL
from reconciler.sandbox.sqlite import SQLite

VERSIONS = {"5.0": "bookworm", "6.0": "trixie", "6.1": "forky"}  # Redmine version → the Debian suite that has it
DATABASES: dict[str, type[Database]] = {kind.name: kind for kind in (SQLite, PostgreSQL)}
FOLDERS = ("config", "files", "log", "plugins", "public/assets", "public/plugin_assets", "tmp")
LOCK_TIMEOUT, MIGRATE_TIMEOUT = 1800.0, 300.0  # seconds


def default_home() -> Path:
    """`RECONCILER_SANDBOX_HOME`, else a folder in the user's cache."""
    configured = os.environ.get("RECONCILER_SANDBOX_HOME")
    return Path(configured) if configured else platformdirs.user_cache_path("reconciler") / "sandbox"


def template(base: Path, kind: type[Database]) -> Path:
    """The folder that instances with a database of this kind are copied from."""
    # No instance's name starts with an underscore.
    return base / INSTANCES / ("_template" if kind is SQLite else f"_template-{kind.name}")


def make(
    home: Path, version: str, archive: str | None, say: Callable[[str], None], kind: type[Database] = SQLite
) -> Path:
    """The base of `version` below `home` for databases of this kind, built or extended if missing.

    The caller must hold `lock`. What is made is published by one rename: a build that is killed leaves only a folder
    that the next build removes.
    """
    base = home / version
    if not base.is_dir():
        _build(home, version, archive, say)
    if not template(base, kind).is_dir():
        _extend(base, version, archive, say, kind)
    return base


def _build(home: Path, version: str, archive: str | None, say: Callable[[str], None]) -> None:
    _remove_leftovers(home, version)
    # In `home`, not in /tmp: a rename is atomic within one file system only.
    with tempfile.TemporaryDirectory(dir=home, prefix=f"{version}.new-", ignore_cleanup_errors=True) as folder:
        root = Path(folder, "root")
        packages.unpack(VERSIONS[version], root, archive, say)
        # Suites move on: testing may have a later Redmine than the table above says.
        _check_version(root, version)
        say("Creating Redmine's database …")
        _migrate(root, template(root, SQLite), SQLite)
        root.rename(home / version)


def _extend(base: Path, version: str, archive: str | None, say: Callable[[str], None], kind: type[Database]) -> None:
    packages.add(kind.packages, VERSIONS[version], base, archive, say, kind.title)
    folder = base / INSTANCES / f"_making-{kind.name}"
    database = kind(base, folder)
    _clear(folder, database)
    try:
        database.check()
    except SandboxError as error:
        # Packages of the same release fit. Those of testing are replaced by others while it is developed.
        raise SandboxError(
            f"{kind.title} from Debian {VERSIONS[version]} does not run with the packages of Redmine {version} that "
            "were downloaded earlier. Download them again: reconciler sandbox stop --all --destroy removes all "
            f"sandboxes and packages.\n{error}"
        ) from None
    say(f"Creating Redmine's database in {kind.title} …")
    try:
        _migrate(base, folder, kind)
        folder.rename(template(base, kind))
    finally:
        _clear(folder, database)


def _clear(folder: Path, database: Database) -> None:
    """Remove what a build that failed or was killed left."""
    if folder.is_dir():
        database.stop()
        shutil.rmtree(folder)


def remove(home: Path, version: str) -> None:
    """Remove the base of `version` and its lock, which the caller must hold."""
    # Renamed first: a removal that is killed must not leave half a base that looks whole.
    if (home / version).is_dir():
        (home / version).rename(home / f"{version}.new-gone")
    _remove_leftovers(home, version)
    (home / f"{version}.lock").unlink(missing_ok=True)


def _remove_leftovers(home: Path, version: str) -> None:
    # Ignore errors: processes of a build that was killed may still write there for a few seconds.
    for leftover in home.glob(f"{version}.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def lock(home: Path, version: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of `version`, so that concurrent starts and removals wait for each other.

    The kernel releases it when the process ends, however it ends. Raises SandboxError after half an hour, or if the
    files below `home` cannot be written, also while the lock is held.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(home, version, say):
            yield
    except OSError as error:
        hint = "free some space there, or set RECONCILER_SANDBOX_HOME to another folder"
        raise SandboxError(
            f"The sandboxes' folder {home} cannot be used: {error.strerror or error}; {hint}."
        ) from error


@contextmanager
def _locked(home: Path, version: str, say: Callable[[str], None]) -> Iterator[None]:
    path, deadline, waiting = home / f"{version}.lock", time.monotonic() + LOCK_TIMEOUT, False
    while True:
        # Opened again each time: the file may have been removed and made anew while this one waited.
        with path.open("w") as file:
            if _has_lock(file.fileno(), path):
                yield
                return
        if time.monotonic() > deadline:
            raise SandboxError(
                f"Another `reconciler sandbox` has held the lock for Redmine {version} too long; stop that process."
            )
        if not waiting:
            say(f"Waiting for another `reconciler sandbox` for Redmine {version} …")
            waiting = True
        # Polled, as a blocking flock has no timeout and says nothing.
        time.sleep(0.1)


def _has_lock(descriptor: int, path: Path) -> bool:
    # A lock on a file that `destroy_all` has removed meanwhile does not exclude anybody, so compare inodes.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def write_config(folder: Path, name: str, database: Database) -> None:
    """Configure the instance `name` in its `folder`: the way to its database, and its own secret key."""
    (folder / "config/database.yml").write_text(database.yml(name))
    (folder / "config/secret_key.txt").write_text(secrets.token_hex(64))


def _check_version(root: Path, version: str) -> None:
    text = (root / "usr/share/redmine/lib/redmine/version.rb").read_text()
    # Major and minor only: Debian's updates raise the rest.
    actual = ".".join(re.findall(r"^\s*(?:MAJOR|MINOR)\s*=\s*(\d+)", text, re.MULTILINE))
    if actual != version:
        raise SandboxError(
            f"Debian {VERSIONS[version]} has Redmine {actual} in this archive, not {version}. "
            f"Choose another version with --redmine, {OWN_SERVER}."
        )


def _migrate(root: Path, folder: Path, kind: type[Database]) -> None:
    """Make `folder` an instance with Redmine's default data, the one that others are copied from."""
    database = kind(root, folder)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    write_config(folder, folder.name, database)
    inside.prepare(root, folder.parent)
    database.initialize()
    with database.opened():
        _fill(root, folder.name)


def _fill(root: Path, instance: str) -> None:
    # Two processes: the Rails that runs the migrations does not know the columns it has just created. The task that
    # loads the default data exits with 0 even if it fails, so its output is checked.
    rake = ["bundle", "exec", "rake"]
    _inside(root, instance, "Resolving Redmine's gems", ["bundle", "install", "--local", "--quiet"])
    _inside(root, instance, "Creating Redmine's tables", [*rake, "db:migrate"])
    output = _inside(root, instance, "Loading Redmine's default data", [*rake, "redmine:load_default_data"])
    if "Default configuration data loaded" not in output:
        raise SandboxError(f"Cannot load Redmine's default data:\n{process.tail(output)}")


def _inside(root: Path, instance: str, what: str, argv: list[str]) -> str:
    command = inside.command(root, argv, {"REDMINE_INSTANCE": instance})
    return process.run(command, what=what, timeout=MIGRATE_TIMEOUT)
