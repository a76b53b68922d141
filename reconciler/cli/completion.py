"""Shell completion: `reconciler completion SHELL` prints the script, which calls the program for each TAB.

Candidates come from the files in the current folder, never from a server. It must be fast and silent: the names of
kinds are read from a file made of them, and whatever goes wrong, there are just no candidates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, ShellComplete, get_completion_class
from click.types import StringParamType

from reconciler.cli import output
from reconciler.cli.options import State, common
from reconciler.errors import Exit

VARIABLE = "_RECONCILER_COMPLETE"
SHELLS = ("bash", "zsh", "fish")
MOST = 500
"""Candidates that are given."""
LARGEST = 4 << 20
"""Bytes of manifests that are read: completion must not take long."""


@click.command()
@common
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_obj
def completion(state: State, shell: str) -> int:
    """Print the script that completes commands, options, kinds, fields, keys, instances and files in a shell.

    Keys and instances are those in the manifests and the configuration of the current folder; no server is contacted.
    """
    made = get_completion_class(shell)
    if made is not None:
        # Not `made.source`, which starts a Bash to see how old it is.
        script = ShellComplete.source(made(click.Command("reconciler"), {}, "reconciler", VARIABLE))
        output.result((COLONS if shell == "bash" else "") + script.strip(), state)
    return Exit.DONE


COLONS = """\
# Keys such as membership/web-shop/user:jsmith are one word.
COMP_WORDBREAKS=${COMP_WORDBREAKS//:}

"""


class Bash(BashComplete):
    """Completion in Bash, which takes a candidate as it is: what it would split has to be escaped."""

    def format_completion(self, item: CompletionItem) -> str:
        value = re.sub(r"([^\w./:@%+=,-])", r"\\\1", str(item.value)) if item.type == "plain" else item.value
        return f"{item.type},{value}"


click.shell_completion.add_completion_class(Bash, "bash")


# -- candidates ----------------------------------------------------------------------------------------------------

Find = Callable[[click.Context, str], Iterable[str]]


class Completed(StringParamType):
    """A text with candidates."""

    def __init__(self, find: Find) -> None:
        self.find = find

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The candidates that begin with what is typed."""
        try:
            found = sorted({word for word in self.find(ctx, incomplete) if word.startswith(incomplete)})
        except Exception:
            return []
        return [CompletionItem(word) for word in found[:MOST] if word.isprintable()]


class Files(StringParamType):
    """A text that is the name of a file or folder."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Files, by the shell itself."""
        return [CompletionItem(incomplete, type="file")]


def attach(command: click.Command) -> None:
    """Give the parameters of a command, and of its subcommands, their candidates."""
    for parameter in command.params:
        if parameter.name in FILES and isinstance(parameter.type, StringParamType):
            parameter.type = Files()
        elif find := FINDERS.get(f"{command.name}.{parameter.name}", FINDERS.get(str(parameter.name))):
            parameter.type = Completed(find)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            attach(inner)


@cache
def names() -> Mapping[str, Any]:
    """The names of kinds and fields, see `reference.names`."""
    found: Mapping[str, Any] = json.loads((Path(__file__).parents[1] / "completion.json").read_text(encoding="utf-8"))
    return found


def _kinds(ctx: click.Context, incomplete: str) -> Iterable[str]:
    return names()


def _fields(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Kinds, and after the dot the fields of one, and the lists in it."""
    kind, dot, _ = incomplete.rpartition(".")
    if not dot:
        return names()
    lists = {one["nested"]: other for other, one in names().items() if "nested" in one}
    outer, _, inner = kind.partition(".")
    own = names()[outer]
    if inner:
        own = names()[lists[inner]] if "container" in own else {"fields": ()}
    return [f"{kind}.{name}" for name in (*own["fields"], *(lists if "container" in own else ()))]


def _projects(ctx: click.Context, incomplete: str) -> Iterable[str]:
    container = next(kind for kind, one in names().items() if one.get("container"))
    return (key for kind, key in _objects(ctx) if kind == container)


def _targets(ctx: click.Context, incomplete: str) -> Iterable[str]:
    return (f"{kind}/{key}" for kind, key in _objects(ctx))


def _resent(ctx: click.Context, incomplete: str) -> Iterable[str]:
    return (f"{kind}/{key}.{field}" for kind, key in _objects(ctx) for field in names()[kind]["resend"])


def _instances(ctx: click.Context, incomplete: str) -> Iterable[str]:
    from reconciler.manifest.sources import find_config

    given = ctx.params.get("config")
    path = Path(given) if given else find_config(())
    return (str(name) for root in _documents([str(path)]) for name in root.get("instances") or ()) if path else ()


FILES = frozenset({"paths", "config"})
FINDERS: Mapping[str, Find] = {
    "chosen": _kinds,
    "new.kind": _kinds,
    "explain.name": _fields,
    "projects": _projects,
    "targets": _targets,
    "excludes": _targets,
    "resend": _resent,
    "instance": _instances,
}
"""What finds the candidates of a parameter, by its name, or by those of the command and the parameter."""


# -- objects in manifests ------------------------------------------------------------------------------------------


def _objects(ctx: click.Context) -> Iterator[tuple[str, str]]:
    """The kind and key of each declared object, in the files that the command line names, or the current folder."""
    lists = {one["list"]: kind for kind, one in names().items()}
    for document in _documents(_files(ctx.params.get("paths") or (".",))):
        for name, items in document.items():
            if name in lists:
                yield from _listed(lists[name], items, "")


def _listed(kind: str, items: Any, project: str) -> Iterator[tuple[str, str]]:
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and (key := _key(kind, item)):
            inside = "nested" in names()[kind]
            home = str(item.get("project", project))
            yield kind, f"{home}/{key}" if inside else key
            if names()[kind].get("container"):
                for other, one in names().items():
                    yield from _listed(other, item.get(one.get("nested", "")), key)


def _key(kind: str, item: Mapping[str, Any]) -> str:
    """The own key of an object, or ""; where it is more than one field, what can be told from one."""
    from reconciler.model.wiki_titles import titleize

    first, *others = names()[kind]["key"]
    match kind:
        case "membership":
            return next((f"{name}:{item[name]}" for name in (first, *others) if item.get(name)), "")
        case "wiki_page":
            return titleize(str(item.get(first, "")))
        case "file":
            path = item.get("path")
            name = item.get(first) or Path(str(path.get("file") if isinstance(path, dict) else path or "")).name
            return f"{item['version']}/{name}" if item.get("version") else str(name)
        case "time_entry":
            return ""
    return next((str(item[name]) for name in (first, *others) if item.get(name)), "")


def _files(paths: Iterable[str]) -> list[str]:
    from reconciler.manifest.sources import find

    size, found = 0, list[str]()
    for file in find([path for path in paths if path != "-"], []):
        size += Path(file.path).stat().st_size
        if size > LARGEST:
            break
        found.append(file.path)
    return found


def _documents(paths: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    from reconciler.manifest.loader import load

    yield from load(list(paths), _Every()).documents


class _Every(dict[str, str]):
    """A value for every variable, as an unset one must not hide an object."""

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> str:
        return f"${{{name}}}"
