"""Which permissions of a role the changes of a kind need (`lib/redmine/preparation.rb`, 5.0 to 6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import field

from reconciler.model.capabilities import Capability

ADMIN = "admin"
"""Stands for being an administrator, in place of a permission."""
Choice = tuple[str, ...]
"""Permissions of which one is enough."""


class Rights(Capability):
    """The permissions that creating, changing and deleting an object need; `fields` have some of their own."""

    create: Choice = ()
    update: Choice = ()
    delete: Choice = ()
    fields: Mapping[str, Choice] = field(default_factory=dict)

    def needed(self, action: str, changed: Mapping[str, tuple[Any, Any]]) -> Iterator[Choice]:
        """The permissions that a change needs, all of them; `changed` are its fields with old and new value."""
        if action == "delete":
            yield self.delete
            return
        if action == "create":
            yield self.create
        elif changed.keys() - self.fields.keys():
            yield self.update
        yield from dict.fromkeys(self.fields[name] for name in changed if name in self.fields)


def all_need(*permissions: str) -> Rights:
    """One permission, or one of several, for everything."""
    return Rights(permissions, permissions, permissions)
