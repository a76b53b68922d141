"""THE CONTRACT of a resource kind.

A kind is one module under `kinds/`: a pydantic spec, whose fields say with `Api(...)` how each one is sent and read,
and an instance of a `Kind` that says how its objects are identified, listed and written. The engine knows nothing else
of it.

    identity      `key(spec, project)` of a declared object, `key_of(row, context)` of a live one, `match(...)` of both
    references    the codecs of its fields (`Ref`, `RefSet`): they order the work and are checked before any write
    read          `tiers(...)`: bulk lists; `lookup(...)`: one object; `details(...)`: what lists lack
    write         `create(...)`, `update(...)`, `delete(...)`: pure functions from values to requests
    waiting       `Api.deferred` and `Api.gate`: what can only be written later, or while something else is open
    capabilities  what only some kinds can do, see `model/capabilities.py`

A contract that is broken raises ContractError when the module is imported. `docs/adding-a-kind.md` is the recipe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from sys import intern
from typing import Any, ClassVar, Generic

from pydantic.fields import FieldInfo
from typing_extensions import TypeVar

from reconciler.errors import Location
from reconciler.manifest.loader import Map, locate
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.capabilities import Capability, Deletion, Nesting
from reconciler.model.contract import check_kind
from reconciler.model.name_index import Context, Names
from reconciler.model.requests import Listing, Need, Request, payload
from reconciler.model.spec import COMMON, DEFAULT, Api, Id, Spec, resolved
from reconciler.record import Record

__all__ = [
    "Inside",
    "Kind",
    "Listing",
    "Matches",
    "Need",
    "Object",
    "Request",
    "earlier_key",
    "nested_name",
    "project_lists",
]

S = TypeVar("S", bound=Spec, default=Any)
"""The spec of a kind."""
C = TypeVar("C", bound=Capability)


@dataclass(frozen=True, slots=True)
class Object(Generic[S]):
    """One declared object: its spec, and the mapping of the manifest that it was read from."""

    kind: Kind[S]
    address: Address
    spec: S
    body: Map = field(repr=False)
    project: str = field(init=False, repr=False, compare=False)
    """The project in which its names are looked up, or ""."""
    _fields: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What `fields` was the first time: it is asked for dozens of times in a plan."""

    def __post_init__(self) -> None:
        # Interned, as thousands of objects are in one project.
        object.__setattr__(self, "project", intern(scope_of(self.kind, self.address)))

    @property
    def source(self) -> Location:
        """Where the manifest declares it."""
        return self.body.where()

    def where(self, path: str, *inner: str | int) -> Location:
        """The place of a field, of a part of it (`custom_fields.Size`, `watchers.0`), or of the object.

        `inner` leads to a place inside that value.
        """
        field, _, rest = path.partition(".")
        part: str | int = int(rest) if isinstance(self.body.get(field), list) and rest.isdecimal() else rest
        return locate(self.body, [field, *([part] if rest else []), *inner])

    @property
    def fields(self) -> dict[str, Any]:
        """The declared fields that are sent, in the spec's order, with the manifest's values.

        The project of what is inside one is none of them: it is part of the address; a kind whose objects can be moved
        writes it with its key (`ManifestKey.to_store`).
        """
        if not self._fields:
            # Only what the manifest says is compared: a default of the spec is no declared value.
            declared, values = self.spec.model_fields_set, self.spec.__dict__
            self._fields.update({name: values[name] for name in self.kind.fields if name in declared})
            if self.kind.inside:
                self._fields.pop(CONTAINER, None)
        return self._fields


def undeclared(kind: Kind, key: str, near: Map, **fields: Any) -> Object:
    """An object that no manifest declares, as if it were declared at the place of `near`; for kinds in no project."""
    # Validated like a manifest, so that defaults and `model_fields_set` are as for a declared object.
    spec = kind.spec.model_validate({kind.identity[0]: key, **fields})
    return Object(kind, Address(kind.name, key), spec, Map(near.file, near.at, near.root))


