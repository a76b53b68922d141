"""The index of names: the keys that manifests use, the ids that the server uses, and how a name is resolved.

`state/live.py` fills `Names`; everything that translates reads it. `Context` is `Names` seen from one object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.manifest.loader import suggest
from reconciler.model.address import CONTAINER, Address, Reference, Row, Unresolved
from reconciler.model.live_index import LiveIndex
from reconciler.natural import natural
from reconciler.record import Record

if TYPE_CHECKING:
    from reconciler.model.visibility import Sight

Miss = tuple[str, str, tuple[str, str] | None]
"""What is said of a name that no object has, the hint, and the (kind, name) if there is certainly none."""


class CustomField(Record):
    """A custom field's definition, as far as the account may see it (`format` is empty for a non-admin)."""

    id: int
    name: str
    format: str = ""
    multiple: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    """value → label, for lists and enumerations (active options only)."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The name of a value → the one that it is about to get, for lists and enumerations."""
    trackers: frozenset[int] = frozenset()
    filterable: bool | None = None
    """Whether lists can be filtered by it. None: not known, as for an account that is no administrator's."""
    default: str = ""
    min_length: int | None = None
    max_length: int | None = None
    """Characters of a value, if there are limits."""
    pattern: str = ""
    """A regular expression that values must match (Ruby's syntax)."""
    required: bool = False
    has_default: bool = False
    """Whether a new object gets a value if none is sent."""
    visible: bool = True
    """Whether everybody may see it; if not, it is for some roles, or for administrators."""
    shown: bool = True
    """Whether the API shows its values to administrators."""
    for_all: bool | None = None
    """Whether all projects have it; None if the definition does not say (before 7.0)."""


class Traits(Record):
    """What has to be known of a kind to resolve its names."""

    inside: bool = False
    """Whether its objects are inside a project."""
    declarable: bool = True
    """Whether manifests declare such objects, or may do so without the program inside Redmine."""
    ignores_case: bool = False
    """Whether Redmine compares the names without case."""
    menu: str = ""
    """Where an administrator makes objects of a kind that REST cannot write."""
    list: str = ""
    """The list of manifests that declares such objects."""
    visible_elsewhere: Callable[[Reference, Names], Iterable[Address]] = lambda reference, names: ()
    """Further addresses that a name can mean (a version shared with the project)."""
    unseen: str = ""
    """What to do about an object that the account is not shown."""
    why_hidden: Callable[[Address, Names], str] = lambda project, names: ""
    """Why the account may not be shown some objects in a project, or ""."""
    unusable_reason: Callable[[Address, str, Names], str] = lambda address, project, names: ""
    """Why an object cannot be used in a project that it is not inside of, or ""."""


