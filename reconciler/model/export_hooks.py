"""The part of a kind's contract that an export needs: how a live object reads as a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from reconciler.model.address import Address, Row
from reconciler.model.codecs import blank
from reconciler.model.name_index import Context, Names
from reconciler.model.requests import Listing


class Portable:
    """What `Kind` says about exports; subclasses override what differs."""

    inside: ClassVar[bool] = False
    many: ClassVar[bool] = False
    """Whether there can be so many that an export reads them by `windows`."""
    untold: ClassVar[frozenset[str]] = frozenset()
    """Fields that some versions show for no object at all: an export does not speak of them then."""
    apart: ClassVar[bool] = False
    """Whether an export gives its objects a file of their own, beside their project's."""
    defaults: ClassVar[tuple[tuple[str, Any], ...]] = ()
    """What a new object gets where a manifest says nothing, on every server."""

    def call(self, names: Names) -> None:
        """Call the live objects as manifests call them, where `key_of` does not."""

    def introduce(self, address: Address, row: Row, names: Names) -> dict[str, Any]:
        """What tells a live object from others in a manifest and is none of its fields."""
        return {"project": address.project} if self.inside else {}

    def portable(self, row: Row) -> bool:
        """Whether a live object is one that manifests declare: nothing that Redmine itself makes."""
        return True

    def unreadable(self, row: Row) -> str:
        """Why nothing can be read of a live object, or ""."""
        return ""

    def mute(self, address: Address, row: Row) -> str:
        """Why no manifest can say a live object, or ""."""
        return ""

    def sparse(self, values: Mapping[str, Any], row: Row, context: Context) -> dict[str, Any]:
        """The values that a manifest has to say, so that a new object would get the same ones."""
        return {n: v for n, v in values.items() if not blank(v) and (n, v) not in self.defaults}

    def refused(self, values: Mapping[str, Any], row: Row, context: Context) -> Iterable[tuple[str, str]]:
        """(field, sentence) for values that Redmine gives no new object any more: they are left out."""
        return ()

    def doubts(self, values: Mapping[str, Any], row: Row, context: Context) -> Iterable[tuple[str, str]]:
        """(field, sentence) for what another server might not take, or what a manifest does not say of a value."""
        return ()

    def last(self, projects: Sequence[int]) -> Iterable[Listing]:
        """Lists of which one has the greatest number in its first row (of a kind with `many`)."""
        raise NotImplementedError

    def windows(self, projects: Sequence[int], fields: frozenset[str], last: int) -> Iterator[Listing]:
        """The lists that show all objects up to the number `last`, a part each (of a kind with `many`)."""
        raise NotImplementedError
