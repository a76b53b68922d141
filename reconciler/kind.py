"""THE CONTRACT of a resource kind.

A kind is one module under `kinds/`: a pydantic spec, whose fields say with `Api(...)` how each one travels, and one
instance of a `Kind` that says how its objects are found, listed and written. The engine knows nothing else of it.

    identity     `Kind.key(spec, project)` of a declared object, `Kind.key_of(row, context)` of a live one
    references   the codecs of its fields (`Ref`, `RefSet`): they order the work and are checked before any request
    read         `Kind.tiers(...)`: bulk lists; `Kind.lookup(...)`: one object; `Kind.details(...)`: what lists lack
    write        `Kind.create(...)`, `Kind.update(...)`, `Kind.delete(...)`: pure functions from values to requests
    waiting      `Api.deferred` and `Api.gate`: what can only be written after, or behind a door that must be opened
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic.fields import FieldInfo

from reconciler.codecs import blank
from reconciler.errors import Location
from reconciler.manifest import Map, locate
from reconciler.names import Address, Context, Names, Reference, Row
from reconciler.spec import COMMON, DEFAULT, PARTIAL, Api, Id, Secret, Spec


@dataclass(frozen=True, slots=True)
class Request:
    """One write: what the client sends."""

    method: Literal["POST", "PUT", "DELETE"]
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One GET (or its pages) that gives rows under `root`.

    `mark` is added to every row (what the request itself says about them). `single` is an object's own page: `root`
    holds one row, or the rows under its `inner`. A status in `none` means no rows, or that row, or that other listing.
    `seen_from` is the project whose list it is.
    """

    path: str
    root: str
    params: tuple[tuple[str, str | int], ...] = ()
    paged: bool = True
    single: bool = False
    mark: Mapping[str, Any] = field(default_factory=dict)
    inner: str = ""
    none: Mapping[int, Mapping[str, Any] | Listing | None] = field(default_factory=dict)
    seen_from: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """What must be read: per kind the keys that are declared or referred to, the declared fields, and known ids."""

    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ids: Mapping[str, frozenset[Id]] = field(default_factory=dict)

    def projects(self, kind: str) -> list[str]:
        """The projects whose objects of `kind` are needed."""
        return sorted({key.partition("/")[0] for key in self.keys.get(kind, ())})


@dataclass(frozen=True, slots=True)
class Object:
    """One declared object: its spec, and the mapping of the manifest that it was read from."""

    kind: Kind
    address: Address
    spec: Spec
    body: Map = field(repr=False)

    @property
    def source(self) -> Location:
        """Where the manifest declares it."""
        return self.body.where()

    def where(self, path: str) -> Location:
        """The place of a field (`custom_fields.Size`), or of the object."""
        field, _, rest = path.partition(".")
        return locate(self.body, [field, rest] if rest else [field])

    @property
    def fields(self) -> dict[str, Any]:
        """The declared fields that travel, in the spec's order, as the manifest says them."""
        declared = self.spec.model_fields_set
        return {name: getattr(self.spec, name) for name in self.kind.fields if name in declared}

    @property
    def project(self) -> str:
        """The project in which its names are looked up, or ""."""
        return self.kind.scope(self.address)


