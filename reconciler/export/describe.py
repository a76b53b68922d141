"""A live object → its form in a manifest: only values that differ from a new object's, with names instead of ids.

Each value is read back like one from a manifest and compared with the live one. A value that would not be equal, or
cannot be expressed in a manifest, is left out with a remark: planning an export must show no changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter
from typing import Any

from msgspec import Struct, field
from pydantic import ValidationError

from reconciler.manifest.loader import Map
from reconciler.model.address import CONTAINER, Address, Row, Unresolved
from reconciler.model.capabilities import PartialRows
from reconciler.model.codecs import Codec, Stored, join
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind, Object, scope_of
from reconciler.model.name_index import Context, Names
from reconciler.record import Record
from reconciler.state.spec_errors import explain


class Item(Record):
    """A live object in a manifest: its mapping (None if it is left out), remarks, and the objects that it refers to."""

    address: Address
    body: dict[str, Any] | None
    remarks: tuple[str, ...]
    references: frozenset[Address] = frozenset()


def describe(kind: Kind, key: str, row: Row, names: Names, left_out: Collection[Address] = ()) -> Item:
    """Describe one live object. In place of a file's path it has a `Stored`; it refers to no object in `left_out`."""
    address = Address(kind.name, key)
    exporting = kind.capability(Exporting)
    why = exporting.why_not_exportable(address, row)
    if why:
        return Item(address, None, (why,))
    work = _Description(kind, address, row, Context(names, scope_of(kind, address), address), left_out)
    values = work.accepted(dict(work.values()))
    declared = exporting.non_defaults(kind, values, row, work.context)
    body = work.valid({**exporting.identity_fields(kind, address, row, names), **declared})
    missing = [name for name in kind.required if body is not None and name not in body]
    for name in (name for name in missing if name not in work.dropped):
        work.leave_out(name, "empty, but required to create the object")
    if body is None or missing or work.dropped & {*kind.identity}:
        return Item(address, None, tuple(work.remarks))
    for path, remark in exporting.doubts(values, row, work.context):
        work.leave_out(path, remark)
    # Only from what the manifest has: users that only a left-out value names are not needed.
    references = frozenset(_references(kind, {name: body[name] for name in values if name in body}, work.context))
    return Item(address, body, tuple(work.remarks), references)


class _Description(Struct):
    """The description of a live object in progress, with remarks on what is left out."""

    kind: Kind
    address: Address
    row: Row
    context: Context
    left_out: Collection[Address]
    remarks: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    """The paths of what is left out."""

    def leave_out(self, path: str, reason: str) -> None:
        """Add a remark on what is left out."""
        self.dropped.add(path)
        self.remarks.append(f"{path}: {reason}" if path else reason)

    def values(self) -> Iterator[tuple[str, Any]]:
        """The fields that can be expressed in a manifest, in the form of a manifest."""
        for name, api in self.kind.fields.items():
            if api.read is None or (name == CONTAINER and self.kind.inside):
                continue
            if not self.kind.capability(PartialRows).shows(self.kind, self.row, name, {}):
                # Without the program inside Redmine, an export has what the API shows.
                if name not in self.kind.capability(Exporting).unshown and not api.program:
                    self.leave_out(name, "Redmine does not show it")
                continue
            live = self.kind.live(self.row, name, self.context)
            written = self._written(name, api.codec, live)
            # Sorted: two exports of the same data must be equal.
            pieces = sorted((pair for value in written for pair in api.codec.pieces(value)), key=itemgetter(0))
            kept = [piece for part, piece in pieces if self._reads_back(name, part, piece, api.codec, live)]
            if kept:
                yield name, _joined(kept)

    def _written(self, name: str, codec: Codec, live: Any) -> list[Any]:
        """A live value in the form of a manifest, as a list of one; of a value with parts, those with such a form."""
        try:
            return [codec.written(live, self.context)]
        except Unresolved as error:
            # The whole value has no form in a manifest; single custom fields may have one.
            parts = [self._part(name, part, codec, value) for part, value in codec.parts(live)]
            expressed = [value for part in parts for value in part if any(path for path, _ in codec.pieces(value))]
            if not expressed and not any(path.startswith(f"{name}.") for path in self.dropped):
                self.leave_out(name, str(error))
            return expressed

    def _part(self, name: str, part: str, codec: Codec, value: Any) -> list[Any]:
        try:
            return [codec.written({part: value}, self.context)] if part else []
        except Unresolved as error:
            self.leave_out(join(name, part), _reason(part, error))
            return []

    def _reads_back(self, name: str, part: str, piece: Any, codec: Codec, live: Any) -> bool:
        """Whether a part of a value reads back equal to the live one, and refers to nothing that is left out."""
        # The content of a file is only known after the download.
        reason = "" if _stored(piece) else _difference(part, piece, codec, live, self.context)
        for other in () if reason else _references(self.kind, {name: piece}, self.context):
            if other in self.left_out:
                reason = f"{other} is left out"
        if reason:
            self.leave_out(join(name, part), reason)
        return not reason

    def accepted(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values without those that Redmine would refuse for a new object."""
        refused = list(self.kind.capability(Exporting).refused(self.kind, values, self.row, self.context))
        for name, reason in refused:
            self.leave_out(name, reason)
        return {name: value for name, value in values.items() if name not in dict(refused)}

    def valid(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """A mapping without its invalid fields; None if they are needed to identify the object."""
        fixed = self.kind.capability(Exporting).identity_fields(self.kind, self.address, self.row, self.context.names)
        # Again after each removal: a check of the whole object can fail without the removed field.
        while errors := list(self._errors(body)):
            for name, message in errors:
                # A field that is missing because it was left out has a remark already.
                if name not in self.dropped:
                    self.leave_out(name, message)
            if any(name not in body or name in fixed or name in self.kind.identity for name, _ in errors):
                return None
            body = {name: value for name, value in body.items() if name not in dict(errors)}
        return body

    def _errors(self, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """(field, message) for each validation error of the mapping."""
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
    """The reason without the name of the part, which the remark begins with."""
    return str(error).removeprefix(f"{part}: ") if part else str(error)


def _joined(pieces: list[Any]) -> Any:
    """One value made of its pieces."""
    if all(isinstance(piece, Mapping) for piece in pieces):
        return {name: value for piece in pieces for name, value in piece.items()}
    if all(isinstance(piece, list) for piece in pieces):
        return [item for piece in pieces for item in piece]
    (value,) = pieces
    return value


def _difference(part: str, piece: Any, codec: Codec, live: Any, context: Context) -> str:
    """Why a value in the form of a manifest would not equal the live one, or ""."""
    try:
        wanted = codec.canonical(piece, context)
        parts = {name for name, _ in codec.parts(wanted)}
        differs = any(name in parts for name, _, _ in codec.differences(wanted, live))
    except Unresolved as error:
        return _reason(part, error)
    return "its value cannot be expressed in a manifest" if differs else ""


def _stored(value: Any) -> bool:
    """Whether a value contains a file."""
    if isinstance(value, Mapping):
        return any(map(_stored, value.values()))
    return any(map(_stored, value)) if isinstance(value, list) else isinstance(value, Stored)


def plain(value: Any) -> Any:
    """A value with a path in place of each file."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.filename or "file" if isinstance(value, Stored) else value


def _references(kind: Kind, values: Mapping[str, Any], context: Context) -> Iterator[Address]:
    """The objects to which values in the form of a manifest refer."""
    for name, value in values.items():
        for reference in kind.fields[name].codec.references(plain(value), context) if value else ():
            try:
                yield context.resolve(reference)
            except Unresolved:
                continue
