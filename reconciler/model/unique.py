"""Values that Redmine lets only one object have at a time: keys, and fields that say so (`Api.unique`)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from reconciler.model.address import Address

if TYPE_CHECKING:
    from reconciler.model.kind import Kind

MARK = "-temporary-"
LONGEST = 60
"""Characters that Redmine takes of any unique value: names of versions and categories, logins, mail addresses (5.0)."""


def same_key(address: Address, kind: Kind) -> Address:
    """The address in the form in which Redmine compares keys."""
    return Address(address.kind, address.key.lower()) if kind.ignores_case else address


def temporary(kind: Kind, address: Address) -> str:
    """The key that an object has while others take its name, and get theirs: always the same one, so that the next run
    knows it if this one is stopped."""
    name = address.own_name if kind.inside else address.key
    return f"{address.project}/{made_up(name, address)}" if kind.inside else made_up(name, address)


def made_up(value: str, owner: Address) -> str:
    """A value that no object has, like the given one; of a mail address, one of the same domain."""
    if MARK in value:
        return value
    mark = f"{MARK}{hashlib.sha256(str(owner).encode()).hexdigest()[:6]}"
    local, at, domain = value.partition("@")
    room = max(1, LONGEST - len(mark) - len(at + domain))
    return f"{local[:room]}{mark}{at}{domain}"
