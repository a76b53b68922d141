"""A live object → what a manifest says of it: only what differs from a new object, in names, never in ids.

What a manifest cannot say, or could say but not so that a plan of it is empty, is left out with a remark: every value
is read again as a manifest's, and compared with the live one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from pydantic import ValidationError

from reconciler.manifest.loader import Map
from reconciler.model.address import CONTAINER, Address, Row, Unresolved
from reconciler.model.capabilities import PartialRows
from reconciler.model.codecs import Codec, Stored, join
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind, Object, scope_of
from reconciler.model.name_index import Context, Names
from reconciler.state.spec_errors import explain


@dataclass(frozen=True, slots=True)
class Item:
    """What a manifest says of a live object: its mapping (None: nothing), remarks, and the objects that it names."""

    address: Address
    body: dict[str, Any] | None
    remarks: tuple[str, ...]
    named: frozenset[Address] = frozenset()


def describe(kind: Kind, key: str, row: Row, names: Names, left_out: Collection[Address] = ()) -> Item:
    """One live object. `Stored` stands for the path of a file in it; nothing in it names an object in `left_out`."""
    address = Address(kind.name, key)
    exporting = kind.capability(Exporting)
    why = exporting.why_not_exportable(address, row)
    if why:
        return Item(address, None, (why,))
    work = _Work(kind, address, row, Context(names, scope_of(kind, address), address), left_out)
    values = work.possible(dict(work.values()))
    declared = exporting.non_defaults(kind, values, row, work.context)
    body = work.valid({**exporting.identity_fields(kind, address, row, names), **declared})
    lacking = [name for name in kind.required if body is not None and name not in body]
    for name in (name for name in lacking if name not in work.dropped):
        work.leave(name, f"it has none, and Redmine creates no {kind.name.replace('_', ' ')} without")
    if body is None or lacking or work.dropped & {*kind.identity}:
        return Item(address, None, tuple(work.remarks))
    for path, said in exporting.doubts(values, row, work.context):
        work.leave(path, said)
    named = frozenset(_named(kind, {name: body[name] for name in values if name in body}, work.context))
    return Item(address, body, tuple(work.remarks), named)


@dataclass(slots=True)
class _Work:
    """A live object in the middle of its description, with what could not be said of it."""

    kind: Kind
    address: Address
    row: Row
    context: Context
    left_out: Collection[Address]
    remarks: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)

    def leave(self, path: str, said: str) -> None:
        """Remark what is left out."""
        self.dropped.add(path)
        self.remarks.append(f"{path}: {said}" if path else said)

    def values(self) -> Iterator[tuple[str, Any]]:
        """The fields that a manifest can say, as it says them."""
        for name, api in self.kind.fields.items():
            if api.read is None or (name == CONTAINER and self.kind.inside):
                continue
            if not self.kind.capability(PartialRows).shows(self.kind, self.row, name, {}):
                if name not in self.kind.capability(Exporting).unshown:
                    self.leave(name, "Redmine does not show it")
                continue
            live = self.kind.live(self.row, name, self.context)
            found = self._written(name, api.codec, live)
            pieces = sorted((pair for value in found for pair in api.codec.pieces(value)), key=itemgetter(0))
            certain = [piece for part, piece in pieces if self._certain(name, part, piece, api.codec, live)]
            if certain:
                yield name, _joined(certain)

    def _written(self, name: str, codec: Codec, live: Any) -> list[Any]:
        """A live value as manifests say it, in a list; of one with parts of its own, those that can be said."""
        try:
            return [codec.written(live, self.context)]
        except Unresolved as error:
            parts = [self._part(name, part, codec, value) for part, value in codec.parts(live)]
            said = [value for found in parts for value in found if any(part for part, _ in codec.pieces(value))]
            if not said and not any(path.startswith(f"{name}.") for path in self.dropped):
                self.leave(name, str(error))
            return said

    def _part(self, name: str, part: str, codec: Codec, value: Any) -> list[Any]:
        try:
            return [codec.written({part: value}, self.context)] if part else []
        except Unresolved as error:
            self.leave(join(name, part), _reason(part, error))
            return []

    def _certain(self, name: str, part: str, piece: Any, codec: Codec, live: Any) -> bool:
        """Whether a plan would find a part of a value equal to the live one, and what it names is said as well."""
        said = "" if _stored(piece) else _fault(part, piece, codec, live, self.context)
        for other in () if said else _named(self.kind, {name: piece}, self.context):
            if other in self.left_out:
                said = f"{other} is left out"
        if said:
            self.leave(join(name, part), said)
        return not said

    def possible(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values without those that no new object can have."""
        refused = list(self.kind.capability(Exporting).refused(self.kind, values, self.row, self.context))
        for name, said in refused:
            self.leave(name, said)
        return {name: value for name, value in values.items() if name not in dict(refused)}

    def valid(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """What is left of a mapping without the fields that a manifest must not have; None if nothing can be said."""
        given = self.kind.capability(Exporting).identity_fields(self.kind, self.address, self.row, self.context.names)
        while faults := list(self._faults(body)):
            for name, said in faults:
                # What is missing because it could not be said is explained already.
                if name not in self.dropped:
                    self.leave(name, said)
            if any(name not in body or name in given or name in self.kind.identity for name, _ in faults):
                return None
            body = {name: value for name, value in body.items() if name not in dict(faults)}
        return body

    def _faults(self, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """(field, sentence) for what is wrong with an object as a manifest would say it."""
        kind, written = self.kind, plain(body)
        project = {CONTAINER: self.address.project} if kind.inside else {}
        try:
            spec = kind.spec.model_validate({**project, **written})
        except ValidationError as error:
            places = (item["loc"] for item in error.errors(include_url=False))
            for place, problem in zip(places, explain(kind, Map(), error, ()), strict=True):
                name = str(place[0]) if place else ""
                yield name, problem.message.removeprefix(f"{name}: ")
            return
        yield from kind.check(Object(kind, self.address, spec, Map()), {})


def _reason(part: str, error: Unresolved) -> str:
    """What is wrong with a part, which is named before it."""
    return str(error).removeprefix(f"{part}: ") if part else str(error)


def _joined(pieces: list[Any]) -> Any:
    """One value of its pieces."""
    if all(isinstance(piece, Mapping) for piece in pieces):
        return {name: value for piece in pieces for name, value in piece.items()}
    if all(isinstance(piece, list) for piece in pieces):
        return [item for piece in pieces for item in piece]
    (value,) = pieces
    return value


def _fault(part: str, piece: Any, codec: Codec, live: Any, context: Context) -> str:
    """Why a manifest's value would not be what the live one is, or ""."""
    try:
        wanted = codec.canonical(piece, context)
        parts = {name for name, _ in codec.parts(wanted)}
        differs = any(name in parts for name, _, _ in codec.differences(wanted, live))
    except Unresolved as error:
        return _reason(part, error)
    return "no manifest can say what it has" if differs else ""


def _stored(value: Any) -> bool:
    """Whether there is a file in a value."""
    if isinstance(value, Mapping):
        return any(map(_stored, value.values()))
    return any(map(_stored, value)) if isinstance(value, list) else isinstance(value, Stored)


def plain(value: Any) -> Any:
    """A value with a path in the place of every file."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.filename or "file" if isinstance(value, Stored) else value


def _named(kind: Kind, values: Mapping[str, Any], context: Context) -> Iterator[Address]:
    """The objects that a manifest's values name."""
    for name, value in values.items():
        for reference in kind.fields[name].codec.references(plain(value), context) if value else ():
            try:
                yield context.resolve(reference)
            except Unresolved:
                continue
