"""The code blocks of the docs, and what each must be: see `test_docs.py`.

A block may name a file in its first line (`# redmine/shop.yaml`): the blocks of a page that run get these files.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml
from paths import ROOT

from reconciler.cli import main
from reconciler.cli.options import State
from reconciler.kinds import declarable
from reconciler.model.ordering import ORDERED
from reconciler.settings import Settings

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("examples/**/*.md"))]
BLOCK = re.compile(r"^( *)```([a-z]*)\n(.*?)^ *```$", re.M | re.S)
FILE = re.compile(r"# ([\w./-]+\.\w+)(?:: .*)?\n")


@dataclass(frozen=True)
class Block:
    """One block: its page, the line of its first line, its language, and its text without indentation."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str:
        """The file that its first line names, or ""."""
        found = FILE.match(self.text)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 2
        yield Block(page, line, found[2], textwrap.dedent(found[3]))


BLOCKS = [block for page in PAGES for block in blocks(page)]


def of(*languages: str) -> list[Block]:
    """All blocks of some languages."""
    return [block for block in BLOCKS if block.language in languages]


# -- YAML ------------------------------------------------------------------------------------------------------

FOREIGN = {"apiVersion", "image", "jobs", "on", "repos", "runs", "stages", "steps", "uses", "workflow"}
"""Keys at the top of files of other programs: CI systems, pre-commit, Kubernetes."""


def keys(block: Block) -> set[str]:
    """The keys at the top of a YAML block, of all items if it is a list; empty if it is all comments."""
    node = yaml.compose(block.text, yaml.SafeLoader)
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return {key.value for item in items if isinstance(item, yaml.MappingNode) for key, _ in item.value}


def kind_of(block: Block) -> str:
    """What a YAML block is: "manifest", "overlay", "settings", "foreign", "comments", or "" if it is none of these."""
    found = keys(block)
    if not found:
        return "comments"
    if found <= {*declarable(), ORDERED}:
        return "overlay" if re.search(r"\$(overlay|unset)\b", block.text) else "manifest"
    if found <= {*Settings.model_fields, "instances"}:
        return "settings"
    return "foreign" if found & FOREIGN else ""


def variables(text: str) -> dict[str, str]:
    """A value for each `${NAME}` without a default."""
    return dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "x")


# -- commands --------------------------------------------------------------------------------------------------

KEYWORDS = {"!", "do", "else", "exec", "if", "then", "until", "while"}


def commands(block: Block) -> Iterator[list[str]]:
    """The words after `reconciler` in each command of a `sh` or `console` block."""
    text = block.text.replace("\\\n", " ")
    lines = text.splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    for line in lines:
        for inner in re.findall(r"\$\(([^()]*)\)", line):
            yield from _simple(inner)
        yield from _simple(re.sub(r"\$\([^()]*\)", "x", line))


def _simple(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += "$…,:%@{}[]+"
    words: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) <= set("();|&"):
            yield from _reconciler(words)
            words = []
        else:
            words.append(token)


def _reconciler(words: list[str]) -> Iterator[list[str]]:
    while words and (words[0] in KEYWORDS or re.match(r"\w+=", words[0])):
        words = words[1:]
    if words and words[0] == "reconciler":
        end = next((i for i, word in enumerate(words) if set(word) <= set("<>")), len(words))
        yield words[1:end]


def check(arguments: list[str], command: click.Command = main, parent: click.Context | None = None) -> None:
    """Parse arguments as the command line does, without running anything. Raises UsageError."""
    context = click.Context(command, info_name=command.name, parent=parent, obj=State())
    if isinstance(command, click.Group):
        context.allow_interspersed_args = False
    given, rest, _ = command.make_parser(context).parse_args(list(arguments))
    for parameter in command.params:
        _check_value(parameter, given.get(parameter.name or ""), context)
    if isinstance(command, click.Group):
        assert rest or "help" in given or "version" in given, f"{command.name} needs a command"
        if rest:
            _, inner, rest = command.resolve_command(context, rest)
            assert inner is not None
            check(rest, inner, context)
    elif rest:
        raise click.UsageError(f"{command.name}: unexpected {' '.join(rest)}")


def _check_value(parameter: click.Parameter, value: Any, context: click.Context) -> None:
    """A value of an option must be one of its choices, or a number in its range."""
    if isinstance(parameter.type, click.Choice | click.types.FloatRange | click.types.IntRange):
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, str):
                parameter.type.convert(one, parameter, context)


def told_elsewhere(page: Path) -> bool:
    """Whether a test of its own says that the transcripts of a page are true."""
    tests = (path for path in (ROOT / "tests" / "unit").rglob("test_*.py") if path.name != "test_docs.py")
    return any(f'"docs" / "{page.name}"' in path.read_text(encoding="utf-8") for path in tests)


# -- files -----------------------------------------------------------------------------------------------------


def write(block: Block, folder: Path) -> None:
    """Write a block that names a file into a folder."""
    path = folder / block.file
    assert not Path(block.file).is_absolute(), block
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")
