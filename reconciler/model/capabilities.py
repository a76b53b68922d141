"""What only some kinds can do: each capability is an object of a small class that a kind lists.

The engine asks for capabilities (`kind.capability(Workflow)`), never for kinds. A kind that does not list one has the
neutral object of its class, which changes nothing: no workflow, no derived fields, no side effects.

    Creation        what a POST answers, and whether a second one makes a second object
    ReadBack        how a written object is found again
    BulkDetails     lists that show for all objects what else takes each object's own page
    Streamed        so many objects that an export reads them in parts
    Deletion        what is deleted with an object, why it may be refused, how long it takes
    Dependencies    work that waits for work on other objects, although no changed field names them
    SideEffects     fields that Redmine changes with another object
    Workflow        a field that takes several writes to get its value
    DerivedFields   fields that Redmine computes
    KeptValues      why Redmine kept another value
    PartialRows     rows that do not show everything
    ManifestKey     a key that only the manifests have
    Sharing         objects that can be used in other projects
    Nesting         another name for the list inside a project
    ReadOnly        a kind whose objects only an administrator can create, in Redmine itself
    Rows            what is relied on in a row beyond the spec
    VersionProbe    rows that show whether the server is supported
    Alternative     another kind that a name of this one more often means
    People          rows of persons
    OwnAccount      what the account must not do to itself
    Doubts          values that the server may refuse (`model/doubts.py`)
    Participants    fields that name people who need a right in the project (`model/participation.py`)
    Rights          the permissions that its changes need (`model/rights.py`)
    Exporting       how a live object is written as a manifest (`model/export_hooks.py`)
    FieldScope      which custom fields an object has (`model/custom_field_scope.py`)
    Unlisted        objects that only administrators may list (`model/visibility.py`)
    Hiding          objects that lists leave out for some accounts (`model/visibility.py`)
    Tree, Archive, Modules, ProjectIncludes: of containers and what is in them (`model/containers.py`)
    Turns           work that must not overlap with other work (`model/turns.py`)
    Pruning, Foresight: of what can be removed although no manifest declares it (`model/pruning.py`)
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import field

from reconciler.model.address import Address, Reference, Row
from reconciler.model.contract import check_capability
from reconciler.model.forms import Form
from reconciler.model.from_below import Placed
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.requests import FieldLists, Listing, Need
from reconciler.model.spec import PARTIAL, Id
from reconciler.record import Record

if TYPE_CHECKING:
    from reconciler.model.kind import Kind, Object


class Capability(Record):
    """The base. Each direct subclass can be made without arguments, and that object is the neutral one."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Raise ContractError for a misspelt method or attribute in a kind's own version of a capability."""
        super().__init_subclass__(**more)
        # A direct subclass defines the names; only what derives from one can misspell them.
        if Capability not in cls.__bases__:
            check_capability(cls, Capability)

    def named_fields(self) -> Iterable[tuple[str, str]]:
        """(attribute, name) for the fields of the spec that it names. Each must exist."""
        return ()

    def named_kinds(self) -> Iterable[tuple[str, str]]:
        """(attribute, name) for the kinds that it names. Each must exist."""
        return ()


class Creation(Capability):
    """What a POST answers, and whether a second one makes a second object."""

    unique: bool = True
    """Whether Redmine itself refuses a second object with the same identity."""
    answers: bool = True
    """Whether the answer to the POST shows the object; else it is looked up."""
    adopts: bool = True
    """Whether an object that somebody created after the plan was made is adopted."""
    adoption_note: str = "created by someone else meanwhile; adopted"
    """The note in the result of an adopted object; "" for none."""
    newest: Listing | None = None
    """The list of all objects on the server that begins with the newest ones: its first page is read, and the lists of
    `since` if that does not go back far enough. Without it, the lists of the projects are read.

    Only for objects that a second POST would double, and whose POST answers with the id.
    """
    newest_first: bool = False
    """Whether the list of a project begins with the newest objects, by `created_on`: then its first page is mostly
    enough."""

    def since(self, kind: Kind, before: Id, need: Need, names: Names) -> list[Listing]:
        """The lists that show the needed objects with a greater id than `before`; older ones may be among them."""
        return next(iter(kind.tiers(need, names)), [])

    def sent_after(self, kind: Kind, values: Mapping[str, Any], context: Context) -> frozenset[str]:
        """The fields that are sent right after the POST. Those that are not `update_only` are sent with it too."""
        return frozenset(name for name, api in kind.fields.items() if api.update_only)


