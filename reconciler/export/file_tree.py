"""Described objects → the files of an export, as data, in a stable order.

users.yaml, groups.yaml        objects outside projects
projects/shop.yaml             a project with its members, categories and versions
projects/shop/issues.yaml      its issues; likewise wiki pages, time entries, news and files
projects/shop/issues/login/…   long texts and attachments of one of them
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import groupby
from typing import Any

from msgspec import Struct, field

from reconciler.export.describe import Item, describe
from reconciler.export.disk_dict import DiskDict
from reconciler.export.inventory import Inventory, Scope
from reconciler.export.yaml_writer import Day, Included, Noted, Written, dump, manifest, written
from reconciler.kinds import kinds
from reconciler.manifest.sources import CONFIG, SUFFIXES
from reconciler.model.address import CONTAINER, Address
from reconciler.model.capabilities import ManifestKey
from reconciler.model.codecs import Stored
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Kind, nested_name
from reconciler.model.local_files import folded
from reconciler.model.mapped import Mapped, mapping_of
from reconciler.model.name_index import Names
from reconciler.model.ordering import ORDERED, Ordered, rank_of
from reconciler.model.spec import DEFAULT, Id

LONG = 25
"""Lines up to which a text stays in the manifest; longer ones get a file."""
PART = 8 << 20
"""Characters after which a manifest is split: larger ones are slow to read, and the loader has a size limit."""
LENGTH = 80
"""Maximum characters of a file name."""


class Tree(Struct):
    """The files of an export: texts and downloads by path, and remarks on what was left out."""

    texts: MutableMapping[str, str] = field(default_factory=dict)
    downloads: dict[str, Stored] = field(default_factory=dict)
    remarks: list[tuple[Address, str]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    """Used paths, normalized as file systems without case or with composed letters compare them."""

    def free(self, path: str) -> str:
        """The path, with a number if it is taken."""
        stem, dot, ending = path.rpartition(".") if "." in path.rpartition("/")[2] else (path, "", "")
        candidate, count = path, 1
        while folded(candidate) in self.taken:
            count += 1
            candidate = f"{stem}-{count}{dot}{ending}"
        self.taken.add(folded(candidate))
        return candidate


def items(inventory: Inventory, scope: Scope) -> Iterator[Item]:
    """All objects in scope, described. If projects are chosen, users and groups only if those refer to them."""
    chosen, referenced = [kind for kind in kinds().values() if scope.has(kind)], set[Address]()
    # Before anything is described: descriptions refer to other objects by key.
    for kind in chosen:
        # Before anything is described: references to these objects are written with the new names.
        kind.capability(Exporting).rename_for_export(kind, inventory.names)
    # In advance: a reference can be described before its target.
    left_out = {a for kind in kinds().values() for a in ambiguous(kind, inventory.names)}
    left_out |= {address for kind in kinds().values() for address in _out_of_scope(kind, inventory, scope)}
    # People come first, because other objects must not refer to those that are left out.
    people = [i for k in chosen if not (k.inside or k.name == CONTAINER) for i in _of(k, inventory, left_out)]
    for kind in chosen:
        if kind.inside or kind.name == CONTAINER:
            for item in _of(kind, inventory, left_out):
                referenced |= item.references
                yield item
    # At the end: which people are needed is only known when everything else has been described.
    yield from _needed(people, referenced) if scope.projects else people


def _out_of_scope(kind: Kind, inventory: Inventory, scope: Scope) -> Iterator[Address]:
    """Objects that are not exported although manifests can only refer to them if they are declared.

    One of a kind that was not chosen has no key, and is referred to by its number.
    """
    if kind.capability(ManifestKey).only_declared(inventory.names.settings):
        for number, key in inventory.names.live(kind.name).keys.items():
            by_number = not scope.has(kind) and key.endswith(f"/#{number}")
            if not by_number and (not scope.has(kind) or key.partition("/")[0] not in inventory.projects):
                yield Address(kind.name, key)


def _of(kind: Kind, inventory: Inventory, left_out: set[Address]) -> Iterator[Item]:
    """The objects of a kind, sorted by key, because ids differ between servers. Adds to `left_out`."""
    rows, keys = inventory.names.live(kind.name).rows, inventory.names.live(kind.name).keys
    same_name = same_names(kind, inventory.names)
    for number in sorted(rows, key=lambda number: rank_of(kind, keys[number], rows[number])):
        address, name = Address(kind.name, keys[number]), Address(kind.name, _name(keys[number], number))
        inside = kind.inside or kind.name == CONTAINER
        in_scope = not inside or address.project in inventory.projects
        exporting = kind.capability(Exporting)
        if not in_scope or not exporting.exportable(rows[number]) or exporting.own(address.key, inventory.names):
            continue
        if kind.inside and address.container in left_out:
            item = Item(address, None, (f"{address.container} is left out",))
        elif name not in same_name:
            item = describe(kind, address.key, rows[number], inventory.names, left_out)
        # One remark for all objects of that name.
        elif number == same_name[name][0]:
            item = Item(name, None, (several(kind, same_name[name]),))
        else:
            continue
        if item.body is None:
            left_out.add(item.address)
        yield item


def same_names(kind: Kind, names: Names) -> dict[Address, list[Id]]:
    """The ids of live objects that would have the same key in manifests, by that key."""
    by_key: defaultdict[str, list[Id]] = defaultdict(list)
    for number, key in names.live(kind.name).keys.items():
        by_key[_name(key, number)].append(number)
    return {Address(kind.name, key): sorted(ids, key=str) for key, ids in by_key.items() if len(ids) > 1}


def ambiguous(kind: Kind, names: Names) -> Iterator[Address]:
    """The addresses of objects that would have the same key in manifests, also those with ids as suffixes."""
    keys: Mapping[Any, str] = names.live(kind.name).keys
    for address, numbers in same_names(kind, names).items():
        yield address
        yield from (Address(kind.name, keys[number]) for number in numbers)


def _name(key: str, number: Id) -> str:
    """The key without the id, which is a suffix where several objects have the same key."""
    return key.removesuffix(f" #{number}")


def several(kind: Kind, numbers: Iterable[Id]) -> str:
    ids = ", ".join(f"#{number}" for number in numbers)
    return f"several {kind.plural.replace('_', ' ')} share this name; only their ids differ: {ids}"


def _needed(people: list[Item], referenced: set[Address]) -> list[Item]:
    """The `people` that are referenced, directly or by each other (a group's users)."""
    while more := {a for item in people if item.address in referenced for a in item.references} - referenced:
        referenced |= more
    return [item for item in people if item.address in referenced]


def file_tree(items: Iterable[Item], settings: Mapping[str, Any]) -> Tree:
    """The files for `items`, and a configuration with the settings that planning them needs. Texts are kept on disk."""
    tree = Tree(DiskDict[str, str]())
    if settings.get("issue_key_field"):
        tree.texts["reconciler.yaml"] = dump({"issue_key_field": settings["issue_key_field"]})
    files: defaultdict[str, defaultdict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    # Items come sorted, so those of one file follow each other, and large kinds are never in memory as a whole.
    for (path, own_file), some in groupby(_remarked(items, tree), _place):
        if own_file:
            _split(path, some, tree)
        else:
            for item in some:
                files[path][item.address.kind].append(item)
    for path, by_kind in sorted(files.items()):
        tree.texts[path] = manifest(dict(_lists(path, by_kind, tree)))
    tree.remarks.sort()
    return tree


def _remarked(items: Iterable[Item], tree: Tree) -> Iterator[Item]:
    for item in items:
        tree.remarks += [(item.address, remark) for remark in item.remarks]
        yield item


def _place(item: Item) -> tuple[str, bool]:
    """The file of an item, and whether that file has only one kind, so that it can be written as a stream."""
    return _file(item.address), kinds()[item.address.kind].capability(Exporting).own_files


def _split(path: str, items: Iterable[Item], tree: Tree) -> None:
    """Add a file for items of one kind, or several files if one would be too large."""
    part, size = list[Written](), 0
    name = path.rpartition("/")[2].removesuffix(".yaml")
    for item in items:
        if size > PART:
            tree.texts[tree.free(path)] = manifest({name: part})
            part, size = [], 0
        (noted,) = _items(path, [item], tree)
        part.append(written(noted))
        size += len(part[-1])
    tree.texts[tree.free(path)] = manifest({name: part})


def _file(address: Address) -> str:
    """The path of the manifest of an object."""
    kind = kinds()[address.kind]
    if kind.name == CONTAINER:
        return f"projects/{_stem(address.key)}.yaml"
    if not kind.inside:
        return f"{kind.plural}.yaml"
    return f"projects/{_stem(address.project)}{f'/{kind.plural}' if kind.capability(Exporting).own_files else ''}.yaml"


def _stem(identifier: str) -> str:
    """The name of a project's files. Identifiers contain no dots, so the prefix cannot collide with another project."""
    taken = RESERVED.fullmatch(identifier) or f"{identifier}.yaml".lower() == CONFIG
    return f"project.{identifier}" if taken else identifier


def _lists(path: str, by_kind: Mapping[str, list[Item]], tree: Tree) -> Iterator[tuple[str, Any]]:
    """The lists of one manifest. Objects inside a project that it declares are nested in that project."""
    order = [name for name in kinds() if name in by_kind]
    nested = CONTAINER in by_kind
    if any(kinds()[name].has(Ordered) for name in order):
        yield ORDERED, True
    inside = [name for name in order if nested and name != CONTAINER]
    inner = {nested_name(kinds()[n]): _items(path, by_kind[n], tree, nested=True) for n in inside}
    for name in order:
        if name == CONTAINER:
            (project,) = _items(path, by_kind[name], tree)
            if project.value:
                yield kinds()[name].plural, [Noted({**project.value, **inner}, project.lines)]
            else:
                # A project that is left out has no mapping to nest in: the remarks follow it.
                yield kinds()[name].plural, [project, *(noted for items in inner.values() for noted in items)]
        elif not nested:
            yield kinds()[name].plural, listed(kinds()[name], _items(path, by_kind[name], tree))


def listed(kind: Kind, items: list[Noted]) -> Any:
    """What a manifest has of these objects: a list, or a mapping."""
    return mapping_of(kind, [item.value for item in items if item.value]) if kind.has(Mapped) else items


def _items(path: str, items: Iterable[Item], tree: Tree, *, nested: bool = False) -> list[Noted]:
    return [Noted(_body(path, item, tree, nested=nested), _lines(item), brief=nested) for item in items]


def _lines(item: Item) -> tuple[str, ...]:
    if item.body is None:
        return (f"{item.address}:", *item.remarks)
    return item.remarks


def _body(path: str, item: Item, tree: Tree, *, nested: bool) -> dict[str, Any] | None:
    if item.body is None:
        return None
    folder = f"{path.removesuffix('.yaml')}/{_no_file(safe(_own(item.address)))}"
    placed = {name: _placed(name, value, path, folder, item, tree) for name, value in item.body.items()}
    return {name: value for name, value in placed.items() if not (nested and name == CONTAINER)}


def _own(address: Address) -> str:
    kind = kinds()[address.kind]
    return address.key.partition("/")[2] if kind.inside else address.key


def _text(name: str, value: str, path: str, folder: str, item: Item, tree: Tree) -> Any:
    kind = kinds()[item.address.kind]
    # `is`, not `==`: an equal text nested in another field has the same name only by chance.
    api = kind.fields.get(name, DEFAULT) if (item.body or {}).get(name) is value else DEFAULT
    if api.date and DAY.fullmatch(value):
        return Day(value)
    if not _needs_file(value, always=api.main_text and kind.capability(Exporting).text_files):
        return value
    target = tree.free(f"{folder}.txt" if api.main_text else f"{folder}/{safe(name)}.txt")
    tree.texts[target] = value
    return Included(relative(target, path))


def _placed(name: str, value: Any, path: str, folder: str, item: Item, tree: Tree) -> Any:
    """A value with paths in place of its files, which are added to the tree."""
    if isinstance(value, Stored):
        target = tree.free(f"{folder}/{_no_manifest(safe(value.filename))}")
        tree.downloads[target] = value
        return relative(target, path)
    if isinstance(value, Mapping):
        placed = {n: _placed(n, part, path, folder, item, tree) for n, part in value.items()}
        stored = value.get("file")
        # In the list `files`, the name is a field beside the path.
        if isinstance(stored, Stored) and name != "path" and not placed["file"].endswith(f"/{stored.filename}"):
            return {"file": placed["file"], "filename": stored.filename, **placed}
        return placed
    if isinstance(value, list):
        return [_placed(name, part, path, folder, item, tree) for part in value]
    return _text(name, value, path, folder, item, tree) if isinstance(value, str) else value


DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _needs_file(value: str, *, always: bool) -> bool:
    """Whether a text gets a file of its own, from which it can be read back unchanged."""
    # At the start of a file, U+FEFF would be dropped as a byte order mark.
    if ODD.search(value) or value.startswith("\ufeff"):
        return False
    return always or value.count("\n") >= LONG


ODD = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
"""Characters that a text file or editor may change: control characters, line ends of other systems."""


def relative(target: str, path: str) -> str:
    """The path of a file relative to the manifest at `path`."""
    return target.removeprefix(path.rpartition("/")[0] + "/") if "/" in path else target


def _no_file(name: str) -> str:
    """A folder name that cannot collide with a file."""
    return f"{name}_" if name.lower().endswith((".txt", *SUFFIXES)) else name


def _no_manifest(name: str) -> str:
    """A file name that is not read as a manifest."""
    return f"{name}.file" if name.lower().endswith(SUFFIXES) else name


def safe(text: str) -> str:
    """A text as a valid name of a file or folder on all systems."""
    # Windows drops dots and spaces at the end of a name; a dot at the start would hide the file.
    name = re.sub(r"[^\w.\- ]", "_", text).strip(". ")[:LENGTH]
    # In bytes as well: file systems count those, and 80 characters of Chinese are 240 bytes.
    name = name.encode()[:BYTES].decode(errors="ignore").rstrip(". ")
    # Windows reserves `con.txt` as well as `con`.
    return f"{name}_" if RESERVED.fullmatch(name.partition(".")[0]) else name or "_"


BYTES = 200
"""Maximum bytes of a file name; file systems allow 255, and suffixes follow."""
RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)\d", re.IGNORECASE)
"""Reserved device names on Windows."""
