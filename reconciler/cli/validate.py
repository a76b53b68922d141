"""`reconciler validate`: everything that can be checked without a server."""

from __future__ import annotations

import sys

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, formats, paths
from reconciler.errors import Exit


@click.command()
@formats("text", "json", "github")
@common
@paths
@click.pass_obj
def validate(state: State, paths: tuple[str, ...], form: str) -> int:
    """Check the manifests without a server, and show all problems at once.

    PATHs are files, folders, or - for standard input (default: the current folder).
    """
    from reconciler.cli import steps

    found = steps.manifests(state, paths)
    if found.problems or form != "text":
        output.result(output.problems(found.problems, state, sys.stdout), state)
    else:
        objects = output.plural(len(found.desired.objects), "object")
        output.result(f"Valid: {objects} in {output.plural(len(found.loaded.files), 'file')}.", state)
    return Exit.INVALID if found.problems else Exit.DONE
