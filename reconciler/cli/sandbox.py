"""`reconciler sandbox`: a throw-away real Redmine of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from reconciler.errors import SandboxError
from reconciler.sandbox import VERSIONS, Running, Sandbox, destroy_all, instances

DEFAULT = "6.1"
_version = click.option(
    "--redmine", "version", type=click.Choice(list(VERSIONS)), help="The Redmine version."
)
_name = click.option("--name", help="Tells several sandboxes of one version apart (default: the version).")


@click.group()
def sandbox() -> None:
    """A throw-away real Redmine on this machine, from Debian's packages, without root."""


@sandbox.command()
@click.option("--redmine", "version", type=click.Choice(list(VERSIONS)), default=DEFAULT, show_default=True)
@_name
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port on 127.0.0.1 (default: the last, or a free one)."
)
@click.option(
    "--setup",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE.rb",
    help="Ruby to run inside Redmine once, for what only an administrator can create. Repeatable.",
)
@click.option(
    "--archive", metavar="URL", help="A Debian archive (default: the one of this machine's apt sources)."
)
def start(
    version: str, name: str | None, port: int | None, setup: Sequence[Path], archive: str | None
) -> None:
    """Start a Redmine; print REDMINE_URL=… and REDMINE_API_KEY=… for `eval`; then export both."""
    running = Sandbox(version, name=name, archive=archive).start(setup, port, _say)
    click.echo(f"REDMINE_URL={running.url}\nREDMINE_API_KEY={running.api_key}")


@sandbox.command()
@_version
@_name
@click.option("--all", "everything", is_flag=True, help="All sandboxes.")
@click.option("--destroy", is_flag=True, help="Remove the data too; with --all, the downloaded packages too.")
def stop(version: str | None, name: str | None, everything: bool, destroy: bool) -> None:
    """Stop a Redmine that `start` started."""
    if everything:
        _stop_all(destroy)
        return
    found = _choose(version, name, lambda s: destroy or s.status() is not None)
    for chosen in found:
        chosen.destroy() if destroy else chosen.stop()
        _say(f"{'Removed' if destroy else 'Stopped'} Redmine {chosen.version} ({chosen.name}).")
    if not found:
        _say("There is nothing to remove." if destroy else "There is nothing to stop.")


@sandbox.command()
@_version
@_name
@click.pass_context
def status(context: click.Context, version: str | None, name: str | None) -> None:
    """Say which sandboxes run, where, and how to log in. Exit code 1 if none does."""
    running = [r for s in instances() if _is(s, version, name) and (r := s.status())]
    click.echo(
        "\n\n".join(map(_describe, running)) or "No sandbox is running. Start one: reconciler sandbox start"
    )
    context.exit(0 if running else 1)


@sandbox.command()
@_version
@_name
def reset(version: str | None, name: str | None) -> None:
    """Return to the state right after `start` (and its --setup), while the server runs."""
    named = version is not None or name is not None
    found = _choose(version, name, lambda s: named or s.status() is not None)
    if not found:
        raise SandboxError("There is no such sandbox to reset. Start one: reconciler sandbox start")
    for chosen in found:
        began = time.monotonic()
        chosen.reset()
        milliseconds = (time.monotonic() - began) * 1000
        _say(f"Reset Redmine {chosen.version} ({chosen.name}) in {milliseconds:.0f} ms.")


def _say(message: str) -> None:
    click.echo(message, err=True)


def _is(candidate: Sandbox, version: str | None, name: str | None) -> bool:
    return version in (None, candidate.version) and name in (None, candidate.name)


def _choose(version: str | None, name: str | None, wanted: Callable[[Sandbox], bool]) -> list[Sandbox]:
    """The sandbox that is meant, or none if there is none. Raises SandboxError when it could be several."""
    found = [s for s in instances() if _is(s, version, name) and wanted(s)]
    unnamed = [s for s in found if s.name == s.version]
    chosen = unnamed if name is None and unnamed else found
    if len(chosen) > 1:
        names = ", ".join(f"--redmine {s.version} --name {s.name}" for s in chosen)
        raise SandboxError(f"There are several sandboxes; say which one: {names}.")
    return chosen


def _stop_all(destroy: bool) -> None:
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
            f"  folder   {running.folder}",
            f"  stop     reconciler sandbox stop --redmine {running.version}{name}",
        )
    )
