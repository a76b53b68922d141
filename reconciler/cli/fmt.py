"""`reconciler fmt`: manifests in one layout."""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import output
from reconciler.cli.options import State, common, paths
from reconciler.cli.progress import if_long
from reconciler.errors import ConfigError, Exit, ManifestError, ReconcilerError

if TYPE_CHECKING:
    from reconciler.config import Config
    from reconciler.errors import Problem
    from reconciler.manifest.sources import File


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file has another layout.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@common
@paths
@click.pass_obj
def fmt(state: State, paths: tuple[str, ...], check: bool, diff: bool) -> int:
    """Write manifests in one layout: two spaces for each level, and the fields of an object in one order.

    What identifies an object comes first. Comments move with what they describe; quotes, block texts, anchors, tags
    and long lines stay as they are. A file is written only if it declares the same as before. One that is not valid
    YAML is left alone (exit code 3).

    PATH is a file, a folder, or - for standard input, which is printed (default: the manifests of the configuration,
    else the current folder).
    """
    from reconciler.layout.manifests import files_of

    problems: list[Problem] = []
    config = state.configuration(paths)
    with _printed(state) as texts, if_long(state, "Reading the manifests", paths):
        files = files_of(paths or _configured(config), problems, config.rules)
        done = {file: _one(file, problems, texts, write=not (check or diff), diff=diff) for file in files}
    changed = [file for file, differs in done.items() if differs]
    _summary(changed, [file for file, differs in done.items() if differs is not None], written=not (check or diff))
    if problems:
        raise ManifestError(problems)
    return Exit.CANNOT_RUN if check and changed else Exit.DONE


def _configured(config: Config) -> tuple[str, ...]:
    """What is laid out if no path is named: the configuration's manifests, else the current folder."""
    # Which instance is meant does not matter here.
    with suppress(ConfigError):
        return tuple(map(str, config.manifests)) or (".",)
    return (".",)


@contextmanager
def _printed(state: State) -> Iterator[list[str]]:
    """Print these texts at the end, whatever that is: progress has the terminal until then."""
    texts: list[str] = []
    try:
        yield texts
    finally:
        for text in texts:
            output.result(text, state)


def _one(file: File, problems: list[Problem], texts: list[str], *, write: bool, diff: bool) -> bool | None:
    """Lay out one file; whether that changes it, None if it has no layout. Adds problems, and texts to print."""
    from reconciler.layout.manifests import problems_of, tidied
    from reconciler.layout.tree import Unsupported
    from reconciler.manifest.excerpt import MAX_BYTES

    try:
        text = file.text(MAX_BYTES, sys.stdin)
        if found := problems_of(file, text):
            problems += found
            return None
        result = tidied(text, is_json=file.is_json(text))
    except ManifestError as error:
        problems += error.problems
        return None
    except Unsupported as reason:
        output.say(output.safe(f"Left as it is: {file.name}: {reason}."))
        if not file.path and write:
            texts.append(text.removesuffix("\n"))
        return None
    if diff and result != text:
        texts.append(_diff(file.name, text, result))
    elif not file.path and write:
        texts.append(result.removesuffix("\n"))
    elif result != text and write:
        _replace(Path(os.path.realpath(file.path)), result)
    return result != text


def _diff(name: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="")
    return "\n".join(map(output.safe, lines))


def _replace(path: Path, text: str) -> None:
    """Replace a file as a whole, so that a run that is killed leaves the old one or the new one."""
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            Path(name).chmod(path.stat().st_mode & 0o7777)
            Path(name).replace(path)
        finally:
            with suppress(OSError):
                Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise ReconcilerError(f"Cannot write {path}: {error.strerror}.") from error


def _summary(changed: list[File], files: list[File], *, written: bool) -> None:
    """Name the files, on stderr: stdout has only a text or a difference."""
    named = [file for file in changed if file.path or not written]
    said = "Formatted" if written else "Not formatted"
    for file in named:
        output.say(f"{said}: {output.safe(file.name)}")
    if not changed and any(file.path for file in files):
        output.say(f"{output.plural(len(files), 'file')} already formatted.")
