"""What is called what: the keys that manifests use, the ids that the server uses, and how a name is looked up.

`Names` is filled by `live` and read by everything that translates; `Context` is `Names` seen from one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.manifest.loader import suggest
from reconciler.model.address import Address, Reference, Row, Unresolved


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field's definition, as far as the account may see it (`format` is empty for a non-admin)."""

    id: int
    name: str
    format: str = ""
    multiple: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    """value → label, for lists and enumerations (active options only)."""
    trackers: frozenset[int] = frozenset()
    filterable: bool = False
    default: str = ""


@dataclass(slots=True)
class Names:
    """Ids and keys, both ways, with the rows they were read from.

    Only the kinds and projects that were needed are here. `planned` holds what the manifests declare.
    """

    ids: dict[str, dict[str, int]] = field(default_factory=dict)
    keys: dict[str, dict[int, str]] = field(default_factory=dict)
    rows: dict[str, MutableMapping[Any, Row]] = field(default_factory=dict)
    seen_from: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    """kind → id → the projects whose list showed the object (a shared version shows in several)."""
    custom_fields: dict[str, dict[str, CustomField]] = field(default_factory=dict)
    """type of the customized object → name → definition."""
    planned: dict[str, dict[str, Any]] = field(default_factory=dict)
    """kind → key → the spec that declares it."""
    renamed: dict[Address, str] = field(default_factory=dict)
    """What is declared with another name than it has → the key of that name."""
    account: str = ""
    """The login of the account that everything is read with, for an export."""
    whole: set[str] = field(default_factory=set)
    """The kinds of which all objects were read."""
    absent: dict[str, set[str]] = field(default_factory=dict)
    """kind → keys that are declared absent."""
    scoped: frozenset[str] = frozenset()
    """The kinds whose objects are inside a project."""
    declarable: frozenset[str] = frozenset()
    """The kinds that manifests can declare; of the others, only an administrator can make more."""
    folds: dict[str, dict[str, str]] = field(default_factory=dict)
    """kind → lower-case key → key, for the kinds whose names Redmine compares without case."""
    wideners: dict[str, Callable[[Reference, Names], Iterable[Address]]] = field(default_factory=dict)
    """kind → further addresses that a name of that kind can stand for (a version shared with the project)."""
    files: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """id of an attachment → `filename` and `sha256` of what the server has ("" where it was not read)."""
    menus: dict[str, str] = field(default_factory=dict)
    """kind → where an administrator makes objects of it, for the kinds that manifests cannot declare."""
    bars: dict[str, Callable[[Address, str, Names], str]] = field(default_factory=dict)
    """kind → why an object cannot be used in a project that it is not inside of, or ""."""
    misses: dict[Reference, tuple[str, str]] = field(default_factory=dict)
    """Names that stand for nothing: the sentence and the hint."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict)
    """What was worked out from all rows; forgotten when one is added or removed."""

    def add(self, kind: str, key: str, row: Row) -> None:
        """Remember that `row` is what is called `key`."""
        self.memo.clear()
        self.ids.setdefault(kind, {})[key] = row["id"]
        self.keys.setdefault(kind, {})[row["id"]] = key
        self.rows.setdefault(kind, {})[row["id"]] = row
        if kind in self.folds:
            self.folds[kind].setdefault(key.lower(), key)

    def rename(self, old: Address, key: str, row: Row) -> None:
        """Remember that what is live as `old` is what the manifests call `key`; the old name means nothing then."""
        if old.key not in self.planned.get(old.kind, {}):
            self.remove(old)
        self.add(old.kind, key, row)
        self.renamed[Address(old.kind, key)] = old.key

    def remove(self, address: Address) -> None:
        """Forget an object that was deleted: SQLite gives its id to the next one that is created."""
        self.memo.clear()
        key = self.folds.get(address.kind, {}).pop(address.key.lower(), address.key)
        number = self.ids.get(address.kind, {}).pop(key, None)
        if number is not None:
            del self.keys[address.kind][number], self.rows[address.kind][number]

    def id(self, address: Address) -> int | None:
        """The id of an object that is live, else None."""
        ids = self.ids.get(address.kind, {})
        if address.key in ids or address.kind not in self.folds:
            return ids.get(address.key)
        return ids.get(self.folds[address.kind].get(address.key.lower(), ""))

    def row(self, address: Address) -> Row | None:
        """What was read of a live object, else None."""
        found = self.id(address)
        return None if found is None else self.rows[address.kind][found]

    def known(self, address: Address) -> bool:
        """Whether the object is live or declared."""
        return address.key in self.planned.get(address.kind, {}) or self.id(address) is not None

    def canonical(self, address: Address) -> Address:
        """The same object's address in the spelling of the manifests, else of the server."""
        if address.key in self.planned.get(address.kind, {}) or address.kind not in self.folds:
            return address
        folded = address.key.lower()
        for key in self.planned.get(address.kind, {}):
            if key.lower() == folded:
                return Address(address.kind, key)
        return Address(address.kind, self.folds[address.kind].get(folded, address.key))

    def all_keys(self, kind: str, project: str = "") -> Iterator[str]:
        """Every name of the kind, live or declared (inside `project`, if given, without its prefix)."""
        for key in {**self.ids.get(kind, {}), **self.planned.get(kind, {})}:
            if not project:
                yield key
            elif key.startswith(project + "/"):
                yield key.removeprefix(project + "/")

    def advice(self, word: str, known: Iterable[str], *kinds: str) -> str:
        """How to go on with a name that none of `kinds` has: a near miss among `known`, and who can make one."""
        made = [f"an administrator has to create it: {self.menus[k]}" for k in kinds if self.menus.get(k)]
        return "; ".join(filter(None, [near_miss(word, known), *made]))

    def ancestors(self, project: str) -> list[str]:
        """The identifiers above a project, nearest first: as declared, else as live."""
        found: list[str] = []
        while (parent := self._parent(found[-1] if found else project)) and parent not in found:
            found.append(parent)
        return found

    def _parent(self, project: str) -> str:
        spec = self.planned.get("project", {}).get(project)
        if spec is not None and "parent" in spec.model_fields_set:
            return str(spec.parent or "")
        row = self.row(Address("project", project)) or {}
        return self.keys.get("project", {}).get((row.get("parent") or {}).get("id", 0), "")


