"""What planning must read from the server: the keys, fields and ids that the declared objects name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Reference
from reconciler.model.capabilities import BulkDetails, ManifestKey
from reconciler.model.codecs import Codec, blank
from reconciler.model.kind import Kind, Need, Object, earlier_key
from reconciler.model.name_index import Context, Names
from reconciler.model.requests import FEW
from reconciler.model.spec import Id
from reconciler.state.desired import is_inside

T = TypeVar("T")


def need_of(objects: Iterable[Object], settings: Mapping[str, Any], names: Names) -> Need:
    """What these objects need; `names` has the custom fields, as far as they are known."""
    needs = _Needs(settings, names)
    for declared in objects:
        needs.add(declared)
    return needs.need()


class _Shape(NamedTuple):
    """What follows from which fields an object declares, whatever their values are."""

    detailed: tuple[tuple[str, str], ...]
    """(kind, field) of what bulk lists can show."""
    referring: tuple[tuple[str, Codec], ...]
    """The fields that may name other objects."""


class _Needs:
    """Collects what must be read. Thousands of objects declare the same fields, and name the same few others."""

    def __init__(self, settings: Mapping[str, Any], names: Names) -> None:
        self.settings = settings
        self.names = names
        self.keys: defaultdict[str, set[str]] = defaultdict(set)
        self.fields: defaultdict[str, set[str]] = defaultdict(set)
        self.ids: defaultdict[str, set[Id]] = defaultdict(set)
        self.detailed: Counter[tuple[str, str]] = Counter()
        self.shapes: dict[tuple[str, ...], _Shape] = {}
        self.known: set[tuple[str, str, str, str]] = set()
        """(kind, field, project, name) of the references that were added."""

    def add(self, declared: Object) -> None:
        """Add what one object needs."""
        kind, fields, project = declared.kind, declared.fields, declared.project
        self.keys[kind.name].add(declared.address.key)
        shape = self._shape(kind, fields)
        self.detailed.update(shape.detailed)
        # Lists are read until all needed keys are known, so the earlier name must be one of them.
        if declared.spec.renamed_from:
            self.keys[kind.name].add(earlier_key(kind, declared.spec, declared.address.project))
        if number := getattr(declared.spec, "id", None):
            self.ids[kind.name].add(number)
        if kind.inside and self._is_new(kind.name, CONTAINER, "", project):
            self._refer(Reference((CONTAINER,), "", project))
        for field, codec in shape.referring:
            value = fields[field]
            if not blank(value) and self._is_new(kind.name, field, project, value):
                for reference in codec.references(value, Context(self.names, project)):
                    self._refer(reference)

    def _shape(self, kind: Kind, fields: Mapping[str, Any]) -> _Shape:
        at = (kind.name, *fields)
        if at not in self.shapes:
            self.fields[kind.name].update(fields)
            codecs = {field: kind.fields[field].codec for field in fields}
            lookups = (name for codec in codecs.values() for name in codec.lookups)
            for name in (*lookups, *kind.capability(ManifestKey).definitions(self.settings, fields.keys())):
                # No key, but an entry: that alone makes `live.read` read the kind.
                self.keys[name] |= set()
            bulk = kind.capability(BulkDetails).needs
            self.shapes[at] = _Shape(
                tuple((kind.name, field) for field in fields if field in bulk),
                tuple((n, c) for n, c in codecs.items() if type(c).references is not Codec.references),
            )
        return self.shapes[at]

    def _is_new(self, kind: str, field: str, project: str, value: Any) -> bool:
        """Whether a value was not looked at before. Only plain names are remembered."""
        if not isinstance(value, str):
            return True
        known = len(self.known)
        self.known.add((kind, field, project, value))
        return len(self.known) > known

    def _refer(self, reference: Reference) -> None:
        for target in reference.addresses(is_inside):
            self.keys[target.kind].add(target.key)
            for name in kinds()[target.kind].capability(ManifestKey).definitions(self.settings, ()):
                self.keys[name] |= set()

    def need(self) -> Need:
        """The collected needs."""
        # Bulk details need complete lists of other kinds (all users), which a few pages of objects do not.
        many = (pair for pair, number in self.detailed.items() if number > FEW)
        whole = frozenset(name for kind, field in many for name in kinds()[kind].capability(BulkDetails).needs[field])
        return Need(_frozen(self.keys), _frozen(self.fields), _frozen(self.ids), whole=whole)


def _frozen(sets: Mapping[str, set[T]]) -> dict[str, frozenset[T]]:
    return {name: frozenset(values) for name, values in sets.items()}
