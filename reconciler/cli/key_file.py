"""`--api-key-file`: the key of a server, from a file or standard input; a key on the command line would be seen."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from reconciler.cli.options import State

OPTION = "--api-key-file"


def key(state: State, file: str, paths: tuple[str, ...]) -> str:
    """The key in a file, read once. Raises ConfigError, UsageError."""
    if file == "-" and "-" in paths:
        raise click.UsageError(f"{OPTION} - and the PATH - cannot both be standard input.")
    if state.api_key is None:
        state.api_key = _line(_text(file), file)
    return state.api_key


def _text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8") if name != "-" else _typed()
    except OSError as error:
        raise ConfigError(f"{OPTION}: cannot read {_called(name)}: {error.strerror or 'it is closed'}.") from error
    except UnicodeDecodeError:
        # Not `from`: the exception has the bytes.
        raise ConfigError(f"{OPTION}: {_called(name)} is no text file.") from None


def _typed() -> str:
    # On a terminal, it must not be shown while it is typed.
    return getpass.getpass("API key: ") if sys.stdin.isatty() else sys.stdin.read()


def _called(name: str) -> str:
    return "standard input" if name == "-" else name


def _line(text: str, name: str) -> str:
    found = text.removeprefix("\ufeff").strip()
    if not found or "\n" in found:
        what = "is empty" if not found else "has several lines"
        raise ConfigError(f"{OPTION}: {_called(name)} {what}; expected one line with the key.")
    return found
