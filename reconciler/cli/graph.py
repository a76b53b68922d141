"""`reconciler graph`: the dependencies between declared objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, formats, paths
from reconciler.errors import Exit

if TYPE_CHECKING:
    from reconciler.model.address import Address
    from reconciler.state.desired import Desired


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
    from reconciler.render import graph as render

    desired = steps.valid(state, paths).desired
    draw = render.dot if form == "dot" else render.mermaid
    output.result(draw(edges(desired), desired.objects), state)
    return Exit.DONE


def edges(desired: Desired) -> Iterator[tuple[Address, Address]]:
    """(dependency, dependent) for every reference to another declared object."""
    from reconciler.model.address import Unresolved
    from reconciler.model.name_index import Context
    from reconciler.state.desired import references
    from reconciler.state.live import fresh_names

    names = fresh_names(desired)
    for address, found in desired.objects.items():
        for _, reference in references(found, names):
            try:
                target = Context(names, found.project).resolve(reference)
            except Unresolved:
                continue
            if target in desired.objects and target != address:
                yield target, address
