"""Described objects → the files of an export, as data: one tidy tree, in an order that changes only with its content.

users.yaml, groups.yaml           what is in no project
projects/shop.yaml                a project with its members, categories and versions
projects/shop/issues.yaml         its issues, and likewise wiki pages, time entries, news and files
projects/shop/issues/login/…      what belongs to one of them: long texts, attachments
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from reconciler.export.describe import Item, describe
from reconciler.export.disk_dict import Spool
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
from reconciler.model.name_index import Names
from reconciler.model.spec import DEFAULT, Id

LONG = 25
"""Lines of a text that stay in the manifest; longer ones get a file."""
PART = 8 << 20
"""Characters of a manifest after which the next one begins: larger ones are slow to read, and refused in the end."""
LENGTH = 80
"""Characters of a file's name."""


@dataclass(slots=True)
class Tree:
    """The files of an export: texts by path, live files by path, and what could not be said of which object."""

    texts: MutableMapping[str, str] = field(default_factory=dict)
    downloads: dict[str, Stored] = field(default_factory=dict)
    remarks: list[tuple[Address, str]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def free(self, path: str) -> str:
        """The path, or one like it, if another file has it (also where case and composed letters do not count)."""
        stem, dot, ending = path.rpartition(".") if "." in path.rpartition("/")[2] else (path, "", "")
        found, count = path, 1
        while folded(found) in self.taken:
            count += 1
            found = f"{stem}-{count}{dot}{ending}"
        self.taken.add(folded(found))
        return found


def items(found: Inventory, scope: Scope) -> Iterator[Item]:
    """Everything in scope, described. Of people, a scope of some projects has those whom what is in it names."""
    chosen, named = [kind for kind in kinds().values() if scope.has(kind)], set[Address]()
    for kind in chosen:
        kind.capability(Exporting).rename_for_export(kind, found.names)
    left_out = {a for kind in kinds().values() for a in _called_alike(kind, found.names)}
    left_out |= {address for kind in kinds().values() for address in _not_along(kind, found, scope)}
    people = [i for k in chosen if not (k.inside or k.name == CONTAINER) for i in _of(k, found, left_out)]
    for kind in chosen:
        if kind.inside or kind.name == CONTAINER:
            for item in _of(kind, found, left_out):
                named |= item.named
                yield item
    yield from _needed(people, named) if scope.projects else people


def _not_along(kind: Kind, found: Inventory, scope: Scope) -> Iterator[Address]:
    """Objects that are not exported and that manifests could only name if they were."""
    if kind.capability(ManifestKey).only_declared(found.names.settings):
        for key in found.names.live(kind.name).keys.values():
            if not scope.has(kind) or key.partition("/")[0] not in found.projects:
                yield Address(kind.name, key)


def _of(kind: Kind, found: Inventory, left_out: set[Address]) -> Iterator[Item]:
    """The objects of a kind, by key: numbers are others on another server. Adds to `left_out`."""
    rows, keys = found.names.live(kind.name).rows, found.names.live(kind.name).keys
    alike = _alike(kind, found.names)
    for number in sorted(rows, key=keys.__getitem__):
        address, name = Address(kind.name, keys[number]), Address(kind.name, _name(keys[number], number))
        inside = kind.inside or kind.name == CONTAINER
        if (inside and address.project not in found.projects) or not kind.capability(Exporting).exportable(
            rows[number]
        ):
            continue
        home = address.container
        if kind.inside and home in left_out:
            item = Item(address, None, (f"{home} is left out",))
        elif name not in alike:
            item = describe(kind, address.key, rows[number], found.names, left_out)
        elif number == alike[name][0]:
            item = Item(name, None, (_several(kind, alike[name]),))
        else:
            continue
        if item.body is None:
            left_out.add(item.address)
        yield item


def _alike(kind: Kind, names: Names) -> dict[Address, list[Id]]:
    """The numbers of live objects that manifests would call the same."""
    found: defaultdict[str, list[Id]] = defaultdict(list)
    for number, key in names.live(kind.name).keys.items():
        found[_name(key, number)].append(number)
    return {Address(kind.name, key): sorted(same, key=str) for key, same in found.items() if len(same) > 1}


def _called_alike(kind: Kind, names: Names) -> Iterator[Address]:
    """The addresses of objects that manifests would call the same, with their numbers where these tell them apart."""
    keys: Mapping[Any, str] = names.live(kind.name).keys
    for address, numbers in _alike(kind, names).items():
        yield address
        yield from (Address(kind.name, keys[number]) for number in numbers)


def _name(key: str, number: Id) -> str:
    """What several objects are called that are told apart by their numbers."""
    return key.removesuffix(f" #{number}")


def _several(kind: Kind, numbers: Iterable[Id]) -> str:
    said = ", ".join(f"#{number}" for number in numbers)
    return f"several {kind.plural.replace('_', ' ')} are called so, and only their numbers tell them apart: {said}"


def _needed(people: list[Item], named: set[Address]) -> list[Item]:
    """Those of `people` who are named, or whom these name."""
    while more := {a for item in people if item.address in named for a in item.named} - named:
        named |= more
    return [item for item in people if item.address in named]


def tree(items: Iterable[Item], settings: Mapping[str, Any]) -> Tree:
    """The files that say what `items` say, with the settings that their plan needs; the texts are on disk."""
    found = Tree(Spool[str, str]())
    if settings.get("issue_key_field"):
        found.texts["reconciler.yaml"] = dump({"issue_key_field": settings["issue_key_field"]})
    files: defaultdict[str, defaultdict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for (path, apart), some in groupby(_remarked(items, found), _place):
        if apart:
            _listed(path, some, found)
        else:
            for item in some:
                files[path][item.address.kind].append(item)
    for path, by_kind in sorted(files.items()):
        found.texts[path] = manifest(dict(_lists(path, by_kind, found)))
    found.remarks.sort()
    return found


def _remarked(items: Iterable[Item], found: Tree) -> Iterator[Item]:
    for item in items:
        found.remarks += [(item.address, said) for said in item.remarks]
        yield item


def _place(item: Item) -> tuple[str, bool]:
    """The file of an item, and whether it is one of those that can have very many."""
    return _file(item.address), kinds()[item.address.kind].capability(Exporting).own_files


def _listed(path: str, items: Iterable[Item], found: Tree) -> None:
    """Put items of one kind into a file, or into several where they are very many."""
    part, size = list[Written](), 0
    name = path.rpartition("/")[2].removesuffix(".yaml")
    for item in items:
        if size > PART:
            found.texts[found.free(path)] = manifest({name: part})
            part, size = [], 0
        (noted,) = _items(path, [item], found)
        part.append(written(noted))
        size += len(part[-1])
    found.texts[found.free(path)] = manifest({name: part})


def _file(address: Address) -> str:
    """The manifest that an object is in."""
    kind = kinds()[address.kind]
    if kind.name == CONTAINER:
        return f"projects/{_stem(address.key)}.yaml"
    if not kind.inside:
        return f"{kind.plural}.yaml"
    return f"projects/{_stem(address.project)}{f'/{kind.plural}' if kind.capability(Exporting).own_files else ''}.yaml"


def _stem(identifier: str) -> str:
    """What a project's files are called. Identifiers have no dots, so no other project's are called so."""
    taken = RESERVED.fullmatch(identifier) or f"{identifier}.yaml".lower() == CONFIG
    return f"project.{identifier}" if taken else identifier


def _lists(path: str, by_kind: Mapping[str, list[Item]], found: Tree) -> Iterator[tuple[str, list[Any]]]:
    """The lists of one manifest; what is inside a project that it declares stands in the project."""
    order = [name for name in kinds() if name in by_kind]
    whole = CONTAINER in by_kind
    inside = [name for name in order if whole and name != CONTAINER]
    inner = {nested_name(kinds()[n]): _items(path, by_kind[n], found, nested=True) for n in inside}
    for name in order:
        if name == CONTAINER:
            (project,) = _items(path, by_kind[name], found)
            if project.value:
                yield kinds()[name].plural, [Noted({**project.value, **inner}, project.lines)]
            else:
                yield kinds()[name].plural, [project, *(noted for items in inner.values() for noted in items)]
        elif not whole:
            yield kinds()[name].plural, _items(path, by_kind[name], found)


def _items(path: str, items: Iterable[Item], found: Tree, *, nested: bool = False) -> list[Noted]:
    return [Noted(_body(path, item, found, nested=nested), _lines(item), brief=nested) for item in items]


def _lines(item: Item) -> tuple[str, ...]:
    if item.body is None:
        return (f"{item.address}:", *item.remarks)
    return item.remarks


def _body(path: str, item: Item, found: Tree, *, nested: bool) -> dict[str, Any] | None:
    if item.body is None:
        return None
    folder = f"{path.removesuffix('.yaml')}/{_no_file(safe(_own(item.address)))}"
    placed = {name: _placed(name, value, path, folder, item, found) for name, value in item.body.items()}
    return {name: value for name, value in placed.items() if not (nested and name == CONTAINER)}


def _own(address: Address) -> str:
    kind = kinds()[address.kind]
    return address.key.partition("/")[2] if kind.inside else address.key


def _text(name: str, value: str, path: str, folder: str, item: Item, found: Tree) -> Any:
    kind = kinds()[item.address.kind]
    api = kind.fields.get(name, DEFAULT) if (item.body or {}).get(name) is value else DEFAULT
    if api.date and DAY.fullmatch(value):
        return Day(value)
    if not _apart(value, always=api.main_text and kind.capability(Exporting).text_files):
        return value
    target = found.free(f"{folder}.txt" if api.main_text else f"{folder}/{safe(name)}.txt")
    found.texts[target] = value
    return Included(relative(target, path))


def _placed(name: str, value: Any, path: str, folder: str, item: Item, found: Tree) -> Any:
    """A value with the paths of its files, which are added to the tree."""
    if isinstance(value, Stored):
        target = found.free(f"{folder}/{_no_manifest(safe(value.filename))}")
        found.downloads[target] = value
        return relative(target, path)
    if isinstance(value, Mapping):
        placed = {n: _placed(n, part, path, folder, item, found) for n, part in value.items()}
        stored = value.get("file")
        # What is in the list `files` has its name beside its path.
        if isinstance(stored, Stored) and name != "path" and not placed["file"].endswith(f"/{stored.filename}"):
            return {"file": placed["file"], "filename": stored.filename, **placed}
        return placed
    if isinstance(value, list):
        return [_placed(name, part, path, folder, item, found) for part in value]
    return _text(name, value, path, folder, item, found) if isinstance(value, str) else value


DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _apart(value: str, *, always: bool) -> bool:
    """Whether a text gets a file of its own, which gives it back as it is."""
    if ODD.search(value) or value.startswith("\ufeff"):
        return False
    return always or value.count("\n") >= LONG


ODD = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
"""What a text file or an editor could change: control characters, line ends of other systems."""


def relative(target: str, path: str) -> str:
    """A file's path as a manifest at `path` names it."""
    return target.removeprefix(path.rpartition("/")[0] + "/") if "/" in path else target


def _no_file(name: str) -> str:
    """The name of a folder that no file has."""
    return f"{name}_" if name.lower().endswith((".txt", *SUFFIXES)) else name


def _no_manifest(name: str) -> str:
    """The name of a file that is not read as a manifest, although it is in their folder."""
    return f"{name}.file" if name.lower().endswith(SUFFIXES) else name


def safe(text: str) -> str:
    """A text as the name of a file or folder on any system."""
    name = re.sub(r"[^\w.\- ]", "_", text).strip(". ")[:LENGTH]
    name = name.encode()[:BYTES].decode(errors="ignore").rstrip(". ")
    return f"{name}_" if RESERVED.fullmatch(name.partition(".")[0]) else name or "_"


BYTES = 200
"""Bytes of a file's name, of 255 that there can be."""
RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)\d", re.IGNORECASE)
"""Names that Windows has for devices."""
