"""`Sandbox`: one disposable Redmine, from its creation to its removal."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from reconciler.errors import SandboxError
from reconciler.sandbox import base, inside, process, server, sqlite, warm
from reconciler.sandbox.database import Database

PORTS = {"5.0": 3150, "6.0": 3160, "6.1": 3161}
STATE, PRISTINE, SNAPSHOT = "instance.json", "pristine", "snapshot"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,39}")
UNFINISHED = "unfinished"  # stands for the digest of a setup that failed or was killed
EMPTY = "\0empty"  # stands in a digest for "without default data"; no script contains it
RUNNER_TIMEOUT = 600.0  # seconds


def _silent(_message: str) -> None:
    """Ignore progress messages."""


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox with a running server. `url` has no trailing slash; `folder` has its database, files and logs."""

    version: str
    name: str
    url: str
    api_key: str = field(repr=False)
    pid: int
    port: int
    folder: Path
    database: str = sqlite.SQLite.name
    workers: int = 1


@dataclass(frozen=True, slots=True)
class _State:
    """What is stored between runs. `setup` is the digest of the setup in the snapshot."""

    port: int
    api_key: str = field(repr=False)
    setup: str = ""
    database: str = sqlite.SQLite.name
    workers: int = 1


class Sandbox:
    """A real Redmine `version` (5.0, 6.0 or 6.1) on 127.0.0.1, with an administrator's API key.

    `name` identifies it among several of one version (default: the version, with the database if that is not SQLite);
    `home` is the folder of all sandboxes (default: `default_home()`); `archive` is the URL of a Debian archive
    (default: from the machine's apt sources).

    `database` is `sqlite` or `postgresql` (default: that which the sandbox has, SQLite for a new one), `workers` the
    number of the server's processes (default: as before; at first 1 with SQLite, 2 with PostgreSQL).

    All methods raise SandboxError. The web login is admin / admin.
    """

    def __init__(
        self,
        version: str = "6.1",
        *,
        name: str | None = None,
        home: Path | None = None,
        archive: str | None = None,
        database: str | None = None,
        workers: int | None = None,
    ) -> None:
        if version not in base.VERSIONS:
            raise SandboxError(f"No sandbox for Redmine {version}; available: {', '.join(base.VERSIONS)}.")
        if database not in (None, *base.DATABASES):
            raise SandboxError(f"No sandbox with the database {database}; available: {', '.join(base.DATABASES)}.")
        default = version if database in (None, sqlite.SQLite.name) else f"{version}-{database}"
        if not NAME.fullmatch(name or default):
            raise SandboxError(f"Invalid sandbox name {name!r}: use up to 40 letters, digits, dots and hyphens.")
        self.version, self.name, self._archive = version, name or default, archive
        self._asked, self._workers = database, workers
        # Absolute: the programs that are run have other current folders.
        self._home = (home or base.default_home()).absolute()
        self._root = self._home / version
        self.folder = self._root / base.INSTANCES / self.name

    @property
    def db(self) -> Path:
        """The live SQLite database, of a sandbox with SQLite."""
        return self.folder / sqlite.FILE

    def exists(self) -> bool:
        """Whether it was started before and has not been destroyed since."""
        return self.folder.is_dir()

    def start(
        self,
        setup: Sequence[Path] = (),
        port: int | None = None,
        say: Callable[[str], None] = _silent,
        *,
        empty: bool = False,
    ) -> Running:
        """Create it if missing, apply `setup`, start the server and wait until it is ready.

        `setup` are Ruby files for what the API cannot create, run in this order by Redmine's `rails runner`. They run
        once: with the same contents (or none) nothing happens, with other contents the sandbox starts over from a new
        Redmine. Their result is in the snapshot that `reset` restores.

        `empty` is without Redmine's default data (trackers, statuses, roles, workflows, enumerations, queries), before
        `setup`. Like another setup, it makes a sandbox that has the data start over.

        `port` None means the previous port; at first 3150, 3160 or 3161 (any, for a sandbox with a name), or a free
        one if that is taken. `say` is called with progress messages.
        """
        self._kind()
        given = bool(setup) or empty
        digest = _digest([*([EMPTY] if empty else ()), *map(_read, setup)]) if given else ""
        say(f"Starting Redmine {self.version} ({self.name}) …")
        # Until the server is up: a removal of the version must not come in between.
        with base.lock(self._home, self.version, say):
            kind = self._kind()
            base.make(self._home, self.version, self._archive, say, kind)
            self._create(kind)
            self._database.start()
            done = self._state().setup
            # A setup that was killed left an unknown state; without --setup and --empty, what was set up before stays.
            if done == UNFINISHED or (given and done != digest):
                self._set_up(setup, digest, say, empty)
            return self._serve(port, say)

    def status(self) -> Running | None:
        """The running server, or None."""
        if not self.exists():
            return None
        state = self._state()
        number = server.pid(self.folder, state.port)
        if number is None:
            return None
        url = f"http://{server.HOST}:{state.port}"
        return Running(
            *(self.version, self.name, url, state.api_key, number, state.port, self.folder),
            *(state.database, state.workers),
        )

    def stop(self) -> None:
        """Stop the server, if it is running, and that of its database; the data is kept."""
        if self.exists():
            warm.stop(self.folder)
            server.stop(self.folder, self._state().port)
            self._database.stop()

    def snapshot(self, file: Path | None = None) -> None:
        """Make the current contents the state that `reset` restores; or keep them in a file, for `reset(file)`."""
        self._require()
        with self._database.opened():
            if file is not None:
                self._database.save(file)
                return
            # Replaced by one rename: `reset` must never see half a snapshot.
            fresh = self._kept(f"{SNAPSHOT}.new")
            fresh.unlink(missing_ok=True)
            self._database.save(fresh)
            fresh.replace(self._kept(SNAPSHOT))

    def reset(self, file: Path | None = None) -> None:
        """Restore the snapshot, or that in a file, in milliseconds, whether the server is running or not.

        Ids start over too. A file is that of a sandbox of the same version with the same database.
        """
        self._require()
        with self._database.opened():
            self._database.restore(file or self._kept(SNAPSHOT))

    def run(self, script: Path | str, **env: str) -> str:
        """Run Ruby inside Redmine (`rails runner`) and return its output.

        `script` is a file (Path) or Ruby source (str); `env` is its environment.
        """
        source = _read(script) if isinstance(script, Path) else script
        what = f"Running {script if isinstance(script, Path) else 'Ruby'} in Redmine {self.version}"
        self._require()
        with self._database.opened():
            return process.run(self.runner(**env), what=what, timeout=RUNNER_TIMEOUT, text=source)

    def runner(self, **env: str) -> tuple[str, ...]:
        """The command that runs Ruby from its standard input inside Redmine; `env` is its environment."""
        self._require()
        if not self._database.reachable():
            raise SandboxError(f"The sandbox {self.name} for Redmine {self.version} is stopped. {self._how_to_start()}")
        # As root the folder may have new files of root's, which Redmine's user could not change.
        inside.prepare(self._root, self.folder)
        program = ["bin/rails", "runner", "-"]
        first, *rest = inside.command(self._root, program, {"REDMINE_INSTANCE": self.name, **env})
        cold = (shutil.which(first, path=process.PATH) or first, *rest)
        # Without a server nobody would stop the process that has Redmine loaded.
        return warm.command(self._root, self.folder, env, cold) if self.status() else cold

    def serves(self, url: str) -> bool:
        """Whether its server has this URL, running or not."""
        return url.rstrip("/") == f"http://{server.HOST}:{self._state().port}"

    def destroy(self) -> None:
        """Stop the server and remove the instance. The packages of its version are kept for the next one."""
        if self.exists():
            with base.lock(self._home, self.version, _silent):
                self.stop()
                # Rename first: a removal that is killed must not leave half an instance.
                shutil.rmtree(self.folder.rename(self.folder.with_name(f"_gone-{secrets.token_hex(4)}")))

    def _require(self) -> None:
        if not self.exists():
            raise SandboxError(f"No sandbox {self.name} for Redmine {self.version}. {self._how_to_start()}")

    def _how_to_start(self) -> str:
        name = "" if self.name == self.version else f" --name {self.name}"
        return f"Start it: reconciler sandbox start --redmine {self.version}{name}"

    @property
    def _database(self) -> Database:
        return base.DATABASES[self._state().database](self._root, self.folder)

    def _kept(self, name: str) -> Path:
        return self.folder / f"{name}{self._database.suffix}"

    def _kind(self) -> type[Database]:
        """The kind of its database. Raises SandboxError if another one, or too many workers are asked for."""
        there = self._state().database if self.exists() else self._asked or sqlite.SQLite.name
        kind, asked = base.DATABASES[there], base.DATABASES[self._asked or there]
        if asked is not kind:
            raise SandboxError(
                f"The sandbox {self.name} for Redmine {self.version} has {kind.title}, and keeps it. For "
                f"{asked.title}, choose another --name, or remove this one with its data: "
                f"reconciler sandbox stop --destroy --redmine {self.version} --name {self.name}"
            )
        if self._workers is not None and not 1 <= self._workers <= kind.most_workers:
            raise SandboxError(
                f"A sandbox with {kind.title} has {kind.most_workers} worker, as only one process at a time can write. "
                "For several, add --database postgresql."
                if kind.most_workers == 1
                else f"A sandbox has 1 to {kind.most_workers} workers, not {self._workers}."
            )
        return kind

    def _create(self, kind: type[Database]) -> None:
        if self.exists():
            return
        siblings, folder = self.folder.parent, self.folder.with_name("_new")
        database, template = kind(self._root, folder), base.template(self._root, kind)
        # Of starts and removals that were killed; the lock says that none is under way.
        for leftover in (*siblings.glob("_new"), *siblings.glob("_gone-*")):
            for each in base.DATABASES.values():
                each(self._root, leftover).stop()
            shutil.rmtree(leftover)
        state = _State(
            PORTS[self.version] if self.name == self.version else server.ANY,
            secrets.token_hex(20),
            database=kind.name,
            workers=kind.workers,
        )
        # Without the database, which knows how it is copied.
        shutil.copytree(template, folder, ignore=shutil.ignore_patterns("*.log", *database.files))
        database.copy_from(template)
        with database.opened():
            database.configure(state.api_key)
            # Pristine is what a new setup starts from, the snapshot what `reset` restores.
            database.save(folder / f"{PRISTINE}{kind.suffix}")
        shutil.copyfile(folder / f"{PRISTINE}{kind.suffix}", folder / f"{SNAPSHOT}{kind.suffix}")
        base.write_config(folder, self.name, database)
        _write_state(folder, state)
        # Last, and atomic: an instance that can be seen is complete.
        folder.rename(self.folder)

    def _set_up(self, setup: Sequence[Path], digest: str, say: Callable[[str], None], empty: bool) -> None:
        # First of all, so that a setup that is killed is not taken for done.
        _write_state(self.folder, replace(self._state(), setup=UNFINISHED))
        self._database.restore(self._kept(PRISTINE))
        if empty:
            self._database.empty()
        for path in setup:
            say(f"Running {path} …")
            self.run(path)
        self.snapshot()
        self.reset()  # so that a running server notices changed settings
        _write_state(self.folder, replace(self._state(), setup=digest))

    def _serve(self, port: int | None, say: Callable[[str], None]) -> Running:
        running, state = self.status(), self._state()
        workers = self._workers or state.workers
        # Another port or number of processes than asked for: the server has to be started again.
        if running is None or port not in (None, running.port) or workers != running.workers:
            server.stop(self.folder, state.port)
            state = replace(state, port=_choose(port, state.port), workers=workers)
            _write_state(self.folder, state)
            inside.prepare(self._root, self.folder)
            say(f"Starting the server on port {state.port} …")
            server.spawn(self._root, self.folder, state.port, workers, self._database.threads(self.version))
        server.wait_ready(self.folder, state.port, state.api_key)
        if running := self.status():
            return running
        raise SandboxError(f"The sandbox's server was stopped while starting; see {self.folder / server.LOG}.")

    def _state(self) -> _State:
        written = json.loads((self.folder / STATE).read_text())
        # A later version may have written more: its sandboxes must not stop this one from finding its own.
        return _State(**{name: value for name, value in written.items() if name in _State.__slots__})


