"""The commands as data, for the man page and docs/commands.md: both are made of what `--help` shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from reconciler import __version__
from reconciler.cli import main
from reconciler.cli.examples import EXAMPLES, Example
from reconciler.cli.options import COMMON
from reconciler.errors import Exit
from reconciler.record import Record
from reconciler.settings import VARIABLES, Settings

PAGE = """\
# Commands

Generated from the program: `reconciler COMMAND --help` and `man reconciler` show the same.

"""
CODES = {
    Exit.DONE: "success, or nothing to do",
    Exit.CANNOT_RUN: "the command could not run: usage, network, authentication",
    Exit.CHANGES: "the plan has changes (only with --detailed-exitcode)",
    Exit.INVALID: "the manifests are invalid",
    Exit.INCOMPLETE: "some changes failed, were skipped or have an unknown outcome",
    Exit.REFUSED: "refused for safety: deletion limits, a stale plan, a lease that another run holds",
    Exit.INTERRUPTED: "interrupted",
}
"""What each exit code means."""


class Entry(Record):
    """A command: its words, usage, description in paragraphs, own options with their descriptions, and examples."""

    words: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    examples: tuple[Example, ...]


def entries() -> list[Entry]:
    """The program, and every command of it."""
    return list(_entries(main, click.Context(main, info_name="reconciler", **main.context_settings), ""))


def _entries(command: click.Command, context: click.Context, words: str) -> Iterator[Entry]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n") if "\b" not in part)
    yield Entry(words, usage, paragraphs, tuple(_options(command, context)), EXAMPLES.get(words, ()))
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        inner = command.get_command(context, name) if isinstance(command, click.Group) else None
        if inner is not None:
            yield from _entries(inner, click.Context(inner, info_name=name, parent=context), f"{words} {name}".strip())


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """The options of a command; the common ones only of the program itself."""
    shared = {option for parameter in common_options() for option in parameter.opts} if context.parent else set()
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None and not shared & {*parameter.opts}:
            yield record[0], re.sub(r"  +", " ", record[1])


def common_options() -> list[click.Option]:
    """The options of every command."""

    @click.command()
    def carrier() -> None:
        pass

    for option in reversed(COMMON):
        carrier = option(carrier)
    return [*(p for p in carrier.params if isinstance(p, click.Option)), click.Option(["-h", "--help"])]


# -- Markdown ------------------------------------------------------------------------------------------------------


def markdown() -> str:
    """The text of docs/commands.md."""
    parts = [PAGE]
    for entry in entries():
        parts += _section(entry)
    return "\n".join(parts).rstrip() + "\n"


def _section(entry: Entry) -> Iterator[str]:
    yield f"## reconciler {entry.words}\n" if entry.words else "## reconciler\n"
    yield f"```\n{entry.usage}\n```\n"
    yield from (f"{_escaped(paragraph)}\n" for paragraph in entry.paragraphs)
    if not entry.words:
        yield "| exit code | meaning |\n| --- | --- |"
        yield "\n".join(f"| {int(code)} | {meaning} |" for code, meaning in CODES.items()) + "\n"
        yield "These options can be given to every command:\n"
    if entry.options:
        yield "| option | |\n| --- | --- |"
        yield "\n".join(f"| `{_cell(name)}` | {_cell(_escaped(text))} |" for name, text in entry.options) + "\n"
    if entry.examples:
        lines = [line for example in entry.examples for line in (f"# {example.purpose}", example.line, "")]
        yield "```sh\n" + "\n".join(lines[:-1]) + "\n```\n"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# -- roff ----------------------------------------------------------------------------------------------------------


def roff() -> str:
    """The text of man/reconciler.1."""
    program, *commands = entries()
    lines = [
        f'.TH RECONCILER 1 "" "reconciler {__version__}" "User Commands"',
        ".SH NAME",
        r"reconciler \- Redmine as code: validate, plan and apply YAML manifests of a Redmine",
        ".SH SYNOPSIS",
        r".B reconciler",
        r"[\fIOPTION\fR]... \fICOMMAND\fR [\fIARGUMENT\fR]...",
        ".SH DESCRIPTION",
        *_paragraphs(program.paragraphs),
        ".SH OPTIONS",
        "These options can be given to every command.",
        *_terms(program.options),
        ".SH COMMANDS",
    ]
    for entry in commands:
        lines += [f".SS {_text(entry.usage)}", *_paragraphs(entry.paragraphs), *_terms(entry.options)]
    lines += [".SH EXIT STATUS", *_terms([(str(int(code)), meaning) for code, meaning in CODES.items()])]
    lines += [".SH ENVIRONMENT", *_terms(_variables()), ".SH FILES", *_terms(FILES), ".SH EXAMPLES"]
    for entry in (program, *commands):
        lines += [f".SS {_text(f'reconciler {entry.words}')}"] if entry.words and entry.examples else []
        for example in entry.examples:
            lines += [".PP", f"{_text(example.purpose)}:", ".PP", ".RS 4", ".nf", _text(example.line), ".fi", ".RE"]
    return "\n".join(lines) + "\n"


OTHERS = (
    ("RECONCILER_INSTANCE", "Entry of `instances` in the configuration, as --instance."),
    ("RECONCILER_SANDBOX_HOME", "Folder of the sandboxes and their packages."),
    ("NO_COLOR, FORCE_COLOR", "Disable colors, or enable them without a terminal."),
)
FILES = (
    ("reconciler.yaml", "The configuration: in the manifests' folder or above, up to the root of the repository."),
    ("*.yaml, *.yml, *.json", "Manifests; folders are read with all folders in them."),
)


def _variables() -> list[tuple[str, str]]:
    """The variables of the environment, with what the settings say that they set."""
    # How to write it in a file says nothing here.
    described = {n: str(f.description).replace(" Write it as ${NAME}.", "") for n, f in Settings.model_fields.items()}
    return [*((variable, described[name]) for name, variable in VARIABLES.items()), *OTHERS]


def _paragraphs(paragraphs: tuple[str, ...]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield ".PP"
        yield _text(paragraph)


def _terms(pairs: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield ".TP"
        yield rf"\fB{_text(term)}\fR"
        yield _text(text)


def _text(text: str) -> str:
    """A text without anything that roff would take for a command."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("`", "")
    return rf"\&{text}" if text[:1] in (".", "'") else text
