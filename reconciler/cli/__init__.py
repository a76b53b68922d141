"""The command line: options → steps → render → exit code. The only place that prints, one module per command.

Commands are imported when they are called; `reconciler --help` costs little more than Python itself.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

import click

from reconciler import __version__
from reconciler.cli import output
from reconciler.cli.options import State, common
from reconciler.errors import Exit, ReconcilerError

COMMANDS = {
    "validate": "Check the manifests without a server.",
    "plan": "Show what apply would do.",
    "apply": "Do what the manifests say, or a saved plan.",
    "export": "Write manifests of what is live.",
    "check": "See whether the server, the account and the names are as the manifests need them.",
    "graph": "Show which objects of the manifests need which.",
    "explain": "Describe a kind of object, or one of its fields.",
    "schema": "Print or write the JSON Schemas.",
    "sandbox": "Run a throw-away real Redmine on this machine.",
}
"""Each is a module of this package with a click command of the same name; the text is for `--help`."""


class Program(click.Group):
    """A group that imports its commands when they are called, and turns what they raise into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = get_close_matches(args[0], COMMANDS, n=1)
        if near and args[0] not in COMMANDS:
            ctx.fail(f'There is no command "{args[0]}": did you mean "{near[0]}"?')
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run, and end the process with the exit code."""
        _start_fast()
        output.prepare()
        state = State()
        extra |= {"standalone_mode": False, "obj": state}
        sys.exit(int(_guarded(state, lambda: super(Program, self).main(args, prog_name or "reconciler", **extra))))


def _start_fast() -> None:
    """Leave out of the start of the program what takes long and is of no use to it."""
    # The garbage collector finds nothing in what is imported, and looks through it again and again.
    gc.set_threshold(OBJECTS)
    # httpx imports its own command line where it can: rich and pygments, a third of its time.
    without = ModuleType("httpx._main")
    vars(without)["main"] = lambda: None
    sys.modules.setdefault(without.__name__, without)
    # To look for plugins, pydantic reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


OBJECTS = 100_000
"""New objects after which the garbage collector looks for unused ones (Python's own default is 700)."""


def _guarded(state: State, run: Callable[[], Any]) -> int:
    """The exit code of a run; this is the one place that catches errors."""
    try:
        return run() or Exit.DONE
    except ReconcilerError as error:
        _debug(state)
        output.failure(error, state)
        return error.exit_code
    except click.Abort:
        output.say("Interrupted.")
        return Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return Exit.CANNOT_RUN
    except Exception as error:
        _debug(state)
        hint = "" if state.debug else "; run it again with --debug to see where"
        output.failure(ReconcilerError(f"Internal error, {type(error).__name__}{hint}."), state)
        return Exit.CANNOT_RUN


def _debug(state: State) -> None:
    if state.debug:
        output.say(traceback.format_exc().rstrip())


@click.group(
    "reconciler", cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="reconciler")
@common
def main() -> None:
    """Redmine as code: validate, plan and apply YAML manifests of a Redmine.

    \b
    Exit codes: 0 done, or nothing to do · 1 it could not run · 2 the plan has changes
    (--detailed-exitcode) · 3 the manifests are invalid · 4 applied, but not all of it
    · 5 refused for safety · 130 interrupted
    """
