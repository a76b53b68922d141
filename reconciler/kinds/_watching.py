"""Who watches a wiki page or a news item: only the program inside Redmine reads and writes it.

The API answers 204 to each `POST /watchers` for them (403 for news on 6.1) and shows nothing (5.0, 6.0 and 6.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import field
from pydantic import Field

from reconciler.kinds._members import may_be_admin
from reconciler.model.address import Address, Row
from reconciler.model.codecs import Ref, RefSet, unknown
from reconciler.model.forms import ANY, Form
from reconciler.model.name_index import Context
from reconciler.model.participation import Part, Participants
from reconciler.model.spec import Api, Deferred, Principal


class Watcher(Ref):
    """A user or group, which the program shows by number and name, and takes by both."""

    form: ClassVar[Form] = ANY

    def decode(self, wire: Any, context: Context) -> Any:
        for kind in self.kinds:
            # By number first: it may be declared under a new name.
            if (key := context.key(kind, wire["id"])) is not None:
                return self.term(Address(kind, key), context)
        named = [Address(kind, str(wire[kind])) for kind in self.kinds if wire.get(kind)]
        return self.term(named[0], context) if named else unknown(wire)

    def encode(self, value: Any, context: Context) -> Any:
        address = self.address(value, context)
        number = context.names.id(address)
        return {address.kind: address.key, **({} if number is None else {"id": number})}


class Watchers(RefSet):
    """A set of watchers."""

    form: ClassVar[Form] = ANY
    of: Ref = Watcher(("user", "group"))


WATCHERS = Api(
    codec=Watchers(),
    program=True,
    clear=[],
    # Redmine takes nobody who may not see the object.
    deferred=Deferred("references", behind=("membership",)),
    label="Watcher",
)
WATCHED = Annotated[
    list[Principal] | None,
    Field(
        description="All watchers: logins, names of groups, or {user:} / {group:}. The REST API neither shows nor "
        "writes them: this needs `catalog_command`.",
        examples=[["amy", {"group": "Support"}]],
    ),
    WATCHERS,
]
UNSEEN = "Redmine takes no watcher who cannot see it (from 5.1 on)"


class Audience(Participants):
    """Watchers who are no members of a private project."""

    parts: Mapping[str, Part] = field(default_factory=lambda: {"watchers": Part("", outsiders=True, effect=UNSEEN)})

    def exempt(self, name: str, person: Address, row: Row | None, values: Any, context: Context) -> bool:
        # Of groups, Redmine does not ask what they may see.
        return person.kind == "group" or may_be_admin(person, context.names)