def instances(home: Path | None = None) -> Iterator[Sandbox]:
    """All existing sandboxes below `home`, sorted by version and name."""
    home = home or base.default_home()
    for version in base.VERSIONS:
        # The state file, not the folder: without it there is nothing that could be started or stopped.
        for path in sorted((home / version / base.INSTANCES).glob(f"*/{STATE}")):
            if not path.parent.name.startswith("_"):
                yield Sandbox(version, name=path.parent.name, home=home)


def runner_of(url: str) -> tuple[str, ...]:
    """The command that runs Ruby inside the sandbox with this URL; () if it is none's."""
    if not url.startswith(f"http://{server.HOST}:"):
        return ()
    with suppress(SandboxError, OSError):
        return next((sandbox.runner() for sandbox in instances() if sandbox.serves(url)), ())
    return ()


def destroy_all(home: Path | None = None) -> None:
    """Stop and remove every sandbox below `home`, including the downloaded packages."""
    home = home or base.default_home()
    # A list, as the folders that the generator walks through are removed.
    for sandbox in list(instances(home)):
        sandbox.destroy()
    for version in base.VERSIONS:
        if (home / f"{version}.lock").exists():
            with base.lock(home, version, _silent):
                base.remove(home, version)
    with suppress(OSError):  # it does not exist, or has files that are not ours
        home.rmdir()


def _choose(asked: int | None, last: int) -> int:
    if asked is None:
        return server.free_port(last)
    if server.is_free(asked):
        return asked
    raise SandboxError(f"Port {asked} is in use by another program. Choose another, or omit --port for a free one.")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(f"Cannot read the Ruby file {path}: {error}.") from None


def _digest(scripts: Sequence[str]) -> str:
    # NUL between them: "ab" + "c" and "a" + "bc" are different setups.
    return hashlib.sha256("\0".join(scripts).encode()).hexdigest()


def _write_state(folder: Path, state: _State) -> None:
    fresh = folder / f"{STATE}.new"
    # Before the contents: it has an administrator's key, and the default mode would let others read it.
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(state)))
    fresh.replace(folder / STATE)
