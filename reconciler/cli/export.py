"""`reconciler export`: live → manifests."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, formats
from reconciler.cli.progress import Progress, progress
from reconciler.errors import Exit
from reconciler.model.address import CONTAINER

if TYPE_CHECKING:
    from reconciler.apply.report import Report
    from reconciler.config import Config
    from reconciler.export.inventory import Inventory, Scope
    from reconciler.export.output_folder import Folder
    from reconciler.export.run import Exported
    from reconciler.pipeline import Planned
    from reconciler.redmine.client import Client


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line."""

    scope: Scope
    folder: Folder
    write_keys: bool
    yes: bool
    sanitize: bool


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Where to write the manifests: an empty folder, or an earlier export.",
)
@click.option(
    "--project", "projects", multiple=True, metavar="ID", help="Only this project, and whom it names. Repeatable."
)
@click.option("--with-subprojects", is_flag=True, help="The projects below those of --project too.")
@click.option("--kind", "chosen", multiple=True, metavar="KIND", help="Only objects of this kind. Repeatable.")
@click.option("--sanitize", is_flag=True, help="Replace logins, names and mail addresses; leave out what is in files.")
@click.option("--write-keys", is_flag=True, help="First store a key in each issue that has none (issue_key_field).")
@click.option("--yes", is_flag=True, help="Do not ask before --write-keys writes.")
@formats("text", "json")
@common
@click.pass_obj
def export(
    state: State,
    folder: Path,
    projects: tuple[str, ...],
    with_subprojects: bool,
    chosen: tuple[str, ...],
    sanitize: bool,
    write_keys: bool,
    yes: bool,
    form: str,
) -> int:
    """Write manifests of what is live, of which a plan is empty. Writes nothing to the server without --write-keys."""
    from reconciler.export import run
    from reconciler.kinds import keyed

    if with_subprojects and not projects:
        raise click.UsageError("--with-subprojects goes with --project; without it, all projects are exported.")
    if yes and not write_keys:
        raise click.UsageError("--yes goes with --write-keys; without it, nothing is written to the server.")
    scope = run.scope(projects, with_subprojects, chosen)
    if write_keys and not any(map(scope.has, keyed())):
        named = ", ".join(kind.name for kind in keyed())
        raise click.UsageError(f"--write-keys goes with issues: add --kind {named}.")
    config = state.configuration()
    if write_keys and not config.settings.get("issue_key_field"):
        raise click.UsageError("--write-keys needs issue_key_field in reconciler.yaml: it names where keys are stored.")
    target = run.target(folder, scope, config, state.instance, sanitized=sanitize)
    with progress(state) as shown:
        return asyncio.run(_export(state, config, Wanted(scope, target, write_keys, yes, sanitize), shown))


async def _export(state: State, config: Config, wanted: Wanted, shown: Progress) -> int:
    from reconciler.cli import steps
    from reconciler.export import run

    code: Exit = Exit.DONE
    async with steps.client(state, config, shown) as client:
        sanitized, watch = wanted.sanitize, shown.counted
        found = await run.look(client, config, wanted.scope, wanted.folder, sanitized=sanitized, watch=watch)
        if wanted.write_keys:
            code, found = await _write_keys(state, client, config, found, wanted, shown)
        if code not in (Exit.DONE, Exit.INCOMPLETE):
            return code
        done = await run.write_out(client, found, wanted.scope, wanted.folder, sanitized=sanitized, watch=watch)
    output.result(_summary(done, state), state)
    return code


# -- keys ------------------------------------------------------------------------------------------------------


async def _write_keys(
    state: State, client: Client, config: Config, found: Inventory, wanted: Wanted, shown: Progress
) -> tuple[Exit, Inventory]:
    """Store the keys that are missing, if that is agreed to; the exit code, and the inventory with them."""
    from reconciler.cli.apply import carry_out, exit_code
    from reconciler.export import inventory, run, state_files, write_keys
    from reconciler.plan.operations import Reopen

    folder = wanted.folder.path
    before = state_files.reopened(folder)
    planned, lacking = await run.key_plan(client, config, write_keys.named(found), before)
    shown.stop()
    if lacking:
        field, said = config.settings["issue_key_field"], ", ".join(map(str, lacking))
        output.say(output.safe(f'Without a key, as they do not have the custom field "{field}": {said}.'))
    _show_to_nobody(planned, wanted, state)
    done: list[Report] = []
    hint = "it is shown above; add --yes"
    # A run that is killed half-way leaves projects open: the next one has to know of them.
    reopening = {o.id.address.key for o in planned.plan.operations if isinstance(o, Reopen)}
    state_files.remember_reopened(folder, before | reopening)
    try:
        agreed = await carry_out(state, client, planned, wanted.yes, shown, done, hint=hint)
    finally:
        state_files.remember_reopened(folder, _left_open(done[-1]) if done else before)
    if not agreed:
        return Exit.CANNOT_RUN, found
    _report(done, state)
    if done[-1].results:
        # With a key Redmine stores what else follows from saving an issue, so all is read again.
        found = await inventory.take(client, config.settings, wanted.scope, shown.counted)
    return exit_code(done[-1]), found


def _left_open(report: Report) -> set[str]:
    """The projects that were to be closed again and are not."""
    return {r.change.address.key for r in report.results if r.change.address.kind == CONTAINER and r.outcome != "done"}


def _show_to_nobody(planned: Planned, wanted: Wanted, state: State) -> None:
    """Show the plan where there is no terminal to ask on: the sentence that ends the command points to it."""
    from reconciler.render import text

    asked = sys.stdin.isatty() and sys.stderr.isatty()
    if planned.plan.changes and not wanted.yes and not asked:
        output.say(text.plan(planned.plan, color=output.colored(sys.stderr, state)))


def _report(done: list[Report], state: State) -> None:
    """What was written, on stderr: the one document on stdout is about the export."""
    from reconciler.render import text

    for report in done:
        if report.results:
            output.say(text.results(report, color=output.colored(sys.stderr, state), verbose=state.verbose))


# -- summary ---------------------------------------------------------------------------------------------------


def _summary(done: Exported, state: State) -> str:
    """How much was written, and what could not be said, in the chosen format."""
    from reconciler.render.json import export_json

    return output.as_json(export_json(done)) if state.format == "json" else _text(done)


def _text(done: Exported) -> str:
    from reconciler.render.words import count

    objects = ", ".join(count(number, kind) for kind, number in done.counts.items()) or "nothing"
    lines = [f"Exported to {output.safe(str(done.folder))}: {objects} ({output.plural(done.files, 'file')})."]
    if done.removed:
        lines.append(f"Removed: {output.plural(done.removed, 'file')} of the earlier export.")
    if done.sanitized is not None:
        users, mails = done.sanitized
        others = f"{mails} other mail address{'' if mails == 1 else 'es'}"
        lines.append(f"Without personal data: {output.plural(users, 'user')} and {others} have other names.")
    if done.left_out:
        counts = Counter(address for address, _ in done.left_out)
        said = f"{output.plural(len(done.left_out), 'thing')} of {output.plural(len(counts), 'object')}"
        lines += ["", f"Left out: {said}; each is a comment at its place.", ""]
        lines += [f"  {output.safe(str(address))}: {output.safe(text)}" for address, text in done.left_out]
    return "\n".join(lines)
