"""`reconciler apply`: do what the manifests, or a saved plan, say."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, formats, paths, selection
from reconciler.cli.progress import Progress, progress
from reconciler.errors import Exit, Location, ReconcilerError

if TYPE_CHECKING:
    from reconciler.apply import Applier, Report
    from reconciler.change import Plan
    from reconciler.client import Client
    from reconciler.names import Names
    from reconciler.saved import Saved


@click.command()
@formats("text", "json", "markdown", "html", "github")
@selection
@click.option("--plan", "file", type=click.Path(path_type=Path), metavar="FILE", help="Apply the plan saved in FILE.")
@click.option("--max-deletes", type=click.IntRange(min=0), metavar="N", help="Allow N deletions, whatever the limits.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@common
@paths
@click.pass_obj
def apply(
    state: State,
    paths: tuple[str, ...],
    form: str,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
    file: Path | None,
    max_deletes: int | None,
    yes: bool,
) -> int:
    """Do what the manifests say, or what a saved plan says, and report what became of each change.

    PATHs are files, folders, or - for standard input (default: the current folder).
    """
    if file is not None and (paths or targets or excludes):
        raise click.UsageError("--plan goes without PATH, --target and --exclude: what is applied is in the file.")
    with progress(state) as shown:
        if file is not None:
            return asyncio.run(_saved(state, file, yes, max_deletes, shown))
        shown.reading("the manifests")
        return asyncio.run(_manifests(state, paths, (targets, excludes), yes, max_deletes, shown))


async def _manifests(
    state: State,
    paths: tuple[str, ...],
    patterns: tuple[tuple[str, ...], ...],
    yes: bool,
    max_deletes: int | None,
    shown: Progress,
) -> int:
    from reconciler import session
    from reconciler.cli import steps

    manifests = steps.valid(state, paths)
    async with steps.client(state, manifests.config, shown) as client:
        planned = await session.plan(client, manifests, *patterns)
        shown.stop()
        steps.selected(planned)
        steps.within_limits(planned.plan, manifests.config, max_deletes)
        return await _carry_out(state, client, planned.names, planned.plan, yes, shown)


async def _saved(state: State, file: Path, yes: bool, max_deletes: int | None, shown: Progress) -> int:
    from reconciler import live, saved
    from reconciler.cli import steps

    config = state.configuration()
    found = _load(file, config.variables, config.settings["place"])
    async with steps.client(state, config, shown) as client:
        saved.check_url(found.plan, client.connection.url)
        now = await live.read(client, found.desired)
        shown.stop()
        saved.check(found.plan, now)
        steps.within_limits(found.plan, config, max_deletes)
        return await _carry_out(state, client, now.names, found.plan, yes, shown)


def _load(file: Path, variables: dict[str, str], place: Location) -> Saved:
    from reconciler import saved

    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ReconcilerError(f"The plan {file} cannot be read: {error.strerror}.") from error
    return saved.load(text, str(file), variables, place)


# -- the change itself -----------------------------------------------------------------------------------------


async def _carry_out(state: State, client: Client, names: Names, plan: Plan, yes: bool, shown: Progress) -> int:
    from reconciler import session
    from reconciler.apply import Applier

    if plan.changes and not yes and not _confirmed(plan, state):
        output.say("Nothing was changed.")
        return Exit.CANNOT_RUN
    applier = Applier(client, names, plan, listener=shown.ended)
    if plan.changes:
        shown.applying(len(plan.changes))
    try:
        with _interruptible(applier):
            await session.carry_out(applier)
    finally:
        # Whatever happened: what is known by now is not lost.
        shown.stop()
        report = applier.report()
        output.result(output.report(report, state), state)
    return _code(report)


def _code(report: Report) -> Exit:
    if report.interrupted:
        return Exit.INTERRUPTED
    return Exit.DONE if all(r.outcome == "done" for r in report.results) else Exit.INCOMPLETE


def _confirmed(plan: Plan, state: State) -> bool:
    """Show the plan and ask. Raises ReconcilerError if there is nobody to ask."""
    from reconciler.render import text

    changes = output.plural(len(plan.changes), "change")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ReconcilerError(
            f"There is no terminal to confirm {changes} on, and nothing was changed: look at `reconciler plan`, then "
            "add --yes."
        )
    with _ctrl_c_at_once():
        output.say(text.plan(plan, color=output.colored(sys.stderr, state)))
        click.echo(f"Apply {'this' if len(plan.changes) == 1 else 'these'} {changes}? [y/N] ", err=True, nl=False)
        return sys.stdin.readline().strip().casefold() in ("y", "yes")


@contextmanager
def _ctrl_c_at_once() -> Iterator[None]:
    """Let Ctrl-C end a wait for the terminal; the event loop's handler would only cancel what awaits."""
    before, task = signal.signal(signal.SIGINT, signal.default_int_handler), asyncio.current_task()
    try:
        if task is not None and task.cancelling():
            raise KeyboardInterrupt
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _interruptible(applier: Applier) -> Iterator[None]:
    """Ctrl-C (or a SIGTERM) lets what is under way finish; the second one stops at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop() -> None:
        if applier.stopping and task is not None:
            task.cancel()
        else:
            applier.stop()
            output.say("Stopping: what is under way is finished first. Once more stops at once.")

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
