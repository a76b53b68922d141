"""The authentication mode of a user, which the API shows with users and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from reconciler.model.address import Address, Reference, Unresolved
from reconciler.model.codecs import Codec, require_id, unknown
from reconciler.model.forms import NAMED
from reconciler.model.name_index import Context, near_miss

KIND = "auth_source"
NUMBER = re.compile(r"#(\d+)(?: \((.*)\))?", re.DOTALL)


class AuthSource(Codec):
    """A name, where it is known: it is declared, or the program inside Redmine shows it. Else `#3 (its name)`, of
    what users show."""

    form = NAMED

    def named_kinds(self) -> tuple[str, ...]:
        return (KIND,)

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        return () if value is None or _parts(value)[0] is not None else (Reference((KIND,), "", str(value)),)

    def canonical(self, value: Any, context: Context) -> Any:
        if value is None:
            return None
        number, name = _parts(value)
        known = context.names.live(KIND)
        if number is None and known.has(name):
            return name
        return _by_number(value, known.keys[number]) if number in known.keys else _shown(value, context)

    def decode(self, wire: Any, context: Context) -> Any:
        return (context.key(KIND, wire["id"]) or unknown(wire)) if wire else None

    def encode(self, value: Any, context: Context) -> Any:
        number = None if value is None else _parts(value)[0]
        return number if number is not None or value is None else require_id(Address(KIND, value), context)

    def equal(self, desired: Any, live: Any) -> bool:
        # A number is another one on another server: where the name is given, it counts too.
        (number, name), (has, called) = _parts(desired or ""), _parts(live or "")
        return number == has and (not name or name == called)


def _parts(value: str) -> tuple[int | None, str]:
    """The id and the name in `#3 (LDAP)`, `#3` or `LDAP`."""
    match = NUMBER.fullmatch(value)
    return (int(match[1]), match[2] or "") if match else (None, value)


def _by_number(value: str, found: str) -> str:
    """The name of a mode that is given by its id. Raises Unresolved if another name is given with it."""
    number, name = _parts(value)
    if name and name != found:
        raise Unresolved(f'the authentication mode #{number} is "{found}" here, not "{name}"')
    return found


def _shown(value: str, context: Context) -> str:
    """A mode that is not known by itself, as users show it."""
    number, name = _parts(value)
    shown = [r["auth_source"] for r in context.names.live("user").rows.values() if r.get("auth_source")]
    known = {source["name"]: source for source in shown}
    if name in known:
        return unknown(known[name])
    if number is None:
        said = f'no user has an authentication mode "{value}"'
        near = near_miss(value, {**known, **context.names.live(KIND).ids})
        raise Unresolved(said, near or 'write its id as "#3"; it is in the URL of its page')
    others = [source["name"] for source in shown if source["id"] == number]
    return _by_number(value, others[0]) and value if others else value
