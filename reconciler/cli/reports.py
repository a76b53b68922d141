"""`--report [FORMAT=]FILE`: what a command has found, in files that are there whatever ends the run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import click

from reconciler.cli import documents, output
from reconciler.cli.documents import Document
from reconciler.cli.progress import if_long
from reconciler.errors import Exit, Location, ManifestError, Problem, ReconcilerError, one_line

if TYPE_CHECKING:
    from types import TracebackType

    from reconciler.cli.options import State

ENDINGS = {".json": "json", ".xml": "junit", ".md": "markdown", ".html": "html"}
"""The formats that the ending of a file's name tells."""
MARK = "<!-- reconciler -->"
"""In a report as Markdown or HTML: only such files are overwritten, and a comment with it can be found."""
WRITING = "Writing the reports"
"""What is done, if it takes long."""
SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable with the file that GitHub shows on the page of a run; each program appends to it."""
SUMMARY_BYTES = 1 << 20
"""What that file can have; GitHub shows nothing of a longer one."""
SUMMARY_MARGIN = 4_000


class Target(NamedTuple):
    """A file to write, and its format."""

    form: str
    path: Path


def _parsed(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Target, ...]:
    targets = tuple(map(_target, values))
    paths = [os.path.realpath(target.path) for target in targets]
    if len(set(paths)) < len(paths):
        raise click.BadParameter("the same file twice")
    return targets


def _target(value: str) -> Target:
    """The file of one option. Raises BadParameter."""
    named = re.match(r"([a-z-]+)=", value)
    form = named[1] if named else ENDINGS.get(Path(value).suffix, "")
    name = value.removeprefix(named[0]) if named else value
    if form not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise click.BadParameter(f"{value}: name the format, such as markdown=FILE ({known}), or end in {_endings()}")
    if not name:
        raise click.BadParameter(f"{value}: the name of the file is missing")
    return Target(form, Path(name))


def _endings() -> str:
    *others, last = ENDINGS
    return f"{', '.join(others)} or {last}"


class Reports(AbstractContextManager["Reports"]):
    """The files of `--report`. `document` is what the command has found; it is written at the end, whatever that is.

    Raises ReconcilerError at the beginning if a file cannot be written, and at the end, unless an error has ended the
    run. That has the exit code of the run if it was not a success (`ends`).
    """

    def __init__(self, targets: tuple[Target, ...], state: State) -> None:
        self.state, self.targets = state, targets
        self.files = [_file(target, state) for target in targets]
        self.document: Document | None = None
        self.code = int(Exit.DONE)

    def ends(self, code: int) -> int:
        """Note the exit code of the run, and return it: a report that cannot be written does not hide it."""
        self.code = code
        return code

    def __enter__(self) -> Self:
        if self.state.full and self.state.format != "json" and all(target.form != "json" for target in self.targets):
            raise click.UsageError("--full is about JSON: add --format json or --report FILE.json.")
        for file in self.files:
            file.check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, click.ClickException):  # a usage error is no run
            return
        if self.files and (found := self.at_end(error)) is not None:
            with if_long(self.state, WRITING):
                failed = self.write(found)
            self._say(failed, error)

    def at_end(self, error: BaseException | None) -> Document | None:
        """What to write at the end: why there is no result, if an error ended the run."""
        return self.document if error is None else Document(problems_of(error))

    def write(self, document: Document) -> list[ReconcilerError]:
        """Write all files, even if one of them cannot be written; returns why some could not be."""
        failed = []
        for file in self.files:
            try:
                file.write(document)
            except ReconcilerError as error:
                failed.append(error)
        return failed

    def _say(self, failed: list[ReconcilerError], error: BaseException | None) -> None:
        """Say of each file once that it could not be written. Raises that, unless an `error` has ended the run."""
        # That error is the one to end with, and may be about a file itself.
        last = failed.pop(0) if failed and error is None else error
        for other in failed:
            if str(other) != str(last):
                output.say(f"Error: {output.safe(str(other))}")
        if error is None and isinstance(last, ReconcilerError):
            last.exit_code = Exit(self.code or last.exit_code)
            raise last


def problems_of(error: BaseException) -> tuple[Problem, ...]:
    """Why a run has no result, as problems."""
    return error.problems if isinstance(error, ManifestError) else (Problem(Location(""), sentence(error)),)


def sentence(error: BaseException) -> str:
    """Why a run has ended, in one line."""
    if isinstance(error, ReconcilerError):
        return one_line(str(error))
    # As on the terminal: the text of any other error could contain anything.
    return f"Internal error: {type(error).__name__}." if isinstance(error, Exception) else output.INTERRUPTED


# -- files -----------------------------------------------------------------------------------------------------


class _File:
    """A file that is replaced each time, readable for its owner only; another program's file is left alone."""

    def __init__(self, target: Target, state: State) -> None:
        self.path, self.state = target.path, state
        self.render = _WRITERS[target.form]

    def check(self) -> None:
        """Raise ReconcilerError if the file cannot be written."""
        from reconciler.model.local_files import check_writable

        check_writable(self.path, "a report", _is_report)

    def write(self, document: Document) -> None:
        from reconciler.model.local_files import write_private

        text = self.render(document, self.state)
        write_private(self.path, text.rstrip() + "\n", "a report", _is_report)


