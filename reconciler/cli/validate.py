"""`reconciler validate`: all checks that need no server."""

from __future__ import annotations

import sys

import click

from reconciler.cli import output
from reconciler.cli.documents import Document
from reconciler.cli.options import State, common, formats, paths
from reconciler.cli.reports import Reports, Target, reports
from reconciler.errors import Exit


@click.command()
@formats("text", "json", "markdown", "html", "github")
@reports
@common
@paths
@click.pass_obj
def validate(state: State, paths: tuple[str, ...], form: str, reports: tuple[Target, ...]) -> int:
    """Check manifests without contacting a server, and report all problems at once.

    PATH is a file, a folder, or - for standard input (default: `manifests` in reconciler.yaml, else the current
    folder).
    """
    from reconciler.cli import steps

    with Reports(reports, state) as written:
        manifests = steps.manifests(state, paths)
        written.document = Document(manifests.problems)
    if manifests.problems or form != "text":
        output.result(output.problems(manifests.problems, state, sys.stdout), state)
    else:
        objects = output.plural(len(manifests.desired.objects), "object")
        changed = len({effect.subject for effect in manifests.loaded.overlaid if not effect.same})
        overlaid = f"; overlays change {output.plural(changed, 'object')}" if changed else ""
        files = output.plural(len(manifests.loaded.files), "file")
        output.result(f"Valid: {objects} in {files}{overlaid}.", state)
    return Exit.INVALID if manifests.problems else Exit.DONE