class ReadBack(Capability):
    """How a written object is found again."""

    def identifies(self, kind: Kind, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
        """Whether a row of `Kind.lookup` is the object with these canonical values."""
        key = kind.key_of(row, context) or ""
        # The server may have stored another spelling of the login or name.
        return key == address.key or (kind.ignores_case and key.lower() == address.key.lower())

    def likeness(self, kind: Kind, row: Row, context: Context) -> Hashable:
        """What is equal for all rows that can be the same object."""
        key = kind.key_of(row, context) or ""
        return key.lower() if kind.ignores_case else key

    def again(self, kind: Kind, ids: frozenset[Id], need: Need, names: Names) -> Iterable[list[Listing]]:
        """The lists that show the objects with these ids after a write."""
        return kind.tiers(need, names)

    def id_after(self, number: Id, values: Mapping[str, Any]) -> Id:
        """The id of an object once these canonical values are written to it."""
        return number


class BulkDetails(Capability):
    """Lists that show for all objects at once what else takes each object's own page (`Kind.details`)."""

    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The fields that `lists` can show → the kinds of which all objects must be known for that."""

    def named_fields(self) -> Iterable[tuple[str, str]]:
        return (("needs", name) for name in self.needs)

    def named_kinds(self) -> Iterable[tuple[str, str]]:
        return (("needs", kind) for kinds in self.needs.values() for kind in kinds)

    def lists(self, kind: Kind, rows: Mapping[Id, Row], need: Need, names: Names) -> Iterable[FieldLists]:
        """The lists for these objects."""
        return ()


class Streamed(Capability):
    """There can be so many objects that an export reads them in parts, by ranges of their ids."""

    def last(self, projects: Sequence[int]) -> Iterable[Listing]:
        """Lists, one of which has the greatest id in its first row; `projects` are ids."""
        return ()

    def windows(self, kind: Kind, projects: Sequence[int], fields: frozenset[str], last: int) -> Iterator[Listing]:
        """The lists that together show all objects with an id up to `last`."""
        return iter(())


class Deletion(Capability):
    """What a deletion destroys, what else it deletes, and why it can be refused."""

    loss: str = ""
    """What Redmine destroys with the object."""
    why_refused: str = ""
    """Why Redmine may refuse to delete an object without giving a reason."""

    def takes_along(self, address: Address, row: Row, names: Names) -> Sequence[Placed]:
        """The live objects of the kind right below this one, which Redmine deletes with it and with all below them."""
        return ()

    def live_below(self, address: Address, row: Row, names: Names) -> Sequence[Placed]:
        """What Redmine would delete like that now, before any of it is moved away."""
        return ()

    def until_gone(self, address: Address) -> Listing | None:
        """The page that shows an object while the server is still deleting it; None: it is gone at once."""
        return None

    def being_deleted(self, row: Row) -> str:
        """A sentence if the server is already deleting the live object, or ""."""
        return ""


class Dependencies(Capability):
    """Work that waits for work on other objects, although no changed field names them.

    `values` are the canonical declared values, `changed` the names of the fields that change.
    """

    def depends_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        """(field, object) for objects whose planned work must succeed first, or the work on this one would fail."""
        return ()

    def blocks(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        """(label, object) for objects whose deferred fields (`via` the label) wait for the work on this one."""
        return ()

    def runs_after(self, address: Address, row: Row | None, context: Context) -> Iterable[Address]:
        """Objects whose planned work, deletions too, comes first, whether it succeeds or not."""
        return ()


class SideEffects(Capability):
    """Fields that Redmine may change with another object."""

    fields: frozenset[str] = frozenset()
    """The fields of this kind that can change like this."""
    on: frozenset[str] = frozenset()
    """The kinds of the objects whose `fields` may change with one of this kind."""

    def named_fields(self) -> Iterable[tuple[str, str]]:
        return (("fields", name) for name in self.fields)

    def named_kinds(self) -> Iterable[tuple[str, str]]:
        return (("on", kind) for kind in self.on)

    def side_effects_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Collection[str], context: Context
    ) -> Iterable[Address]:
        """The objects of the kinds `on` whose `fields` may change with this one (no values: with its deletion)."""
        return ()


class Workflow(Capability):
    """A field that may take several writes to get its value: one for each transition that the server allows."""

    def workflow_page(self, number: Id, name: str) -> Listing | None:
        """The page that shows which values of a field are allowed next; None: the field has no workflow."""
        return None

    def next_transition(self, wanted: Any, row: Row, visited: frozenset[Any], context: Context) -> Any:
        """A value on the way to `wanted` that the server allows now, or None; `row` is that page's."""
        return None

    def why_stuck(self, row: Row) -> str:
        """Why no transition is left, from the same row."""
        return ""

    def why_required(self, path: str, context: Context) -> str:
        """Why the server may require a field whose definition does not, or ""."""
        return ""


class DerivedFields(Capability):
    """Fields that Redmine may compute itself."""

    fields: frozenset[str] = frozenset()

    def named_fields(self) -> Iterable[tuple[str, str]]:
        return (("fields", name) for name in self.fields)

    def why_derived(self, row: Row, name: str, context: Context) -> str:
        """Why Redmine computes a field of a live object, so that no write can change it, or ""."""
        return ""


class KeptValues(Capability):
    """Redmine answered 204, and kept another value."""

    def why_kept(self, kind: Kind, name: str, wanted: Any, row: Row, context: Context) -> str:
        """Why the server has kept another value of a field, or "". With a reason it is not written again."""
        return ""

    def suspected(self, path: str) -> str:
        """What else may be the reason, where none is known, or ""."""
        return ""


class PartialRows(Capability):
    """Rows that do not show everything."""

    def shows(self, kind: Kind, row: Row, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a row shows the value of a field; `values` are the declared ones."""
        # What the program inside Redmine was not asked for is in no row.
        complete = PARTIAL not in row and not kind.fields[name].program
        return complete or (kind.fields[name].read or name) in row

    def writes_unseen(self, row: Row, context: Context) -> bool:
        """Whether fields that a row does not show are written nevertheless: they can be read after the write."""
        return False


class ManifestKey(Capability):
    """A key that only the manifests have: Redmine gives the objects none."""

    def setting_problem(self, names: Names) -> tuple[str, str] | None:
        """(sentence, hint) for a setting of the configuration that does not fit the server; None if it does."""
        return None

    def only_declared(self, settings: Mapping[str, Any]) -> bool:
        """Whether the names of this kind exist in the manifests only."""
        return False

    def to_store(self, address: Address, row: Row | None, context: Context) -> Mapping[str, tuple[Any, Any]]:
        """path → (before, after) of what has to be written so that the key is found on the server; {} if it is."""
        return {}

    def field(self, names: Names) -> CustomField | None:
        """The custom field that holds the keys, as the configuration says."""
        return None

    def stored(self, row: Row, names: Names) -> str:
        """The key that a live object has on the server, or ""."""
        return ""

    def make_keys(self, names: Names, known: Mapping[int, str], longest: int | None = None) -> None:
        """Give the live objects without a stored key the `known` one, or a new one of `longest` characters at most."""

    def to_declare(self, address: Address, row: Row, names: Names) -> Mapping[str, Any]:
        """The manifest of a live object with which nothing is written but its key."""
        return {}

    def definitions(self, settings: Mapping[str, Any], fields: Collection[str]) -> tuple[str, ...]:
        """Kinds that must be read to match objects, or to foresee what changes of these declared fields do."""
        return ()


class Sharing(Capability):
    """Objects that can be used in other projects."""

    def visible_elsewhere(self, reference: Reference, names: Names) -> Iterable[Address]:
        """Further objects of the kind that a name can mean, if its own project has none of that name."""
        return ()

    def unusable_reason(self, address: Address, project: str, names: Names) -> str:
        """Why an object cannot be used in another project, or ""."""
        return ""


class Nesting(Capability):
    """The name of the list inside a project, where it is not the kind's plural."""

    name: str = ""


class FixedKey(Capability):
    """Objects that never get another key: `renamed_from` is a problem."""


class ReadOnly(Capability):
    """A kind that manifests can name and not declare: the API cannot create such objects."""

    menu: str = ""
    """Where an administrator creates them (`Administration → Trackers`)."""

    def why_unusable(self, row: Row) -> str:
        """Why no new value may name a live object, or ""."""
        return ""


class Rows(Capability):
    """What the engine relies on in a row beyond what follows from the spec (see `model/row_form.py`)."""

    shown: Mapping[str, Form] = field(default_factory=dict)
    """Key → its form: what the spec lacks, or what must be there (`{"user": REF}`)."""
    title: str = ""
    """The field by which people tell objects apart, where it is not part of the key (an issue's subject)."""

    def named_fields(self) -> Iterable[tuple[str, str]]:
        return (("title", self.title),) if self.title else ()

    def whole(self, row: Row) -> str:
        """A sentence on what is wrong with a row that no single key shows, or ""."""
        return ""


class VersionProbe(Capability):
    """Rows that show whether the server is supported, as the API does not show its version. They are always read."""

    def is_supported(self, rows: Iterable[Row]) -> bool:
        """Whether a server with these rows is supported."""
        return True


class Alternative(Capability):
    """Another kind that a name more often means, where a manifest may mean either."""

    kind: str = ""

    def named_kinds(self) -> Iterable[tuple[str, str]]:
        return (("kind", self.kind),)


class People(Capability):
    """Rows of persons: an export without personal data has stand-ins for their `login`, names and `mail`."""


class OwnAccount(Capability):
    """What the account that the reconciler works with must not do to itself."""

    def forbids(self, declared: Object[Any], me: Row) -> Iterable[tuple[str, str]]:
        """(field, sentence) for what the account `me` must not do to a declared object."""
        return ()
