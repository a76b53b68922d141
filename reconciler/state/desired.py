"""Documents + kinds → the desired state. Collects every Problem that can be detected without a server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from msgspec import field as attribute
from pydantic import ValidationError

from reconciler.errors import Location, Problem
from reconciler.kinds import declarable, kinds, nested
from reconciler.manifest.loader import Included, Map, Reported, Seq, suggest
from reconciler.model.address import CONTAINER, Address, Reference, Unresolved
from reconciler.model.capabilities import ManifestKey
from reconciler.model.circles import circles
from reconciler.model.codecs import Codec, blank, join
from reconciler.model.field_sets import field_sets
from reconciler.model.inner_place import Path, inner_place
from reconciler.model.kind import Kind, Need, Object
from reconciler.model.mapped import MapItems, Mapped, listed, stray
from reconciler.model.name_index import Context, Names
from reconciler.model.ordering import ORDERED
from reconciler.model.spec import REFUSE
from reconciler.record import Record
from reconciler.state.doubles import doubles
from reconciler.state.orders import fault, orders_of
from reconciler.state.partial import NotValid, partial
from reconciler.state.spec_errors import explain, label_of, type_name

HINTED = 100
"""Number of problems after which references get no near-miss hints: each compares with all names."""
IGNORED = frozenset({"$schema", ORDERED})
"""Top-level keys that are no lists: one is for editors, one is about the lists."""


class Desired(Record):
    """The declared objects, by address in a stable order, and the problems of the manifests.

    `partial` are those with invalid fields, without these. `incomplete` is true if there are objects whose key cannot
    be told. `pruned` are those that are undeclared, with the reason why they are removed.
    """

    objects: Mapping[Address, Object]
    problems: tuple[Problem, ...]
    settings: Mapping[str, Any]
    partial: Mapping[Address, Object] = attribute(default_factory=dict)
    incomplete: bool = False
    pruned: Mapping[Address, str] = attribute(default_factory=dict)

    def need(self, names: Names | None = None) -> Need:
        """What planning must read from the server. With `names`, that includes the objects that custom fields refer to:
        their formats are known only after the custom fields have been read.
        """
        from reconciler.state.needs import need_of  # which imports this module

        return need_of(self.objects.values(), self.settings, names or Names())


def build(documents: Iterable[Map], settings: Mapping[str, Any]) -> Desired:
    """The desired state of all `documents` together.

    `settings` come from the configuration (`issue_key_field`). Problems do not raise; valid objects are returned too.
    """
    builder = _Builder(settings)
    for document in documents:
        builder.document(document)
    builder.check_references()
    # Sorted: neither the files nor the order within them may change a plan or its digest (docs/guarantees.md).
    objects, invalid = (
        dict(sorted(some.items(), key=lambda item: item[0].order)) for some in (builder.objects, builder.partial)
    )
    return Desired(objects, tuple(builder.problems), settings, invalid, builder.incomplete)


class _Builder:
    """Collects the objects and problems of all documents."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.objects: dict[Address, Object] = {}
        self.partial: dict[Address, Object] = {}
        """Objects with invalid fields. Their valid fields are checked too, so that all problems show at once."""
        self.duplicates: list[Object] = []
        self.first: dict[Address, Object] = {}
        """The first declaration of each object, by the address as Redmine compares it."""
        self.invalid: set[Address] = set()
        """Objects that are too broken for `partial`; references to them get no problem of their own."""
        self.incomplete = False
        self.added: list[Object] = []
        """All that is declared, in the order of the manifests."""
        self.problems: list[Problem] = []
        # Empty: here only the manifests count, without a server.
        self.names = Names()
        self.known: dict[Reference, list[Object]] = {}
        self.right = defaultdict[tuple[str, str], dict[tuple[str, Any], set[Address]]](dict)
        """(kind, project) → (field, name) → the objects that it means, once it was right in one object: so it is in
        all."""
        self.elsewhere: dict[tuple[str, ...], bool] = {}
        """Kinds of a reference → whether it can mean something that is on the server."""
        self.lists = declarable()
        self.nested = nested()

    def problem(self, location: Location, message: str, hint: str = "", subject: str = "", *also: Location) -> None:
        self.problems.append(Problem(location, message, subject, hint, also))

    def document(self, document: Map) -> None:
        """Add one document: a mapping of lists."""
        # Probably another YAML file in the folder: one problem for it, not one for each of its keys.
        if document and not any(name in self.lists or name in IGNORED for name in document):
            names = ", ".join(f'"{name}"' for name in list(document)[:3])
            near = suggest(next(iter(document)), self.lists)
            hint = near or f"expected lists such as {', '.join(list(self.lists)[:3])}; check the path"
            keys = "key" if len(document) == 1 else "keys"
            self.incomplete = True
            self.problem(document.where(), f"not a manifest: unknown top-level {keys} {names}", hint)
            return
        for name, items in document.items():
            if name in self.lists:
                self.listed(self.lists[name], items, document)
            elif name not in IGNORED:
                self.incomplete = True
                self.problem(document.where(name), f'unknown top-level key "{name}"', suggest(name, self.lists))

        if wrong := fault(document):
            self.problem(document.where(ORDERED), wrong)

    def listed(self, kind: Kind, items: Any, document: Map) -> None:
        """Add one list of a document, or the mapping that stands for it, and its order."""
        before, place = len(self.added), document.where(kind.plural)
        for index, message in stray(kind, items):
            at = items[kind.capability(Mapped).allow].where(index) if index is not None else place
            self.problem(at, message, "omit it")
        made = listed(kind, items)
        if kind.has(Mapped) and made is not None and not isinstance(made, MapItems):
            self.incomplete = True
            self.problem(place, f"expected a mapping, found {type_name(items)}")
            return
        self.items(kind, made, place, None)
        for order in orders_of(document, kind, self.added[before:]):
            self.add(order, self.objects)

    def items(self, kind: Kind, items: Any, place: Location, project: str | None) -> None:
        """Add one list of objects of a kind."""
        # A list whose items are all commented out is null in YAML.
        if items is None:
            return
        if not isinstance(items, Seq):
            self.incomplete = True
            self.problem(place, f"expected a list, found {type_name(items)}", 'start each item with "- "')
            return
        for index, item in enumerate(items):
            if isinstance(item, Map):
                self.item(kind, item, project)
            else:
                self.incomplete = True
                self.problem(items.where(index), f"expected a mapping, found {type_name(item)}")

    def item(self, kind: Kind, body: Map, project: str | None) -> None:
        """Add one object, and the lists nested in it."""
        inner: Mapping[str, Kind] = self.nested if kind.name == CONTAINER else {}
        values = {k: v for k, v in body.items() if k not in inner} if inner else dict(body)
        # The types first: most mappings include no file.
        if Included in map(type, values.values()):
            values = {k: _one_line(kind, k, v) if isinstance(v, Included) else v for k, v in values.items()}
        if project is not None and values.setdefault(CONTAINER, project) != project:
            self.problem(body.where(CONTAINER), f'conflicts with the enclosing project "{project}"', "omit `project`")
            # The enclosing project counts for the other checks: one mistake must not cause further problems.
            values[CONTAINER] = project
        # Without an identifier, nothing inside the project can get a key.
        identifier = body.get(kind.identity[0])
        # Without an identifier there is no project that the nested objects could be in; that it is missing is one
        # problem.
        for name in inner if identifier else ():
            if name in body:
                self.items(inner[name], body[name], body.where(name), str(identifier))
        self.declare(kind, body, values)

    def declare(self, kind: Kind, body: Map, values: dict[str, Any]) -> None:
        """Add the object of a mapping, as far as it is valid."""
        self.incomplete = self.incomplete or Reported in [type(values.get(n)) for n in (*kind.identity, CONTAINER)]
        try:
            # Validators of local files need the mapping: it knows the manifest that a path is relative to.
            spec = kind.spec.model_validate(values, context={"body": body})
        except ValidationError as error:
            self.problems.extend(explain(kind, body, error, self.nested if kind.name == CONTAINER else ()))
            declared = partial(kind, body, values, error)
            if declared is not None:
                self.add(declared, self.partial)
            else:
                self.incomplete = True
                label = next(label_of(kind, body), "")
                self.invalid.add(Address(kind.name, f"{values.get(CONTAINER)}/{label}" if kind.inside else label))
            return
        address = Address(kind.name, kind.key(spec, str(values.get(CONTAINER, ""))))
        self.add(Object(kind, address, spec, body), self.objects)

    def add(self, declared: Object, objects: dict[Address, Object]) -> None:
        """Add an object to `objects` (or `partial`), unless it is a duplicate, and check it."""
        kind, address = declared.kind, declared.address
        self.added.append(declared)
        # Redmine compares some names case-insensitively: `amy` and `AMY` are the same login (5.0 to 6.1).
        same = Address(kind.name, address.key.lower()) if kind.ignores_case else address
        first = self.first.setdefault(same, declared)
        if first is not declared:
            hint = "give each its own key" if kind.capability(ManifestKey).only_declared({}) else "remove one of them"
            self.problem(declared.source, "declared twice", hint, str(address), first.source)
            # Not a declared object, but its fields and references are checked like any other's.
            self.duplicates.append(declared)
        else:
            objects[address] = declared
        self.check_fields(declared)

    def check_fields(self, declared: Object) -> None:
        """Check what the types of the fields do not express."""
        # A check that needs an invalid field is skipped: that field has a problem already.
        with suppress(NotValid):
            for field, message in declared.kind.check(declared, self.settings):
                place = declared.where(field) if field else declared.source
                self.problem(place, message, subject=str(declared.address))
        with suppress(NotValid):
            for index, name in enumerate(declared.spec.create_only):
                if name not in declared.kind.fields:
                    message = f'create_only: unknown field "{name}"'
                    hint = suggest(name, declared.kind.fields)
                    self.problem(declared.where("create_only", index), message, hint, str(declared.address))
        checked = field_sets(declared.kind).checked
        for name, value in declared.fields.items():
            # All optional fields allow null by their types; whether Redmine can clear one is known only here.
            if value is None and declared.kind.fields[name].clear is REFUSE:
                hint = "omit it to leave it unchanged"
                self.problem(declared.where(name), f"{name} cannot be cleared", hint, str(declared.address))
            for part, error in checked[name].faults(value) if name in checked else ():
                inner = _inner(checked[name], part, value, error)
                place = declared.where(join(name, part), *inner)
                self.problem(place, f"{name}: {error}", error.hint, str(declared.address))

    def check_references(self) -> None:
        """Check the references between declared objects: their targets exist, and they form no cycle."""
        # Objects with invalid fields are targets too: a reference to one is not a second mistake.
        objects = {**self.objects, **self.partial}
        graph = {address: self.targets(declared, objects) for address, declared in objects.items()}
        # Duplicates are not in the graph, but their references are checked too.
        for duplicate in self.duplicates:
            self.targets(duplicate, objects)
        self.cycles(graph, objects)
        self.problems += doubles(objects.values())

    def targets(self, declared: Object, objects: Mapping[Address, Object]) -> set[Address]:
        """The objects that one depends on. Adds a Problem for each invalid reference."""
        targets: set[Address] = set()
        right = self.right[declared.kind.name, declared.project]
        for name in naming(declared):
            known = right.get(name) if isinstance(name[1], str) else None
            if known is None:
                before = len(self.problems)
                known = self.followed(declared, *name, objects)
                # In an absent object it could be no mistake, and be one in others.
                present = getattr(declared.spec, "state", "") == "present"
                if isinstance(name[1], str) and present and len(self.problems) == before:
                    right[name] = known
            targets |= known
        return targets

    def followed(self, declared: Object, field: str, value: Any, objects: Mapping[Address, Object]) -> set[Address]:
        """The objects that one depends on because of a field. Adds a Problem for each invalid reference."""
        targets: set[Address] = set()
        for reference in meant(declared, field, value, self.names):
            named = self.named(reference, objects)
            if not named:
                self.check_declared(declared, field, reference)
            for other in named:
                self.check_not_absent(declared, field, other, reference)
            targets.update(other.address for other in named if depends(declared, field))
        return targets

    def named(self, reference: Reference, objects: Mapping[Address, Object]) -> list[Object]:
        """The declared objects that a name means. Thousands of objects have the same name in a field."""
        if reference not in self.known:
            self.known[reference] = [objects[a] for a in reference.addresses(is_inside) if a in objects]
        return self.known[reference]

    def check_declared(self, declared: Object, field: str, reference: Reference) -> None:
        """A Problem if a reference, which means no declared object, can mean nothing else.

        All other names may also exist on the server; the planner resolves those.
        """
        if reference.kinds not in self.elsewhere:
            self.elsewhere[reference.kinds] = not all(map(self.is_only_declared, reference.kinds))
        if self.elsewhere[reference.kinds]:
            return
        # `#12` is an id on the server. An invalid target has problems of its own.
        if reference.name.startswith("#") or not self.invalid.isdisjoint(reference.addresses(is_inside)):
            return
        kind, project = " or ".join(reference.kinds), reference.project
        message = f'{field}: no {kind} "{reference.name}" is declared in project "{project}"'
        hint = suggest(reference.name, self.candidates(reference)) if len(self.problems) < HINTED else ""
        self.problem(_place(declared, field, reference), message, hint, str(declared.address))

    def is_only_declared(self, kind: str) -> bool:
        """Whether the names of a kind exist in the manifests only."""
        known = kinds()
        # Without the capability they do not, and that is known of most kinds without their modules.
        return known.entries[kind].has(ManifestKey) and known[kind].capability(ManifestKey).only_declared(self.settings)

    def candidates(self, reference: Reference) -> list[str]:
        """The names that a misspelled reference may have meant."""
        addresses = (a for a in (*self.objects, *self.partial) if a.kind in reference.kinds)
        return [a.key.partition("/")[2] for a in addresses if a.project == reference.project]

    def check_not_absent(self, declared: Object, field: str, other: Object, reference: Reference) -> None:
        """A Problem if a present object refers to, or is inside, an absent one."""
        with suppress(NotValid):
            if declared.spec.state == "present" and other.spec.state == "absent":
                message = f"{field}: {other.address} is declared absent"
                self.problem(_place(declared, field, reference), message, "", str(declared.address), other.source)

    def cycles(self, graph: Mapping[Address, set[Address]], objects: Mapping[Address, Object]) -> None:
        """Report every cycle of references."""
        for cycle in circles(graph):
            path = " → ".join(a.key for a in cycle)
            hint, places = "remove one of these references", [objects[a].source for a in reversed(cycle[1:])]
            self.problem(places[0], f"dependency cycle: {path}", hint, str(cycle[-1]), *places[1:])


