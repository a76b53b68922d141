"""`${NAME}` in manifests and in the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.manifest.excerpt import suggest
from reconciler.manifest.scalars import Templated, Variables

_EXPRESSION = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_]\w*)(?::-((?:(?!\$\{)[^}])*))?\})?", re.ASCII)
_EXPRESSION_HINT = "write ${NAME} or ${NAME:-default}, not nested; write $${ for a literal ${"


def expand(text: str, env: Mapping[str, str]) -> tuple[str, dict[str, tuple[str, str]]]:
    """Expand `${NAME}` and `${NAME:-default}` (as in a shell: if unset or empty); `$${` is a literal `${`.

    Returns the text, a `Templated` if there was an expression, and the errors: the start of a faulty expression → its
    message and hint. Values are not expanded again, so a variable cannot inject an expression.
    """
    faults: dict[str, tuple[str, str]] = {}

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        if match[0] == "$${":
            return "${"
        if name is None:
            faults["${"] = ("invalid ${…} expression", _EXPRESSION_HINT)
        elif default is None and name not in env:
            other = env.elsewhere.get(name) if isinstance(env, Variables) else None
            hint = other or suggest(name, env) or f"set it, or write ${{{name}:-default}}"
            faults["${" + name] = (f"the environment variable {name} is not set", hint)
        return env.get(name) or default or ""

    result = _EXPRESSION.sub(value, text)
    plain = all(match[0] == "$${" for match in _EXPRESSION.finditer(text))
    return result if plain else Templated(result, text), faults


def with_hidden_parts(expression: str, mask: str) -> str:
    """An expression of which only the names are shown: `${NAME:-•••}`, `•••${NAME}`. A default may be a secret, too."""
    parts, end = [], 0
    for match in filter(lambda found: found[1], _EXPRESSION.finditer(expression)):
        parts += [mask if match.start() > end else "", f"${{{match[1]}{f':-{mask}' if match[2] else ''}}}"]
        end = match.end()
    return "".join([*parts, mask if len(expression) > end else ""])
