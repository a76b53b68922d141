"""`reconciler lease`: who holds the lease, and how to end the lease of a run that is gone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from reconciler import event_loop
from reconciler.cli import output
from reconciler.cli.confirm import said_yes
from reconciler.cli.groups import Group
from reconciler.cli.options import State, common, formats, paths
from reconciler.errors import ConfigError, Exit, ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from reconciler.apply.lease_page import Entry, LeasePage


@click.group(cls=Group)
@common
def lease() -> None:
    """Show the lease, or end that of a run that is gone.

    The lease lets one `apply` at a time write to a Redmine. It is kept on the wiki page that `lease` in reconciler.yaml
    names.
    """


@lease.command()
@formats("text", "json")
@common
@paths
@click.pass_obj
def show(state: State, paths: tuple[str, ...], form: str) -> int:
    """Show who holds the lease, since when and until when.

    PATH tells where to look for reconciler.yaml, as for other commands (default: the current folder).
    """

    async def action(page: LeasePage) -> int:
        found = await page.read()
        entry = found.entry if found else None
        output.result(output.as_json(_data(entry, page)) if form == "json" else _said(entry, page), state)
        return Exit.DONE

    return _with_page(state, paths, action)


@lease.command(name="break")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@common
@paths
@click.pass_obj
def end(state: State, paths: tuple[str, ...], yes: bool) -> int:
    """End the lease of a run that is gone. A run that still holds it writes nothing more.

    Not needed after a run was killed: its lease expires by itself.

    PATH tells where to look for reconciler.yaml, as for other commands (default: the current folder).
    """

    async def action(page: LeasePage) -> int:
        from reconciler.apply import lease

        found = await page.read()
        output.result(_said(found.entry if found else None, page), state)
        if found is None or not found.entry.holder:
            return Exit.DONE
        if not yes and not _confirmed():
            output.say("The lease was not ended.")
            return Exit.CANNOT_RUN
        if other := await lease.end(page, found):
            output.say(f"Another run has taken the lease meanwhile: {output.safe(other.entry.owner)}.")
            return Exit.REFUSED
        output.say("The lease has been ended.")
        return Exit.DONE

    return _with_page(state, paths, action)


def _with_page(state: State, paths: tuple[str, ...], action: Callable[[LeasePage], Awaitable[int]]) -> int:
    from reconciler.apply.lease_page import LeasePage
    from reconciler.redmine.client import Client

    config = state.configuration(paths)
    settings = config.lease
    if settings is None:
        if any(instance.lease for instance in config.instances.values()):
            config.check_choice()
        raise ConfigError(
            f"No lease is configured: set `lease` in {config.place.file}, such as `lease: {{project: ops}}`."
        )

    async def main() -> int:
        log = output.say if state.verbose else None
        async with Client(config.connection(), log=log, secrets=config.secrets) as client:
            # First: with a wrong key, a page that cannot be seen would count as one that does not exist.
            await client.whoami()
            return await action(LeasePage(client, settings, config.place))

    return event_loop.run(main())


def _said(entry: Entry | None, page: LeasePage) -> str:
    if entry is None or not entry.holder:
        note = f": {entry.note}" if entry and entry.note else ""
        return output.safe(f"The lease is free{note}.\n{page.url}")
    lines = {
        "Held by": entry.owner,
        "Since": entry.since,
        "Until": f"{entry.expires} ({'expired' if _expired(entry, page) else 'if it is not renewed'})",
        "Page": page.url,
    }
    return output.safe("\n".join(f"{name + ':':9}{value}" for name, value in lines.items()))


def _data(entry: Entry | None, page: LeasePage) -> dict[str, Any]:
    """For programs; `schemas/lease.schema.json`."""
    from reconciler.render.json import FORMAT_VERSION

    held = entry if entry is not None and entry.holder else None
    state = "free" if held is None else "expired" if _expired(held, page) else "held"
    names = ("holder", "who", "process", "command", "since", "expires")
    values = {name: (getattr(held, name) or None) if held else None for name in names}
    times = {name: _iso(text) for name in ("since", "expires") if (text := values[name])}
    note = (entry.note or None) if entry is not None and held is None else None
    return {"format_version": FORMAT_VERSION, "url": page.url, "state": state, **values, **times, "note": note}


def _iso(time: str) -> str:
    """A time of the page as ISO 8601."""
    return time.replace(" UTC", "+00:00").replace(" ", "T", 1)


def _expired(entry: Entry, page: LeasePage) -> bool:
    from reconciler.apply.lease import has_expired

    return has_expired(entry, page)


def _confirmed() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ReconcilerError("Confirmation needed, but there is no terminal: add --yes to end the lease.")
    return said_yes("End this lease? If that run is still there, it stops before its next write.")
