"""`reconciler explain`: documentation of a kind or field."""

from __future__ import annotations

import click

from reconciler.cli import output
from reconciler.cli.options import State, common
from reconciler.errors import Exit


@click.command()
@common
@click.argument("name", metavar="[KIND[.FIELD]]", default="")
@click.pass_obj
def explain(state: State, name: str) -> int:
    """Describe a kind, or one of its fields: its values, what it refers to, when it is sent, and an example.

    Without an argument, list the kinds.
    """
    from reconciler.reference import explain as words

    kind, _, field = name.partition(".")
    output.result(words.explain(kind, field or None) if name else words.overview(), state)
    return Exit.DONE
