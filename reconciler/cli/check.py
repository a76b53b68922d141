"""`reconciler check`: the server, the account, and the references in the manifests."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.documents import Document
from reconciler.cli.options import State, common, paths
from reconciler.cli.progress import Progress, progress
from reconciler.cli.reports import Reports, Target, reports
from reconciler.errors import Exit
from reconciler.model.address import CONTAINER
from reconciler.model.kind import scope_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from reconciler.pipeline import Manifests, Planned
    from reconciler.redmine.client import Client
    from reconciler.state.live import Live


@click.command()
@reports
@common
@paths
@click.pass_obj
def check(state: State, paths: tuple[str, ...], reports: tuple[Target, ...]) -> int:
    """Check that the server is reachable, which account is used, and that all references resolve.

    Without manifests in the current folder, only the server and the account are checked. Never writes to the server.

    PATH is a file, a folder, or - for standard input (default: the current folder).
    """
    state.problems_on_stdout = True
    with Reports(reports, state) as written, progress(state) as shown:
        written.document = Document()
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
            roles = None if me.get("admin") else await _memberships(client)
            shown.stop()
            output.result(_account(client, me, roles), state)
            if has_manifests:
                await _manifests(state, client, manifests, roles)
    return Exit.DONE


async def _memberships(client: Client) -> list[Mapping[str, Any]]:
    """The memberships of the account."""
    answer = await client.get("/users/current", {"include": "memberships"})
    return list(answer["user"].get("memberships", ()))


def _account(client: Client, me: Mapping[str, Any], memberships: list[Mapping[str, Any]] | None) -> str:
    from reconciler.render.safe import terminal
    from reconciler.state.live import TESTED

    kind = "an administrator" if me.get("admin") else "not an administrator"
    login = terminal(str(me["login"]))
    supported = f"{client.connection.url} is a supported Redmine.\nTested with Redmine {TESTED}."
    rights = "" if memberships is None else f"\n{terminal(_roles(memberships))}\n{OTHERS}"
    return f"{supported}\nThe account is {login}, {kind}.{rights}"


def _roles(memberships: list[Mapping[str, Any]]) -> str:
    """The sentence on the account's roles."""
    some = [f"{', '.join(r['name'] for r in m['roles'])} in {m['project']['name']}" for m in memberships]
    more = f"; and {len(some) - MANY} more" if len(some) > MANY else ""
    return f"Its roles: {'; '.join(some[:MANY])}{more}." if some else "It is not a member of any project."


OTHERS = (
    "It may not list users, groups and custom fields: their names are learnt from what it may read. It does not see "
    "archived projects, and may not see all private ones."
)
MANY = 10
"""Memberships that are shown."""


async def _manifests(
    state: State, client: Client, manifests: Manifests, memberships: list[Mapping[str, Any]] | None
) -> None:
    """Raises ManifestError for references that do not resolve."""
    from reconciler import pipeline
    from reconciler.render.words import summary

    def seen(live: Live) -> None:
        unread = _not_readable(live)
        if unread:
            output.result("\n".join(unread), state)

    planned = await pipeline.plan(client, manifests, seen=seen)
    output.result(f"All references resolve.\n{summary(planned.plan)}", state)
    # An administrator may write everywhere, member or not.
    missing = [] if memberships is None else _not_a_member(memberships, planned)
    if missing:
        need = "it needs a role there with permission for the planned changes"
        output.result(f"The account is not a member of {', '.join(missing)}: {need}.", state)


def _not_readable(live: Live) -> list[str]:
    """Sentences on the lists of projects that the manifests need and the account may not read."""
    from reconciler.render.safe import terminal

    whys = (why for name in live.names.live_kinds() for project, why in live.names.live(name).unseen.items() if project)
    return [terminal(f"{why[:1].upper()}{why[1:]}.") for why in whys]


def _not_a_member(memberships: list[Mapping[str, Any]], planned: Planned) -> list[str]:
    """The live projects in which the plan changes something and the account is not a member."""
    from reconciler.kinds import kinds

    mine = {row["project"]["id"] for row in memberships}
    touched = {scope_of(kinds()[c.address.kind], c.address) for c in planned.plan.changes}
    known = planned.names.live(CONTAINER).ids
    return sorted(project for project in touched if project in known and known[project] not in mine)