class _Summary(_File):
    """The file that GitHub shows on the page of a run: what others wrote to it stays, and it is never too long."""

    start = end = -1

    def check(self) -> None:
        """Nothing: the runner makes the file."""

    def write(self, document: Document) -> None:
        try:
            with self.path.open("ab") as file:
                # What this run wrote earlier is replaced, unless others have appended since.
                if (size := os.fstat(file.fileno()).st_size) != self.end:
                    self.start = size
                file.truncate(self.start)
                file.write(self._text(document, SUMMARY_BYTES - self.start - SUMMARY_MARGIN))
                file.flush()
                self.end = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise ReconcilerError(f"Cannot write {self.path}: {error.strerror}.") from error

    def _text(self, document: Document, room: int) -> bytes:
        """As much as fits; GitHub counts bytes."""
        limit = room
        while limit > SUMMARY_MARGIN:
            text = output.masked(documents.markdown(document, self.state, limit=limit))
            content = f"\n{text.rstrip()}\n".encode(errors="replace")
            if len(content) <= room:
                return content
            limit = limit * room // len(content) - 1
        output.say(f"The file of {SUMMARY} has no room for the report.")
        return b""


def _file(target: Target, state: State) -> _File:
    summary = os.environ.get(SUMMARY)
    same = summary and os.path.realpath(summary) == os.path.realpath(target.path)
    return (_Summary if same and target.form == "markdown" else _File)(target, state)


def _is_report(path: Path) -> bool:
    """Whether a file is a report or a list of problems, or empty."""
    from reconciler.state.foreign import QUALITY

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    start = text[:300]
    marked = '<testsuites name="reconciler"' in start or MARK in start
    return not text.strip() or marked or QUALITY.match(start) is not None or _has_keys(text)


def _has_keys(text: str) -> bool:
    """Whether a text is JSON with the keys of a report."""
    from reconciler.state.foreign import is_report

    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and is_report(data.keys())


# -- formats ---------------------------------------------------------------------------------------------------


def _json(document: Document, state: State) -> str:
    from reconciler.render.json import brief, dumps

    data = state.secrets.masked_data(documents.as_data(document))
    return dumps(data if state.full else brief(data))


def _junit(document: Document, state: State) -> str:
    from reconciler.render import junit

    if document.report is not None:
        return output.masked(junit.results(document.report))
    return output.masked(junit.found(document.problems, document.plan))


def _marked(render: Callable[[Document, State], str], document: Document, state: State) -> str:
    """A text with the mark in its second line (a page begins with `<!doctype html>`)."""
    first, _, rest = output.masked(render(document, state)).partition("\n")
    return f"{first}\n{MARK}\n{rest}"


def _quality(document: Document, state: State) -> str:
    from reconciler.render import gitlab

    issues = gitlab.quality(document.problems, document.plan, document.report, documents.from_root)
    return json.dumps(state.secrets.masked_data(issues), indent=2)


def _widget(document: Document, state: State) -> str:
    from reconciler.render import gitlab

    plan: Any = document.plan if document.report is None else document.report.plan
    return json.dumps(gitlab.counts(plan))


_WRITERS: Mapping[str, Callable[[Document, State], str]] = {
    "json": _json,
    "junit": _junit,
    "markdown": partial(_marked, documents.markdown),
    "html": partial(_marked, documents.html),
    "gitlab-codequality": _quality,
    "gitlab-terraform": _widget,
}

reports = click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="[FORMAT=]FILE",
    callback=_parsed,
    help=(
        f"Also write the result to FILE, whatever the exit code. FORMAT: {', '.join(_WRITERS)} "
        f"(default: by the name's ending, {_endings()}). Repeatable."
    ),
)
