"""The command line: options → steps → render → exit code. The only package that prints; one module per command.

Command modules are imported on use, so `reconciler --help` costs little more than starting Python.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, suppress
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

import click
from click import formatting

from reconciler import __version__
from reconciler.cli import examples, output
from reconciler.cli.groups import Group
from reconciler.cli.options import State, common
from reconciler.cli.signals import sigterm_as_ctrl_c
from reconciler.errors import Exit, ReconcilerError
from reconciler.masking import without_user_info

COMMANDS = {
    "validate": "Check manifests without contacting a server.",
    "plan": "Show what apply would change.",
    "apply": "Apply the manifests, or a saved plan.",
    "show": "Show a saved plan.",
    "export": "Export live state as manifests.",
    "check": "Check the server, the account and every reference in the manifests.",
    "config": "Show each setting, its value and where it comes from.",
    "lease": "Show the lease, or end that of a run that is gone.",
    "catalog": "Print a script for what REST cannot write.",
    "graph": "Show the dependencies between declared objects.",
    "explain": "List the kinds, or describe one, or one of its fields.",
    "new": "Print a manifest to start with.",
    "fmt": "Write manifests in one layout.",
    "completion": "Print the completion script of a shell.",
    "schema": "Print or write the JSON Schemas.",
    "sandbox": "Run a disposable Redmine on this machine.",
}
"""Command name → its line in `--help`. Each name is a module of this package with a click command of that name."""


WIDTH = 100
"""The greatest width of the help."""


class Program(Group):
    """A group that imports its commands on use and turns their exceptions into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # Only the command that is run: importing all of them takes most of the time of `--help`.
        command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        examples.attach(command, cmd_name)
        if COMPLETING in os.environ:
            import_module(f"{__name__}.completion").attach(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run a command and exit the process with its exit code."""
        _start_fast()
        state = State()
        output.prepare(state.secrets)
        # In standalone mode click would exit by itself, with 2 for usage errors, which means "the plan has changes".
        extra |= {"standalone_mode": False, "obj": state, "terminal_width": _width()}
        if COMPLETING in os.environ:
            _complete(lambda: super(Program, self).main(args, prog_name or "reconciler", **extra))
        with sigterm_as_ctrl_c():
            code = int(_guarded(state, lambda: super(Program, self).main(args, prog_name or "reconciler", **extra)))
        sys.exit(code)


def _width() -> int | None:
    """The width of the help as click would choose it, without `shutil`: that takes a tenth of the time of the help."""
    if formatting.FORCED_WIDTH is not None:
        return None
    said = os.environ.get("COLUMNS", "")
    columns = int(said) if said.isdecimal() else 0
    with suppress(ValueError, OSError):
        if not columns and sys.__stdout__ is not None:
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns
    return max(min(columns or 80, WIDTH) - 2, 50)


COMPLETING = "_RECONCILER_COMPLETE"
"""Is set when a shell asks for candidates, see `completion`."""


def _complete(run: Callable[[], Any]) -> NoReturn:
    """Print candidates for a shell. Nothing may disturb the line that is typed: errors are silent."""
    module = import_module(f"{__name__}.completion")
    module.attach(main)
    with suppress(Exception), redirect_stderr(io.StringIO()):
        run()
    sys.exit(Exit.CANNOT_RUN)


def _start_fast() -> None:
    """Leave out of the start and the end of the program what takes long and is of no use to it."""
    # The garbage collector finds nothing in what is imported, and looks through it again and again.
    gc.set_threshold(OBJECTS)
    # Nor at the end, of a process whose memory is freed as a whole.
    atexit.register(gc.freeze)
    # httpx imports its own command line where it can: rich and pygments, a third of its time.
    _replace("httpx._main", main=lambda: None)
    # To look for plugins, pydantic reads the metadata of every installed package; even to be told not to, it imports
    # what reads them, with email and zipfile.
    _replace("pydantic.plugin._loader", get_plugins=tuple)


def _replace(name: str, **members: Any) -> None:
    """Have a module that is not imported yet be these members alone."""
    module = ModuleType(name)
    vars(module).update(members)
    sys.modules.setdefault(name, module)


OBJECTS = 100_000
"""New objects after which the garbage collector looks for unused ones (Python's own default is 700)."""


def _guarded(state: State, run: Callable[[], Any]) -> int:
    """The exit code of a run. This is the only place that catches `ReconcilerError`."""
    try:
        return run() or Exit.DONE
    except ReconcilerError as error:
        _debug(state)
        _said(state, output.failure, error)
        return error.exit_code
    except click.Abort:  # click raises this for KeyboardInterrupt and for the end of input at a prompt
        _said(state, output.interrupted)
        return Exit.INTERRUPTED
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        # Not printed by click: an argument that it repeats may be a URL with a password.
        output.say(without_user_info(said.getvalue().rstrip("\n")))
        return Exit.CANNOT_RUN  # not error.exit_code, which is 2 for usage errors
    except Exception as error:
        _debug(state)
        hint = "" if state.debug else "; rerun with --debug for the traceback"
        internal = ReconcilerError(f"Internal error: {type(error).__name__}{hint}.")
        _said(state, output.failure, internal)
        return Exit.CANNOT_RUN


def _said(state: State, say: Callable[..., None], *why: ReconcilerError) -> None:
    """Print why a command failed; also that even this cannot be printed, where standard output is a full disk."""
    try:
        say(*why, state)
    except ReconcilerError as other:
        output.failure(other, state)


def _debug(state: State) -> None:
    if state.debug:
        import traceback

        output.say(without_user_info(traceback.format_exc().rstrip()))


@click.group(
    "reconciler", cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
)
@click.version_option(__version__, prog_name="reconciler")
@common
def main() -> None:
    """Redmine as code: validate, plan and apply YAML manifests of a Redmine.

    \b
    Exit codes:
      0    success, or nothing to do
      1    the command could not run: usage, network, authentication
      2    the plan has changes (only with --detailed-exitcode)
      3    the manifests are invalid
      4    some changes failed, were skipped or have an unknown outcome
      5    refused for safety: deletion limits, a stale plan, a lease that another run holds
      130  interrupted
    """


examples.attach(main, "")
