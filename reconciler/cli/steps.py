"""Steps shared by several commands."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar, cast

from reconciler import pipeline
from reconciler.cli import output
from reconciler.cli.options import State
from reconciler.cli.progress import Progress
from reconciler.cli.signals import ending
from reconciler.config import Config
from reconciler.errors import ConfigError
from reconciler.manifest.effects import Effect
from reconciler.model.address import Address
from reconciler.model.kind import Object
from reconciler.pipeline import Manifests, Planned
from reconciler.plan import limits
from reconciler.plan.operations import Plan
from reconciler.redmine.client import Client
from reconciler.state import lease_project, live

T = TypeVar("T")


def manifests(state: State, paths: tuple[str, ...], config: Config | None = None) -> Manifests:
    """The manifests at `paths` with their configuration. Raises ConfigError."""
    result = pipeline.read(config or state.configuration(paths), paths, sys.stdin)
    state.sources = result.loaded.sources
    _left_out(result.loaded.left_out)
    _overlaid(result.loaded.overlaid, state)
    return result


def _overlaid(effects: Sequence[Effect], state: State) -> None:
    """Name what an overlay says and the manifests say already; with --verbose, all that overlays change."""
    for effect in effects:
        if effect.same:
            output.say(output.safe(f"Note: {effect}."))
        elif state.verbose:
            output.say(output.safe(f"Overlay: {effect}"))


def _left_out(names: Sequence[str]) -> None:
    """Name the files that were taken for those of other programs: a manifest among them must not go unnoticed."""
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        files = output.safe(", ".join(names[:SHOWN])) + more
        output.say(f"Not manifests, so not read: {files}. To silence this, add them to `ignore` in reconciler.yaml.")


SHOWN = 5
"""Files that a message names."""


def valid(state: State, paths: tuple[str, ...]) -> Manifests:
    """The same; raises ManifestError if there are problems."""
    result = manifests(state, paths)
    result.check()
    return result


@dataclass(slots=True)
class Session:
    """The manifests, and the client for their server: its first requests were sent while the manifests were read."""

    manifests: Manifests
    config: Config
    early: Client | None
    """None if the connection is not configured; `client` says what is missing then."""

    @property
    def client(self) -> Client:
        """The client. Raises ConfigError."""
        return self.early or Client(self.config.connection())


@asynccontextmanager
async def session(
    state: State, paths: tuple[str, ...], shown: Progress, *, leased: bool = False, wait: bool = False
) -> AsyncIterator[Session]:
    """Read the manifests while the server is asked for what every plan needs. Raises ConfigError.

    With a lease that is taken first, nothing is read before it is (`leased`), nor of a server that is waited for.
    """
    shown.reading("the manifests")
    config = state.configuration(paths)
    try:
        config.connection()
    except ConfigError:
        # The problems of the manifests come first.
        yield Session(manifests(state, paths, config), config, None)
        return
    async with client(state, config, shown, announced=False) as opened:
        if not wait:
            live.ahead(opened, lists=not (leased and config.lease))
        # Standard input is read here: a thread that waits for it could not be ended.
        here = "-" in paths
        found = manifests(state, paths, config) if here else await in_thread(lambda: manifests(state, paths, config))
        shown.reading(opened.connection.url)
        yield Session(found, config, opened)


async def in_thread(work: Callable[[], T]) -> T:
    """The result of work that takes the processor, while the loop goes on.

    The thread does not keep the program from ending, unlike those of `asyncio.to_thread`.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(error: BaseException | None, value: T | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(cast("T", value))

    def run() -> None:
        error, value = None, None
        try:
            value = work()
        except BaseException as raised:
            error = raised
        # The loop may be closed by now, after Ctrl-C.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, error, value)

    Thread(target=run, daemon=True, name="manifests").start()
    return await result


@asynccontextmanager
async def client(state: State, config: Config, shown: Progress, *, announced: bool = True) -> AsyncIterator[Client]:
    """A client for the configured server, with progress; --verbose shows the number of requests at the end."""
    connection = config.connection()
    if announced:
        shown.reading(connection.url)
    async with Client(connection, log=shown.request, secrets=config.secrets) as opened:
        opened.page, opened.waits = shown.page, shown.waits
        try:
            yield opened
        finally:  # also if the command fails: the number of requests helps to see how far it got
            shown.stop()
            if state.verbose:
                output.say(f"{output.plural(opened.requests, 'request')}.")


@asynccontextmanager
async def leased(
    client: Client,
    config: Config,
    command: str,
    timeout: float | None,
    shown: Progress,
    objects: Mapping[Address, Object] = {},
) -> AsyncIterator[None]:
    """Hold the lease meanwhile, if one is configured and there is a timeout; given back also after Ctrl-C and SIGTERM.

    Raises LeaseHeld if another run still has it after `timeout` seconds. `objects` are those of the
    manifests: one may be the project of the lease.
    """
    if config.lease is None or timeout is None:
        yield
        return
    from reconciler.apply.lease import held

    made = lease_project.is_made(objects, config.lease)

    def say(sentence: str) -> None:
        # The bar goes on moving below it while the lease is awaited.
        output.say(output.safe(sentence))

    with ending():
        # Asked first: with a wrong key, the page would only seem to be missing.
        await client.whoami()
        async with held(client, config.lease, config.place, command, timeout=timeout, say=say, creates=made):
            yield


def within_limits(plan: Plan, config: Config, allowed: int | None) -> None:
    """Raise RefusedError if a plan deletes more than the limits allow."""
    limits.check_plan(plan, config.limits, allowed)


def selected(planned: Planned) -> None:
    """Report what --target, --exclude and --keep-going implied."""
    _say("Left out, because of problems", [change.address for change, _ in planned.faults.failed])
    _say("Left out, because they depend on these", [change.address for change, _ in planned.faults.skipped])
    if planned.selection is not None:
        _say("Included as dependencies", planned.selection.added)
        _say("Left out, because they depend on excluded objects", planned.selection.dropped)


def _say(what: str, addresses: Sequence[Address]) -> None:
    if addresses:
        output.say(f"{what}: {output.safe(', '.join(map(str, addresses)))}")
