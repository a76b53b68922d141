"""`reconciler explain`: documentation of a kind or field."""

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
    """Describe a kind, or one of its fields: its values, what it refers to, when it is sent.

    \b
    Examples:
      reconciler explain issue
      reconciler explain issue.status
    """
    from reconciler.reference import explain as words

    kind, _, field = name.partition(".")
    output.result(words.explain(kind, field or None), state)
    return Exit.DONE
