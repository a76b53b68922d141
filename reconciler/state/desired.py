"""Documents + kinds → the desired state; collects every Problem that can be found without a server."""

from __future__ import annotations

import graphlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from reconciler.errors import Location, Problem
from reconciler.kinds import declarable, kinds
from reconciler.manifest.loader import Map, Seq, suggest
from reconciler.model.address import CONTAINER, Address, Reference
from reconciler.model.capabilities import BulkDetails, ManifestKey
from reconciler.model.codecs import blank, join
from reconciler.model.kind import Kind, Need, Object, earlier_key, nested_name
from reconciler.model.name_index import Context, Names
from reconciler.model.requests import FEW
from reconciler.model.spec import REFUSE, Id
from reconciler.state.doubles import doubles
from reconciler.state.partial import NotValid, partial
from reconciler.state.spec_errors import explain, label_of, named

HINTED = 100
"""Near misses take time: beyond so many problems, names in the manifests get none."""
IGNORED = frozenset({"$schema"})


@dataclass(frozen=True, slots=True)
class Desired:
    """What the manifests declare, by address in a stable order, and what is wrong with them."""

    objects: Mapping[Address, Object]
    problems: tuple[Problem, ...]
    settings: Mapping[str, Any]

    def need(self, names: Names | None = None) -> Need:
        """What must be read of the server to plan this; with `names`, also what custom fields refer to."""
        wanted = _Wanted(names or Names())
        for found in self.objects.values():
            wanted.take(found, self.settings)
        return wanted.need()


def build(documents: Iterable[Map], settings: Mapping[str, Any]) -> Desired:
    """The desired state that `documents` make together.

    `settings` are the configuration's (`issue_key_field`). Problems do not raise: the valid objects are there too.
    """
    builder = _Builder(settings)
    for document in documents:
        builder.document(document)
    builder.relate()
    return Desired(dict(sorted(builder.objects.items())), tuple(builder.problems), settings)


