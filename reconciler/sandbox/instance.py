"""`Sandbox`: one throw-away Redmine, from its creation to its removal."""

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
from reconciler.sandbox import base, database, inside, process, server

PORTS = {"5.0": 3150, "6.0": 3160, "6.1": 3161}
STATE, PRISTINE, SNAPSHOT = "instance.json", "pristine.sqlite3", "snapshot.sqlite3"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,39}")
UNFINISHED = "unfinished"  # the digest of a setup that failed or was killed
RUNNER_TIMEOUT = 600.0  # seconds


def _silent(_message: str) -> None:
    """The progress of a caller who wants none."""


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox whose server runs. `url` ends without a slash; `folder` has its database, files and logs."""

    version: str
    name: str
    url: str
    api_key: str = field(repr=False)
    pid: int
    port: int
    folder: Path


@dataclass(frozen=True, slots=True)
class _State:
    """What is kept between runs; `setup` is the digest of the setup that the snapshot has."""

    port: int
    api_key: str = field(repr=False)
    setup: str = ""


class Sandbox:
    """A real Redmine of `version` (5.0, 6.0 or 6.1) on loopback, with an administrator's API key.

    `name` tells several of one version apart (default: the version); `home` is the folder for all of them
    (default: `default_home()`); `archive` is the address of a Debian archive (default: the one of the
    machine's apt sources). All methods raise SandboxError with what to do. The web login is admin / admin.
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
            raise SandboxError(
                f"There is no sandbox for Redmine {version}, only for {', '.join(base.VERSIONS)}."
            )
        if not NAME.fullmatch(name or version):
            raise SandboxError(
                f"{name!r} cannot name a sandbox: use up to 40 letters, digits, dots and hyphens."
            )
        self.version, self.name, self._archive = version, name or version, archive
        self._home = (home or base.default_home()).absolute()
        self._root = self._home / version
        self.folder = self._root / base.INSTANCES / self.name

    @property
    def db(self) -> Path:
        """The live SQLite database."""
        return self.folder / base.DATABASE

    def exists(self) -> bool:
        """Whether it has been started before and not been destroyed since."""
        return self.folder.is_dir()

    def start(
        self, setup: Sequence[Path] = (), port: int | None = None, say: Callable[[str], None] = _silent
    ) -> Running:
        """Makes it if need be, applies `setup`, starts the server and waits until it answers.

        `setup` are Ruby files, run by Redmine's `rails runner` in this order, for what only an administrator
        can create. They run once: the same contents again (or none) are no work, others start over from a new
        Redmine. What they made is in the snapshot that `reset` returns to. `port` None means the last one, at
        first 3150, 3160 or 3161 (any, for a name of its own), or a free one if that is taken. `say` gets
        progress, one sentence at a time.
        """
        digest = _digest([_read(path) for path in setup]) if setup else ""
        say(f"Starting Redmine {self.version} ({self.name}) …")
        with base.lock(self._home, self.version, say):
            base.make(self._home, self.version, self._archive, say)
            self._create()
            done = self._state().setup
            if done == UNFINISHED or (setup and done != digest):
                self._set_up(setup, digest, say)
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
        """Ends the server, if it runs; what is in the database stays."""
        if self.exists():
            server.stop(self.folder, self._state().port)

    def snapshot(self) -> None:
        """Makes the present contents what `reset` returns to."""
        self._require()
        fresh = self.folder / f"{SNAPSHOT}.new"
        fresh.unlink(missing_ok=True)
        database.copy(self.db, fresh)
        fresh.replace(self.folder / SNAPSHOT)

    def reset(self) -> None:
        """Returns to the snapshot, in milliseconds, whether the server runs or not. Ids start again too."""
        self._require()
        database.restore(self.folder / SNAPSHOT, self.db)

    def run(self, script: Path | str, **env: str) -> str:
        """Runs Ruby inside Redmine (`rails runner`) and returns what it prints.

        `script` is a file (Path) or Ruby source (str); `env` is its environment.
        """
        self._require()
        source = _read(script) if isinstance(script, Path) else script
        inside.prepare(self._root, self.folder)
        argv = inside.command(
            self._root, ["bin/rails", "runner", "-"], {"REDMINE_INSTANCE": self.name, **env}
        )
        what = f"Running {script if isinstance(script, Path) else 'Ruby'} in Redmine {self.version}"
        return process.run(argv, what=what, timeout=RUNNER_TIMEOUT, text=source)

    def destroy(self) -> None:
        """Stops the server and removes the instance. The version's packages stay, for the next one."""
        if self.exists():
            with base.lock(self._home, self.version, _silent):
                self.stop()
                # A rename first: a removal that is killed must not leave half an instance.
                shutil.rmtree(self.folder.rename(self.folder.with_name(f"_gone-{secrets.token_hex(4)}")))

    def _require(self) -> None:
        if not self.exists():
            name = "" if self.name == self.version else f" --name {self.name}"
            raise SandboxError(
                f"There is no sandbox {self.name} of Redmine {self.version} yet. "
                f"Make it: reconciler sandbox start --redmine {self.version}{name}"
            )

    def _create(self) -> None:
        if self.exists():
            return
        siblings, folder = self.folder.parent, self.folder.with_name("_new")
        for left_over in (*siblings.glob("_new"), *siblings.glob("_gone-*")):
            shutil.rmtree(left_over)
        template = siblings / base.TEMPLATE
        state = _State(
            PORTS[self.version] if self.name == self.version else server.ANY, secrets.token_hex(20)
        )
        shutil.copytree(template, folder, ignore=shutil.ignore_patterns("*.log", f"{base.DATABASE}*"))
        database.copy(template / base.DATABASE, folder / PRISTINE)
        database.configure(folder / PRISTINE, state.api_key)
        for name in (base.DATABASE, SNAPSHOT):
            database.copy(folder / PRISTINE, folder / name)
        base.write_config(folder, self.name)
        _write_state(folder, state)
        folder.rename(self.folder)

    def _set_up(self, setup: Sequence[Path], digest: str, say: Callable[[str], None]) -> None:
        _write_state(self.folder, replace(self._state(), setup=UNFINISHED))
        database.restore(self.folder / PRISTINE, self.db)
        for path in setup:
            say(f"Running {path} …")
            self.run(path)
        self.snapshot()
        self.reset()  # so that a server that runs already notices changed settings
        _write_state(self.folder, replace(self._state(), setup=digest))

    def _serve(self, port: int | None, say: Callable[[str], None]) -> Running:
        running, state = self.status(), self._state()
        if running is None or port not in (None, running.port):
            self.stop()
            state = replace(state, port=_choose(port, state.port))
            _write_state(self.folder, state)
            inside.prepare(self._root, self.folder)
            say(f"Starting the server on port {state.port} …")
            server.spawn(self._root, self.folder, self.version, state.port)
        server.wait_up(self.folder, state.port, state.api_key)
        if running := self.status():
            return running
        raise SandboxError(
            f"The sandbox's server was stopped while it started; see {self.folder / server.LOG}."
        )

    def _state(self) -> _State:
        return _State(**json.loads((self.folder / STATE).read_text()))


def instances(home: Path | None = None) -> Iterator[Sandbox]:
    """All sandboxes below `home` that exist, in the order of their versions and names."""
    home = home or base.default_home()
    for version in base.VERSIONS:
        for path in sorted((home / version / base.INSTANCES).glob(f"*/{STATE}")):
            if not path.parent.name.startswith("_"):
                yield Sandbox(version, name=path.parent.name, home=home)


def destroy_all(home: Path | None = None) -> None:
    """Stops every sandbox below `home` and removes all of it, the downloaded packages too."""
    home = home or base.default_home()
    for sandbox in list(instances(home)):
        sandbox.destroy()
    for version in base.VERSIONS:
        if (home / f"{version}.lock").exists():
            with base.lock(home, version, _silent):
                base.remove(home, version)
    with suppress(OSError):  # not there, or it has what is not ours
        home.rmdir()


def _choose(asked: int | None, last: int) -> int:
    if asked is None:
        return server.free_port(last)
    if server.is_free(asked):
        return asked
    raise SandboxError(
        f"Port {asked} is taken by another program. Name another, or none to have a free one chosen."
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxError(f"The Ruby file {path} cannot be read: {error}.") from None


def _digest(scripts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(scripts).encode()).hexdigest()


def _write_state(folder: Path, state: _State) -> None:
    fresh = folder / f"{STATE}.new"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(state)))
    fresh.replace(folder / STATE)
