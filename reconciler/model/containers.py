"""Capabilities of kinds whose objects contain others, and of what they contain."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciler.model.address import Row
from reconciler.model.capabilities import Capability
from reconciler.model.spec import Spec


class Tree(Capability):
    """Objects that Redmine keeps as one tree."""

    one_write_at_a_time: bool = False
    """Whether two writes must not overlap: each locks the whole tree."""
    cascades: frozenset[str] = frozenset()
    """Values of a gate that Redmine, when it is opened, also changes for all objects below."""


class Archive(Capability):
    """Containers that can be archived: the API shows nothing of them then, and they are unarchived to be compared."""

    field: str = ""
    """The field that says so, and its values for what is archived and for what is not."""
    archived: str = ""
    active: str = ""

    def named_fields(self) -> Iterable[tuple[str, str]]:
        return (("field", self.field),) if self.field else ()

    def is_archived(self, row: Row) -> bool:
        """Whether a live container is archived."""
        return False


class Modules(Capability):
    """Containers whose modules decide what can be inside them (`Inside.module`)."""

    def enabled(self, row: Row | None, spec: Spec | None) -> Collection[str] | None:
        """The modules that a container will have: as declared, else as live; None if that is not known."""
        return None

    def hint(self, module: str) -> str:
        """How to enable a module."""
        return ""

    def undeclared(self, modules: Collection[str]) -> str:
        """A sentence on a new container for whose contents these modules are needed, and that declares none."""
        return ""

    def lacking(self, module: str, container: str) -> str:
        """A sentence on what cannot be inside a new container, as the server has not enabled the module."""
        return ""


class ProjectIncludes(Capability):
    """The `include=` of the project's page without which names in an object cannot be resolved."""

    include: str = ""
