"""`reconciler check`: the server, the account, and the references in the manifests."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
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
    """Check that the server is reachable, which account is used, and that all references resolve.

    Without manifests in the current folder, only the server and the account are checked. Never writes to the server.

    PATH is a file, a folder, or - for standard input (default: the current folder).
    """
    state.problems_on_stdout = True
    with progress(state) as shown:
        shown.reading("the manifests")
        return asyncio.run(_check(state, paths, shown))


async def _check(state: State, paths: tuple[str, ...], shown: Progress) -> int:
    from reconciler import pipeline
    from reconciler.cli import steps

    manifests = steps.manifests(state, paths)
    # No paths and no files: `check` also serves to try a URL and a key before there are manifests.
    has_manifests = bool(paths or manifests.loaded.files)
    # As for a plan: without manifests, their problems are that there are none.
    with pipeline.at_least(manifests) if has_manifests else nullcontext():
        async with steps.client(state, manifests.config, shown) as client:
            # Report the server and the account first, even if the manifests are invalid.
            me = await client.whoami()
            shown.stop()
            output.result(_account(client, me), state)
            if has_manifests:
                await _manifests(state, client, manifests, me)
    return Exit.DONE


def _account(client: Client, me: Mapping[str, Any]) -> str:
    from reconciler.render.safe import terminal
    from reconciler.state.live import TESTED

    kind = "an administrator" if me.get("admin") else "not an administrator"
    login = terminal(str(me["login"]))
    supported = f"{client.connection.url} is a supported Redmine.\nTested with Redmine {TESTED}."
    return f"{supported}\nThe account is {login}, {kind}."


async def _manifests(state: State, client: Client, manifests: Manifests, me: Mapping[str, Any]) -> None:
    """Raises ManifestError for references that do not resolve, Denied for what the account may not read."""
    from reconciler import pipeline
    from reconciler.render.words import summary

    planned = await pipeline.plan(client, manifests)
    output.result(f"All references resolve.\n{summary(planned.plan)}", state)
    # An administrator may write everywhere, member or not.
    missing = [] if me.get("admin") else await _not_a_member(client, planned)
    if missing:
        need = "it needs a role there with permission for the planned changes"
        output.result(f"The account is not a member of {', '.join(missing)}: {need}.", state)


async def _not_a_member(client: Client, planned: Planned) -> list[str]:
    """The live projects in which the plan changes something and the account is not a member."""
    from reconciler.kinds import kinds

    answer = await client.get("/users/current", {"include": "memberships"})
    mine = {row["project"]["id"] for row in answer["user"].get("memberships", ())}
    touched = {scope_of(kinds()[c.address.kind], c.address) for c in planned.plan.changes}
    known = planned.names.live(CONTAINER).ids
    return sorted(project for project in touched if project in known and known[project] not in mine)
