"""`World`: a Redmine in the state of some manifests, as a test sees it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx

from reconciler import config as configuration
from reconciler import event_loop, pipeline
from reconciler.api import Manifests, in_a_loop
from reconciler.apply.report import Report, Result
from reconciler.config import Config
from reconciler.errors import ReconcilerError
from reconciler.kinds import kinds
from reconciler.manifest.sources import find_config
from reconciler.model.address import CONTAINER, Address
from reconciler.plan.operations import Plan
from reconciler.redmine.client import Client
from reconciler.testing.servers import Server, client

ELSEWHERE = (
    *("url", "api_key", "username", "password", "bearer", "switch_user", "headers"),
    *("ca_file", "client_cert", "client_key", "proxy", "lease"),
)
"""Settings of `reconciler.yaml` that are about the server of the manifests, and not about what they declare."""
T = TypeVar("T")
OF_PYTEST = "PYTEST_"
OF_SERVERS = ("REDMINE_", "RECONCILER_")


class World:
    """A Redmine for one test.

    `url` and `api_key` lead to it as an administrator, `client` is an httpx client for its REST API, and `environ` has
    the environment variables for the commands of `reconciler` and for a program under test.
    """

    def __init__(self, server: Server, opened: ExitStack, folders: Sequence[Path]) -> None:
        self.url, self.api_key = server.url, server.api_key
        self.environ = {"REDMINE_URL": self.url, "REDMINE_API_KEY": self.api_key}
        self.client = opened.enter_context(client(self.url, self.api_key))
        self._server, self._opened, self._folders = server, opened, folders
        self._ids: dict[Address, int | str] = {}
        self._loaded: list[Manifests] = []

    # -- asserting ---------------------------------------------------------------------------------------------

    def get(self, path: str, **params: str | int) -> Any:
        """What the REST API answers: `get("/issues", status_id="*")`. Raises httpx.HTTPStatusError for a refusal."""
        split, _, query = path.partition("?")
        name = split if split.endswith(".json") else f"{split}.json"
        given = {**httpx.QueryParams(query), **params}
        return self.client.get(name, params=given).raise_for_status().json()

    def id(self, name: str) -> int | str:
        """The id of a declared object: `id("issue shop/login")`, `id("version shop/1.0")`.

        Raises LookupError if nothing of that name is declared and on the server.
        """
        address = _address(name)
        if address not in self._ids:
            self._ids |= _outside(lambda: event_loop.run(self._look_up()))
        if address not in self._ids:
            known = ", ".join(sorted(str(a) for a in self._ids if a.kind == address.kind))
            raise LookupError(f"No {address} is declared and on the server; there is {known or 'none of that kind'}.")
        return self._ids[address]

    async def _look_up(self) -> dict[Address, int | str]:
        found: dict[Address, int | str] = {}
        for manifests in self._loaded:
            async with Client(manifests.config.connection()) as opened:
                names = (await pipeline.plan(opened, manifests)).names
                found |= {a: number for a in manifests.desired.objects if (number := names.id(a)) is not None}
        return found

    def as_user(self, login: str) -> httpx.Client:
        """A client that acts as another user (Redmine's *switch user*), for what permissions allow."""
        return self._opened.enter_context(client(self.url, self.api_key, **{"X-Redmine-Switch-User": login}))

    # -- manifests ---------------------------------------------------------------------------------------------

    def load(self, *paths: str | Path, instance: str | None = None) -> Manifests:
        """Manifests, with their `reconciler.yaml` but for what it says about their own server.

        Paths are beside the test or below pytest's root folder. Raises ReconcilerError if there is nothing.
        """
        paths = tuple(map(self._found, paths))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(OF_SERVERS)}
        given = {"url": self.url, "api_key": self.api_key}
        config = _here(configuration.load(paths, environ, instance=instance, flags=given))
        read = pipeline.read(config, paths)
        return Manifests(read.config, read.loaded, read.desired, read.problems)

    def _found(self, path: str | Path) -> Path:
        for folder in self._folders:
            if (folder / path).exists():
                return folder / path
        raise ReconcilerError(f"{path} is neither in {' nor in '.join(map(str, self._folders))}.")

    def plan(self, *paths: str | Path, instance: str | None = None, **options: Any) -> Plan:
        """What an apply of manifests would do to this world; `options` are those of `Manifests.plan`."""
        manifests = self.load(*paths, instance=instance)
        return _outside(lambda: manifests.plan(**options))

    def apply(self, *paths: str | Path, instance: str | None = None, **options: Any) -> Report:
        """Apply manifests; `options` are those of `Manifests.apply`.

        Raises ManifestError for invalid manifests, NotApplied if a change is not done.
        """
        manifests = self.load(*paths, instance=instance)
        self._loaded.append(manifests)
        report = _outside(lambda: manifests.apply(**options))
        self._ids |= {r.change.address: r.id for r in report.results if r.id is not None}
        for change in (r.change for r in report.results if r.change.action == "create"):
            if change.address.kind == CONTAINER:
                self._server.created(change.address.key)
        undone = [result for result in report.results if result.outcome != "done"]
        if undone:
            raise NotApplied(undone)
        return report

    def apply_once(self, *paths: str | Path, instance: str | None = None) -> None:
        """Apply manifests to a world that nothing was applied to yet; restored, if an earlier test did the same."""
        paths = tuple(map(self._found, paths))
        name = _digest(paths, instance)
        ids = self._server.restore(name)
        if ids is None:
            self.apply(*paths, instance=instance)
            self._server.keep(name, self._ids)
        else:
            self._loaded.append(self.load(*paths, instance=instance))
            self._ids.update(ids)


