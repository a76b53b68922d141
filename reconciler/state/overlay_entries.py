"""What an overlay says: for each object, the fields to set, those to leave undeclared, or that it is not declared.

projects:
  - identifier: web-shop              # which object: by its key
    description: The staging shop     # another value
    $unset: [homepage]                # undeclared here, so neither sent nor compared
    versions:
      - {name: "2.0", $overlay: remove}              # undeclared here as a whole
      - {name: smoke, $overlay: add}                 # declared only here
      - {name: "1.0", $overlay: replace, status: open}   # declared anew
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field
from pydantic import ValidationError

from reconciler.errors import Location, Problem
from reconciler.kinds import declarable, nested
from reconciler.manifest.effects import Effect
from reconciler.manifest.loader import Included, Map, Reported, Seq, suggest
from reconciler.manifest.overlaid import Overlaid
from reconciler.model.address import CONTAINER, Address
from reconciler.model.kind import Kind
from reconciler.model.mapped import MapItems, Mapped, listed
from reconciler.record import Record
from reconciler.state.partial import partial
from reconciler.state.spec_errors import OVERLAY_KEYS, type_name

ACTION, UNSET = "$overlay", "$unset"
ACTIONS = ("add", "remove", "replace")
IGNORED = frozenset({"$schema"})


class Patch(Record):
    """What an overlay says of an object that the manifests declare."""

    kind: Kind
    address: Address
    body: Map
    values: Mapping[str, Any]
    """The fields, without those that say which object is meant."""
    action: str = ""
    unset: Mapping[str, Location] = field(default_factory=dict)


class Entries(Struct):
    """All that an overlay says. `added` are documents with the objects that only it declares."""

    patches: dict[Address, Patch] = field(default_factory=dict)
    added: list[Map] = field(default_factory=list)
    new: dict[Address, Location] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    incomplete: bool = False


def entries_of(documents: Iterable[Map]) -> Entries:
    """All that the documents of one overlay say."""
    reader = _Reader()
    for document in documents:
        reader.document(document)
    return reader.found


def normal(kind: Kind, address: Address) -> Address:
    """An address as Redmine compares it: `amy` and `AMY` are the same login."""
    return Address(kind.name, address.key.lower()) if kind.ignores_case else address


def address_of(kind: Kind, body: Map, project: str | None) -> Address | None:
    """Which object a mapping means, whether its other fields are valid and complete or not; None if that is unclear."""
    values = {k: _line(kind, k, v) for k, v in body.items() if k in kind.spec.model_fields}
    if project is not None:
        values[CONTAINER] = project
    if any(isinstance(values.get(name), Reported) for name in (*kind.identity, CONTAINER)):
        return None
    try:
        spec = kind.spec.model_validate(values, context={"body": body})
    except ValidationError as error:
        found = partial(kind, body, values, error)
        return normal(kind, found.address) if found is not None and found.address.key else None
    return normal(kind, Address(kind.name, kind.key(spec, str(values.get(CONTAINER, "")))))


def _line(kind: Kind, field: str, value: Any) -> Any:
    return value.line if isinstance(value, Included) and field in kind.identity else value


def is_key(kind: Kind, name: str) -> bool:
    """Whether a field only says which object is meant."""
    return name in kind.identity or (name == CONTAINER and kind.inside is not None)


class _Reader:
    """Collects what the documents of an overlay say, and what is wrong with them."""

    def __init__(self) -> None:
        self.found = Entries()
        self.lists = declarable()
        self.nested = nested()

    def problem(self, location: Location, message: str, hint: str = "", subject: str = "", *also: Location) -> None:
        self.found.problems.append(Problem(location, message, subject, hint, also))

    def document(self, document: Map) -> None:
        for name, items in document.items():
            if name in self.lists:
                self.items(self.lists[name], listed(self.lists[name], items), document.where(name), None)
            elif name not in IGNORED:
                hint = suggest(name, self.lists) or "an overlay has the lists of a manifest, such as projects"
                self.problem(document.where(name), f'unknown top-level key "{name}"', hint)

    def items(self, kind: Kind, items: Any, place: Location, project: str | None) -> None:
        if items is None:
            return
        if not isinstance(items, MapItems if kind.has(Mapped) else Seq):
            form, hint = ("a mapping", "") if kind.has(Mapped) else ("a list", 'start each item with "- "')
            self.problem(place, f"expected {form}, found {type_name(items)}", hint)
            return
        for index, item in enumerate(items):
            if isinstance(item, Map):
                self.item(kind, item, project)
            elif not isinstance(item, Reported):
                self.problem(items.where(index), f"expected a mapping, found {type_name(item)}")

    def item(self, kind: Kind, body: Map, project: str | None) -> None:
        """One object, and the lists nested in it."""
        action = body.get(ACTION, "")
        if action == "add":
            self.add(kind, body, project)
            return
        inner: Mapping[str, Kind] = self.nested if kind.name == CONTAINER else {}
        if project is not None and body.get(CONTAINER, project) != project:
            self.problem(body.where(CONTAINER), f'conflicts with the enclosing project "{project}"', "omit `project`")
            return
        address = address_of(kind, body, project)
        if address is None:
            self.unclear(kind, body, project)
            return
        if action not in ("", *ACTIONS):
            hint = suggest(str(action), ACTIONS)
            self.problem(body.where(ACTION), f"{ACTION}: expected one of {', '.join(ACTIONS)}", hint, str(address))
            return
        lists = {name: inner[name] for name in inner if name in body}
        self.patch(Patch(kind, address, body, self.values(kind, body, inner), str(action), self.unset(body, address)))
        for name, child in lists.items():
            self.items(child, body[name], body.where(name), str(body[kind.identity[0]]))

    def values(self, kind: Kind, body: Map, inner: Iterable[str]) -> dict[str, Any]:
        other = {*OVERLAY_KEYS, *inner}
        return {name: value for name, value in body.items() if name not in other and not is_key(kind, name)}

    def unset(self, body: Map, address: Address) -> dict[str, Location]:
        """The fields in `$unset`, each with its place."""
        listed = body.get(UNSET)
        if listed is None:
            return {}
        if not isinstance(listed, Seq) or not all(isinstance(name, str) for name in listed):
            self.problem(body.where(UNSET), f"{UNSET}: expected a list of fields", "", str(address))
            return {}
        return {name: listed.where(index) for index, name in enumerate(listed)}

    def patch(self, patch: Patch) -> None:
        """Add what is said of one object, unless it is said twice, or nothing is."""
        subject, body = str(patch.address), patch.body
        for name in patch.values.keys() & patch.unset.keys():
            self.problem(patch.unset[name], f"{UNSET}: {name} is also set here", "remove one of them", subject)
        if patch.action == "remove" and (patch.values or patch.unset):
            name = next(iter({**patch.values, **patch.unset}))
            place = body.where(name if name in body else UNSET)
            self.problem(place, f"{ACTION}: remove takes no fields", "leave only its key", subject)
        first = self.found.patches.get(patch.address)
        if first is not None:
            hint = "merge them, or move one to a further overlay"
            self.problem(body.where(), "changed twice in the same overlay", hint, subject, first.body.where())
        # A project that only contains others is a path to these.
        elif patch.action or patch.values or patch.unset:
            self.found.patches[patch.address] = patch
        elif not any(name in body for name in self.nested):
            effect = Effect(body.where(), subject, "the overlay changes nothing", same=True)
            self.found.effects.append(effect)

    def add(self, kind: Kind, body: Map, project: str | None) -> None:
        """A whole object that only the overlay declares, as a document of its own."""
        own = Overlaid(body)
        own.drop(ACTION)
        if project is not None and CONTAINER not in own:
            own.take(CONTAINER, project, Map(body.file, body.at, body.root))
        address = address_of(kind, own, None)
        if address is not None:
            self.found.new[address] = body.where(ACTION)
            self.found.effects.append(Effect(body.where(), str(address), "added"))
        document = Map(body.file, body.at, body.root)
        items = Seq(body.file, body.at)
        items.append(own)
        items.marks.append(body.at)
        document[kind.plural], document.marks[kind.plural] = items, body.at
        self.found.added.append(document)

    def unclear(self, kind: Kind, body: Map, project: str | None) -> None:
        """It cannot be told which object is meant."""
        self.found.incomplete = True
        needed = [*kind.identity, *([CONTAINER] if kind.inside and project is None else [])]
        if not any(isinstance(value, Reported) for value in body.values()):
            one = " or ".join(needed) if kind.name == "membership" else ", ".join(needed)
            self.problem(body.where(), f"an overlay names the {kind.name} to change by its key", f"it needs {one}")
