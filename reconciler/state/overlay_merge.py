"""Applies what an overlay says to the documents of the manifests.

A value replaces that of the manifest, also a list; a mapping with names of its own, such as `custom_fields`, is merged
name by name. Objects nested in a project are found by their keys like any others. Every value keeps its place, so a
problem points at the file that the value comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from reconciler.errors import Location, Problem
from reconciler.kinds import declarable, nested
from reconciler.manifest.effects import Effect
from reconciler.manifest.loader import Map, Seq, suggest
from reconciler.manifest.overlaid import Overlaid, replaced
from reconciler.model.address import CONTAINER, Address
from reconciler.model.kind import Kind
from reconciler.model.mapped import MapItems, Mapped, listed
from reconciler.state.overlay_entries import ACTION, UNSET, Entries, Patch, address_of, is_key
from reconciler.state.spec_errors import OVERLAY_KEYS


def merges(kind: Kind, name: str) -> bool:
    """Whether a field is a mapping of names to values, which is merged by name."""
    field = kind.spec.model_fields.get(name)
    # Not `assigned_to: {group: Support}`: that is one name, which can also be a string.
    return field is not None and _types(field.annotation) - {type(None)} == {dict}


def _types(annotation: Any) -> set[Any]:
    """The types that a value can have, without their parameters."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _types(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return set().union(*map(_types, get_args(annotation)))
    return {origin or annotation}


def _document(patch: Patch) -> Map:
    """A document with one object of a mapping."""
    body = patch.body
    made, items = Map(body.file, body.at, body.root), MapItems(body.file, body.at)
    items.append(body)
    items.marks.append(body.at)
    made[patch.kind.plural], made.marks[patch.kind.plural] = items, body.at
    return made