@dataclass(frozen=True, slots=True)
class Context:
    """`Names`, seen from the object `own` (where its kind asks for it), which is inside `project` (or in none)."""

    names: Names
    project: str = ""
    own: Address | None = None

    def resolve(self, reference: Reference) -> Address:
        """The one object that a name stands for.

        Raises Unresolved when there is none (with a near miss) or more than one.
        """
        names = self.names
        near = reference.addresses(names.scoped.__contains__)
        found = [a for a in map(names.canonical, near) if names.known(a)]
        if not found and not reference.exact:
            wide = (a for k in reference.kinds if k in names.wideners for a in names.wideners[k](reference, names))
            found = [a for a in dict.fromkeys(wide) if names.known(a)]
        if len(found) == 1:
            self._check_use(found[0])
            return found[0]
        if found:
            raise Unresolved(*self._ambiguous(reference, found))
        # The same wrong name often stands in a thousand issues, and near misses take time.
        if reference not in names.misses:
            names.misses[reference] = self._unknown(reference)
        raise Unresolved(*names.misses[reference])

    def _check_use(self, address: Address) -> None:
        bar = self.names.bars.get(address.kind)
        why = bar(address, self.project, self.names) if bar and address.project != self.project else ""
        if why:
            raise Unresolved(why)

    def _ambiguous(self, reference: Reference, found: list[Address]) -> tuple[str, str]:
        said = " and ".join(str(a) for a in found)
        if len({a.kind for a in found}) > 1:
            return f'"{reference.name}" is both {said}', f"write {{{found[0].kind}: {reference.name}}}"
        return f'"{reference.name}" can be {said}', f"write {{project: {found[0].project}, name: {reference.name}}}"

    def _unknown(self, reference: Reference) -> tuple[str, str]:
        kind = " or ".join(k.replace("_", " ") for k in reference.kinds)
        scoped = all(k in self.names.scoped for k in reference.kinds)
        where = f' in project "{reference.project}"' if scoped and reference.project else ""
        known = [n for k in reference.kinds for n in self.names.all_keys(k, reference.project if where else "")]
        project = Address("project", reference.project)
        if where and not self.names.known(project):
            return f'there is no project "{project.key}"', near_miss(project.key, self.names.all_keys("project"))
        also = ", neither on the server nor in the manifests" if self._declarable(reference) else " on the server"
        hint = self.names.advice(reference.name, known, *reference.kinds)
        return f'there is no {kind} "{reference.name}"{where}{also}', hint

    def _declarable(self, reference: Reference) -> bool:
        return any(kind in self.names.declarable for kind in reference.kinds)

    def key(self, kind: str, number: int) -> str | None:
        """The key of a live object, else None."""
        return self.names.keys.get(kind, {}).get(number)


def near_miss(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or what there is if it is little, or nothing."""
    names = sorted(set(known))
    shown = (f'"{name}"' if name != name.strip() else name for name in names)
    return suggest(word, names) or (f"there is: {', '.join(shown)}" if 0 < len(names) <= 12 else "")
