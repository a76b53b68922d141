"""`reconciler check`: is the server reachable, who am I, and does it have what the manifests name?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, paths
from reconciler.cli.progress import Progress, progress
from reconciler.errors import Exit
from reconciler.model.address import CONTAINER
from reconciler.model.kind import scope_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from reconciler.pipeline import Manifests, Planned
    from reconciler.redmine.client import Client


@click.command()
@common
@paths
@click.pass_obj
def check(state: State, paths: tuple[str, ...]) -> int:
    """See whether the server is reachable, who the account is, and whether it has what the manifests name.

    Without manifests in the current folder, only the server and the account are looked at. Writes nothing.
    """
    state.problems_on_stdout = True
    with progress(state) as shown:
        shown.reading("the manifests")
        return asyncio.run(_check(state, paths, shown))


async def _check(state: State, paths: tuple[str, ...], shown: Progress) -> int:
    from reconciler.cli import steps

    manifests = steps.manifests(state, paths)
    anything = bool(paths or manifests.loaded.files)
    async with steps.client(state, manifests.config, shown) as client:
        me = await client.whoami()
        shown.stop()
        output.result(_account(client, me), state)
        if anything:
            manifests.check()
            await _manifests(state, client, manifests, me)
    return Exit.DONE


def _account(client: Client, me: Mapping[str, Any]) -> str:
    from reconciler.render.safe import terminal

    kind = "an administrator" if me.get("admin") else "not an administrator"
    login = terminal(str(me["login"]))
    return f"{client.connection.url} is a Redmine that can be used.\nThe account is {login}, {kind}."


async def _manifests(state: State, client: Client, manifests: Manifests, me: Mapping[str, Any]) -> None:
    """Raises ManifestError for the names that stand for nothing, Denied for what may not be read."""
    from reconciler import pipeline
    from reconciler.render.words import summary

    planned = await pipeline.plan(client, manifests)
    output.result(f"Every name in the manifests stands for something.\n{summary(planned.plan)}", state)
    missing = [] if me.get("admin") else await _not_a_member(client, planned)
    if missing:
        said = "to change something there, it needs a role that may"
        output.result(f"The account is no member of {', '.join(missing)}: {said}.", state)


async def _not_a_member(client: Client, planned: Planned) -> list[str]:
    """The live projects that the plan changes something in, and of which the account is no member."""
    from reconciler.kinds import kinds

    answer = await client.get("/users/current", {"include": "memberships"})
    mine = {row["project"]["id"] for row in answer["user"].get("memberships", ())}
    touched = {scope_of(kinds()[c.address.kind], c.address) for c in planned.plan.changes}
    known = planned.names.live(CONTAINER).ids
    return sorted(project for project in touched if project in known and known[project] not in mine)
