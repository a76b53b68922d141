"""`reconciler graph`: the dependencies between declared objects."""

from __future__ import annotations

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, formats, paths
from reconciler.cli.progress import if_long
from reconciler.errors import Exit


@click.command()
@formats("dot", "mermaid", "svg")
@common
@paths
@click.pass_obj
def graph(state: State, paths: tuple[str, ...], form: str) -> int:
    """Print the dependencies between declared objects, for Graphviz or Mermaid, or as a drawing (SVG).

    The drawing leaves out dependencies that follow from others: of C on A, if C depends on B and B on A.

    Does not contact the server.
    """
    with if_long(state, "Reading the manifests", paths):
        drawn = _drawn(state, paths, form)
    output.result(drawn, state)
    return Exit.DONE


def _drawn(state: State, paths: tuple[str, ...], form: str) -> str:
    """The graph in a format. Raises ConfigError, ManifestError."""
    from reconciler.cli import steps
    from reconciler.plan.dependencies import declared_dependencies
    from reconciler.render import graph as render

    desired = steps.valid(state, paths).desired
    draw = {"dot": render.dot, "mermaid": render.mermaid, "svg": render.svg}[form]
    return draw(declared_dependencies(desired), desired.objects)
