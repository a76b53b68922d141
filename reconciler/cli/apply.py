"""`reconciler apply`: carry out the plan for the manifests, or a saved plan."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from reconciler import event_loop
from reconciler.cli import output
from reconciler.cli.confirm import HINT, confirmed
from reconciler.cli.options import State, common, formats, full, paths, prune, resend, selection, unarchive
from reconciler.cli.progress import Progress, progress
from reconciler.cli.reports import Target, reports
from reconciler.cli.run_report import RunReport
from reconciler.cli.signals import handled
from reconciler.errors import Exit, ManifestError, ReconcilerError, ServerError

if TYPE_CHECKING:
    from reconciler.apply.executor import Applier
    from reconciler.apply.report import Outcome, Report
    from reconciler.model.address import Address
    from reconciler.pipeline import Manifests
    from reconciler.plan.comparison import Planned
    from reconciler.plan.options import PlanOptions
    from reconciler.redmine.client import Client


@click.command()
@formats("text", "json", "markdown", "html", "github")
@full
@selection
@click.option("--plan", "file", type=click.Path(path_type=Path), metavar="FILE", help="Apply the plan saved in FILE.")
@click.option(
    "--max-deletes", type=click.IntRange(min=0), metavar="N", help="Allow up to N deletions, overriding `limits`."
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--lease-timeout",
    type=click.FloatRange(min=0),
    default=0,
    metavar="SECONDS",
    help="Wait so long for a lease that another run holds (default: 0).",
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Leave out objects that have a problem, and what depends on them; apply all others.",
)
@prune
@reports
@unarchive
@resend
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
    lease_timeout: float,
    keep_going: bool,
    prune: bool,
    reports: tuple[Target, ...],
    unarchive: bool,
    resend: tuple[str, ...],
) -> int:
    """Apply the manifests, or a saved plan, and report the outcome of each change.

    Shows the plan and asks for confirmation first, unless --yes is given. Everything written is read back and
    compared. With --keep-going, an object with a problem that only the server shows does not stop the others: it is
    reported as failed (exit code 4).

    PATH is a file, a folder, or - for standard input (default: `manifests` in reconciler.yaml, else the current
    folder).
    """
    options = (targets, excludes, unarchive, resend, keep_going, prune)
    # A saved plan is applied as it was reviewed: nothing may widen or narrow it.
    if file is not None and (paths or any(options)):
        raise click.UsageError(
            "--plan cannot be combined with PATH, --target, --exclude, --prune, --unarchive, --resend or --keep-going."
        )
    with RunReport(reports, state) as written, progress(state) as shown:
        if file is not None:
            run = _saved(state, file, yes, max_deletes, lease_timeout, shown, written)
        else:
            run = _manifests(state, paths, options, yes, max_deletes, lease_timeout, shown, written)
        return written.ends(event_loop.run(run))


async def _manifests(
    state: State,
    paths: tuple[str, ...],
    options: tuple[Any, ...],
    yes: bool,
    max_deletes: int | None,
    lease_timeout: float,
    shown: Progress,
    written: RunReport,
) -> int:
    from reconciler.cli import steps
    from reconciler.cli.session import opened

    async with opened(state, paths, shown, leased=True) as session:
        # Here and not above, as the session imports these while the server is asked.
        from reconciler import pipeline
        from reconciler.plan.options import PlanOptions

        plan_options = PlanOptions(*options)
        manifests, objects = session.manifests, session.manifests.desired.objects
        # Before anything is read: this run must see what the one before it has done. Problems need no lease.
        lease = lease_timeout if not manifests.problems else None
        with pipeline.at_least(manifests):
            client = session.client
            async with steps.leased(client, manifests.config, "reconciler apply", lease, shown, objects):
                planned = await pipeline.plan(client, manifests, plan_options)
                written.plan = planned.plan
                shown.stop()
                steps.selected(planned)
                # Before the question: what the limits refuse cannot be confirmed either.
                steps.within_limits(planned.plan, manifests.config, max_deletes)
                with _reported(state, written, shown):
                    if not await carry_out(state, client, planned, yes, shown, written):
                        return Exit.CANNOT_RUN
                    # What was unarchived can be compared only now: it has a plan, limits and a confirmation of its own.
                    if planned.plan.revealed:
                        second = _Second(client, manifests, planned, plan_options, max_deletes)
                        code = await _again(state, second, yes, shown, written)
                        if code is not None:
                            return code
                from reconciler.apply.report import joined

                # Of both runs together: a failure in the first is not made good by the second.
                return exit_code(joined(written.reports))


async def _saved(
    state: State,
    file: Path,
    yes: bool,
    max_deletes: int | None,
    lease_timeout: float,
    shown: Progress,
    written: RunReport,
) -> int:
    from reconciler.cli import saved_plan, steps
    from reconciler.plan import plan_file
    from reconciler.plan.comparison import Planned
    from reconciler.state import live

    with shown.late("Reading the plan", long=saved_plan.is_long(file)), steps.not_collected():
        data = saved_plan.read(file)
        saved_plan.adopt(state, data)
        config = state.configuration()
        saved = plan_file.restored(data, str(file), config.variables, config.settings["place"])
    written.plan = saved.plan
    async with (
        steps.client(state, config, shown) as client,
        steps.leased(client, config, "reconciler apply --plan", lease_timeout, shown, saved.desired.objects),
    ):
        # Before anything is read: the plan may be of another server.
        plan_file.check_url(saved.plan, client.connection.url)
        now = await live.read(client, saved.desired)
        # Exit code 5 if what the plan relies on has changed since.
        plan_file.check(saved.plan, now)
        steps.within_limits(saved.plan, config, max_deletes)
        shown.stop()
        planned = Planned(saved.plan, now.names, now.me)
        with _reported(state, written, shown):
            if not await carry_out(state, client, planned, yes, shown, written):
                return Exit.CANNOT_RUN
        if saved.plan.revealed:
            left = output.plural(len(saved.plan.revealed), "object")
            output.say(
                f"Remaining: {left} in unarchived projects, not compared yet. Plan and apply again to compare them; "
                "projects declared as archived are archived then, others stay active."
            )
        return exit_code(written.reports[-1])


# -- carrying out a plan -----------------------------------------------------------------------------------------


@contextmanager
def _reported(state: State, written: RunReport, shown: Progress) -> Iterator[None]:
    """Print the reports as one, whatever happens: the known outcomes are never lost."""
    from reconciler.apply.report import joined

    try:
        yield
    finally:
        # Ctrl-C may have come while something was read.
        shown.stop()
        if written.reports:
            output.result(output.report(joined(written.reports), state), state)


async def carry_out(
    state: State,
    client: Client,
    planned: Planned,
    yes: bool,
    shown: Progress,
    written: RunReport,
    *,
    hint: str = HINT,
) -> bool:
    """Confirm, apply, and add the report to those of the run; False if declined.

    `hint` says what to do when not interactive.
    """
    from reconciler import pipeline
    from reconciler.apply import run
    from reconciler.apply.executor import Applier
    from reconciler.plan import confirm
    from reconciler.render import words

    plan = planned.plan
    written.begin(plan)
    if plan.changes and not yes and not confirmed(plan, state, hint):
        output.say("No further changes were made." if written.reports else "No changes were made.")
        return False
    # Without --yes the warnings are in the plan that is confirmed.
    for warning in words.warnings(plan) if yes else ():
        output.say(output.safe(warning))
    # After the question, which can take a while.
    shown.resume("Checking that nothing has changed")
    await confirm.unchanged(client, plan, planned.names)

    def ended(address: Address, outcome: Outcome) -> None:
        shown.ended(address, outcome)
        written.running(applier)

    applier = Applier(client, planned.names, plan, listener=ended)
    if plan.changes:
        shown.applying(len(plan.changes))
    try:
        with _interruptible(applier):
            await run.carry_out(applier)
    finally:
        shown.stop()
        # Also after an error: part of the plan may have been carried out, and its outcomes must be reported.
        written.reports.append(pipeline.complete(applier.report(), planned, written.reports))
    return True


class _Second(NamedTuple):
    """What the second plan is made from, after the first one has unarchived projects."""

    client: Client
    manifests: Manifests
    first: Planned
    options: PlanOptions
    max_deletes: int | None


async def _again(state: State, second: _Second, yes: bool, shown: Progress, written: RunReport) -> int | None:
    """Plan and apply again. If that fails, is declined or interrupted, archive the unarchived projects; the exit code
    then.
    """
    from reconciler import pipeline
    from reconciler.cli import steps

    client, manifests, first = second.client, second.manifests, second.first
    if written.reports[-1].interrupted:
        await _archive_again(second, written)
        return Exit.INTERRUPTED
    try:
        shown.reading(client.connection.url)
        planned = await pipeline.again(client, manifests, first, second.options)
        written.plan = planned.plan
        shown.stop()
        steps.within_limits(planned.plan, manifests.config, second.max_deletes)
        agreed = await carry_out(state, client, planned, yes, shown, written)
    except asyncio.CancelledError:
        shown.stop()
        await _archive_again(second, written)
        raise
    except ReconcilerError as error:
        shown.stop()
        await _archive_again(second, written)
        # Other errors are printed by `Program`; this one would print its problems to stdout, after the report.
        if not isinstance(error, ManifestError):
            raise
        # stdout has exactly one document, the report, so this goes to stderr.
        output.say(output.safe(str(error)))
        return error.exit_code
    if not agreed:
        written.reports.append(await pipeline.archive_again(client, manifests, first))
        return Exit.CANNOT_RUN
    return None


async def _archive_again(second: _Second, written: RunReport) -> None:
    """Archive them. What came before is what to report, even if the server is gone and nothing can be archived."""
    from reconciler import pipeline

    with suppress(ServerError):
        written.reports.append(await pipeline.archive_again(second.client, second.manifests, second.first))


def exit_code(report: Report) -> Exit:
    if report.interrupted:
        return Exit.INTERRUPTED
    return Exit.DONE if all(r.outcome == "done" for r in report.results) else Exit.INCOMPLETE


@contextmanager
def _interruptible(applier: Applier) -> Iterator[None]:
    """The first SIGINT or SIGTERM lets running requests finish; the second one stops at once."""
    task = asyncio.current_task()

    def stop() -> None:
        # Cancelling leaves the outcomes of the running requests unknown, so it takes a second signal.
        if applier.stopping and task is not None:
            task.cancel()
        else:
            applier.stop()
            output.say("Stopping after the running requests. Interrupt again to stop at once.")

    with handled(stop):
        yield
