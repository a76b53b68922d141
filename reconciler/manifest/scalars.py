"""Values of manifests that are more than their text, and the values of `${NAME}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(r"\$\{([A-Za-z_]\w*)", re.ASCII)


class Templated(str):
    """A string with expanded `${NAME}`. `expression` is the text in the manifest, which replaces secrets in output."""

    __slots__ = ("expression",)
    expression: str

    def __new__(cls, value: str, expression: str) -> Templated:
        self = super().__new__(cls, value)
        self.expression = expression
        return self

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # copies keep the expression
        return str(self), self.expression

    def __repr__(self) -> str:
        return f"Templated({self.expression!r})"


def literal(value: object) -> str:
    """A value as it is written in the file."""
    return value.expression if isinstance(value, Templated) else str(value)


class Variables(dict[str, str]):
    """Values for `${NAME}`; `elsewhere` has hints for names that have a value only under other circumstances."""

    __slots__ = ("elsewhere",)

    def __init__(self, values: Mapping[str, str], elsewhere: Mapping[str, str]) -> None:
        super().__init__(values)
        self.elsewhere = elsewhere


class Included(str):
    """The text of a file that `!file` names."""

    __slots__ = ()

    @property
    def line(self) -> str:
        """The text for a value of one line: without the line break that editors put at the end of a file."""
        return self.removesuffix("\n")


class Computed(tuple[str, ...]):
    """A secret that is computed when it is used: the arguments of `!command` or `!keyring`, and which of them it is."""

    __slots__ = ()
    tag: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"


class Command(Computed):
    """`!command [PROGRAM, ARGUMENT, …]`: what a program prints."""

    __slots__ = ()
    tag = "!command"


class Keyring(Computed):
    """`!keyring [SERVICE, USERNAME]`: a password of the system's keyring."""

    __slots__ = ()
    tag = "!keyring"


class Reported(str):
    """Placeholder for a value that is already reported as a problem: validation errors about it would be noise."""

    __slots__ = ()


def texts(value: Any) -> Iterator[str]:
    """All texts in a value, however it is nested."""
    if isinstance(value, str):
        yield value
        if isinstance(value, Included):
            yield value.line
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from texts(inner)


def used_in(value: Any, environ: Mapping[str, str]) -> Iterator[str]:
    """The values of the variables in a value."""
    for text in texts(value):
        if isinstance(text, Templated):
            yield from (environ[name] for name in _NAME.findall(text.expression) if name in environ)
