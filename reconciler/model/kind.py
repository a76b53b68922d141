"""THE CONTRACT of a resource kind.

A kind is one module under `kinds/`: a pydantic spec, whose fields say with `Api(...)` how each one travels, and one
instance of a `Kind` that says how its objects are found, listed and written. The engine knows nothing else of it.

    identity     `Kind.key(spec, project)` of a declared object, `Kind.key_of(row, context)` of a live one
    references   the codecs of its fields (`Ref`, `RefSet`): they order the work and are checked before any request
    read         `Kind.tiers(...)`: bulk lists; `Kind.lookup(...)`: one object; `Kind.details(...)`, `Kind.rolls(...)`:
                 what lists lack
    write        `Kind.create(...)`, `Kind.update(...)`, `Kind.delete(...)`: pure functions from values to requests
    waiting      `Api.deferred` and `Api.gate`: what can only be written after, or behind a door that must be opened
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from pydantic.fields import FieldInfo

from reconciler.errors import Location
from reconciler.manifest.loader import Map, locate
from reconciler.model.address import Address, Reference, Row
from reconciler.model.codecs import blank
from reconciler.model.export_hooks import Portable
from reconciler.model.name_index import Context, Names
from reconciler.model.requests import Listing, Need, Request, Roll
from reconciler.model.spec import COMMON, DEFAULT, PARTIAL, Api, Id, Secret, Spec

__all__ = ["Kind", "Listing", "Matches", "Need", "Object", "Request"]


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
        """The declared fields that travel, in the spec's order, as the manifest says them.

        The project of what is inside one is none of them: it tells where the object is (or is moved to, see `marks`).
        """
        declared = self.spec.model_fields_set - ({"project"} if self.kind.inside else set())
        return {name: getattr(self.spec, name) for name in self.kind.fields if name in declared}

    @property
    def project(self) -> str:
        """The project in which its names are looked up, or ""."""
        return self.kind.scope(self.address)


def undeclared(kind: Kind, key: str, near: Map, **fields: Any) -> Object:
    """An object that no manifest declares, as one would at the place of `near`; not for what is inside a project."""
    spec = kind.spec.model_validate({kind.identity[0]: key, **fields})
    return Object(kind, Address(kind.name, key), spec, Map(near.file, near.at, near.root))


class Kind(Portable):
    """One resource of the API. Subclasses set the class variables and override what differs."""

    name: str
    plural: str
    spec: ClassVar[type[Spec]]
    wrapper: ClassVar[str] = ""
    nested: ClassVar[str] = ""
    """What the list is called inside a project, where it is not `plural`."""
    identity: ClassVar[tuple[str, ...]] = ()
    """The spec's fields that make the key."""
    fold: ClassVar[bool] = False
    """Whether Redmine compares the name without case."""
    unique: ClassVar[bool] = True
    """Whether Redmine itself refuses a second object with the same identity."""
    adopted: ClassVar[str] = "it had come to exist meanwhile and was adopted"
    """What is noted of an object that was taken over."""
    adopts: ClassVar[bool] = True
    """Whether an object that came to exist after the plan was made is taken over."""
    paged: ClassVar[bool] = False
    """Whether its list inside a project comes in pages."""
    polls: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Fields that `rolls` can tell, and the kinds of which all objects must be known for that."""
    reads_after: ClassVar[tuple[str, ...]] = ()
    """Kinds inside projects that must be read first, because their names are part of its identity."""
    silent: ClassVar[bool] = False
    """Whether the answer to its creation does not show the object: it is looked up."""
    reveals: ClassVar[str] = ""
    """The `include=` of its project's page without which names in it cannot be told."""
    movable: ClassVar[bool] = False
    """Whether what is inside a project can be moved to another one; its field `project` travels then."""
    steering: ClassVar[frozenset[str]] = frozenset()
    """Fields of the spec that tell which object it is and do not travel."""
    serial: ClassVar[bool] = False
    """Whether writes of this kind must not overlap."""
    alternative: ClassVar[str] = ""
    """The kind that names of this one are mostly of, where a manifest may mean either."""
    computed: ClassVar[frozenset[str]] = frozenset()
    """Fields that Redmine may decide about, see `decided`."""
    fragile: ClassVar[frozenset[str]] = frozenset()
    """Fields that the change of another object can disturb, see `disturbs`."""
    loss: ClassVar[str] = ""
    """What Redmine destroys with a deleted object."""
    undeletable: ClassVar[str] = ""
    """Why Redmine may refuse to delete an object without giving a reason."""
    below: ClassVar[frozenset[str]] = frozenset()
    """Values of a gate that, when it is opened, Redmine changes for all objects below as well."""
    required: ClassVar[tuple[str, ...]] = ()
    """Fields without which Redmine creates no object."""
    follows: ClassVar[tuple[str, ...]] = ()
    """Kinds in the same project whose work comes first, although no field names them."""
    readonly: ClassVar[bool] = False
    menu: str = ""
    """Where an administrator makes objects of a kind that only can be read."""
    module: ClassVar[str] = ""
    """The project's module without which Redmine hides objects of this kind."""
    rank: ClassVar[int] = 50
    """Place among kinds in listings of a plan, where the graph leaves it open."""

    # -- fields ------------------------------------------------------------------------------------------------

    @cached_property
    def fields(self) -> dict[str, Api]:
        """The spec's fields that travel."""
        skip = COMMON | self.steering | ({"project"} if self.inside and not self.movable else set())
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
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            key = self.key_of(row, context)
            if key is not None:
                found[key].append(row)
        others = {f"{key} #{row['id']}": row for key, same in found.items() for row in same[:-1]}
        return Matches({**others, **{k: same[-1] for k, same in found.items()}}, tuple(self._several(found, objects)))

    def _several(
        self, found: Mapping[str, Sequence[Row]], objects: Iterable[Object]
    ) -> Iterator[tuple[Object, str, str]]:
        """A problem for each declared object that is several live ones: Redmine's own checks can be outrun."""
        for wanted in objects:
            same = found.get(wanted.address.key, ())
            if len(same) > 1:
                ids = ", ".join(f"#{row['id']}" for row in same)
                yield wanted, f"several {self.plural.replace('_', ' ')} match: {ids}", "delete or rename all but one"

    def only_declared(self, settings: Mapping[str, Any]) -> bool:
        """Whether a name of this kind means nothing outside the manifests."""
        return False

    def check(self, found: Object, settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """(field, sentence) for what is wrong with a declared object beyond its types; no server needed."""
        return ()

    def lookups(self, settings: Mapping[str, Any], fields: Collection[str]) -> tuple[str, ...]:
        """Kinds whose definitions are needed to tell objects apart, or what changes of these declared fields do."""
        return ()

    def retired(self, row: Row) -> str:
        """Why no new value may name a live object, or ""."""
        return ""

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
        """Bulk lists, in tiers: a further tier is read only while needed keys are missing.

        Of a kind inside projects: its list in each of them that is live.
        """
        if self.inside:
            projects = names.ids.get("project", {})
            yield [self.listing(p, projects[p]) for p in need.projects(self.name) if p in projects]

    def listing(self, project: str, number: Id) -> Listing:
        """The list inside a project; none where its module is off (403)."""
        path, none = f"/projects/{project}/{self.plural}", {403: None, 404: None}
        return Listing(path, self.plural, paged=self.paged, none=none, seen_from=project)

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        """The lists that show one object, by identity; [] if that cannot be asked.

        `values` are the canonical values that it has or was created with.
        """
        need = Need({self.name: frozenset({address.key})})
        return [listing for tier in self.tiers(need, names) for listing in tier]

    def identifies(self, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
        """Whether a row that `lookup` gave is the object."""
        key = self.key_of(row, context) or ""
        return key == address.key or (self.fold and key.lower() == address.key.lower())

    def again(self, ids: frozenset[Id], need: Need, names: Names) -> Iterable[list[Listing]]:
        """The lists that show the objects with these ids again, after a write."""
        return self.tiers(need, names)

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        """The object's own page, if the list lacks some of `fields`."""
        return None

    def rolls(self, rows: Mapping[Id, Row], need: Need, names: Names) -> Iterable[Roll]:
        """Lists that tell for all of these objects at once what else takes a page of each."""
        return ()

    def includes(self, fields: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """The `include=` parameter that lists need to show `fields`, or nothing."""
        known = (self.fields[f] for f in fields if f in self.fields)
        wanted = sorted({api.include for api in known if not api.detail} - {""})
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

    def holds_up(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        """(label, object) for objects whose deferred fields (`via` the label) wait for the work on this one."""
        return ()

    def disturbs(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Collection[str], context: Context
    ) -> Iterable[Address]:
        """Objects whose `fragile` fields Redmine may change along with this one (no values: with its deletion)."""
        return ()

    def awaits(self, address: Address, row: Row | None, context: Context) -> Iterable[Address]:
        """Objects whose planned work, deletions too, comes first, whatever becomes of it."""
        return ()

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

    def later(self, values: Mapping[str, Any], context: Context) -> frozenset[str]:
        """The fields that are sent right after the POST; but for `update_only` ones, with it as well."""
        return frozenset(name for name, api in self.fields.items() if api.update_only)

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

    def delete(self, address: Address, number: Id, context: Context) -> Request:
        """The request that deletes the object; `context.names` has its row."""
        return Request("DELETE", f"/{self.plural}/{number}")

    def lingering(self, address: Address) -> Listing | None:
        """The page that shows an object for as long as the server is deleting it; None: it is gone at once."""
        return None

    def leaving(self, row: Row) -> str:
        """Why a live object is as good as deleted, or ""."""
        return ""

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

    def decided(self, row: Row, name: str, context: Context) -> str:
        """Why Redmine itself decides about a field, so that no write can change it, or ""."""
        return ""

    def destroys(
        self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context
    ) -> Iterable[str]:
        """Sentences on what is lost with the change of some fields, or with the deletion (no values)."""
        return () if values or not self.loss else (self.loss,)

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
    label = api.label or name.replace("_", " ").capitalize()
    return replace(
        api, write=name if api.write == "" else api.write, read=name if api.read == "" else api.read, label=label
    )
