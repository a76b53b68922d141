"""Attachments: as a manifest declares them, and as Redmine keeps them with an object.

Redmine stores a file under its name, several of one name side by side, and never changes its content: a changed file is
uploaded again and the old one is deleted after that. Lists show size and name; the content has to be downloaded to be
compared, which is done for files of equal name and size only (5.0 to 6.1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.codecs import Candidate, Codec, Difference, Stored, Upload, blank, digest, stored
from reconciler.model.forms import ATTACHMENTS
from reconciler.model.local_files import fault, is_file, path_of, stored_name
from reconciler.model.name_index import Context
from reconciler.model.requests import Request
from reconciler.model.spec import Id
from reconciler.natural import natural
from reconciler.record import Record

PRESENT = frozenset({"file", "filename", "description", "state"})
LONGEST = 255
"""Characters in a file's name and description (5.0 to 7.0)."""


def _attached(value: Any) -> Any:
    absent = isinstance(value, Mapping) and value.get("state") == "absent"
    needed = "filename" if absent else "file"
    valid = isinstance(value, Mapping) and needed in value and set(value) <= PRESENT - ({"file"} if absent else set())
    if not valid or not all(isinstance(v, str) and len(v) <= LONGEST for v in value.values()):
        raise ValueError("expected {file: PATH, filename: …, description: …} or {filename: …, state: absent}")
    # As Redmine will store it: names that differ only in characters that it replaces are one name.
    name = stored_name(str(value.get("filename") or Path(str(value.get("file", "x"))).name))
    if name in ("", ".", ".."):
        raise ValueError(f'"{name}" cannot be the name of a file')
    if value.get("state", "present") not in ("present", "absent"):
        raise ValueError("expected state present or absent")
    return value


_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in sorted(PRESENT)},
    "additionalProperties": False,
}
Attached = Annotated[Any, BeforeValidator(_attached), WithJsonSchema(_SCHEMA)]
"""One attachment in a manifest: `{file: PATH}` with `filename:`, `description:`; or `{filename:, state: absent}`."""


class Attachments(Codec):
    """The files of an object, by name. Files that are not mentioned are left alone; None is a file to delete."""

    form = ATTACHMENTS

    def pieces(self, value: Any) -> Iterable[tuple[str, Any]]:
        # An empty list is a piece too, or a field that is declared empty would not be looked at.
        return [(name_of(item), [item]) for item in sorted(value or (), key=lambda item: natural(name_of(item)))] or (
            ("", []),
        )

    def faults(self, value: Any) -> Iterable[tuple[str, Unresolved]]:
        seen: set[str] = set()
        for item in value or ():
            name = name_of(item)
            if name in seen:
                yield name, Unresolved(f"{name}: declared twice", "set another filename for one of them")
            seen.add(name)
            if is_file(item) and (error := fault(item)):
                yield name, error

    def canonical(self, value: Any, context: Context) -> Any:
        return {name_of(item): _canonical(item) for item in value or ()}

    def decode(self, wire: Any, context: Context) -> Any:
        return {name: _live(rows, context) for name, rows in by_name(wire).items()}

    def encode(self, value: Any, context: Context) -> Any:
        # None is a file to delete, which takes a request of its own (`Work.after`).
        return [upload(name, wanted) for name, wanted in sorted(value.items()) if wanted]

    def parts(self, value: Any) -> Iterable[tuple[str, Any]]:
        return (value or {}).items()

    def differences(self, desired: Any, live: Any) -> list[Difference]:
        held = live or {}
        return [(name, held.get(name), new) for name, new in desired.items() if not same(new, held.get(name))]

    def equal(self, desired: Any, live: Any) -> bool:
        return not self.differences(desired, live)

    def written(self, value: Any, context: Context) -> Any:
        return [_written(name, item, context) for name, item in sorted((value or {}).items())]

    def files(self, value: Any, wire: Any, context: Context) -> Iterable[Candidate]:
        wanted = value if isinstance(value, Mapping) else self.canonical(value, context)
        held = by_name(wire)
        for name, item in wanted.items():
            size = path_of(item).stat().st_size if item else -1
            # Every copy of the name: an interrupted replacement may have uploaded the new content already.
            yield from (Candidate(row["id"], name, size, row) for row in held.get(name, ()) if item)


def _order(item: Any) -> tuple[str, str]:
    return natural(name_of(item))


def name_of(item: Mapping[str, Any]) -> str:
    """The name that a file in a manifest has on the server."""
    file = item.get("file")
    own = file.filename if isinstance(file, Stored) else Path(str(file)).name
    return stored_name(str(item.get("filename") or own))


