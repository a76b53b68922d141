"""`${NAME}` in manifests and in the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from reconciler.manifest.excerpt import suggest
from reconciler.manifest.scalars import Templated, Variables

_EXPRESSION = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_]\w*)(?::-((?:(?!\$\{)[^}])*))?\})?", re.ASCII)
_LITERAL = "$${"
_EXPRESSION_HINT = "write ${NAME} or ${NAME:-default}, not nested; write $${ for a literal ${"


class Fault(NamedTuple):
    """What is wrong with an expression in a text, and how many `${` are in it from there to the end, with this one."""

    message: str
    hint: str
    left: int

    def within(self, text: str, start: int, end: int) -> int | None:
        """Where the expression is in what was written from `start` to `end`; None if it is written with an escape.

        Counted from the end: before the text, the line of a block scalar may have a comment.
        """
        found = [match.start() for match in _EXPRESSION.finditer(text, start, end)]
        return found[-self.left] if self.left <= len(found) else None


def expand(text: str, env: Mapping[str, str]) -> tuple[str, tuple[Fault, ...]]:
    """Expand `${NAME}` and `${NAME:-default}` (as in a shell: if unset or empty); `$${` is a literal `${`.

    Returns the text, a `Templated` if there was an expression, and what is wrong with it, each variable once. Values
    are not expanded again, so a variable cannot inject an expression.
    """
    expressions = list(_EXPRESSION.finditer(text))
    parts, faults, end = [], dict[str, Fault](), 0
    for number, match in enumerate(expressions):
        parts += [text[end : match.start()], _value(match, env)]
        end = match.end()
        if why := _why_not(match, env):
            faults.setdefault(why[0], Fault(*why, len(expressions) - number))
    result = "".join([*parts, text[end:]])
    plain = all(match[0] == _LITERAL for match in expressions)
    return result if plain else Templated(result, text), tuple(faults.values())


def _value(match: re.Match[str], env: Mapping[str, str]) -> str:
    name, default = match.groups()
    return "${" if match[0] == _LITERAL else env.get(name) or default or ""


def _why_not(match: re.Match[str], env: Mapping[str, str]) -> tuple[str, str] | None:
    """The message and the hint for an expression that has no value."""
    name, default = match.groups()
    if match[0] == _LITERAL:
        return None
    if name is None:
        return "invalid ${…} expression", _EXPRESSION_HINT
    if default is not None or name in env:
        return None
    other = env.elsewhere.get(name) if isinstance(env, Variables) else None
    hint = other or suggest(name, env) or f"set it, or write ${{{name}:-default}}"
    return f"the environment variable {name} is not set", hint


def names_in(expression: str) -> list[str]:
    """The names of the variables in an expression."""
    return [match[1] for match in _EXPRESSION.finditer(expression) if match[1]]


def with_hidden_defaults(expression: str, mask: str, is_secret: Callable[[str], bool]) -> str:
    """An expression without the defaults of secret variables: `${NAME:-•••}`."""

    def hidden(match: re.Match[str]) -> str:
        return _reference(match, mask) if match[1] and is_secret(match[1]) else match[0]

    return _EXPRESSION.sub(hidden, expression)


def with_hidden_parts(expression: str, mask: str) -> str:
    """An expression of which only the names are shown: `${NAME:-•••}`, `•••${NAME}`. A default may be a secret, too."""
    parts, end = [], 0
    for match in filter(lambda found: found[1], _EXPRESSION.finditer(expression)):
        parts += [mask if match.start() > end else "", _reference(match, mask)]
        end = match.end()
    return "".join([*parts, mask if len(expression) > end else ""])


def _reference(match: re.Match[str], mask: str) -> str:
    return f"${{{match[1]}{f':-{mask}' if match[2] else ''}}}"