class Inside(Record):
    """How a kind's objects are inside a project."""

    module: str = ""
    """The project's module without which Redmine hides them."""
    follows: tuple[str, ...] = ()
    """Kinds in the same project on which work comes first, although no field names them."""
    reads_after: tuple[str, ...] = ()
    """Kinds inside projects that must be read first, because their names are part of the identity."""
    lists_by: tuple[str, ...] = ()
    """Kinds outside projects whose objects the lists are asked for by, beside the projects."""


class Kind(Generic[S]):
    """One resource of the API. Subclasses set the class variables and override what differs."""

    name: str = ""
    """Its name in addresses, messages and the API's bodies (`issue_category`)."""
    plural: str = ""
    """The name of the manifests' list, and of the API's."""
    spec: type[S]
    identity: ClassVar[tuple[str, ...]] = ()
    """The spec's fields that make the key."""
    ignores_case: ClassVar[bool] = False
    """Whether Redmine compares keys without case."""
    inside: ClassVar[Inside | None] = None
    """Set for what is inside a project; None for what is in none."""
    required: ClassVar[tuple[str, ...]] = ()
    """Fields without which Redmine creates no object."""
    rank: ClassVar[int] = 50
    """Place among kinds in listings of a plan, where the graph leaves it open."""
    capabilities: tuple[Capability, ...] = ()
    """What it can do beyond this contract."""

    def __init_subclass__(cls, abstract: bool = False, **more: Any) -> None:
        """Raise ContractError if a class variable is misspelt, the identity is missing, or a field is not described."""
        super().__init_subclass__(**more)
        if not abstract:
            # When the class is made, so that a broken kind cannot even be imported.
            check_kind(cls, Kind, Capability)

    def capability(self, of: type[C]) -> C:
        """Its capability of a class, else the neutral one of that class."""
        known: C | None = self._known.get(of)
        if known is None:
            listed = (known for known in self.capabilities if isinstance(known, of))
            known = self._known[of] = next(listed, None) or of()
        return known

    @cached_property
    def _known(self) -> dict[type[Capability], Any]:
        # For each instance: some kinds add capabilities when they are made.
        return {}

    @cached_property
    def _listed(self) -> dict[type[Capability], bool]:
        return {}

    def has(self, of: type[Capability]) -> bool:
        """Whether it lists a capability of a class."""
        if of not in self._listed:
            self._listed[of] = any(isinstance(capability, of) for capability in self.capabilities)
        return self._listed[of]

    @cached_property
    def fields(self) -> dict[str, Api]:
        """The spec's fields that are sent or read, with how."""
        known = ((name, _api(name, info)) for name, info in self.spec.model_fields.items())
        return {name: api for name, api in known if api is not None and not api.local}

    # -- identity ----------------------------------------------------------------------------------------------

    def key(self, spec: S, project: str) -> str:
        """The key of a declared object."""
        name = str(getattr(spec, self.identity[0]))
        return f"{project}/{name}" if self.inside else name

    def key_of(self, row: Row, context: Context) -> str | None:
        """The key of a live object, or None if it is in a project that was not read."""
        name = str(row[self.fields[self.identity[0]].read or self.identity[0]])
        if not self.inside:
            return name
        project = context.key(CONTAINER, (row.get("project") or {}).get("id", 0))
        return None if project is None else f"{project}/{name}"

    def match(self, rows: Sequence[Row], context: Context, objects: Sequence[Object[S]]) -> Matches:
        """Which live object is which declared one; the others keep the key that `key_of` gives them."""
        by_key: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            key = self.key_of(row, context)
            if key is not None:
                by_key[key].append(row)
        for same in by_key.values():
            # In no list is the order of two equal names certain.
            same.sort(key=_number)
        # Redmine's own checks can be outrun (two processes at once): all but one row get a key that no manifest has.
        others = {f"{key} #{row['id']}": row for key, same in by_key.items() for row in same[:-1]}
        owned = {key: same[-1] for key, same in by_key.items()}
        return Matches({**others, **owned}, tuple(_ambiguous(self, by_key, objects)))

    # -- checks ------------------------------------------------------------------------------------------------

    def check(self, declared: Object[S], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """(field, sentence) for what is wrong with a declared object beyond its types; no server needed."""
        return ()

    def conflicts(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        """(path, sentence, hint) for canonical values that this server would refuse, or drop without an error."""
        return ()

    def losses(self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context) -> Iterable[str]:
        """Sentences on what is lost with the change of some fields, or with the deletion (no values)."""
        loss = self.capability(Deletion).loss
        return () if values or not loss else (loss,)

    # -- read --------------------------------------------------------------------------------------------------

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        """Bulk lists, in tiers: a further tier is read only while needed keys are missing.

        Of a kind inside projects: its list in each of them that is live.
        """
        yield from project_lists(self, need, names) if self.inside else ()

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        """The lists that show one object, by identity; [] if that cannot be asked.

        `values` are the canonical values that it has or was created with.
        """
        # The bulk lists show every object; kinds with a cheaper way override this.
        need = Need({self.name: frozenset({address.key})})
        return [listing for tier in self.tiers(need, names) for listing in tier]

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        """The object's own page, if the list lacks some of `fields`."""
        return None

    def live(self, row: Row, name: str, context: Context) -> Any:
        """A live object's field in canonical form."""
        api = self.fields[name]
        return api.codec.decode(row.get(api.read or name), context)

    # -- write -------------------------------------------------------------------------------------------------

    def create(self, address: Address, values: Mapping[str, Any], context: Context) -> Request:
        """The POST that makes the object."""
        path = f"/projects/{address.project}/{self.plural}" if self.inside else f"/{self.plural}"
        return Request("POST", path, {self.name: payload(self.fields, values, context)})

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        """The requests that change the object: one PUT, however many fields."""
        body = payload(self.fields, values, context)
        # No PUT without a field: it would still move `updated_on` of an issue (5.0; test_trap_37).
        return [Request("PUT", f"/{self.plural}/{number}", {self.name: body})] if body else []

    def delete(self, address: Address, number: Id, context: Context) -> Request:
        """The request that deletes the object; `context.names` has its row."""
        return Request("DELETE", f"/{self.plural}/{number}")


class Matches(Record):
    """Live objects by key, and (object, sentence, hint) for declared ones that match several."""

    rows: Mapping[str, Row]
    problems: tuple[tuple[Object, str, str], ...]


def _number(row: Row) -> Any:
    return row["id"]


def _ambiguous(
    kind: Kind, by_key: Mapping[str, Sequence[Row]], objects: Iterable[Object]
) -> Iterator[tuple[Object, str, str]]:
    """A problem for each declared object that is several live ones: Redmine's own checks can be outrun."""
    for declared in objects:
        same = by_key.get(declared.address.key, ())
        if len(same) > 1:
            ids = ", ".join(f"#{row['id']}" for row in same)
            yield declared, f"several {kind.plural.replace('_', ' ')} match: {ids}", "delete or rename all but one"


def scope_of(kind: Kind, address: Address) -> str:
    """The project in which the names in an object's fields are looked up, or ""."""
    return address.project if kind.inside or kind.name == CONTAINER else ""


def nested_name(kind: Kind) -> str:
    """What the kind's list is called inside a project."""
    return kind.capability(Nesting).name or kind.plural


def earlier_key(kind: Kind[S], spec: S, project: str) -> str:
    """The key that `renamed_from` says a declared object had."""
    # `model_copy` does not validate: `renamed_from` may be what Redmine would spell otherwise now.
    return kind.key(spec.model_copy(update={kind.identity[0]: spec.renamed_from}), project)


def project_lists(kind: Kind, need: Need, names: Names, **more: Any) -> Iterator[list[Listing]]:
    """One tier: the list of a kind in each needed project that is live; none where its module is off (403)."""
    # 403 is also the answer of a project whose module is off, to administrators too (5.0 to 6.1).
    none: Mapping[int, None] = {403: None, 404: None}
    options = {"paged": False, "none": none, **more}
    live = [project for project in need.projects(kind.name) if names.is_live(Address(CONTAINER, project))]
    yield [Listing(f"/projects/{p}/{kind.plural}", kind.plural, seen_from=p, **options) for p in live]


def _api(name: str, info: FieldInfo) -> Api | None:
    """How a field is sent; None for one that controls the reconciler, and for a `project` that cannot be changed."""
    declared = next((m for m in info.metadata if isinstance(m, Api)), None)
    if declared is None and (name in COMMON or name == CONTAINER):
        return None
    return resolved(name, declared or DEFAULT)
