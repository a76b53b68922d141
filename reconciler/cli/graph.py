"""`reconciler graph`: the dependencies between declared objects."""

from __future__ import annotations

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, formats, paths
from reconciler.errors import Exit


@click.command()
@formats("dot", "mermaid")
@common
@paths
@click.pass_obj
def graph(state: State, paths: tuple[str, ...], form: str) -> int:
    """Print the dependencies between declared objects, for Graphviz or Mermaid.

    Does not contact the server.
    """
    from reconciler.cli import steps
    from reconciler.plan.dependencies import declared_dependencies
    from reconciler.render import graph as render

    desired = steps.valid(state, paths).desired
    draw = render.dot if form == "dot" else render.mermaid
    output.result(draw(declared_dependencies(desired), desired.objects), state)
    return Exit.DONE
