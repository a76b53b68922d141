"""`reconciler validate`: all checks that need no server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.documents import Document
from reconciler.cli.options import State, common, formats, paths
from reconciler.cli.progress import if_long
from reconciler.cli.reports import Reports, Target, reports
from reconciler.errors import Exit

if TYPE_CHECKING:
    from reconciler.state.manifests import Manifests


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
        with if_long(state, "Reading the manifests", paths):
            manifests = steps.manifests(state, paths)
        written.document = Document(manifests.problems)
        output.result(_said(manifests, state), state)
        return written.ends(Exit.INVALID if manifests.problems else Exit.DONE)


def _said(manifests: Manifests, state: State) -> str:
    """The problems in the chosen format; of valid manifests as text, what they have."""
    if manifests.problems or state.format != "text":
        return output.problems(manifests.problems, state, sys.stdout)
    objects = output.plural(len(manifests.desired.objects), "object")
    changed = len({effect.subject for effect in manifests.loaded.overlaid if not effect.same})
    overlaid = f"; overlays change {output.plural(changed, 'object')}" if changed else ""
    files = output.plural(len(manifests.loaded.files), "file")
    return f"Valid: {objects} in {files}{overlaid}."