class _Builder:
    """Collects objects and problems over all documents."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.objects: dict[Address, Object] = {}
        self.partial: dict[Address, Object] = {}
        """Objects that are not valid as a whole; what can be told of them is checked with the others."""
        self.doubles: list[Object] = []
        self.twins: dict[Address, Object] = {}
        self.invalid: set[Address] = set()
        self.problems: list[Problem] = []
        self.lists = declarable()
        self.nested = {nested_name(k): k for k in self.lists.values() if k.inside}

    def problem(self, location: Location, message: str, hint: str = "", subject: str = "", *also: Location) -> None:
        self.problems.append(Problem(location, message, subject, hint, also))

    def document(self, document: Map) -> None:
        """Take one document: a mapping of lists."""
        if document and not any(name in self.lists or name in IGNORED for name in document):
            names = ", ".join(f'"{name}"' for name in list(document)[:3])
            near = suggest(next(iter(document)), self.lists)
            hint = near or f"its keys are lists such as {', '.join(list(self.lists)[:3])}; name the manifests' folder"
            self.problem(document.where(), f"this is no manifest: unknown list {names}", hint)
            return
        for name, items in document.items():
            if name in self.lists:
                self.items(self.lists[name], items, document.where(name), None)
            elif name not in IGNORED:
                self.problem(document.where(name), f'unknown list "{name}"', suggest(name, self.lists))

    def items(self, kind: Kind, items: Any, place: Location, project: str | None) -> None:
        """Take one list of objects of a kind."""
        if items is None:
            return
        if not isinstance(items, Seq):
            self.problem(place, f"a list is expected, found {named(items)}", f"start each {kind.name} with a dash")
            return
        for index, item in enumerate(items):
            if isinstance(item, Map):
                self.item(kind, item, project)
            else:
                self.problem(items.where(index), f"a {kind.name} is a mapping, found {named(item)}")

    def item(self, kind: Kind, body: Map, project: str | None) -> None:
        """Take one object, and what is nested in it."""
        inner = self.nested if kind.name == CONTAINER else {}
        values = {k: v for k, v in body.items() if k not in inner}
        if project is not None and values.setdefault(CONTAINER, project) != project:
            self.problem(body.where(CONTAINER), f'it is nested in project "{project}"', "leave project out")
            values[CONTAINER] = project
        identifier = body.get(kind.identity[0])
        for name, child in inner.items() if identifier else ():
            if name in body:
                self.items(child, body[name], body.where(name), str(identifier))
        self.declare(kind, body, values)

    def declare(self, kind: Kind, body: Map, values: dict[str, Any]) -> None:
        """Make the object of a mapping, as far as it is valid."""
        try:
            spec = kind.spec.model_validate(values, context={"body": body})
        except ValidationError as error:
            self.problems.extend(explain(kind, body, error, self.nested if kind.name == CONTAINER else ()))
            found = partial(kind, body, values, error)
            if found is not None:
                self.take(found, self.partial)
            else:
                label = next(label_of(kind, body), "")
                self.invalid.add(Address(kind.name, f"{values.get(CONTAINER)}/{label}" if kind.inside else label))
            return
        address = Address(kind.name, kind.key(spec, str(values.get(CONTAINER, ""))))
        self.take(Object(kind, address, spec, body), self.objects)

    def take(self, found: Object, objects: dict[Address, Object]) -> None:
        """Put an object among others of its sort, unless it is declared twice."""
        kind, address = found.kind, found.address
        # Redmine tells some names apart without case: `amy` and `AMY` are one login.
        same = Address(kind.name, address.key.lower() if kind.ignores_case else address.key)
        twin = self.twins.setdefault(same, found)
        if twin is not found:
            hint = "give each a key of its own" if kind.capability(ManifestKey).only_declared({}) else "keep one"
            self.problem(found.source, "declared twice", hint, str(address), twin.source)
            self.doubles.append(found)
        else:
            objects[address] = found
        self.examine(found)

    def examine(self, found: Object) -> None:
        """Everything about one object that its types do not say."""
        # A check that needs a field which is not valid says nothing.
        with suppress(NotValid):
            for field, message in found.kind.check(found, self.settings):
                self.problem(found.where(field) if field else found.source, message, subject=str(found.address))
        with suppress(NotValid):
            for name in (name for name in found.spec.create_only if name not in found.kind.fields):
                said = f'create_only: unknown field "{name}"'
                self.problem(found.where("create_only"), said, suggest(name, found.kind.fields), str(found.address))
        for name, value in found.fields.items():
            if value is None and found.kind.fields[name].clear is REFUSE:
                self.problem(found.where(name), f"{name} cannot be cleared", "leave it out", str(found.address))
            for part, error in found.kind.fields[name].codec.faults(value):
                place = found.where(join(name, part))
                self.problem(place, f"{name}: {error}", error.hint, str(found.address))

    def relate(self) -> None:
        """Check what can be checked of references between the objects: that they exist, that they make no circle."""
        every = {**self.objects, **self.partial}
        graph = {address: self.targets(found, every) for address, found in every.items()}
        for found in self.doubles:
            self.targets(found, every)
        self.circles(graph, every)
        self.problems += doubles(every.values())

    def targets(self, found: Object, every: Mapping[Address, Object]) -> set[Address]:
        """The objects that one has to wait for; Problems for what it names and must not."""
        targets: set[Address] = set()
        for field, reference in references(found, Names()):
            named = [every[a] for a in reference.addresses(scoped) if a in every]
            self.exists(found, field, reference, named)
            for other in named:
                self.stays(found, field, other)
            targets.update(other.address for other in named if waits(found, field))
        return targets

    def exists(self, found: Object, field: str, reference: Reference, named: Sequence[Object]) -> None:
        """A Problem if a name that means nothing outside the manifests has no object there."""
        known = kinds()
        only_declared = all(known[k].capability(ManifestKey).only_declared(self.settings) for k in reference.kinds)
        if named or not only_declared:
            return
        if reference.name.startswith("#") or not self.invalid.isdisjoint(reference.addresses(scoped)):
            return
        kind, project = " or ".join(reference.kinds), reference.project
        message = f'{field}: there is no {kind} "{reference.name}" in project "{project}" of the manifests'
        hint = suggest(reference.name, self.near(reference)) if len(self.problems) < HINTED else ""
        self.problem(found.where(field), message, hint, str(found.address))

    def near(self, reference: Reference) -> list[str]:
        """The names that a reference could have meant."""
        addresses = (a for a in (*self.objects, *self.partial) if a.kind in reference.kinds)
        return [a.key.partition("/")[2] for a in addresses if a.project == reference.project]

    def stays(self, found: Object, field: str, other: Object) -> None:
        """A Problem if an object that shall be there names, or is inside, one that shall not."""
        with suppress(NotValid):
            if found.spec.state == "present" and other.spec.state == "absent":
                said = f"{field}: {other.address} is declared absent"
                self.problem(found.where(field), said, "", str(found.address), other.source)

    def circles(self, graph: Mapping[Address, set[Address]], every: Mapping[Address, Object]) -> None:
        """Report every circle of references (one at a time, until none is left)."""
        graph = dict(graph)
        while True:
            try:
                graphlib.TopologicalSorter(graph).prepare()
                return
            except graphlib.CycleError as error:
                ring: list[Address] = error.args[1]
            said = " → ".join(a.key for a in reversed(ring))
            places = [every[a].source for a in ring[:-1]]
            self.problem(places[0], f"a circle: {said}", "break it", str(ring[0]), *places[1:])
            graph = {a: targets - set(ring) if a in ring else targets for a, targets in graph.items()}


def scoped(kind: str) -> bool:
    """Whether objects of a kind are inside a project."""
    return kinds()[kind].inside is not None


def waits(found: Object, field: str) -> bool:
    """Whether the object itself has to wait for what a field refers to (a deferred field waits alone)."""
    deferred = found.kind.fields[field].deferred if field in found.kind.fields else None
    return deferred is None or deferred.wait != "references"


def references(found: Object, names: Names) -> Iterator[tuple[str, Reference]]:
    """(field, reference) for every name in an object that stands for another; also its project."""
    if found.kind.inside:
        yield CONTAINER, Reference((CONTAINER,), "", found.address.project)
    context = Context(names, found.project)
    for field, value in found.fields.items():
        if not blank(value):
            for reference in found.kind.fields[field].codec.references(value, context):
                yield field, reference


class _Wanted:
    """Collects what must be read."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.keys: defaultdict[str, set[str]] = defaultdict(set)
        self.fields: defaultdict[str, set[str]] = defaultdict(set)
        self.ids: defaultdict[str, set[Id]] = defaultdict(set)
        self.polled: Counter[tuple[str, str]] = Counter()

    def take(self, found: Object, settings: Mapping[str, Any]) -> None:
        """Add what one object needs."""
        kind, address = found.kind, found.address
        self.keys[kind.name].add(address.key)
        self.fields[kind.name].update(found.fields)
        self.polled.update((kind.name, field) for field in found.fields if field in kind.capability(BulkDetails).needs)
        if found.spec.renamed_from:
            self.keys[kind.name].add(earlier_key(kind, found.spec, address.project))
        if number := getattr(found.spec, "id", None):
            self.ids[kind.name].add(number)
        lookups = [k for f in found.fields for k in kind.fields[f].codec.lookups]
        for name in (*lookups, *kind.capability(ManifestKey).definitions(settings, found.fields)):
            self.keys[name] |= set()
        for _, reference in references(found, self.names):
            for target in reference.addresses(scoped):
                self.keys[target.kind].add(target.key)
                for name in kinds()[target.kind].capability(ManifestKey).definitions(settings, ()):
                    self.keys[name] |= set()

    def need(self) -> Need:
        """The result."""
        many = (pair for pair, number in self.polled.items() if number > FEW)
        whole = frozenset(name for kind, field in many for name in kinds()[kind].capability(BulkDetails).needs[field])
        return Need(_frozen(self.keys), _frozen(self.fields), _frozen(self.ids), whole=whole)


T = TypeVar("T")


def _frozen(sets: Mapping[str, set[T]]) -> dict[str, frozenset[T]]:
    return {name: frozenset(values) for name, values in sets.items()}
