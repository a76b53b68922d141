"""Capabilities of kinds whose objects can be pruned: removed although no manifest mentions them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Capability
from reconciler.model.name_index import Names
from reconciler.model.requests import Listing
from reconciler.model.spec import Id
from reconciler.record import Record

if TYPE_CHECKING:
    from reconciler.model.kind import Kind


class Usage(Record):
    """A list of what refers to an object by a field; with `refuses`, Redmine then does not delete the object."""

    listing: Listing
    field: str
    refuses: bool = False


class Pruning(Capability):
    """How an object that no manifest declares is shown and removed, and when it is not."""

    instead: tuple[tuple[str, Any], ...] = ()
    """(field, value) to write instead of deleting it, unless the configuration says to delete."""

    def named_fields(self) -> Iterable[tuple[str, str]]:
        return (("instead", name) for name, _ in self.instead)

    def link(self, kind: Kind, address: Address, number: Id) -> str:
        """The path of the page on which people see a live object."""
        return f"/{kind.plural}/{number}"

    def why_kept(self, row: Row) -> str:
        """Why a live object is never pruned, or ""."""
        return ""

    def evidence(self, kind: Kind, row: Row) -> Any:
        """What of a row must still be so when the object is removed: all that every list of the kind shows."""
        # As the API shows it: names are not always read, and then the canonical form of a reference is another one.
        apart = {name for name, api in kind.fields.items() if api.include or api.detail or api.program}
        shown = (api.read for name, api in kind.fields.items() if api.read and name not in apart)
        return {name: row.get(name) for name in (*shown, "updated_on")}

    def usage(self, number: Id, project: str) -> Usage | None:
        """What refers to an object, of which only the number is told."""
        return None

    def below(self, numbers: Sequence[int]) -> Listing | None:
        """The list of what Redmine deletes with these objects, in whatever project it is."""
        return None


class Contents(Capability):
    """How many of these objects a project contains, which a plan says when it deletes the project."""

    one: str = ""
    many: str = ""
    sums: str = ""
    """The field of the rows to add up instead of counting them."""
    path: str = ""
    """The path of a project's list, after that of the project."""

    def lists(self, kind: Kind, projects: Mapping[str, Id]) -> Iterable[Listing]:
        """The lists that show these objects in projects (identifier → id)."""
        none: Mapping[int, None] = {403: None, 404: None}
        path = self.path or kind.plural
        return (Listing(f"/projects/{p}/{path}", kind.plural, paged=False, none=none) for p in projects)


class Foresight(Capability):
    """Live objects that the planned work on others changes, as far as that can be foreseen."""

    def foresee(self, names: Names) -> None:
        """Foresee it once more, as more of the planned work is known."""