class NotApplied(ReconcilerError):
    """Some changes of an apply are not done."""

    def __init__(self, results: list[Result]) -> None:
        self.results = tuple(results)
        super().__init__("\n".join(_sentence(result) for result in results))


def _outside(call: Callable[[], T]) -> T:
    """Call a function outside the event loop of an `async def` test."""
    if not in_a_loop():
        return call()
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(call).result()


def _sentence(result: Result) -> str:
    reasons = "; ".join([*(error.message for error in result.errors), *filter(None, [result.because])])
    return f"{result.change.source}: {result.change.address} is {result.outcome}{f': {reasons}' if reasons else ''}"


def _address(name: str) -> Address:
    """`version shop/1.0`, as plans show it, or `version/shop/1.0`, as --target takes it."""
    kind, _, key = name.partition(" ")
    if kind not in kinds():
        kind, _, key = name.partition("/")
    if kind not in kinds() or not key:
        raise LookupError(f'"{name}" is not KIND KEY, such as "version shop/1.0".')
    return Address(kind, key)


def _here(config: Config) -> Config:
    """The configuration without what it says about another server; the first layer is that of this one."""
    first, *others = config.layers
    layers = [
        replace(
            layer,
            settings=layer.settings.model_copy(update=dict.fromkeys(ELSEWHERE)),
            unresolved={n: p for n, p in layer.unresolved.items() if n.partition(".")[0] not in ELSEWHERE},
        )
        for layer in others
    ]
    return replace(config, layers=(first, *layers))


def _digest(paths: Sequence[str | Path], instance: str | None) -> str:
    """A digest of what the state after an apply depends on: the files, their configuration and the environment."""
    environ = {n: v for n, v in os.environ.items() if not n.startswith((*OF_SERVERS, OF_PYTEST))}
    config = find_config(paths)
    states = [*_contents(map(Path, paths)), config and config.read_bytes(), instance, sorted(environ.items())]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


def _contents(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """The name and a digest of each file."""
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                yield str(file.relative_to(path.parent)), hashlib.sha256(file.read_bytes()).hexdigest()
