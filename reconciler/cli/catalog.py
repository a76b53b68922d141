"""`reconciler catalog`: what REST cannot write, as a script for an administrator."""

from __future__ import annotations

import os
from pathlib import Path

import click

from reconciler import event_loop
from reconciler.cli import output
from reconciler.cli.groups import Group
from reconciler.cli.options import State, common, paths
from reconciler.errors import Exit, ReconcilerError


@click.group(cls=Group)
@common
def catalog() -> None:
    """Print a script for what REST cannot write: trackers, roles, workflows, custom fields, settings and the like.

    Not needed with `catalog_command` in reconciler.yaml: then `apply` writes them itself.
    """


@catalog.command()
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="File to write to."
)
@common
@paths
@click.pass_obj
def script(state: State, paths: tuple[str, ...], file: Path | None) -> int:
    """Print a script with all that the manifests declare and REST cannot write.

    An administrator runs it on Redmine's machine, in Redmine's folder: RAILS_ENV=production bin/rails runner FILE. It
    writes what differs, refuses what `apply` would refuse, says what it has done, and can be run again. It may contain
    secrets, such as the password of an LDAP account.

    Reads the server, and writes nothing.
    """
    text, count = event_loop.run(_script(state, paths))
    if not count:
        raise ReconcilerError("The manifests declare nothing that REST cannot write.")
    if file is None:
        output.result(text, state)
    else:
        _write(file, text)
        output.say(output.safe(f"Written: {file}, with {output.plural(count, 'object')}."))
    return Exit.DONE


async def _script(state: State, paths: tuple[str, ...]) -> tuple[str, int]:
    from reconciler.catalog.session import script_of
    from reconciler.cli import steps
    from reconciler.cli.progress import progress
    from reconciler.pipeline import plan
    from reconciler.plan.catalog_script import script_items

    with progress(state) as shown:
        with shown.late("Reading the manifests"):
            manifests = steps.valid(state, paths)
        async with steps.client(state, manifests.config, shown) as client:
            names = (await plan(client, manifests)).names
            items = script_items(manifests.desired, names)
    text = output.made("script", lambda: script_of(items), state)
    return text, len({(item.kind, *item.key.values()) for item in items})


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner can read: it may contain secrets."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            os.fchmod(descriptor, 0o600)
            opened.write(text)
    except OSError as error:
        raise ReconcilerError(f"{file} cannot be written: {error.strerror}.") from error