class Merge:
    """Applies the patches of one overlay. `effects` is what that changes."""

    def __init__(self, patches: Mapping[Address, Patch]) -> None:
        self.patches = patches
        self.effects: list[Effect] = []
        self.lists = declarable()
        self.nested = nested()
        self.kinds = {address.kind for address in patches}
        self.removed = {a.key for a, p in patches.items() if a.kind == CONTAINER and p.action == "remove"}
        self.found: dict[Address, Location] = {}
        """The objects of the manifests, of the kinds that the overlay changes."""
        self.unclear: set[str] = set()
        """The kinds of objects whose key cannot be told."""
        self.faults: list[Problem] = []

    def document(self, document: Map) -> Map:
        """A document of the manifests with the patches applied."""
        return self._lists(document, self.lists, None)

    def problems(self, entries: Entries, *, unsure: bool) -> Iterator[Problem]:
        """What is wrong with the patches, once all documents are merged; `unsure` if some could not be read."""
        yield from self.faults
        for address, patch in self.patches.items():
            if address in entries.new:
                message = "added and changed in the same overlay"
                yield Problem(patch.body.where(), message, str(address), "merge them", (entries.new[address],))
            elif address not in self.found and not (unsure or address.kind in self.unclear or self._adds(patch)):
                near = suggest(address.key, (a.key for a in self.found if a.kind == address.kind))
                hint = near or f"to declare it only here, write `{ACTION}: add`"
                yield Problem(patch.body.where(), "not declared in the manifests", str(address), hint)
        for address, place in entries.new.items():
            if address in self.found:
                message = f"{ACTION}: add, but the manifests declare it"
                yield Problem(place, message, str(address), f"omit {ACTION} to change it", (self.found[address],))

    def added(self) -> Iterator[Map]:
        """Documents of what the manifests do not declare, in mappings: there, each key is added or replaced."""
        for address, patch in self.patches.items():
            if self._adds(patch) and address not in self.found:
                self.effects.append(Effect(patch.body.where(), str(address), "added"))
                yield _document(patch)

    def _adds(self, patch: Patch) -> bool:
        return patch.kind.has(Mapped) and not patch.action

    def look_for(self, addresses: Mapping[Address, Location]) -> None:
        """Also find these objects, although nothing is said to change them."""
        self.kinds |= {address.kind for address in addresses}

    # -- walking -----------------------------------------------------------------------------------------------

    def _lists(self, node: Map, lists: Mapping[str, Kind], project: str | None) -> Map:
        found = {name: (lists[name], listed(lists[name], node.get(name))) for name in lists if name in node}
        values = {n: self._items(kind, items, project) for n, (kind, items) in found.items() if isinstance(items, Seq)}
        return replaced(node, {name: value for name, value in values.items() if value is not node[name]})

    def _items(self, kind: Kind, items: Seq, project: str | None) -> Seq:
        if not self._concerns(kind):
            return items
        merged = [self._item(kind, item, project) if isinstance(item, Map) else item for item in items]
        if all(new is old for new, old in zip(merged, items, strict=True)):
            return items
        made = type(items)(items.file, items.at)
        for new, mark in zip(merged, items.marks, strict=True):
            if new is not None:
                made.append(new)
                made.marks.append(mark)
        return made

    def _concerns(self, kind: Kind) -> bool:
        inside = any(one.name in self.kinds for one in self.nested.entries.values())
        return kind.name in self.kinds or (kind.name == CONTAINER and inside) or bool(self.removed and kind.inside)

    def _item(self, kind: Kind, item: Map, project: str | None) -> Map | None:
        """One object as the overlay has it; None if that removes it."""
        if kind.inside and (item.get(CONTAINER) if project is None else project) in self.removed:
            return None
        whole = item
        if kind.name == CONTAINER and (identifier := item.get(kind.identity[0])):
            whole = self._lists(item, self.nested, str(identifier))
        if kind.name not in self.kinds:
            return whole
        address = address_of(kind, item, project)
        if address is None:
            self.unclear.add(kind.name)
            return whole
        self.found.setdefault(address, item.where())
        patch = self.patches.get(address)
        return whole if patch is None else self._applied(patch, whole)

    # -- one object --------------------------------------------------------------------------------------------

    def _applied(self, patch: Patch, item: Map) -> Map | None:
        if patch.action == "remove":
            self._effect(patch.body.where(), patch, "not declared", item.where())
            return None
        if patch.action == "replace":
            return self._anew(patch, item)
        made = Overlaid(item)
        for name in patch.unset:
            self._unset(patch, made, name)
        for name, value in patch.values.items():
            self._set(patch, made, name, value)
        return made

    def _anew(self, patch: Patch, item: Map) -> Map:
        """The object as the overlay declares it; what is nested in a project stays."""
        made = Overlaid(patch.body)
        for name in OVERLAY_KEYS:
            made.drop(name)
        for name in self.nested if patch.kind.name == CONTAINER else ():
            made.drop(name)
            if name in item:
                made.take(name, item[name], item)
        self._effect(patch.body.where(), patch, "declared anew", item.where())
        return made

    def _set(self, patch: Patch, made: Overlaid, name: str, value: Any) -> None:
        before, place = made.get(name), made.where(name) if name in made else None
        if isinstance(before, Map) and isinstance(value, Map) and merges(patch.kind, name):
            inner = Overlaid(before)
            for part, its in value.items():
                known = before.where(part) if part in before else None
                same = part in before and before[part] == its
                self._effect(value.where(part), patch, f"{name}.{part}", known, same=same)
                inner.take(part, its, value)
            # At its old place: that is where most of it is.
            made[name] = inner
            return
        same = place is not None and before == value
        self._effect(patch.body.where(name), patch, name, place, same=same)
        made.take(name, value, patch.body)

    def _unset(self, patch: Patch, made: Overlaid, name: str) -> None:
        field, _, part = name.partition(".")
        inner, place = made.get(field), patch.unset[name]
        if is_key(patch.kind, field):
            message = f"{UNSET}: {field} says which object is meant, so it cannot be undeclared"
            self.faults.append(Problem(place, message, str(patch.address)))
        elif not part and field in made:
            self._effect(place, patch, f"{field} is not declared", made.where(field))
            made.drop(field)
        elif part and isinstance(inner, Map) and part in inner:
            self._effect(place, patch, f"{name} is not declared", inner.where(part))
            left = Overlaid(inner)
            left.drop(part)
            made[field] = left
        else:
            known = [*made, *(f"{field}.{p}" for p in inner)] if isinstance(inner, Map) else list(made)
            message = f"{UNSET}: the manifests do not declare {name}"
            self.faults.append(Problem(place, message, str(patch.address), suggest(name, known)))

    def _effect(
        self, place: Location, patch: Patch, sentence: str, before: Location | None, *, same: bool = False
    ) -> None:
        self.effects.append(Effect(place, str(patch.address), sentence, before, same))
