"""`reconciler check`: the server, the account, and what the manifests need."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import click

from reconciler import event_loop
from reconciler.cli import output
from reconciler.cli.documents import Document
from reconciler.cli.options import State, common, formats, paths
from reconciler.cli.progress import Progress, progress
from reconciler.cli.reports import Reports, Target, problems_of, reports, sentence
from reconciler.errors import Exit, ManifestError, ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from reconciler.pipeline import Manifests
    from reconciler.plan.comparison import Planned
    from reconciler.plan.rights import Account, Permissions
    from reconciler.redmine.client import Client
    from reconciler.render.check import Checked
    from reconciler.state.live import Live


@click.command()
@formats("text", "json")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0,
    metavar="SECONDS",
    help="Wait so long for a server that is still starting (default: 0).",
)
@reports
@common
@paths
@click.pass_obj
def check(state: State, paths: tuple[str, ...], form: str, wait: float, reports: tuple[Target, ...]) -> int:
    """Check that the server is reachable, which account is used, and that it has what the manifests need.

    Each missing name and each missing permission is listed once, with all places that need it. Without manifests in
    the current folder, only the server and the account are checked. Never writes to the server.

    \b
    Exit codes:
      0  all right
      1  the server cannot be reached, or does not accept the account
      3  the manifests are invalid, or need a name or permission that is missing

    PATH is a file, a folder, or - for standard input (default: `manifests` in reconciler.yaml, else the current
    folder).
    """
    from reconciler.render import check as render

    state.problems_on_stdout = True
    found = render.Checked()
    with Reports(reports, state) as written:
        written.document = Document()
        try:
            with progress(state) as shown:
                event_loop.run(_check(state, paths, wait, shown, found))
        except click.ClickException:  # a usage error is no check
            raise
        except (Exception, KeyboardInterrupt) as error:
            written.document = Document(problems_of(error))
            return written.ends(_failed(found, error, state))
        written.document = Document((*render.once(found.problems), *render.needs(found)))
        return written.ends(_printed(found, state))


async def _check(state: State, paths: tuple[str, ...], wait: float, shown: Progress, found: Checked) -> None:
    from reconciler.cli.session import opened
    from reconciler.redmine import waiting
    from reconciler.redmine.clock import elapsed

    async with opened(state, paths, shown, wait=wait > 0) as session:
        # Here and not above, as the session imports these while the server is asked.
        from reconciler import pipeline
        from reconciler.state.live import TESTED

        manifests = session.manifests
        # No paths and no files: `check` also serves to try a URL and a key before there are manifests.
        found.declared = bool(paths or manifests.loaded.files)
        # As for a plan: without manifests, their problems are that there are none.
        with pipeline.at_least(manifests) if found.declared else nullcontext():
            client = session.client
            found.url, found.tested, started = client.connection.url, TESTED, elapsed()
            try:
                me = await waiting.whoami(client, wait, partial(_waiting, shown, found.url))
            finally:
                found.waited = elapsed() - started if wait else 0
            shown.resume(f"Reading {found.url}")
            found.memberships = None if me.get("admin") else await _memberships(client)
            # Last: the account is known only with its rights.
            found.login = str(me["login"])
            if found.declared:
                await _manifests(client, manifests, found)


def _waiting(shown: Progress, url: str, reason: str) -> None:
    """Say why the server is waited for, and that it is."""
    output.say(output.safe(reason))
    shown.resume(f"Waiting for {url}")


async def _memberships(client: Client) -> list[Mapping[str, Any]]:
    """The memberships of the account. Raises OddResponse."""
    from reconciler.model.forms import NAMED, Each, Fields
    from reconciler.state.fetch import fetch
    from reconciler.state.glimpses import MEMBERSHIPS

    return [*await fetch(client, MEMBERSHIPS, Fields(of={"project": NAMED, "roles": Each(of=NAMED)}))]


async def _manifests(client: Client, manifests: Manifests, found: Checked) -> None:
    """Raises ServerError. Problems are in `found`."""
    from reconciler import pipeline
    from reconciler.plan import rights

    def seen(live: Live) -> None:
        found.unreadable = _not_readable(live)

    try:
        planned = await pipeline.plan_or_rest(client, manifests, seen=seen)
    except ManifestError as error:
        if error.unasked is not None:
            raise
        found.problems = error.problems
        return
    found.plan, found.problems = planned.plan, planned.faults.problems
    # An administrator may write everywhere, member or not.
    if found.memberships is not None:
        known = await _account(client, found.memberships, planned)
        found.lacking = rights.lacking(planned.plan, planned.names, known)


def _not_readable(live: Live) -> list[str]:
    """Sentences on the lists of projects that the manifests need and the account may not read."""
    whys = (why for name in live.names.live_kinds() for project, why in live.names.live(name).unseen.items() if project)
    return [f"{why[:1].upper()}{why[1:]}." for why in whys]


OUTSIDER = 1
"""The id of the role of those who are not members (5.0 to 6.1)."""


async def _account(client: Client, memberships: Sequence[Mapping[str, Any]], planned: Planned) -> Account:
    """What the roles of the account allow, by the pages of those roles that matter."""
    from reconciler.plan import rights

    mine = {row["project"]["id"]: [role["id"] for role in row["roles"]] for row in memberships}
    # All, as a new project can be allowed by any of them.
    numbers = sorted({number for roles in mine.values() for number in roles})
    pages = {number: await _permissions(client, number) for number in numbers} if planned.plan.changes else {}
    matters = rights.asks_outsider(planned.plan, planned.names, mine)
    outsider = await _permissions(client, OUTSIDER) if matters else None
    return rights.Account({p: [pages.get(n) for n in of] for p, of in mine.items()}, outsider)


async def _permissions(client: Client, role: int) -> Permissions:
    """The permissions of a role; None if its page is not shown, or does not list them."""
    from reconciler.state.fetch import fetch
    from reconciler.state.glimpses import ROLE, role_page

    pages = await fetch(client, role_page(role), ROLE)
    return pages[0].get("permissions") if pages else None


# -- output ----------------------------------------------------------------------------------------------------


def _printed(found: Checked, state: State) -> int:
    """Print what was found; the exit code."""
    from reconciler.render import check as render

    if state.format == "json":
        output.result(output.made("result", lambda: output.as_json(render.data(found)), state), state)
    else:
        _account_text(found, state)
        wrong = [*render.once(found.problems), *render.needs(found)]
        if conclusion := render.conclusion(found):
            output.result(output.safe(conclusion), state)
        if wrong:
            output.result(output.problems(wrong, state, sys.stdout), state)
    if found.status == "ok":
        return Exit.DONE
    output.say(f"Error: {output.safe('; '.join(_shortcomings(found)))}.")
    return Exit.INVALID


def _shortcomings(found: Checked) -> Iterator[str]:
    """How many problems there are, and how many permissions the account lacks."""
    from reconciler.render import check as render

    if problems := render.once(found.problems):
        yield f"{output.plural(len(problems), 'problem')} in the manifests"
    if found.lacking:
        yield f"{found.login} lacks {output.plural(len(found.lacking), 'permission')}"


def _account_text(found: Checked, state: State) -> None:
    from reconciler.render import check as render

    if found.login:
        output.result(output.safe(render.account(found)), state)


def _failed(found: Checked, error: BaseException, state: State) -> int:
    """Print what was found before an error, and the error; the exit code. Raises an error that is printed elsewhere."""
    from reconciler.masking import without_user_info
    from reconciler.render import check as render

    if state.format != "json":
        # The server and the account first: they help to see what is wrong.
        _account_text(found, state)
        raise error
    unasked = error.unasked if isinstance(error, ManifestError) else error
    found.ended = without_user_info(sentence(unasked)) if unasked is not None else ""
    found.problems = error.problems if isinstance(error, ManifestError) else ()
    output.result(output.as_json(render.data(found)), state)
    if not isinstance(error, ReconcilerError):
        raise error
    output.say(f"Error: {output.safe(found.ended or 'the manifests are invalid.')}")
    return error.exit_code
