"""Printing: results go to stdout, everything else to stderr."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from reconciler.errors import Location, ManifestError, Problem, ReconcilerError, one_line
from reconciler.masking import Secrets, without_user_info

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from reconciler.apply.report import Report
    from reconciler.cli.documents import Document
    from reconciler.cli.options import State
    from reconciler.model.address import Address
    from reconciler.plan.operations import Plan


INTERRUPTED = "The run was interrupted."
_secrets = [Secrets()]
"""Those of this run of the program."""


def prepare(secrets: Secrets) -> None:
    """Print none of these secrets, and characters that the encoding lacks as escapes instead of failing."""
    _secrets[:] = [secrets]
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _open_streams() -> None:
    """Without a standard stream, what is printed goes nowhere, and nothing can be read."""
    # In this order, as the lowest free number is taken: else the next file or connection would have that of a stream.
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nowhere, True)
            # The base class is no terminal, and cannot be read: an end of input would look like an empty manifest.
            setattr(sys, name, io.TextIOBase() if name == "stdin" else os.fdopen(nowhere, "w", encoding="utf-8"))


def result(text: str, state: State) -> None:
    """Print to stdout. A closed pipe is not an error."""
    state.printed = True
    if text:
        # JSON has no secrets any more (`as_json`), and must stay valid.
        _print(text if state.format == "json" else masked(text), sys.stdout)


def say(text: str) -> None:
    """Print to stderr."""
    _print(masked(text), sys.stderr)


def masked(text: str) -> str:
    """The text without secrets."""
    return _secrets[0].masked(text)


def _print(text: str, stream: TextIO) -> None:
    try:
        # `color=True`: whether there are colors was decided before; click would strip them without a terminal.
        click.echo(text, stream, color=True)
    except OSError as error:
        # Python flushes stdout again when it exits; without this, that flush would fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        # Who reads the output may stop reading; but a full disk must not look like success.
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise ReconcilerError(f"Cannot write to standard output: {error.strerror}.") from error


def colored(stream: TextIO, state: State) -> bool:
    """Whether to use colors: --no-color, NO_COLOR, FORCE_COLOR, else only on a terminal."""
    if state.no_color or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


# -- in the chosen format --------------------------------------------------------------------------------------


def made(what: str, make: Callable[[], str], state: State) -> str:
    """A text that takes long to make if there is much in it: progress is shown then."""
    from reconciler.cli.progress import if_long

    with if_long(state, f"Writing the {what}"):
        return make()


def plan(found: Plan, state: State) -> str:
    """A plan in the chosen format."""
    from reconciler.cli.documents import Document
    from reconciler.render import text

    color = colored(sys.stdout, state)
    return _made("plan", Document(plan=found), lambda: text.plan(found, color=color), state)


def report(done: Report, state: State) -> str:
    """A report in the chosen format."""
    from reconciler.cli.documents import Document
    from reconciler.render import text

    color = colored(sys.stdout, state)
    return _made("report", Document(report=done), lambda: text.results(done, color=color, verbose=state.verbose), state)


def problems(items: Sequence[Problem], state: State, stream: TextIO) -> str:
    """Problems in the chosen format."""
    from reconciler.cli.documents import Document, quoted
    from reconciler.render import text

    color = colored(stream, state)
    return _made("problems", Document(tuple(items)), lambda: text.problems(items, quoted(state), color=color), state)


def _made(what: str, document: Document, as_text: Callable[[], str], state: State) -> str:
    from reconciler.cli.documents import FORMATS, rendered

    return made(what, (lambda: rendered(document, state)) if state.format in FORMATS else as_text, state)


def rest(items: Sequence[Problem], found: Plan, left_out: Sequence[Address], state: State) -> None:
    """Print problems, and the plan of what does not depend on them, in the chosen format."""
    from reconciler.cli.documents import Document, rendered
    from reconciler.render import words

    if state.format == "text":
        said, text = problems(items, state, sys.stderr), plan(found, state)
        say(said)
        result(f"{words.REST}\n\n{text}", state)
        return
    document = Document(tuple(items), found, left_out=tuple(left_out))
    result(made("plan", lambda: rendered(document, state), state), state)
    say(f"Error: {plural(len(items), 'problem')} in the manifests.")


def as_json(data: Mapping[str, Any], *, full: bool = True) -> str:
    """JSON in characters that the encoding of stdout has; with long texts cut, unless `full`."""
    from reconciler.render.json import brief, dumps

    # Masked before it is cut: of a secret in the middle of a text, no half may remain.
    masked_data = _secrets[0].masked_data(data)
    text = dumps(masked_data if full else brief(masked_data))
    if codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8":
        return text
    import json

    # JSON's own escapes, so that the document stays valid; `backslashreplace` would write \xe4, which is none.
    return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in text)


def failure(error: ReconcilerError, state: State) -> None:
    """Print why a command failed. With --format json, stdout always has exactly one document."""
    # Problems are the result of `check`, and of any command with a format for machines: stdout, not stderr.
    if isinstance(error, ManifestError) and state.format == "text" and not state.problems_on_stdout:
        say(problems(error.problems, state, sys.stderr))
        _unasked(error)
    elif isinstance(error, ManifestError):
        result(problems(error.problems, state, sys.stdout), state)
        say(f"Error: {plural(len(error.problems), 'problem')} in the manifests.")
        _unasked(error)
    else:
        # A URL that is refused is no setting of the run, so what is secret in it is not known.
        text = without_user_info(str(error))
        _document(text, state)
        say(f"Error: {safe(text)}")


def interrupted(state: State) -> None:
    """Print that a command was interrupted."""
    _document(INTERRUPTED, state)
    say("Interrupted.")


def _document(text: str, state: State) -> None:
    """Print why a command ended, in a format for machines."""
    # A report that was printed before the error is the one document.
    if state.format == "json" and not state.printed:
        result(problems([Problem(Location(""), text)], state, sys.stdout), state)
    # An annotation, or the page of the run would only say that its exit code is not 0.
    elif state.format == "github":
        result(problems([Problem(Location(""), one_line(text))], state, sys.stdout), state)


def _unasked(error: ManifestError) -> None:
    """Say why there may be further problems."""
    if error.unasked is not None:
        text = without_user_info(str(error.unasked))
        say(f"The server could not be asked for further problems. {safe(text)}")


def safe(text: str) -> str:
    """Lines without characters that could control a terminal."""
    from reconciler.render.safe import terminal

    return "\n".join(map(terminal, text.split("\n")))


def plural(number: int, what: str) -> str:
    """`1 change`, `2 changes`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
