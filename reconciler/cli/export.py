"""`reconciler export`: live state → manifests."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import event_loop
from reconciler.cli import export_targets, output
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
    from reconciler.plan.comparison import Planned
    from reconciler.redmine.client import Client


@dataclass(frozen=True, slots=True)
class Request:
    """The options of one run."""

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
    metavar="DIR",
    help="Folder to write to: empty, or an earlier export with the same options. With --target: a new FILE.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="KIND/KEY",
    help="Only matching objects, as one manifest on stdout or in a FILE: user/jsmith, 'issue/web-shop/#123', "
    "version/web-shop/*. Repeatable.",
)
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="ID",
    help="Only this project, and the users and groups it refers to. Repeatable.",
)
@click.option("--with-subprojects", is_flag=True, help="With --project: its subprojects too.")
@click.option("--kind", "chosen", multiple=True, metavar="KIND", help="Only objects of this kind. Repeatable.")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Trackers, roles, workflows, custom fields, settings and the like too (needs `catalog_command`).",
)
@click.option("--sanitize", is_flag=True, help="Replace logins, names and mail addresses; leave out file contents.")
@click.option(
    "--write-keys", is_flag=True, help="First store a key in each issue that lacks one (needs `issue_key_field`)."
)
@click.option("--yes", is_flag=True, help="With --write-keys: do not ask for confirmation.")
@formats("text", "json")
@common
@click.pass_obj
def export(
    state: State,
    folder: Path | None,
    targets: tuple[str, ...],
    projects: tuple[str, ...],
    with_subprojects: bool,
    chosen: tuple[str, ...],
    everything: bool,
    sanitize: bool,
    write_keys: bool,
    yes: bool,
    form: str,
) -> int:
    """Export live state as manifests; planning them shows no changes.

    With --target, the manifest has only the chosen objects, and names what they refer to. It can be appended to an
    existing one.

    Never writes to the server, except with --write-keys, which asks first. Needs an administrator's credentials.
    """
    from reconciler.export import run
    from reconciler.kinds import keyed

    if targets:
        if projects or with_subprojects or chosen or everything or sanitize or write_keys or yes:
            raise click.UsageError("--target can only be combined with -o.")
        return export_targets.run(state, targets, folder)
    if folder is None:
        raise click.UsageError("Missing option '-o' / '--output': the folder to write to.")
    if with_subprojects and not projects:
        raise click.UsageError("--with-subprojects needs --project; without it, all projects are exported.")
    if yes and not write_keys:
        raise click.UsageError("--yes needs --write-keys; without it, nothing is written to the server.")
    if everything and (projects or chosen or sanitize):
        raise click.UsageError("--all cannot be combined with --project, --kind or --sanitize.")
    scope = run.scope(projects, with_subprojects, chosen, catalog=everything)
    if write_keys and not any(map(scope.has, keyed())):
        named = ", ".join(kind.name for kind in keyed())
        raise click.UsageError(f"--write-keys needs issues: add --kind {named}.")
    config = state.configuration()
    if write_keys and not config.settings.get("issue_key_field"):
        raise click.UsageError(
            "--write-keys needs `issue_key_field` in reconciler.yaml, the custom field that stores the keys."
        )
    target = run.target(folder, scope, config, state.instance, sanitized=sanitize)
    with progress(state) as shown:
        return event_loop.run(_export(state, config, Request(scope, target, write_keys, yes, sanitize), shown))


async def _export(state: State, config: Config, request: Request, shown: Progress) -> int:
    from reconciler.cli import steps
    from reconciler.export import run

    code: Exit = Exit.DONE
    async with steps.client(state, config, shown) as client:
        sanitized, watch, scope, folder = request.sanitize, shown.counted, request.scope, request.folder
        lease = steps.leased(client, config, "reconciler export --write-keys", 0, shown)
        async with lease if request.write_keys else nullcontext():
            inventory = await run.look(client, config, scope, folder, sanitized=sanitized, watch=watch)
            if request.write_keys:
                code, inventory = await _write_keys(state, client, config, inventory, request, shown)
        # INCOMPLETE: some keys could not be written; everything can be exported all the same.
        if code not in (Exit.DONE, Exit.INCOMPLETE):
            return code
        done = await run.write_out(client, inventory, scope, folder, sanitized=sanitized, watch=watch)
    output.result(_summary(done, state), state)
    return code


# -- keys ------------------------------------------------------------------------------------------------------


async def _write_keys(
    state: State, client: Client, config: Config, inventory: Inventory, request: Request, shown: Progress
) -> tuple[Exit, Inventory]:
    """Store the missing keys, if confirmed; the exit code, and the inventory with the new keys."""
    from reconciler.cli.apply import carry_out, exit_code
    from reconciler.cli.run_report import RunReport
    from reconciler.export import inventory as inventories
    from reconciler.export import run, state_files, write_keys
    from reconciler.plan.operations import Reopen

    folder = request.folder.path
    # Projects that an earlier run left open: they are declared closed in this plan.
    before = state_files.reopened(folder)
    planned, lacking = await run.key_plan(client, config, write_keys.with_keys(inventory), before)
    shown.stop()
    if lacking:
        field, issues = config.settings["issue_key_field"], ", ".join(map(str, lacking))
        output.say(output.safe(f'Left without a key, because they lack the custom field "{field}": {issues}.'))
    _show_if_not_interactive(planned, request, state)
    written = RunReport((), state)
    hint = "review the plan above, then add --yes"
    # Closed projects are reopened to write keys. If this run is killed before closing them again, the next run does.
    reopening = {o.id.address.key for o in planned.plan.operations if isinstance(o, Reopen)}
    state_files.remember_reopened(folder, before | reopening)
    try:
        agreed = await carry_out(state, client, planned, request.yes, shown, written, hint=hint)
    finally:
        # Also after an error, as in the normal case: only what was closed again is forgotten.
        state_files.remember_reopened(folder, _left_open(written.reports[-1]) if written.reports else before)
    if not agreed:
        return Exit.CANNOT_RUN, inventory
    _report(written.reports, state)
    if written.reports[-1].results:
        # Saving an issue may change more than its key (Redmine recomputes derived fields), so read everything again.
        inventory = await inventories.take(client, config.settings, request.scope, shown.counted)
    return exit_code(written.reports[-1]), inventory


def _left_open(report: Report) -> set[str]:
    """The projects that should have been closed again and were not."""
    return {r.change.address.key for r in report.results if r.change.address.kind == CONTAINER and r.outcome != "done"}


def _show_if_not_interactive(planned: Planned, request: Request, state: State) -> None:
    """Show the plan when there is no terminal: the error that ends the command refers to it."""
    from reconciler.render import text

    interactive = sys.stdin.isatty() and sys.stderr.isatty()
    if planned.plan.changes and not request.yes and not interactive:
        color = output.colored(sys.stderr, state)
        output.say(output.made("plan", lambda: text.plan(planned.plan, color=color), state))


def _report(done: list[Report], state: State) -> None:
    """What was written, on stderr: stdout has exactly one document, the summary of the export."""
    from reconciler.render import text

    for report in done:
        if report.results:
            output.say(text.results(report, color=output.colored(sys.stderr, state), verbose=state.verbose))


# -- summary ---------------------------------------------------------------------------------------------------


def _summary(done: Exported, state: State) -> str:
    """What was exported and what was left out, in the chosen format."""
    from reconciler.render.json import export_json

    return output.as_json(export_json(done)) if state.format == "json" else _text(done)


def _text(done: Exported) -> str:
    from reconciler.render.words import count

    objects = ", ".join(count(number, kind) for kind, number in done.counts.items()) or "nothing"
    lines = [f"Exported to {output.safe(str(done.folder))}: {objects} ({output.plural(done.files, 'file')})."]
    if done.removed:
        lines.append(f"Removed: {output.plural(done.removed, 'file')} of the earlier export.")
    if done.edited:
        names = ", ".join(map(output.safe, done.edited))
        lines.append(f"Edited since the earlier export, and replaced by what the server has: {names}.")
    if done.sanitized is not None:
        users, mails = done.sanitized
        others = f"{mails} other mail address{'' if mails == 1 else 'es'}"
        lines.append(f"Sanitized: {output.plural(users, 'user')} and {others} replaced.")
    if done.left_out:
        counts = Counter(address for address, _ in done.left_out)
        total = f"{output.plural(len(done.left_out), 'value')} of {output.plural(len(counts), 'object')}"
        lines += ["", f"Left out: {total}; each has a comment in the manifests.", ""]
        # Texts of the server: made safe for a terminal one by one, as line breaks here are ours.
        lines += [f"  {output.safe(str(address))}: {output.safe(text)}" for address, text in done.left_out]
    return "\n".join(lines)
