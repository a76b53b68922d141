"""`reconciler explain`: a kind of object, or one of its fields, in words."""

from __future__ import annotations

import click

from reconciler.cli import output
from reconciler.cli.options import State, common
from reconciler.errors import Exit


@click.command()
@common
@click.argument("name", metavar="KIND[.FIELD]")
@click.pass_obj
def explain(state: State, name: str) -> int:
    """Describe a kind of object, or one of its fields: what it takes, refers to, and when it is sent."""
    from reconciler.reference import explain as words

    kind, _, field = name.partition(".")
    output.result(words.explain(kind, field or None), state)
    return Exit.DONE
