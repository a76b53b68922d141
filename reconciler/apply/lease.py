"""The lease of a run: taken before the server is read, renewed while it lasts, given back at its end.

    async with held(client, settings, place, command, timeout, waiting):
        …                                   # every write of the client asks first whether the lease still lasts

The lease is kept on a wiki page (`lease_page`). It expires by the server's clock; its holder counts on a quarter less
of that time, by a clock of its own that nobody can set.
"""

from __future__ import annotations

import asyncio
import dataclasses
import getpass
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from reconciler.apply.lease_page import Entry, LeasePage, NotYet, Page, shown
from reconciler.errors import LeaseHeld, LeaseLost, Location, ManifestError, ServerError
from reconciler.redmine.client import Client
from reconciler.redmine.clock import elapsed
from reconciler.settings import Lease

SETTLING = 1.0
"""Seconds to wait after the page was created: by then a second page of its title, if there is one, can be seen."""
POLL = 2.0
"""Seconds between two looks at a lease that another run holds."""
RIVALS = 8
"""How often a swap is tried that others get ahead of, or whose answer is lost."""
PATIENCE = 15.0
"""Seconds that a run takes at most to give its lease back."""
UNKNOWN_CLOCK = timedelta(seconds=30)
"""How much longer a lease is respected where the server does not tell the time, so that two machines' clocks count."""

Waiting = Callable[[str], None]


def _silent(sentence: str) -> None:
    """The default: nobody is told."""


@asynccontextmanager
async def held(
    client: Client,
    lease: Lease | None,
    place: Location,
    command: str,
    *,
    timeout: float = 0,
    say: Waiting = _silent,
    creates: bool = False,
) -> AsyncIterator[None]:
    """Hold the lease meanwhile, if one is configured: `client` writes nothing without it.

    Raises LeaseHeld if another run has it for `timeout` seconds more, ManifestError if the page cannot be used. `say`
    is told whom it waits for, and why it could not be given back. `creates` says that this run makes the project that
    the page is in, or gives it its wiki: if that is not there yet, it runs without a lease, which `say` is told.
    """
    if lease is None:
        yield
        return
    async with _client(client, lease) as own:
        holder = await _holder(LeasePage(own, lease, place), command, timeout, say, creates)
        if holder is None:
            yield
            return
        renewing = asyncio.create_task(holder.keep())
        client.guard = holder.check
        try:
            yield
        finally:
            renewing.cancel()
            await _completed(holder.release(say))


async def _holder(page: LeasePage, command: str, timeout: float, say: Waiting, creates: bool) -> Holder | None:
    """The holder of the lease; None if there can be no lease before this run."""
    try:
        return await take(page, command, timeout, say)
    except NotYet as error:
        if not creates:
            raise
        # Nothing that could be locked is there: Redmine has no other place that only one of two runs can take.
        say(f"No lease for this run: {error.why}, and this run is to change that. The next one takes the lease.")
        return None


