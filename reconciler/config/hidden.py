"""What is secret in the value of a setting, and how the rest of it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.manifest.excerpt import looks_secret
from reconciler.manifest.expressions import expand, names_in
from reconciler.manifest.loader import Seq, Templated
from reconciler.masking import MASK, without_user_info

_WORD = r"""((?:"[^"]*"|'[^']*'|[^\s"'])+)"""
_ASSIGNED = re.compile(r"([\w.-]+)(=)" + _WORD)
_OPTION = re.compile(r"(?<![^\s\"'])(--?[\w.-]+)(\s+)(?!-)" + _WORD)
_ARGUMENT = re.compile("([\\w.-]+)(=)(.*)", re.DOTALL)
_REFERENCE = re.compile(r"""["']?\$\{\w+\}["']?""")


def command(arguments: Sequence[str]) -> list[str]:
    """A program with its arguments, without what `NAME=…` and options give, if the name looks secret."""
    pairs = zip(["", *arguments], arguments, strict=False)
    return [_argument(one, before) for before, one in pairs]


def shell(text: str) -> str:
    """The same for a text for the shell."""
    return without_user_info(_OPTION.sub(_masked, _ASSIGNED.sub(_masked, text)))


def _argument(text: str, before: str) -> str:
    if before.startswith("-") and "=" not in before and looks_secret(before):
        return MASK
    whole = _ARGUMENT.fullmatch(text)
    return _masked(whole) if whole and before != "-c" and looks_secret(whole[1]) else shell(text)


def _masked(match: re.Match[str]) -> str:
    hidden = looks_secret(match[1]) and not _REFERENCE.fullmatch(match[3])
    return f"{match[1]}{match[2]}{MASK}" if hidden else match[0]


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
