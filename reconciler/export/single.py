"""An export of single live objects: one manifest, which refers to everything else by name or id.

What an object refers to is not exported with it: it is on the server already. Issues have a name there only with a key
field, so others are referred to by id (`#12`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import field

from reconciler.config import Config
from reconciler.errors import ReconcilerError
from reconciler.export.describe import Item, describe, plain
from reconciler.export.file_tree import Tree, ambiguous, listed, relative, safe, same_names, several
from reconciler.export.inventory import Inventory, Scope, take
from reconciler.export.run import download
from reconciler.export.targets import kinds_of, labels, projects_of, unmatched
from reconciler.export.yaml_writer import Day, Noted, manifest
from reconciler.kinds import keyed, kinds
from reconciler.manifest.sources import SUFFIXES
from reconciler.model.address import CONTAINER, Address
from reconciler.model.capabilities import ManifestKey
from reconciler.model.codecs import Stored
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind
from reconciler.model.spec import DEFAULT, Id
from reconciler.record import Record
from reconciler.redmine.client import Client
from reconciler.state.fetch import Watch, unwatched

NO_FILES = "files are exported only with -o FILE, into a folder beside it"
DROPPED: Any = object()


class Picked(Record):
    """The manifest of single objects: its text, the exported objects, and remarks on what was left out."""

    url: str
    text: str
    addresses: tuple[Address, ...]
    left_out: tuple[tuple[Address, str], ...]
    files: tuple[str, ...]
    requests: int


class _Tree(Tree):
    """The files, and the objects that the manifest has."""

    exported: list[Address] = field(default_factory=list)


def scope_of(patterns: Iterable[str]) -> Scope:
    """What has to be read for patterns. Raises ReconcilerError for one that is none."""
    every = tuple(patterns)
    return Scope(projects_of(every), False, kinds_of(every), every)


def checked(file: Path) -> Path:
    """A file that can be written. Raises ReconcilerError for one that exists, or that no run would read."""
    if file.is_dir():
        raise ReconcilerError(f"{file} is a folder: name a file in it, such as {file / 'imported.yaml'}.")
    if os.path.lexists(file):
        raise ReconcilerError(f"{file} exists; it was not changed. Name another file, or append to it: >> {file}")
    if file.suffix not in SUFFIXES or file.suffix == ".json":
        raise ReconcilerError(f"{file} would not be read as a manifest: name it {file.with_suffix('.yaml')}.")
    return file


async def pick(
    client: Client, config: Config, scope: Scope, file: Path | None = None, watch: Watch = unwatched
) -> Picked:
    """Describe the objects that the targets of `scope` mean; with a `file`, attached files are stored beside it.

    Raises ServerError; ReconcilerError for a target that means nothing, or if nothing can be expressed.
    """
    inventory = await take(client, config.settings, scope, watch)
    chosen = _chosen(inventory, scope)
    _prepare(inventory, scope, chosen)
    beside, downloaded = _Beside(file) if file else None, dict[str, int]()
    while True:
        items = _distinct(_items(inventory, chosen))
        tree = _Tree()
        text = manifest(_lists(items, tree, beside))
        lost = await download(client, tree.downloads, downloaded, beside, watch) if beside else {}
        if not lost:
            break
        for number, why in lost.items():
            inventory.names.files[number] = {**inventory.names.files.get(number, {}), "lost": why}
    remarks = (*((item.address, remark) for item in items for remark in item.remarks), *tree.remarks)
    if not tree.exported:
        said = "; ".join(f"{address}: {remark}" for address, remark in remarks)
        raise ReconcilerError(f"Nothing was exported: {said}.")
    return Picked(client.connection.url, text, tuple(tree.exported), remarks, tuple(tree.downloads), client.requests)


# -- what is chosen ----------------------------------------------------------------------------------------------


def _chosen(inventory: Inventory, scope: Scope) -> dict[str, list[Id]]:
    """The ids of the chosen objects by kind. Raises ReconcilerError for a target that means none."""
    known, chosen = list[str](), dict[str, list[Id]]()
    for kind in (kind for kind in kinds().values() if scope.has(kind)):
        keys = inventory.names.live(kind.name).keys
        for number, key in sorted(keys.items(), key=lambda pair: pair[1]):
            address = Address(kind.name, key)
            if _in_scope(kind, address, number, inventory):
                known += labels(address, number)
                chosen.setdefault(kind.name, []).extend([number] if scope.wants(address, number) else [])
    unmatched(scope.targets, known)
    return chosen


def _in_scope(kind: Kind, address: Address, number: Id, inventory: Inventory) -> bool:
    inside = not kind.inside or address.project in inventory.projects
    exporting = kind.capability(Exporting)
    row = inventory.names.live(kind.name).rows[number]
    return inside and exporting.exportable(row) and not exporting.own(address.key, inventory.names)


def _prepare(inventory: Inventory, scope: Scope, chosen: Mapping[str, list[Id]]) -> None:
    """Give the live objects the keys that manifests use: of those that are not chosen, only what the server knows."""
    names = inventory.names
    for kind in (kind for kind in kinds().values() if scope.has(kind)):
        kind.capability(Exporting).rename_for_export(kind, names)
    for kind in keyed():
        live, manifest_key = names.live(kind.name), kind.capability(ManifestKey)
        for number, key in sorted(live.keys.items(), key=lambda pair: pair[1]):
            if number not in chosen.get(kind.name, ()) and not manifest_key.stored(live.rows[number], names):
                live.rekey(number, f"{key.partition('/')[0]}/#{number}")
    keys = {name: names.live(name).keys for name in chosen}
    names.exported = frozenset(Address(name, keys[name][number]) for name in chosen for number in chosen[name])


def _items(inventory: Inventory, chosen: Mapping[str, list[Id]]) -> Iterator[Item]:
    """The chosen objects, described."""
    names = inventory.names
    left_out = {address for kind in kinds().values() for address in ambiguous(kind, names)}
    for kind in kinds().values():
        alike = {number: numbers for numbers in same_names(kind, names).values() for number in numbers}
        live, numbered = names.live(kind.name), "id" in kind.spec.model_fields
        for number in chosen.get(kind.name, ()):
            address = Address(kind.name, live.keys[number])
            if number in alike and not numbered:
                yield Item(address, None, (several(kind, alike[number]),))
                continue
            item = describe(kind, address.key, live.rows[number], names, left_out)
            needed = number in alike or kind.capability(Exporting).needs_id(live.rows[number], names)
            yield _with_id(item, number) if numbered and needed else item


def _distinct(items: Iterable[Item]) -> list[Item]:
    """The objects, without those that a manifest would declare twice: issues of one subject, without stored keys."""
    every = [(item, _declared(item)) for item in items]
    counts = Counter(declared for item, declared in every if item.body is not None)
    return [
        Item(item.address, None, (f"{SAME} {item.body['id']}",)) if item.body and counts[declared] > 1 else item
        for item, declared in every
    ]


def _declared(item: Item) -> Address:
    """The address that an object has in manifests."""
    kind = kinds()[item.address.kind]
    if item.body is None:
        return item.address
    spec = kind.spec.model_validate(
        {**plain(item.body), CONTAINER: item.address.project} if kind.inside else plain(item.body)
    )
    return Address(kind.name, kind.key(spec, item.address.project))


SAME = "others that are exported have the same name, so export it by itself: its id is"


def _with_id(item: Item, number: Id) -> Item:
    """The object with its id, by which it is told apart from others that look the same."""
    if item.body is None:
        return item
    order = list(kinds()[item.address.kind].spec.model_fields)
    body = dict(sorted({**item.body, "id": number}.items(), key=lambda pair: order.index(pair[0])))
    return Item(item.address, body, item.remarks, item.references)


# -- the manifest ------------------------------------------------------------------------------------------------


def _lists(items: Iterable[Item], tree: _Tree, beside: _Beside | None) -> dict[str, Any]:
    lists: dict[str, list[Noted]] = {}
    for item in items:
        body = None if item.body is None else _body(item, tree, beside)
        if body is not None:
            tree.exported.append(item.address)
        remarks = (*item.remarks, *(text for address, text in tree.remarks if address == item.address))
        lines = remarks if body is not None else (f"{item.address}:", *remarks)
        lists.setdefault(item.address.kind, []).append(Noted(body, lines))
    return {kinds()[name].plural: listed(kinds()[name], noted) for name, noted in lists.items()}


def _body(item: Item, tree: _Tree, beside: _Beside | None) -> dict[str, Any] | None:
    """The mapping of an object, or None if it lacks a file that it needs."""
    kind, body = kinds()[item.address.kind], {}
    for name, value in (item.body or {}).items():
        placed = _placed(name, value, kind, tree, beside)
        if (placed is not value and placed is DROPPED) or _lacks(value, placed):
            tree.remarks.append((item.address, f"{name}: {NO_FILES}"))
        if placed is not DROPPED:
            body[name] = placed
        elif name in kind.required:
            return None
    return body


def _lacks(value: Any, placed: Any) -> bool:
    """Whether a list or mapping has lost some of its files."""
    return isinstance(value, list | Mapping) and isinstance(placed, list | Mapping) and len(placed) < len(value)


def _placed(name: str, value: Any, kind: Kind, tree: _Tree, beside: _Beside | None) -> Any:
    """A value with paths in place of its files, which are added to the tree; DROPPED without a place for them."""
    if isinstance(value, Stored):
        return beside.place(value, tree) if beside else DROPPED
    if isinstance(value, Mapping):
        parts = {key: _placed(f"{name}.{key}", part, kind, tree, beside) for key, part in value.items()}
        if parts.get("file") is DROPPED:
            return DROPPED
        kept = {key: part for key, part in parts.items() if part is not DROPPED}
        stored = value.get("file")
        # Where it is not the list `files`, whose name is a field beside the path.
        renamed = isinstance(stored, Stored) and name != "path" and not kept["file"].endswith(f"/{stored.filename}")
        return {"file": kept["file"], "filename": stored.filename, **kept} if renamed and stored else kept
    if isinstance(value, list):
        parts_of = [_placed(f"{name}.", part, kind, tree, beside) for part in value]
        kept_of = [part for part in parts_of if part is not DROPPED]
        return kept_of if kept_of or not value else DROPPED
    return Day(value) if isinstance(value, str) and kind.fields.get(name, DEFAULT).date else value


class _Beside:
    """The folder for the files of a manifest: beside it, with its name. Nothing that exists is overwritten."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.folder = safe(file.stem)

    def place(self, stored: Stored, tree: _Tree) -> str:
        """The path of a live file, relative to the manifest."""
        name = safe(stored.filename)
        # A folder of manifests is read with all files below it.
        name = f"{name}.file" if name.lower().endswith(SUFFIXES) else name
        target = tree.free(f"{self.folder}/{name}")
        tree.downloads[target] = stored
        return relative(target, self.file.name)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A new file with this path, which is there when it is complete. Raises ReconcilerError if there is one."""
        path = self.file.parent / name
        if os.path.lexists(path):
            raise ReconcilerError(f"{path} exists; it was not changed. Move it away, or name another file.")
        partial = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as into:
                yield into
            partial.replace(path)
        except OSError as error:
            raise ReconcilerError(f"{path} cannot be written: {error.strerror or error}.") from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
