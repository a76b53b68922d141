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


def by_definition(need: Need) -> bool:
    """Whether it depends on definitions that are read first what else the objects need."""
    return any(kinds()[kind].fields[name].codec.lookups for kind, names in need.fields.items() for name in names)


class _Shape(NamedTuple):
    """What follows from which fields an object declares in a project, whatever their values are."""

    detailed: tuple[tuple[str, str], ...]
    """(kind, field) of what bulk lists can show."""
    referring: tuple[tuple[str, Codec, set[str]], ...]
    """The fields that may name other objects, and the names that were in them."""


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

    def add(self, declared: Object) -> None:
        """Add what one object needs."""
        kind, spec, fields, project = declared.kind, declared.spec, declared.fields, declared.project
        self.keys[kind.name].add(declared.address.key)
        at = (kind.name, project, *fields)
        shape = self.shapes.get(at) or self.shapes.setdefault(at, self._shape(kind, project, fields))
        for pair in shape.detailed:
            self.detailed[pair] += 1
        # Lists are read until all needed keys are known, so the earlier name must be one of them.
        if spec.renamed_from:
            self.keys[kind.name].add(earlier_key(kind, spec, declared.address.project))
        if number := getattr(spec, "id", None):
            self.ids[kind.name].add(number)
        for field, codec, known in shape.referring:
            value = fields[field]
            if value in known if isinstance(value, str) else blank(value):
                continue
            if isinstance(value, str):
                known.add(value)
            for reference in codec.references(value, Context(self.names, project)):
                self._refer(reference)

    def _shape(self, kind: Kind, project: str, fields: Mapping[str, Any]) -> _Shape:
        self.fields[kind.name].update(fields)
        codecs = {field: kind.fields[field].codec for field in fields}
        lookups = (name for codec in codecs.values() for name in codec.lookups)
        for name in (*lookups, *kind.capability(ManifestKey).definitions(self.settings, fields.keys())):
            # No key, but an entry: that alone makes `live.read` read the kind.
            self.keys[name] |= set()
        if kind.inside:
            self._refer(Reference((CONTAINER,), "", project))
        bulk = kind.capability(BulkDetails).needs
        naming = ((n, codec) for n, codec in codecs.items() if codec.refers)
        return _Shape(
            tuple((kind.name, field) for field in fields if field in bulk),
            # Of a blank value nothing is to be looked at.
            tuple((field, codec, {""}) for field, codec in naming),
        )

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
