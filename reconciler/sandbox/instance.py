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
from reconciler.sandbox import base, database, inside, process, server, warm

PORTS = {"5.0": 3150, "6.0": 3160, "6.1": 3161}
STATE, PRISTINE, SNAPSHOT = "instance.json", "pristine.sqlite3", "snapshot.sqlite3"
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


@dataclass(frozen=True, slots=True)
class _State:
    """What is stored between runs. `setup` is the digest of the setup in the snapshot."""

    port: int
    api_key: str = field(repr=False)
    setup: str = ""


class Sandbox:
    """A real Redmine `version` (5.0, 6.0 or 6.1) on 127.0.0.1, with an administrator's API key.

    `name` identifies it among several of one version (default: the version); `home` is the folder of all sandboxes
    (default: `default_home()`); `archive` is the URL of a Debian archive (default: from the machine's apt sources).
    All methods raise SandboxError. The web login is admin / admin.
    """

    def __init__(
        self,
        version: str = "6.1",
        *,
        name: str | None = None,
        home: Path | None = None,
        archive: str | None = None,
    ) -> None:
        if version not in base.VERSIONS:
            raise SandboxError(f"No sandbox for Redmine {version}; available: {', '.join(base.VERSIONS)}.")
        if not NAME.fullmatch(name or version):
            raise SandboxError(f"Invalid sandbox name {name!r}: use up to 40 letters, digits, dots and hyphens.")
        self.version, self.name, self._archive = version, name or version, archive
        # Absolute: the programs that are run have other current folders.
        self._home = (home or base.default_home()).absolute()
        self._root = self._home / version
        self.folder = self._root / base.INSTANCES / self.name

    @property
    def db(self) -> Path:
        """The live SQLite database."""
        return self.folder / base.DATABASE

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
        given = bool(setup) or empty
        digest = _digest([*([EMPTY] if empty else ()), *map(_read, setup)]) if given else ""
        say(f"Starting Redmine {self.version} ({self.name}) …")
        # Until the server is up: a removal of the version must not come in between.
        with base.lock(self._home, self.version, say):
            base.make(self._home, self.version, self._archive, say)
            self._create()
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
        return Running(self.version, self.name, url, state.api_key, number, state.port, self.folder)

    def stop(self) -> None:
        """Stop the server, if it is running; the database is kept."""
        if self.exists():
            warm.stop(self.folder)
            server.stop(self.folder, self._state().port)

    def snapshot(self, file: Path | None = None) -> None:
        """Make the current contents the state that `reset` restores; or keep them in a file, for `reset(file)`."""
        self._require()
        if file is not None:
            database.copy(self.db, file)
            return
        # Replaced by one rename: `reset` must never see half a snapshot.
        fresh = self.folder / f"{SNAPSHOT}.new"
        fresh.unlink(missing_ok=True)
        database.copy(self.db, fresh)
        fresh.replace(self.folder / SNAPSHOT)

    def reset(self, file: Path | None = None) -> None:
        """Restore the snapshot, or that in a file, in milliseconds, whether the server is running or not.

        Ids start over too.
        """
        self._require()
        database.restore(file or self.folder / SNAPSHOT, self.db)

    def run(self, script: Path | str, **env: str) -> str:
        """Run Ruby inside Redmine (`rails runner`) and return its output.

        `script` is a file (Path) or Ruby source (str); `env` is its environment.
        """
        source = _read(script) if isinstance(script, Path) else script
        argv = self.runner(**env)
        what = f"Running {script if isinstance(script, Path) else 'Ruby'} in Redmine {self.version}"
        return process.run(argv, what=what, timeout=RUNNER_TIMEOUT, text=source)

    def runner(self, **env: str) -> tuple[str, ...]:
        """The command that runs Ruby from its standard input inside Redmine; `env` is its environment."""
        self._require()
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
            name = "" if self.name == self.version else f" --name {self.name}"
            raise SandboxError(
                f"No sandbox {self.name} for Redmine {self.version}. "
                f"Start it: reconciler sandbox start --redmine {self.version}{name}"
            )

    def _create(self) -> None:
        if self.exists():
            return
        siblings, folder = self.folder.parent, self.folder.with_name("_new")
        # Of starts and removals that were killed; the lock says that none is under way.
        for leftover in (*siblings.glob("_new"), *siblings.glob("_gone-*")):
            shutil.rmtree(leftover)
        template = siblings / base.TEMPLATE
        state = _State(PORTS[self.version] if self.name == self.version else server.ANY, secrets.token_hex(20))
        # Without the database: a copy of the file could be torn, so SQLite copies it below.
        shutil.copytree(template, folder, ignore=shutil.ignore_patterns("*.log", f"{base.DATABASE}*"))
        # Pristine is what a new setup starts from, the snapshot what `reset` restores.
        database.copy(template / base.DATABASE, folder / PRISTINE)
        database.configure(folder / PRISTINE, state.api_key)
        for name in (base.DATABASE, SNAPSHOT):
            database.copy(folder / PRISTINE, folder / name)
        base.write_config(folder, self.name)
        _write_state(folder, state)
        # Last, and atomic: an instance that can be seen is complete.
        folder.rename(self.folder)

    def _set_up(self, setup: Sequence[Path], digest: str, say: Callable[[str], None], empty: bool) -> None:
        # First of all, so that a setup that is killed is not taken for done.
        _write_state(self.folder, replace(self._state(), setup=UNFINISHED))
        database.restore(self.folder / PRISTINE, self.db)
        if empty:
            database.empty(self.db)
        for path in setup:
            say(f"Running {path} …")
            self.run(path)
        self.snapshot()
        self.reset()  # so that a running server notices changed settings
        _write_state(self.folder, replace(self._state(), setup=digest))

    def _serve(self, port: int | None, say: Callable[[str], None]) -> Running:
        running, state = self.status(), self._state()
        # Another port than asked for: the server has to be started again.
        if running is None or port not in (None, running.port):
            self.stop()
            state = replace(state, port=_choose(port, state.port))
            _write_state(self.folder, state)
            inside.prepare(self._root, self.folder)
            say(f"Starting the server on port {state.port} …")
            server.spawn(self._root, self.folder, self.version, state.port)
        server.wait_ready(self.folder, state.port, state.api_key)
        if running := self.status():
            return running
        raise SandboxError(f"The sandbox's server was stopped while starting; see {self.folder / server.LOG}.")

    def _state(self) -> _State:
        return _State(**json.loads((self.folder / STATE).read_text()))


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
