"""The beginning of the commands that compare manifests with a server: both are read at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, TypeVar, cast

from reconciler.cli.steps import client, manifests
from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from reconciler.cli.options import State
    from reconciler.cli.progress import Progress
    from reconciler.config import Config
    from reconciler.redmine.client import Client, Params
    from reconciler.state.manifests import Manifests

T = TypeVar("T")


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
        from reconciler.redmine.client import Client

        return self.early or Client(self.config.connection())


@asynccontextmanager
async def opened(
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
        if config.needs_choice:
            # What the manifests say, such as a variable, can depend on the choice.
            raise
        # The problems of the manifests come first.
        yield Session(manifests(state, paths, config), config, None)
        return
    async with client(state, config, shown, announced=False) as early:
        if not wait:
            _ask_for_account(early)
        # What writes to standard input may write to the server before.
        ask = _asker(early, lists=not wait and not (leased and config.lease) and "-" not in paths)

        def work() -> Manifests:
            _import_the_rest(ask)
            return manifests(state, paths, config)

        # Also standard input, for which the thread may still wait when the program ends. Python would crash if it
        # closed `sys.stdin` then, which it does not: the thread has a reference to it.
        found = await in_thread(work)
        shown.reading(early.connection.url)
        yield Session(found, config, early)


def _ask_for_account(client: Client) -> None:
    from reconciler.redmine.account import ACCOUNT

    client.ahead(ACCOUNT, patient=False)


def _asker(client: Client, *, lists: bool) -> Callable[[str, Params], None]:
    """What asks for a list ahead, called from any thread; not if no `lists` are wanted, or nothing is sent together."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def send(path: str, params: Params) -> None:
        # After Ctrl-C, the client is closed while the thread goes on.
        if task is None or not task.cancelling():
            client.ahead(path, params)

    def ask(path: str, params: Params) -> None:
        if lists and client.connection.concurrency > 1:
            loop.call_soon_threadsafe(send, path, params)

    return ask


def _import_the_rest(ask: Callable[[str, Params], None]) -> None:
    """Import what a plan needs beside the client, and ask for the lists that are always read.

    Not above: that takes as long as everything before the first request, which is on its way meanwhile.
    """
    from reconciler.state import live

    for listing in live.always_read():
        ask(listing.path, listing.params)
    import_module("reconciler.pipeline")


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
