"""Help: every command has a description and examples, and each example is a command line that the program takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from reconciler.cli import COMMANDS, main
from reconciler.cli.examples import EXAMPLES
from reconciler.cli.groups import MEANT
from reconciler.cli.manual import roff
from reconciler.cli.options import State
from reconciler.settings import VARIABLES, Settings


def commands(command: click.Command, words: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command, with the words that name it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, f"{words} {name}".strip())


EVERY = dict(commands(main))
LEAVES = [words for words, command in EVERY.items() if not isinstance(command, click.Group)]
LINES = [pytest.param(words, e.line, id=e.line) for words, examples in EXAMPLES.items() for e in examples]


def invocations(line: str) -> Iterator[list[str]]:
    """The arguments of each `reconciler` in a line of a shell."""
    inner = re.findall(r"\$\((reconciler[^)]*)\)", line)
    for part in inner or re.split(r"[|;]|>+ *\S+", line):
        words = shlex.split(part)
        if words[:1] == ["reconciler"]:
            yield words[1:]


def parse(command: click.Command, arguments: list[str], state: State) -> None:
    """Parse arguments as a run would. Raises click.UsageError."""
    context = command.make_context("reconciler", list(arguments), obj=state)
    if isinstance(command, click.Group):
        rest = [*context.protected_args, *context.args] if hasattr(context, "protected_args") else context.args
        name, inner, others = command.resolve_command(context, list(rest))
        assert inner is not None, name
        parse(inner, others, state)


@pytest.mark.filterwarnings("ignore:.*protected_args.*:DeprecationWarning")
@pytest.mark.parametrize(("words", "line"), LINES)
def test_an_example_is_a_command_line(words: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example is of its command, and all its options and values are known."""
    monkeypatch.chdir(tmp_path)
    found = list(invocations(line))
    assert any(words.split() == arguments[: len(words.split())] for arguments in found)
    for arguments in found:
        parse(main, arguments, State())


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_has_examples(words: str) -> None:
    """`--help` of a command shows its examples as they are to be typed, each with what it is for."""
    shown = CliRunner().invoke(main, [*words.split(), "--help"])
    assert shown.exit_code == 0
    for example in EXAMPLES[words]:
        assert f"    # {example.purpose}\n    {example.line}\n" in shown.stdout


@pytest.mark.parametrize("words", [words for words in EVERY if words not in LEAVES and words])
def test_a_group_of_commands_has_an_example_of_each(words: str) -> None:
    """`reconciler sandbox --help` shows how each of its commands is used first of all."""
    shown = CliRunner().invoke(main, [*words.split(), "--help"]).stdout
    for inner in EVERY:
        if inner.startswith(f"{words} "):
            assert f"    {EXAMPLES[inner][0].line}\n" in shown


def test_the_man_page_has_all_variables() -> None:
    """Each variable that a setting can come from, with what it sets."""
    environment = roff().partition(".SH ENVIRONMENT")[2].partition(".SH FILES")[0]
    for name, variable in VARIABLES.items():
        description = str(Settings.model_fields[name].description).partition(".")[0]
        assert f"\\fB{variable}\\fR\n{description}".replace("-", r"\-").replace("`", "") in environment
    assert "${NAME}" not in environment


@pytest.mark.parametrize("words", EVERY)
def test_every_option_is_described(words: str) -> None:
    """Every option of every command has a sentence, and so has every command."""
    command = EVERY[words]
    assert command.help
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


def test_examples_are_of_commands() -> None:
    """There are no examples of a command that is gone, and none is too wide for a terminal."""
    assert set(EXAMPLES) <= set(EVERY)
    assert [e.line for examples in EXAMPLES.values() for e in examples if len(e.line) > 76] == []


@pytest.mark.parametrize("words", [words for words, command in EVERY.items() if isinstance(command, click.Group)])
def test_without_a_command_help_is_shown(words: str) -> None:
    """Who types only the name of the program gets help on stdout, and no error."""
    shown = CliRunner().invoke(main, words.split())
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == CliRunner().invoke(main, [*words.split(), "--help"]).stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("vaildate", 'No such command "vaildate": did you mean "validate"?'),
        ("sandbox strat", 'No such command "strat": did you mean "start"?'),
        ("lease shw", 'No such command "shw": did you mean "show"?'),
        ("diff", 'No such command "diff": use reconciler plan.'),
        ("qwertz", f'No such command "qwertz". Commands: {", ".join(COMMANDS)}.'),
        ("plan --traget x", "--target"),
        ("explain isue", 'There is no kind "isue". Did you mean "issue"?'),
        ("explain issue.statsu", 'issue has no field "statsu". Did you mean "status"?'),
        ("new isue", 'There is no kind "isue". Did you mean "issue"?'),
    ],
)
def test_a_typo_gets_a_hint(line: str, said: str) -> None:
    """A misspelt command, subcommand, option, kind or field is answered with what was probably meant."""
    result = CliRunner().invoke(main, line.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


@pytest.mark.parametrize("word", MEANT)
def test_words_of_other_programs(word: str) -> None:
    """What similar programs call a command is answered with the command that exists here."""
    assert word not in COMMANDS
    for named in re.findall(r"reconciler (\S+?)[ ,.]", CliRunner().invoke(main, [word]).stderr.partition("use ")[2]):
        assert named in COMMANDS or named in ("--help", "--version")
