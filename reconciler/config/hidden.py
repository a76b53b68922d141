"""What is secret in the value of a setting, and how the rest of it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.manifest.excerpt import looks_secret
from reconciler.manifest.expressions import expand, names_in
from reconciler.manifest.loader import Seq, Templated
from reconciler.masking import MASK, without_user_info

_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|\$\([^()]*\)|`[^`]*`|[^\s"'])+""")
"""A word for the shell; what a command in it prints belongs to it."""
_REST = re.compile("[^\\s\"'][^\"']*")
_PLACES = (
    (re.compile(r"(?<![\w.-])([\w.-]+)="), _WORD),
    (re.compile(r"(?<![^\s\"'])(--?[\w.-]+)\s+(?!-)"), _WORD),
    (re.compile(r"(?<![\w.-])([\w.-]+):\s*"), _REST),
)
"""What gives a value to a name, and the value: `NAME=…`, an option, a header."""
_ARGUMENT = re.compile("([\\w.-]+)=(.*)", re.DOTALL)
_HEADERS = ("authorization", "cookie")
_REFERENCE = re.compile(r"""["']?\$\{\w+\}["']?""")


def command(arguments: Sequence[str]) -> list[str]:
    """A program with its arguments, without what `NAME=…` and options give, if the name looks secret."""
    pairs = zip(["", *arguments], arguments, strict=False)
    return [_argument(one, before) for before, one in pairs]


def shell(text: str) -> str:
    """The same for a text for the shell, and of headers: `Authorization: …`."""
    for names, value in _PLACES:
        text = _masked(text, names, value)
    return without_user_info(text)


def _argument(text: str, before: str) -> str:
    if before.startswith("-") and "=" not in before and looks_secret(before):
        return MASK
    whole = _ARGUMENT.fullmatch(text)
    if whole and before != "-c" and looks_secret(whole[1]):
        return text if _REFERENCE.fullmatch(whole[2]) else f"{whole[1]}={MASK}"
    return shell(text)


def _masked(text: str, names: re.Pattern[str], value: re.Pattern[str]) -> str:
    """A text without the values of secret names. A value may be a name, too: `--env=PASSWORD=…`."""
    done, pieces = 0, []
    for name in filter(_is_secret, names.finditer(text)):
        found = value.match(text, name.end()) if name.start() >= done else None
        if found and not _REFERENCE.fullmatch(found[0]):
            pieces += [text[done : name.end()], MASK]
            done = found.end()
    return "".join([*pieces, text[done:]])


def _is_secret(name: re.Match[str]) -> bool:
    return looks_secret(name[1]) or name[1].lower().endswith(_HEADERS)


def by_names(node: Any, environ: Mapping[str, str]) -> dict[str, str]:
    """The values in a setting that have a `${NAME}` whose name looks secret → the same with its value masked."""
    return {
        _expanded(part, environ): _expanded(part, {**environ, **dict.fromkeys(names, MASK)})
        for part in templated(node)
        if (names := set(filter(looks_secret, names_in(part.expression))))
    }


def _expanded(part: Templated, environ: Mapping[str, str]) -> str:
    return str(expand(part.expression, environ)[0]).rstrip("\r\n")


def templated(node: Any) -> Iterator[Templated]:
    """The values with `${NAME}` in a setting, which may be a list."""
    parts = node if isinstance(node, Seq) else [node]
    return (part for part in parts if isinstance(part, Templated))
