"""`reconciler plan`: what `apply` would change."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler import event_loop
from reconciler.cli import output
from reconciler.cli.documents import Document
from reconciler.cli.options import State, common, formats, full, paths, prune, resend, selection, unarchive
from reconciler.cli.progress import Progress, if_long, progress
from reconciler.cli.reports import Reports, Target, reports
from reconciler.errors import Exit, ManifestError

if TYPE_CHECKING:
    from reconciler.plan.comparison import Planned

MANIFESTS = (".yaml", ".yml", ".json")
"""Suffixes of manifest files: those of `manifest.sources`, repeated because importing it here would slow `--help`."""


@click.command()
@formats("text", "json", "markdown", "html", "github")
@full
@selection
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan for `apply --plan FILE`.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if there are changes.")
@reports
@prune
@click.option("--unmanaged", is_flag=True, help="List the live objects in declared projects that no manifest declares.")
@unarchive
@resend
@common
@paths
@click.pass_obj
def plan(
    state: State,
    paths: tuple[str, ...],
    form: str,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
    out: Path | None,
    detailed_exitcode: bool,
    reports: tuple[Target, ...],
    prune: bool,
    unmanaged: bool,
    unarchive: bool,
    resend: tuple[str, ...],
) -> int:
    """Compare the manifests with the live state and show what apply would change.

    Never writes to the server. If objects have problems, shows these, and the plan of what does not depend on them,
    which is what `apply --keep-going` would do (exit code 3).

    PATH is a file, a folder, or - for standard input (default: `manifests` in reconciler.yaml, else the current
    folder).
    """
    # Before anything is read: a plan that cannot be saved would be a waste of time.
    _check_out(out, paths or (() if out is None else tuple(map(str, state.configuration().manifests))))
    with Reports(reports, state) as written:
        with progress(state) as shown:
            options = (targets, excludes, unarchive, resend, False, prune, unmanaged)
            planned = event_loop.run(_plan(state, paths, options, shown))
        if planned.faults.problems:
            return written.ends(_rest(planned, out, state, written))
        written.document = Document(plan=planned.plan)
        output.result(output.plan(planned.plan, state), state)
        if out is not None:
            with if_long(state, "Saving the plan"):
                said = _save(planned, out, state)
            # A bar would wrap the line, which is there to be copied.
            output.say(said)
        return Exit.CHANGES if detailed_exitcode and planned.plan.changes else Exit.DONE


def _check_out(out: Path | None, paths: tuple[str, ...]) -> None:
    """Raise UsageError for a file that the next run would read as a manifest."""
    folders = [folder for folder in map(Path, paths or (".",)) if folder.is_dir()]
    inside = out is not None and any(out.resolve().is_relative_to(folder.resolve()) for folder in folders)
    if out is not None and inside and out.suffix in MANIFESTS:
        name = out.with_suffix(".plan")
        raise click.UsageError(
            f"The next run would read {out} as a manifest: save the plan as {name}, or in another folder."
        )


async def _plan(state: State, paths: tuple[str, ...], options: tuple[Any, ...], shown: Progress) -> Planned:
    from reconciler.cli import steps
    from reconciler.cli.session import opened

    async with opened(state, paths, shown) as session:
        # Here and not above, as the session imports these while the server is asked.
        from reconciler import pipeline
        from reconciler.plan.options import PlanOptions

        with pipeline.at_least(session.manifests):
            planned = await pipeline.plan_or_rest(session.client, session.manifests, PlanOptions(*options))
    shown.stop()
    # Without a plan of the rest, there is nothing to leave something out of.
    if planned.plan.changes or not planned.faults.problems:
        steps.selected(planned)
    return planned


def _rest(planned: Planned, out: Path | None, state: State, written: Reports) -> int:
    """Show problems, and the plan of what does not depend on them. Raises ManifestError if that has no changes."""
    error = ManifestError(planned.faults.problems)
    if not planned.plan.changes:
        raise error
    left_out = [change.address for change, _ in (*planned.faults.failed, *planned.faults.skipped)]
    written.document = Document(error.problems, planned.plan, left_out=tuple(left_out))
    output.rest(error.problems, planned.plan, left_out, state)
    if out is not None:
        output.say("The plan was not saved, because it is incomplete.")
    return error.exit_code


def _save(planned: Planned, out: Path, state: State) -> str:
    """Save the plan; how to apply it."""
    from reconciler.cli import saved_plan, steps
    from reconciler.plan import plan_file
    from reconciler.render.json import plan_json

    plan_file.check_echoes(planned.plan, state.secrets)
    made = saved_plan.recorded(state, planned.names.settings["place"].file)
    with steps.not_collected():
        plan_file.write(out, plan_file.save(planned.plan, planned.names, plan_json(planned.plan), made))
    # The configuration and the instance are in the plan.
    said = {"--plan": out, "--url": state.url, "--api-key-file": state.api_key_file}
    words = [word for option, value in said.items() if value is not None for word in (option, str(value))]
    return f"Plan saved. To apply it: {shlex.join(['reconciler', 'apply', *words])}"