class Names(Struct):
    """Ids, keys and rows of live objects, and what the manifests declare: all that turns names into ids and back.

    Only the kinds and projects that were needed are here.
    """

    traits: Mapping[str, Traits] = field(default_factory=dict)
    """By kind."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The configuration's, such as `issue_key_field`."""
    account: str = ""
    """The login of the account that everything is read with, for an export."""
    exported: frozenset[Address] | None = None
    """The objects of an export of single ones; None: everything that was read."""
    rights: tuple[Any, ...] | None = None
    """Who reads, as `apply.account` compares it; None if that is not known."""
    members: dict[str, Sequence[Row]] = field(default_factory=dict)
    """project → its live memberships, of the projects where that was needed."""
    sight: Sight | None = None
    """What the account may see, if it is no administrator's; those see everything."""
    custom_fields: dict[str, dict[str, CustomField]] = field(default_factory=dict)
    """type of the customized object → name → definition."""
    sees_definitions: bool = False
    """Whether the account may list the definitions of custom fields: they are administrators' alone."""
    lists_common_fields: bool = False
    """Whether projects list issue custom fields that are for all projects with their own (from 5.1 on)."""
    files: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """id of an attachment → `filename` and `sha256` of what the server has ("" where it was not read)."""
    contents: dict[Address, str] = field(default_factory=dict)
    """What Redmine deletes with an object that is declared absent, in words with counts."""
    renamed: dict[Address, str] = field(default_factory=dict)
    """What is declared under a new name → the key that it has on the server."""
    incomplete: bool = False
    """Whether something that is declared is not here, because its declaration is invalid."""
    memo: dict[Hashable, Any] = field(default_factory=dict)
    """Results that took many rows, or are needed for many objects; cleared when anything is added or removed."""
    _live: dict[str, LiveIndex] = field(default_factory=dict)
    _declared: dict[str, dict[str, Any]] = field(default_factory=dict)
    _spellings: dict[tuple[str, str], str] = field(default_factory=dict)
    """(kind, key in lower case) → key, as declared."""
    _absent: dict[str, set[str]] = field(default_factory=dict)
    _misses: dict[Reference, Miss] = field(default_factory=dict)

    # -- declared ----------------------------------------------------------------------------------------------

    def declare(self, address: Address, spec: Any) -> None:
        """Remember the spec that declares an object as present."""
        self.memo.clear()
        self._declared.setdefault(address.kind, {})[address.key] = spec
        self._spellings.setdefault((address.kind, address.key.lower()), address.key)

    def declare_absent(self, address: Address) -> None:
        """Remember that an object is declared absent."""
        self.memo.clear()
        self._absent.setdefault(address.kind, set()).add(address.key)

    def declared(self, kind: str) -> Mapping[str, Any]:
        """key → the spec that declares an object of the kind as present."""
        return self._declared.get(kind, {})

    def spec(self, address: Address) -> Any:
        """The spec that declares an object as present, else None."""
        return self.declared(address.kind).get(address.key)

    def absent(self, kind: str) -> Collection[str]:
        """The keys of the kind that are declared absent."""
        return self._absent.get(kind, ())

    # -- live --------------------------------------------------------------------------------------------------

    def live(self, kind: str) -> LiveIndex:
        """The live objects of a kind."""
        if kind not in self._live:
            self._live[kind] = LiveIndex(ignores_case=self.trait(kind).ignores_case)
        return self._live[kind]

    def live_kinds(self) -> Iterable[str]:
        """The kinds of which something was read."""
        return tuple(self._live)

    def with_keys(self, kind: str, keys: Mapping[Any, str]) -> Names:
        """The same names, but for the live objects of one kind, which have other keys (id → key)."""
        # A fresh memo: what was computed has the old keys.
        return replace(self, _live={**self._live, kind: self.live(kind).rekeyed(keys)}, memo={})

    def add(self, kind: str, key: str, row: Row) -> None:
        """Take `row` as the live object `key`."""
        # Coarse, but changes are few once a plan is made, and a stale answer would be a wrong plan.
        self.memo.clear()
        self.live(kind).add(key, row)

    def rename(self, kind: str, keys: Mapping[int, str]) -> None:
        """Take live objects (by id) for those that the manifests call by other keys; their old names are forgotten."""
        self.memo.clear()
        self.renamed |= {Address(kind, key): self.live(kind).keys[number] for number, key in keys.items()}
        self.live(kind).rename(keys)

    def remove(self, address: Address) -> None:
        """Forget an object that was deleted."""
        self.memo.clear()
        self.live(address.kind).remove(address.key)

    def id(self, address: Address) -> int | None:
        """The id of an object that is live, else None."""
        return self.live(address.kind).id(address.key)

    def row(self, address: Address) -> Row | None:
        """What was read of a live object, else None."""
        return self.live(address.kind).row(address.key)

    def is_live(self, address: Address) -> bool:
        """Whether the object is live."""
        return self.live(address.kind).has(address.key)

    # -- either ------------------------------------------------------------------------------------------------

    def trait(self, kind: str) -> Traits:
        """What is known of a kind."""
        try:
            return self.traits[kind]
        except KeyError:
            return UNKNOWN_KIND

    def is_inside(self, kind: str) -> bool:
        """Whether objects of a kind are inside a project."""
        return self.trait(kind).inside

    def known(self, address: Address) -> bool:
        """Whether the object is live or declared."""
        return address.key in self.declared(address.kind) or self.is_live(address)

    def canonical(self, address: Address) -> Address:
        """The same object's address in the spelling of the manifests, else of the server."""
        # The spelling of the manifests wins: plans and reports show the keys that their authors wrote.
        if address.key in self.declared(address.kind) or not self.trait(address.kind).ignores_case:
            return address
        declared = self._spellings.get((address.kind, address.key.lower()))
        return Address(address.kind, declared or self.live(address.kind).spelling(address.key))

    def miss(self, reference: Reference, explain: Callable[[], Miss]) -> Unresolved:
        """The error for a name that no object has. It is explained once: the same name can be in a thousand issues, and
        near misses take time."""
        if reference not in self._misses:
            self._misses[reference] = explain()
        return Unresolved(*self._misses[reference])

    def undecided(self) -> set[str]:
        """What was said of names that no object has, and that may be those of declared objects which are not here."""
        return {
            message
            for reference, (message, *_) in self._misses.items()
            if self.incomplete and any(self.trait(kind).declarable for kind in reference.kinds)
        }

    def all_keys(self, kind: str, project: str = "") -> Iterator[str]:
        """Every name of the kind, live or declared (inside `project`, if given, without its prefix)."""
        for key in {**self.live(kind).ids, **self.declared(kind)}:
            if not project:
                yield key
            elif key.startswith(project + "/"):
                yield key.removeprefix(project + "/")

    def advice(self, word: str, known: Iterable[str], *kinds: str) -> str:
        """The hint for a name that none of `kinds` has: a near miss among `known`, and where one can be created."""
        traits = [self.trait(kind) for kind in kinds]
        listed = (f"declare it in `{t.list}`, or " if t.list else "" for t in traits)
        made = [
            f"{own}ask an administrator to create it: {t.menu}" for own, t in zip(listed, traits, strict=True) if t.menu
        ]
        return "; ".join(filter(None, [near_miss(word, known), *made]))

    def ancestors(self, project: str) -> Sequence[str]:
        """The identifiers above a project, nearest first: as declared, else as live."""
        known: dict[str, list[str]] = self.memo.setdefault("ancestors", {})
        if project not in known:
            # Up to a project that was asked for before: trees are deep, and asked for from each of their leaves.
            above: dict[str, None] = {}
            parent, rest = self.parent(project), list[str]()
            # Declared parents can form a cycle, which is reported elsewhere; here it must end.
            while parent and parent not in above:
                above[parent] = None
                if parent in known and above.keys().isdisjoint(known[parent]):
                    rest = known[parent]
                    break
                parent = self.parent(parent)
            known[project] = [*above, *rest]
        return known[project]

    def live_parent(self, project: str) -> str:
        """The identifier of the project that a live one is below now, as far as it was read, or ""."""
        row = self.row(Address(CONTAINER, project)) or {}
        return self.live(CONTAINER).keys.get((row.get("parent") or {}).get("id", 0), "")

    def parent(self, project: str) -> str:
        """The identifier right above a project, as declared, else as live, or ""."""
        spec = self.spec(Address(CONTAINER, project))
        # `parent: null` is declared as well: a root project, whatever the server has.
        if spec is not None and "parent" in spec.model_fields_set:
            return str(spec.parent or "")
        return self.live_parent(project)


