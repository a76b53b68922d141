"""How objects are addressed: by kind and key, and by the names that manifests use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reconciler.errors import MissingName
from reconciler.natural import natural

Row = Mapping[str, Any]
"""One object as the API shows it."""


CONTAINER = "project"
"""The kind whose objects contain others: the one kind that the engine knows by name."""


def split_key(key: str) -> tuple[str, str]:
    """The project and the own name in the key of an object inside a project: identifiers contain no slash."""
    # The first slash only: subjects, titles and names can contain more.
    project, _, name = key.partition("/")
    return project, name


class Address(NamedTuple):
    """Names one object: the kind and its key; the key of what is inside a project is `project/name`.

    Addresses are sorted in natural order: `version web-shop/v2` comes before `version web-shop/v10`.
    """

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def order(self) -> tuple[str, tuple[str, str]]:
        """What the address is sorted by."""
        return self.kind, natural(self.key)

    # All four, because a tuple has them too, in the order of the characters.
    def __lt__(self, other: tuple[str, ...]) -> bool:
        return self.order < (other[0], natural(other[1]))

    def __le__(self, other: tuple[str, ...]) -> bool:
        return self.order <= (other[0], natural(other[1]))

    def __gt__(self, other: tuple[str, ...]) -> bool:
        return self.order > (other[0], natural(other[1]))

    def __ge__(self, other: tuple[str, ...]) -> bool:
        return self.order >= (other[0], natural(other[1]))

    @property
    def project(self) -> str:
        """The project's identifier, for an object inside a project; of a project, its own."""
        return self.key.partition("/")[0]

    @property
    def container(self) -> Address:
        """The project that the object is inside of; of a project, itself."""
        return Address(CONTAINER, self.project)

    @property
    def own_name(self) -> str:
        """The key without the project, for an object inside a project."""
        return split_key(self.key)[1]


class Unresolved(Exception):
    """A name in a manifest cannot be resolved to one object. `hint` says what to do about it.

    `lacks` is the (kind, name) of an object that is certainly not there.
    """

    def __init__(self, message: str, hint: str = "", lacks: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.lacks = lacks

    @property
    def missing(self) -> MissingName | None:
        """The same for a problem."""
        return MissingName(*self.lacks, str(self)) if self.lacks else None


class Reference(NamedTuple):
    """A name as a manifest gives it: the kinds that it may mean, the project to look in, the name."""

    kinds: tuple[str, ...]
    project: str
    name: str
    exact: bool = False

    def addresses(self, scoped: Callable[[str], bool]) -> list[Address]:
        """The addresses that the name can mean, most likely first."""
        # A name can be both a user's and a group's: the caller finds out which of them exist.
        return [Address(k, f"{self.project}/{self.name}" if scoped(k) else self.name) for k in self.kinds]