def _one_line(kind: Kind, field: str, value: Included) -> str:
    """The text of a file; a secret or a name without the line break at its end."""
    short = field in kind.identity or (field in kind.fields and kind.fields[field].secret)
    return value.line if short else value


def _inner(codec: Codec, part: str, value: Any, error: Unresolved) -> Path:
    """Where inside the value of a field a fault is."""
    # The part of a mapping (`custom_fields`), else the value itself.
    keyed = isinstance(value, Mapping) and part in value

    def fails(shorter: Any) -> bool:
        again = codec.faults({part: shorter} if keyed else shorter)
        return (part, str(error)) in ((other, str(fault)) for other, fault in again)

    return inner_place(value[part] if keyed else value, fails)


def _place(found: Object, field: str, reference: Reference) -> Location:
    """The place of the item of a list that is a reference, or of the field."""
    value = found.fields.get(field)
    if isinstance(value, list | tuple):
        codec, context = found.kind.fields[field].codec, Context(Names(), found.project)
        for index, item in enumerate(value):
            if reference in codec.references([item], context):
                return found.where(join(field, str(index)))
    return found.where(field)


def is_inside(kind: str) -> bool:
    """Whether objects of a kind are inside a project."""
    return kinds().entries[kind].is_inside


def depends(declared: Object, field: str) -> bool:
    """Whether the whole object depends on the target of a field; a deferred field is written later by itself."""
    # The default version of a project is inside that project: as a dependency it would always be a cycle.
    deferred = declared.kind.fields[field].deferred if field in declared.kind.fields else None
    return deferred is None or deferred.wait != "references"


def references(declared: Object, names: Names) -> Iterator[tuple[str, Reference]]:
    """(field, reference) for every reference of an object to another one, including its project."""
    for field, value in naming(declared):
        for reference in meant(declared, field, value, names):
            yield field, reference


def naming(declared: Object) -> list[tuple[str, Any]]:
    """(field, value) for what may name other objects: its project, and the values of fields."""
    codecs = field_sets(declared.kind).referring
    home = [(CONTAINER, declared.address.project)] if declared.kind.inside else []
    return home + [named for named in declared.fields.items() if named[0] in codecs and not blank(named[1])]


def meant(declared: Object, field: str, value: Any, names: Names) -> Iterable[Reference]:
    """The references in a value of `naming`."""
    if field == CONTAINER and declared.kind.inside:
        return (Reference((CONTAINER,), "", value),)
    return field_sets(declared.kind).referring[field].references(value, Context(names, declared.project))