def _canonical(item: Mapping[str, Any]) -> dict[str, Any] | None:
    if item.get("state") == "absent":
        return None
    path = path_of(item)
    more = {"description": str(item["description"])} if "description" in item else {}
    return {"file": str(path), "sha256": digest(path.read_bytes()), **more}


def by_name(wire: Iterable[Row] | None) -> dict[str, list[Row]]:
    """An object's files by name, the oldest first."""
    # Redmine may keep several files of one name with an object (5.0 to 6.1).
    files: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(wire or (), key=lambda r: r["id"]):
        files[row["filename"]].append(row)
    return files


def _live(rows: list[Row], context: Context) -> dict[str, Any]:
    first = rows[0]
    seen = {"file": first["filename"], "sha256": sha256(first, context), "description": first.get("description") or ""}
    # Several files of one name: the upload of a replacement was the last thing that happened.
    return {**seen, "id": rows[-1]["id"], **({} if len(rows) == 1 else {"copies": len(rows)})}


def _written(name: str, item: Mapping[str, Any], context: Context) -> dict[str, Any]:
    if "copies" in item:
        raise Unresolved(f"there are {item['copies']} files of this name, but a manifest can declare only one")
    described = {"description": item["description"]} if item["description"] else {}
    return {**stored(item["id"], name, _row(item["id"], context), context), **described}


def _row(number: Id, context: Context) -> Row:
    """What the server says of a file of the object that `context` is of."""
    own = context.names.row(context.own) if context.own else None
    return next((row for row in (own or {}).get("attachments", ()) if row["id"] == number), {})


def sha256(row: Row, context: Context) -> str:
    """The digest of a live file, or "" if its content was not compared."""
    return str(context.names.files.get(row["id"], {}).get("sha256", ""))


def same(desired: Mapping[str, Any] | None, live: Mapping[str, Any] | None) -> bool:
    """Whether a file is on the server as it is declared."""
    if desired is None or live is None:
        return blank(desired) and blank(live)
    # A description that is not declared is left alone.
    described = desired.get("description", live["description"]) == live["description"]
    return described and desired["sha256"] == live["sha256"] and "copies" not in live


def upload(name: str, wanted: Mapping[str, Any]) -> Upload:
    """What stands for a file in a payload."""
    more = {k: v for k, v in wanted.items() if k == "description"}
    return Upload(Path(wanted["file"]), wanted["sha256"], name, more, wanted.get("like"))


class Work(Record):
    """What has to be done to an object's files: to upload (canonical), to delete and to describe (ids)."""

    new: Mapping[str, Any]
    gone: tuple[Id, ...]
    described: tuple[tuple[Id, str], ...]

    def after(self) -> list[Request]:
        """The requests that follow the one with the uploads."""
        # After the uploads: if those fail, the old files are still there.
        deletions = [Request("DELETE", f"/attachments/{number}") for number in self.gone]
        texts = [({"attachment": {"description": text}}, number) for number, text in self.described]
        return deletions + [Request("PUT", f"/attachments/{number}", body) for body, number in texts]


def work(wanted: Mapping[str, Any], wire: Iterable[Row] | None, context: Context) -> Work:
    """How to get from an object's live files to the wanted ones; `wanted` are those that differ."""
    held, new, gone, described = by_name(wire), {}, list[Id](), list[tuple[Id, str]]()
    for name, item in wanted.items():
        equal = next((r for r in held.get(name, ()) if item and sha256(r, context) == item["sha256"]), None)
        gone += [row["id"] for row in held.get(name, ()) if row is not equal]
        # A copy with the right content is kept, and only the others are deleted: nothing is uploaded twice.
        if item and equal is None:
            # A description that is not declared is left alone, also if the file is another one.
            old = held[name][0] if name in held else {}
            like = {"like": old["id"], "description": old.get("description") or ""} if old else {}
            new[name] = {**like, **item} if "description" not in item else item
        elif equal and item and "description" in item and item["description"] != (equal.get("description") or ""):
            described.append((equal["id"], item["description"]))
    return Work(new, tuple(gone), tuple(described))


Update = Callable[[Address, Id, Mapping[str, Any], Context], list[Request]]


def attaching(
    update: Update, address: Address, number: Id, values: Mapping[str, Any], context: Context
) -> list[Request]:
    """The requests of an `update` of a kind whose objects have `attachments`, and those that follow for the files."""
    if "attachments" not in values:
        return update(address, number, values, context)
    row = context.names.row(address) or {}
    todo = work(values["attachments"], row.get("attachments"), context)
    rest = {name: value for name, value in values.items() if name != "attachments"}
    sent = {**rest, "attachments": todo.new} if todo.new else rest
    # With files to delete only, there may be nothing left for a PUT, and an empty one moves `updated_on` (5.0).
    requests = update(address, number, sent, context) if sent else []
    return [*requests, *todo.after()]
