"""What the account sees. An administrator's sees everything; from others Redmine hides objects without a word.

What such an account does not see is not known to be absent: that is a Problem or a warning, never a silent creation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import field

from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Capability
from reconciler.record import Record

if TYPE_CHECKING:
    from reconciler.model.kind import Listing, Object
    from reconciler.model.name_index import Context, Names
    from reconciler.model.spec import Id

ADMINISTRATOR = "use an administrator's API key"


class Sight(Record):
    """What an account that is no administrator's may see: who it is, and its roles by the id of the project."""

    me: Mapping[str, Any]
    roles: Mapping[int, tuple[Row, ...]] = field(default_factory=dict)

    def grants(self, project: Address, names: Names, permission: str) -> list[Row] | None:
        """Its roles in a project that have a permission; None if it is not a member, so that its rights are unknown."""
        roles = self.roles.get(names.id(project) or 0)
        return None if roles is None else [role for role in roles if permission in role.get("permissions", ())]


class Hidden(Record):
    """Why an object may be there although it was not found; `certain` if the account would not be shown any."""

    why: str
    certain: bool = False


class Hiding(Capability):
    """Objects that a list leaves out without a word if the account may not see them."""

    def hides(self, project: Address, sight: Sight, names: Names) -> Hidden | None:
        """Whether objects in a project may be hidden from the account."""
        return None

    def may_hide(self, declared: Object, sight: Sight, names: Names) -> Hidden | None:
        """Whether a declared object that was not found may be hidden from the account."""
        return self.hides(declared.address.container, sight, names)

    def why_hidden(self, project: Address, names: Names) -> str:
        """Why an object in a project that was not found may be there, or ""."""
        hidden = self.hides(project, names.sight, names) if names.sight is not None and names.is_live(project) else None
        return hidden.why if hidden else ""

    def parts_hidden(
        self, row: Row, values: Mapping[str, Any], changed: Collection[str], sight: Sight, context: Context
    ) -> Iterable[tuple[str, str]]:
        """(field, sentence) for changes that may be made already, where the account is not shown it."""
        return ()


def unknown_id(what: str, number: Id, names: Names) -> tuple[str, str]:
    """The sentence and hint for an id that no object has, as far as the account sees."""
    if names.sight is None:
        return f"there is no {what} #{number}", "omit `id` to create a new one"
    return f"this account does not see the {what} #{number}", f"{ADMINISTRATOR}; or omit `id` to create a new one"


class Unlisted(Capability):
    """Objects that only administrators may list and change. Others see some of them, by id, in what they may read."""

    listed_in: str = ""
    """The kind inside projects whose rows name such objects."""
    named_by: tuple[str, ...] = ()
    """The keys of rows, of any kind, that name such an object by `id` and `name`."""

    def named_kinds(self) -> Iterable[tuple[str, str]]:
        return (("listed_in", self.listed_in),) if self.listed_in else ()

    def page(self, number: Id) -> Listing | None:
        """The object's own page, if only that shows its key."""
        return None

    def glimpse(self, named: Row) -> Row | None:
        """The row of an object that a row names, if that is enough to know its key."""
        return None

    def own(self, me: Row) -> Row | None:
        """The row of such an object that the account itself is."""
        return None

    def configured(self, settings: Mapping[str, Any]) -> Mapping[str, int]:
        """key → id, as the configuration says."""
        return {}

    def assumed(self, key: str, number: Id) -> Row | None:
        """The row of an object of the configuration whose own page is not shown."""
        return None

    advice: str = ADMINISTRATOR
    """What to do about an object that the account does not see."""