UNKNOWN_KIND = Traits()


class Context(Record):
    """`Names`, seen from the object `own` (where its kind asks for it), which is inside `project` (or in none)."""

    names: Names
    project: str = ""
    own: Address | None = None

    @property
    def container(self) -> Address:
        """The project."""
        return Address(CONTAINER, self.project)

    def resolve(self, reference: Reference) -> Address:
        """The one object that a name means.

        Raises Unresolved if there is none (with a near miss), or more than one.
        """
        names = self.names
        near = reference.addresses(names.is_inside)
        # The own project and the exact kinds first: what is shared from elsewhere only counts if there is nothing here.
        objects = [a for a in map(names.canonical, near) if names.known(a)]
        if not objects and not reference.exact:
            wide = (a for k in reference.kinds for a in names.trait(k).visible_elsewhere(reference, names))
            # A version can be seen from several lists: each address once.
            objects = [a for a in dict.fromkeys(wide) if names.known(a)]
        if len(objects) == 1:
            self._check_use(objects[0])
            return objects[0]
        if objects:
            raise Unresolved(*self._ambiguous(reference, objects))
        raise names.miss(reference, lambda: self._unknown(reference))

    def _check_use(self, address: Address) -> None:
        unusable_reason = self.names.trait(address.kind).unusable_reason
        elsewhere = address.project != self.project and not self.names.incomplete
        why = unusable_reason(address, self.project, self.names) if elsewhere else ""
        if why:
            raise Unresolved(why)

    def _ambiguous(self, reference: Reference, objects: list[Address]) -> tuple[str, str]:
        names, first = " and ".join(str(a) for a in objects), objects[0]
        if len({a.kind for a in objects}) > 1:
            return f'"{reference.name}" is ambiguous: {names}', f"write {{{first.kind}: {reference.name}}}"
        hint = f"write {{project: {first.project}, name: {reference.name}}}"
        return f'"{reference.name}" is ambiguous: {names}', hint

    def _unknown(self, reference: Reference) -> Miss:
        kind = " or ".join(k.replace("_", " ") for k in reference.kinds)
        # Suggestions from the same project only: a version of another project would be of no use.
        scoped = all(map(self.names.is_inside, reference.kinds))
        where = f' in project "{reference.project}"' if scoped and reference.project else ""
        known = [n for k in reference.kinds for n in self.names.all_keys(k, reference.project if where else "")]
        if where and not self.names.known(Address(CONTAINER, reference.project)):
            hint = near_miss(reference.project, self.names.all_keys(CONTAINER))
            return f'there is no project "{reference.project}"', hint, (CONTAINER, reference.project)
        if why := self._why_unseen(reference):
            one = f'{"an" if kind[0] in "aeio" else "a"} {kind} "{reference.name}"{where}'
            return f"cannot tell whether there is {one}: {why}", self._where_to_look(reference), None
        also = ", neither on the server nor in the manifests" if self._declarable(reference) else " on the server"
        hint = self.names.advice(reference.name, known, *reference.kinds)
        return f'there is no {kind} "{reference.name}"{where}{also}', hint, (kind, reference.name)

    def _why_unseen(self, reference: Reference) -> str:
        """Why the account may not be shown what a name means, or ""."""
        inside = self.names.is_inside
        lists = (self.names.live(k).why_unseen(reference.project if inside(k) else "") for k in reference.kinds)
        home = Address(CONTAINER, reference.project)
        rows = (self.names.trait(k).why_hidden(home, self.names) for k in reference.kinds if inside(k))
        return next(filter(None, (*lists, *rows)), "")

    def _where_to_look(self, reference: Reference) -> str:
        """The hint for a name that the account may not be shown."""
        scope = reference.project if all(map(self.names.is_inside, reference.kinds)) else ""
        near = near_miss(reference.name, (n for k in reference.kinds for n in self.names.all_keys(k, scope)))
        advice = next(filter(None, (self.names.trait(kind).unseen for kind in reference.kinds)), "")
        return "; ".join(filter(None, [near, advice]))

    def _declarable(self, reference: Reference) -> bool:
        return any(self.names.trait(kind).declarable for kind in reference.kinds)

    def key(self, kind: str, number: int) -> str | None:
        """The key of a live object, else None."""
        return self.names.live(kind).keys.get(number)


def near_miss(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or what there is if it is little, or nothing."""
    names = sorted(set(known), key=natural)
    shown = (f'"{name}"' if name != name.strip() else name for name in names)
    return suggest(word, names) or (f"available: {', '.join(shown)}" if 0 < len(names) <= 12 else "")