class Kind:
    """One resource of the API. Subclasses set the class variables and override what differs."""

    name: str
    plural: str
    spec: ClassVar[type[Spec]]
    wrapper: ClassVar[str] = ""
    inside: ClassVar[bool] = False
    nested: ClassVar[str] = ""
    """What the list is called inside a project, where it is not `plural`."""
    identity: ClassVar[tuple[str, ...]] = ()
    """The spec's fields that make the key."""
    fold: ClassVar[bool] = False
    """Whether Redmine compares the name without case."""
    unique: ClassVar[bool] = True
    """Whether Redmine itself refuses a second object with the same identity."""
    steering: ClassVar[frozenset[str]] = frozenset()
    """Fields of the spec that tell which object it is and do not travel."""
    serial: ClassVar[bool] = False
    """Whether writes of this kind must not overlap."""
    alternative: ClassVar[str] = ""
    """The kind that names of this one are mostly of, where a manifest may mean either."""
    undeletable: ClassVar[str] = ""
    """Why Redmine may refuse to delete an object without giving a reason."""
    required: ClassVar[tuple[str, ...]] = ()
    """Fields without which Redmine creates no object."""
    follows: ClassVar[tuple[str, ...]] = ()
    """Kinds in the same project whose work comes first, although no field names them."""
    readonly: ClassVar[bool] = False
    module: ClassVar[str] = ""
    """The project's module without which Redmine hides objects of this kind."""
    rank: ClassVar[int] = 50
    """Place among kinds in listings of a plan, where the graph leaves it open."""

    # -- fields ------------------------------------------------------------------------------------------------

    @cached_property
    def fields(self) -> dict[str, Api]:
        """The spec's fields that travel."""
        skip = COMMON | self.steering | ({"project"} if self.inside else set())
        return {n: _api(n, info) for n, info in self.spec.model_fields.items() if n not in skip}

    def widen(self, reference: Reference, names: Names) -> Iterable[Address]:
        """Further objects of this kind that a name can stand for, when its own project has none."""
        return ()

    def bar(self, address: Address, project: str, names: Names) -> str:
        """Why an object cannot be used in another project, or ""."""
        return ""

    # -- identity ----------------------------------------------------------------------------------------------

    def scope(self, address: Address) -> str:
        """The project in which the names in an object's fields are looked up, or ""."""
        return address.project if self.inside else ""

    def key(self, spec: Spec, project: str) -> str:
        """The key of a declared object."""
        name = str(getattr(spec, self.identity[0]))
        return f"{project}/{name}" if self.inside else name

    def renamed_key(self, spec: Spec, address: Address) -> str:
        """The key that `renamed_from` says a declared object had."""
        return f"{address.project}/{spec.renamed_from}" if self.inside else str(spec.renamed_from)

    def key_of(self, row: Row, context: Context) -> str | None:
        """The key of a live object, or None if it belongs to nobody that was asked for."""
        name = str(row[self.fields[self.identity[0]].read or self.identity[0]])
        if not self.inside:
            return name
        project = context.key("project", (row.get("project") or {}).get("id", 0))
        return None if project is None else f"{project}/{name}"

    def match(self, rows: Sequence[Row], context: Context, objects: Sequence[Object]) -> Matches:
        """Which live object is which declared one; the others keep the key that `key_of` gives them."""
        keyed = ((self.key_of(row, context), row) for row in rows)
        return Matches({key: row for key, row in keyed if key is not None}, ())

    def only_declared(self, settings: Mapping[str, Any]) -> bool:
        """Whether a name of this kind means nothing outside the manifests."""
        return False

    def check(self, found: Object, settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """(field, sentence) for what is wrong with a declared object beyond its types; no server needed."""
        return ()

    def lookups(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Kinds whose definitions are needed to tell objects of this kind apart."""
        return ()

    def forbids(self, found: Object, me: Row) -> Iterable[tuple[str, str]]:
        """(field, sentence) for what the account `me` must not do to a declared object."""
        return ()

    def misfits(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        """(path, sentence, hint) for canonical values that Redmine would drop without a word."""
        return ()

    def takes_along(self, address: Address, row: Row, names: Names) -> list[str]:
        """The keys of further live objects of this kind that Redmine deletes with this one."""
        return []

    # -- read --------------------------------------------------------------------------------------------------

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        """Bulk lists, in tiers: a further tier is read only while needed keys are missing."""
        return ()

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        """The lists that show one object, by identity; [] if that cannot be asked.

        `values` are the canonical values that it has or was created with.
        """
        need = Need({self.name: frozenset({address.key})})
        return [listing for tier in self.tiers(need, names) for listing in tier]

    def identifies(self, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
        """Whether a row that `lookup` gave is the object."""
        key = self.key_of(row, context) or ""
        return key == address.key or (self.fold and key.casefold() == address.key.casefold())

    def again(self, ids: frozenset[Id], need: Need, names: Names) -> Iterable[list[Listing]]:
        """The lists that show the objects with these ids again, after a write."""
        return self.tiers(need, names)

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        """The object's own page, if the list lacks some of `fields`."""
        return None

    def includes(self, fields: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """The `include=` parameter that `fields` need, or nothing."""
        wanted = sorted({self.fields[f].include for f in fields if f in self.fields} - {""})
        return (("include", ",".join(wanted)),) if wanted else ()

    def shows(self, row: Row, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a row tells what an object's field is; `values` are the declared ones."""
        return PARTIAL not in row or (self.fields[name].read or name) in row

    def blind(self, row: Row, context: Context) -> bool:
        """Whether fields that a row does not tell are written all the same: they will be seen when that is done."""
        return False

    def live(self, row: Row, name: str, context: Context) -> Any:
        """A live object's field in canonical form."""
        api = self.fields[name]
        return api.codec.decode(row.get(api.read or name), context)

    def marks(self, address: Address, row: Row | None, context: Context) -> Mapping[str, tuple[Any, Any]]:
        """path → (before, after) of what has to be written so that the object is found again; {} if it is there."""
        return {}

    def leans_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        """(field, object) for further objects that planned work depends on, although no changed field names them.

        `values` are the canonical declared ones, `changed` the names of fields that change.
        """
        return ()

    # -- write -------------------------------------------------------------------------------------------------

    def payload(self, values: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """The body's inside for canonical values; raises Unresolved for an object without an id."""
        found = {}
        for name, value in values.items():
            api = self.fields[name]
            if api.write is not None:
                empty = blank(value) and not isinstance(value, list | dict)
                sent = value.reveal() if isinstance(value, Secret) else value
                found[api.write or name] = api.clear if empty else api.codec.encode(sent, context)
        return found

    def collection(self, address: Address) -> str:
        """The path that takes a POST."""
        return f"/projects/{address.project}/{self.plural}" if self.inside else f"/{self.plural}"

    def create(self, address: Address, values: Mapping[str, Any], context: Context) -> Request:
        """The POST that makes the object."""
        return Request("POST", self.collection(address), {self.wrapper or self.name: self.payload(values, context)})

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        """The requests that change the object: one PUT, however many fields."""
        payload = self.payload(values, context)
        return [Request("PUT", f"/{self.plural}/{number}", {self.wrapper or self.name: payload})] if payload else []

    def delete(self, address: Address, number: Id) -> Request:
        """The request that deletes the object."""
        return Request("DELETE", f"/{self.plural}/{number}")

    def answered(self, row: Row, name: str) -> bool:
        """Whether the answer to a POST says what became of a field."""
        api = self.fields[name]
        return not (api.include or api.detail or api.create_only or api.read is None)

    def crossing(self, number: Id, name: str) -> Listing | None:
        """For a field that may only be reached in several writes: the page that tells which value is allowed next."""
        return None

    def next_move(self, wanted: Any, row: Row, visited: frozenset[Any], context: Context) -> Any:
        """A value on the way to `wanted` that the server allows now, or None; `row` is what `crossing` gave."""
        return None

    def dead_end(self, row: Row) -> str:
        """Why there is no further move, from the same page."""
        return ""

    def explain(self, name: str, wanted: Any, row: Row, context: Context) -> str:
        """Why the server may have kept another value, or ""."""
        return ""


@dataclass(frozen=True, slots=True)
class Matches:
    """Live objects by key, and (object, sentence, hint) for those that cannot be told apart."""

    rows: Mapping[str, Row]
    problems: tuple[tuple[Object, str, str], ...]


def _api(name: str, info: FieldInfo) -> Api:
    api = next((m for m in info.metadata if isinstance(m, Api)), DEFAULT)
    return replace(api, write=name if api.write == "" else api.write, read=name if api.read == "" else api.read)
