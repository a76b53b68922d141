"""`reconciler sandbox`: a disposable Redmine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from reconciler.cli.groups import Group
from reconciler.errors import SandboxError
from reconciler.sandbox import DATABASES, VERSIONS, Running, Sandbox, destroy_all, instances

DEFAULT = "6.1"
_version = click.option("--redmine", "version", type=click.Choice(list(VERSIONS)), help="Redmine version.")
_name = click.option("--name", metavar="NAME", help="Name of the sandbox (default: its Redmine version).")


@click.group(cls=Group)
def sandbox() -> None:
    """Run a disposable Redmine on this machine.

    A real Redmine from Debian's packages, on 127.0.0.1, with SQLite or PostgreSQL. Needs no root and leaves the
    system unchanged.
    """


@sandbox.command()
@click.option(
    "--redmine",
    "version",
    type=click.Choice(list(VERSIONS)),
    default=DEFAULT,
    show_default=True,
    help="Redmine version.",
)
@_name
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Port on 127.0.0.1 (default: the previous one, or a free one).",
)
@click.option(
    "--database",
    type=click.Choice(list(DATABASES)),
    help="Database of a new sandbox (default: sqlite). With postgresql, as on most real servers, the default name is "
    "REDMINE-postgresql.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes of the server (default: as before, at first 2 with postgresql). SQLite allows only 1.",
)
@click.option(
    "--setup",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE.rb",
    help="Ruby script to run once inside Redmine, for what the API cannot create. Repeatable.",
)
@click.option(
    "--empty",
    is_flag=True,
    help="Without Redmine's default data: no trackers, statuses, roles, workflows, priorities and activities.",
)
@click.option(
    "--archive", metavar="URL", help="Debian archive to download from (default: from this machine's apt sources)."
)
def start(
    version: str,
    name: str | None,
    port: int | None,
    database: str | None,
    workers: int | None,
    setup: Sequence[Path],
    empty: bool,
    archive: str | None,
) -> None:
    """Start a sandbox and print its REDMINE_URL and REDMINE_API_KEY.

    The first start of a version downloads about 100 MB, the first one with PostgreSQL 30 MB more. With another
    --setup, or a first --empty, an existing sandbox starts over. The output is for `eval`; export both variables
    afterwards.
    """
    sandbox = Sandbox(version, name=name, archive=archive, database=database, workers=workers)
    running = sandbox.start(setup, port, _say, empty=empty)
    # Nothing else goes to stdout: a shell evaluates it.
    click.echo(f"REDMINE_URL={running.url}\nREDMINE_API_KEY={running.api_key}")


@sandbox.command()
@_version
@_name
@click.option("--all", "everything", is_flag=True, help="All sandboxes.")
@click.option("--destroy", is_flag=True, help="Remove the data too; with --all, also the downloaded packages.")
def stop(version: str | None, name: str | None, everything: bool, destroy: bool) -> None:
    """Stop a sandbox. Its data is kept, unless --destroy is given."""
    if everything:
        _stop_all(destroy)
        return
    sandboxes = _choose(version, name, lambda s: destroy or s.status() is not None)
    for chosen in sandboxes:
        chosen.destroy() if destroy else chosen.stop()
        _say(f"{'Removed' if destroy else 'Stopped'} Redmine {chosen.version} ({chosen.name}).")
    if not sandboxes:
        _say("No sandbox to remove." if destroy else "No sandbox to stop.")


@sandbox.command()
@_version
@_name
@click.pass_context
def status(context: click.Context, version: str | None, name: str | None) -> None:
    """List the running sandboxes. The exit code is 1 if there are none."""
    running = [r for s in instances() if _matches(s, version, name) and (r := s.status())]
    click.echo("\n\n".join(map(_describe, running)) or "No sandbox is running. Start one: reconciler sandbox start")
    context.exit(0 if running else 1)


@sandbox.command()
@_version
@_name
def reset(version: str | None, name: str | None) -> None:
    """Restore the state right after `start`.

    That includes the results of --setup and --empty. The server keeps running.
    """
    named = version is not None or name is not None
    # Without a name only running ones count: a stopped one that was forgotten should not be reset by accident.
    sandboxes = _choose(version, name, lambda s: named or s.status() is not None)
    if not sandboxes:
        raise SandboxError("No such sandbox. Start one: reconciler sandbox start")
    for chosen in sandboxes:
        began = time.monotonic()
        chosen.reset()
        milliseconds = (time.monotonic() - began) * 1000
        _say(f"Reset Redmine {chosen.version} ({chosen.name}) in {milliseconds:.0f} ms.")


def _say(message: str) -> None:
    click.echo(message, err=True)


def _matches(candidate: Sandbox, version: str | None, name: str | None) -> bool:
    return version in (None, candidate.version) and name in (None, candidate.name)


def _choose(version: str | None, name: str | None, eligible: Callable[[Sandbox], bool]) -> list[Sandbox]:
    """The matching sandbox, or none. Raises SandboxError if several match."""
    matching = [s for s in instances() if _matches(s, version, name) and eligible(s)]
    # Without --name, the sandbox with the default name wins over those with names of their own.
    unnamed = [s for s in matching if s.name == s.version]
    chosen = unnamed if name is None and unnamed else matching
    if len(chosen) > 1:
        names = ", ".join(f"--redmine {s.version} --name {s.name}" for s in chosen)
        raise SandboxError(f"Several sandboxes match; choose one: {names}.")
    return chosen


def _stop_all(destroy: bool) -> None:
    # All are stopped before any is removed: a failure leaves no server without its folder.
    for each in instances():
        each.stop()
    if destroy:
        destroy_all()
    _say("Removed all sandboxes." if destroy else "Stopped all sandboxes.")


def _describe(running: Running) -> str:
    name = "" if running.name == running.version else f" --name {running.name}"
    return "\n".join(
        (
            f"Redmine {running.version} ({running.name})",
            f"  address  {running.url}",
            "  login    admin / admin",
            f"  process  {running.pid}",
            f"  database {DATABASES[running.database].title}",
            f"  workers  {running.workers}",
            f"  folder   {running.folder}",
            f"  stop     reconciler sandbox stop --redmine {running.version}{name}",
        )
    )