async def _completed(work: Coroutine[Any, Any, None]) -> None:
    """Complete work that takes some seconds at most, even if this task is canceled meanwhile; raise that afterwards."""
    task, canceled = asyncio.create_task(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            canceled = True
    if canceled:
        raise asyncio.CancelledError


def _client(client: Client, lease: Lease) -> Client:
    """A client of its own: a renewal must not wait for a slot behind long writes, nor for many retries."""
    before = client.connection
    patience = min(before.deadline, lease.ttl / 4)
    connection = dataclasses.replace(before, concurrency=1, deadline=patience, timeout=min(before.timeout, patience))
    return client.like(connection)


async def take(page: LeasePage, command: str, timeout: float, say: Waiting = _silent) -> Holder:
    """Take the lease as soon as it is free or has expired. Raises LeaseHeld if it is not within `timeout` seconds."""
    holder, end = Holder(page, command), elapsed() + timeout
    settled, rivals, told = False, 0, ""
    while True:
        now = await page.read()
        if now is None or (now.version == 1 and not settled):
            if now is None:
                await page.create()
            settled = now is not None or settled
            await asyncio.sleep(SETTLING)
        elif holder.may_take(now.entry):
            if await holder.swapped(now):
                return holder
            rivals += 1
            if rivals == RIVALS:
                raise LeaseHeld(f"The lease could not be taken in {RIVALS} attempts. Nothing was changed: try again.")
            await asyncio.sleep(random.uniform(0.05, 0.5))
        elif elapsed() >= end:
            raise LeaseHeld(held_by(now.entry))
        else:
            if now.entry.holder != told:
                say(f"Waiting for the lease: {_terms(now.entry)}.")
            told = now.entry.holder
            await asyncio.sleep(max(0.1, min(POLL, end - elapsed())))


def held_by(entry: Entry) -> str:
    """The message for a lease that another run holds."""
    return (
        f"Another run holds the lease: {_terms(entry)}. Nothing was changed. Wait for it with --lease-timeout SECONDS; "
        "if that run is gone, end its lease with `reconciler lease break`."
    )


def _terms(entry: Entry) -> str:
    return f"{entry.owner}, since {entry.since or 'unknown'}, until {entry.expires or 'unknown'} if it is not renewed"


def has_expired(entry: Entry, page: LeasePage) -> bool:
    """Whether the time of a lease is over, by the clock of the server that has just shown it."""
    clock = page.client.clock
    # The header has whole seconds.
    return entry.has_expired(clock.now(), timedelta(seconds=1) if clock.known else UNKNOWN_CLOCK)


class Holder:
    """One run, and what it knows of its lease."""

    def __init__(self, page: LeasePage, command: str) -> None:
        self.page = page
        self.entry = Entry(secrets.token_hex(8), identity(), str(os.getpid()), command)
        self.lost = ""
        """Why it has ended, once it has."""
        self._now: Page | None = None
        self._until = 0.0
        self._swapping = asyncio.Lock()

    def may_take(self, entry: Entry) -> bool:
        """Whether the lease is free, has expired, or is this run's own already."""
        return entry.holder in ("", self.entry.holder) or has_expired(entry, self.page)

    async def swapped(self, now: Page) -> bool:
        """Whether the page says by now that this run holds the lease for its whole time from now on."""
        # Before the request: however long that takes, the time on the page ends later than the one counted on here.
        sent, clock, ttl = elapsed(), self.page.client.clock.now(), self.page.lease.ttl
        entry = self.entry.renewal(clock + timedelta(seconds=ttl))
        self.entry = replace(entry, since=entry.since or shown(clock))
        page = await self.page.swap(now, self.entry)
        if page is not None:
            self._now, self._until = page, sent + 0.75 * ttl
        return page is not None

    async def check(self) -> None:
        """Raise LeaseLost unless the lease still lasts; one that has expired and that nobody took is renewed."""
        if not self.lost and elapsed() >= self._until:
            with suppress(ServerError, ManifestError):
                await self.renew()
            if not self.lost and elapsed() >= self._until:
                self.lost = "it could not be renewed in time"
        if self.lost:
            raise LeaseLost(f"The run lost its lease: {self.lost}.")

    async def keep(self) -> None:
        """Renew the lease again and again; an attempt that fails is soon followed by another one."""
        ttl, pause = self.page.lease.ttl, self.page.lease.ttl / 3
        while not self.lost:
            await asyncio.sleep(pause)
            pause = ttl / 3
            try:
                await self.renew()
            except (ServerError, ManifestError):
                pause = ttl / 12

    async def renew(self) -> None:
        """Make the lease last longer, or note in `lost` why that is not possible."""
        async with self._swapping:
            for _ in range(RIVALS):
                if self._now is None or self.lost or await self.swapped(self._now):
                    return
                await self._look()

    async def release(self, say: Waiting = _silent) -> None:
        """Give the lease back. That it could not be is told: it expires by itself then."""
        try:
            # With the lock: a renewal may be under way, whose answer would be lost for good.
            async with asyncio.timeout(PATIENCE), self._swapping:
                released = self._now is None or bool(self.lost) or await self._released(self._now)
        except (ServerError, ManifestError, TimeoutError):
            released = False
        if not released:
            say(f"The lease could not be released; it expires at {self.entry.expires}.")

    async def _released(self, now: Page) -> bool:
        free = self.entry.ended(f"released at {shown(self.page.client.clock.now())}")
        for _ in range(RIVALS):
            if await self.page.swap(now, free) is not None:
                return True
            # Also if only the answer was lost, or if somebody ended it meanwhile: it is no longer held by this run.
            if (found := await self._look()) is None:
                return True
            now = found
        return False

    async def _look(self) -> Page | None:
        """The page, if the lease is still this run's; else `lost` says what became of it."""
        found = await self.page.read()
        if found is not None and found.entry.holder == self.entry.holder:
            self._now = found
            return found
        self.lost = _fate(found)
        return None


def _fate(found: Page | None) -> str:
    if found is None:
        return "its page was deleted"
    return f"it is held by {found.entry.owner} now" if found.entry.holder else f"it was {found.entry.note or 'ended'}"


async def end(page: LeasePage, found: Page) -> Page | None:
    """End somebody's lease, by hand; the page if another run has taken it meanwhile, else None."""
    holder, free = found.entry.holder, found.entry.ended(f"ended by {identity()} at {shown(page.client.clock.now())}")
    now: Page | None = found
    while now is not None and now.entry.holder == holder:
        if await page.swap(now, free) is not None:
            return None
        await asyncio.sleep(random.uniform(0.05, 0.5))
        now = await page.read()
    return now if now is not None and now.entry.holder else None


def identity() -> str:
    """Who runs this, for people: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A user id without a name, as in containers.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
