"""`reconciler config show`: each setting, its value, and where it comes from."""

from __future__ import annotations

import os
import sys

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, formats, paths
from reconciler.errors import Exit


@click.group()
@common
def config() -> None:
    """Show the configuration: reconciler.yaml, the environment and the options together."""


@config.command()
@formats("text", "json")
@common
@paths
@click.pass_obj
def show(state: State, paths: tuple[str, ...], form: str) -> int:
    """Show each setting, its value and where it comes from: an option, a variable, a place in the file, the default.

    Secrets are masked. Does not contact the server, and runs no program that a credential comes from.

    PATH tells where to look for reconciler.yaml, as for other commands (default: the current folder).
    """
    from reconciler.config import INSTANCE, origins
    from reconciler.render import settings as render

    found = state.configuration(paths)
    by = "--instance" if state.instance else INSTANCE if os.environ.get(INSTANCE) else ""
    shown = render.Shown.of(found, origins.settings(found), by)
    if state.format == "json":
        output.result(output.as_json(render.data(shown)), state)
    else:
        output.result(render.text(shown, color=output.colored(sys.stdout, state)), state)
    return Exit.DONE
