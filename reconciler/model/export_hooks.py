"""The capability that an export needs: how a live object is written as a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Capability
from reconciler.model.codecs import blank
from reconciler.model.name_index import Context, Names

if TYPE_CHECKING:
    from reconciler.model.kind import Kind


class Exporting(Capability):
    """How live objects are written as manifests. Subclasses override what differs."""

    own_files: bool = False
    """Whether an export writes the objects into a file of their own, beside their project's."""
    text_files: bool = False
    """Whether the main text of each object is always a file of its own."""
    defaults: tuple[tuple[str, Any], ...] = ()
    """(field, value) that a new object gets on every server where a manifest says nothing."""
    unshown: frozenset[str] = frozenset()
    """Fields that some versions of Redmine never show: an export omits them without a remark."""

    def named_fields(self) -> Iterable[tuple[str, str]]:
        yield from (("defaults", pair[0]) for pair in self.defaults)
        yield from (("unshown", name) for name in self.unshown)

    def rename_for_export(self, kind: Kind, names: Names) -> None:
        """Give the live objects the keys that manifests use, where `Kind.key_of` does not."""

    def identity_fields(self, kind: Kind, address: Address, row: Row, names: Names) -> dict[str, Any]:
        """What identifies a live object in a manifest and is not one of its fields."""
        return {"project": address.project} if kind.inside else {}

    def exportable(self, row: Row) -> bool:
        """Whether manifests declare a live object; not those that Redmine itself creates."""
        return True

    def own(self, key: str, names: Names) -> bool:
        """Whether a live object belongs to the program itself: no manifest declares it, and nothing reports it."""
        return False

    def needs_id(self, row: Row, names: Names) -> bool:
        """Whether a manifest of this live object alone needs its id, as others could be meant as well."""
        return False

    def why_unreadable(self, row: Row) -> str:
        """Why a live object cannot be read, or ""."""
        return ""

    def why_not_exportable(self, address: Address, row: Row) -> str:
        """Why a live object cannot be expressed in a manifest, or ""."""
        return ""

    def non_defaults(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> dict[str, Any]:
        """The values that a manifest must contain so that a new object would get the same ones."""
        return {n: v for n, v in values.items() if not blank(v) and (n, v) not in self.defaults}

    def refused(self, kind: Kind, values: Mapping[str, Any], row: Row, context: Context) -> Iterable[tuple[str, str]]:
        """(field, sentence) for values that Redmine would refuse for a new object: they are left out."""
        return ()

    def doubts(self, values: Mapping[str, Any], row: Row, context: Context) -> Iterable[tuple[str, str]]:
        """(field, sentence) for what a manifest cannot hold of a value, or another server might refuse."""
        return ()
