"""Steps shared by several commands."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from reconciler.cli import output
from reconciler.cli.options import State

if TYPE_CHECKING:
    from reconciler.cli.progress import Progress
    from reconciler.config import Config
    from reconciler.manifest.effects import Effect
    from reconciler.model.address import Address
    from reconciler.model.kind import Object
    from reconciler.plan.comparison import Planned
    from reconciler.plan.operations import Plan
    from reconciler.redmine.client import Client
    from reconciler.state.manifests import Manifests


def manifests(state: State, paths: tuple[str, ...], config: Config | None = None) -> Manifests:
    """The manifests at `paths` with their configuration. Raises ConfigError."""
    from reconciler.state.manifests import read

    with not_collected():
        result = read(config or state.configuration(paths), paths, sys.stdin)
    if len(result.desired.objects) > MANY:
        # They stay to the end of the program.
        gc.freeze()
    state.sources = result.loaded.sources
    _left_out(result.loaded.left_out)
    _overlaid(result.loaded.overlaid, state)
    return result


@contextmanager
def not_collected() -> Iterator[None]:
    """Let the garbage collector rest: it would look again and again through what is being made and stays."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


MANY = 1000
"""Objects that are worth keeping the garbage collector from them."""


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


@asynccontextmanager
async def client(state: State, config: Config, shown: Progress, *, announced: bool = True) -> AsyncIterator[Client]:
    """A client for the configured server, with progress; --verbose shows the number of requests at the end."""
    from reconciler.redmine.client import Client

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
    from reconciler.cli.signals import ending
    from reconciler.state import lease_project

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
    from reconciler.plan import limits

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
