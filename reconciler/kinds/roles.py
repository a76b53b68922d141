"""Roles: `GET /roles`, `GET /roles/:id`; written by the program inside Redmine."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from reconciler.kinds._catalog import CatalogKind
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import ReadOnly, Rows
from reconciler.model.catalog import Catalog, CatalogRows, Named, NamedSet
from reconciler.model.codecs import Codec, ordered
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import ANY, FLAG, NAME, TEXT, Each
from reconciler.model.kind import Listing
from reconciler.model.name_index import Context, Names
from reconciler.model.ordering import Ordered
from reconciler.model.spec import REFUSE, Api, Deferred, Name, Spec

BUILTIN = {"Non member": "non_member", "Anonymous": "anonymous"}
"""The roles that every Redmine has, by their English names: `builtin` of the program."""


class Words(Codec):
    """A set of plain words."""

    form = ANY

    def canonical(self, value: Any, context: Context) -> Any:
        return ordered(value or ())

    def decode(self, wire: Any, context: Context) -> Any:
        return ordered(wire or ())


class TrackerLimits(Codec):
    """Permission → the only trackers for which the role has it."""

    form = ANY
    _trackers = NamedSet(Named(("tracker",)))

    def named_kinds(self) -> tuple[str, ...]:
        return ("tracker",)

    def references(self, value: Any, context: Context) -> Any:
        return [one for names in (value or {}).values() for one in self._trackers.references(names, context)]

    def canonical(self, value: Any, context: Context) -> Any:
        return {name: self._trackers.canonical(some, context) for name, some in sorted((value or {}).items())}

    def decode(self, wire: Any, context: Context) -> Any:
        return self.canonical(wire, context)


class RoleSpec(Spec):
    """A role. Its identity is the name; the two built-in roles are `Non member` and `Anonymous`."""

    name: Annotated[
        Name,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["Developer"]),
        Api(clear=REFUSE),
    ]
    assignable: Annotated[
        bool | None,
        Field(description="Whether issues can be assigned to members with it.", examples=[True]),
        Api(clear=REFUSE),
    ] = None
    permissions: Annotated[
        list[Name] | None,
        Field(description="All its permissions, by Redmine's names.", examples=[["view_issues", "add_issues"]]),
        Api(codec=Words(), clear=REFUSE),
    ] = None
    issues_visibility: Annotated[
        Literal["all", "default", "own"] | None,
        Field(
            description="Which issues it sees: all, all but private ones of others, or its own.", examples=["default"]
        ),
        Api(clear=REFUSE),
    ] = None
    time_entries_visibility: Annotated[
        Literal["all", "own"] | None,
        Field(description="Whose logged time it sees.", examples=["all"]),
        Api(clear=REFUSE),
    ] = None
    users_visibility: Annotated[
        Literal["all", "members_of_visible_projects"] | None,
        Field(description="Which users it sees.", examples=["all"]),
        Api(clear=REFUSE),
    ] = None
    all_roles_managed: Annotated[
        bool | None,
        Field(
            description="Whether it can give members any role, if it has the permission manage_members.",
            examples=[False],
        ),
        Api(clear=REFUSE),
    ] = None
    managed_roles: Annotated[
        list[Name] | None,
        Field(description="The only roles that it can give, without `all_roles_managed`.", examples=[["Reporter"]]),
        Api(codec=NamedSet(Named(("role",))), clear=REFUSE, deferred=Deferred("references")),
    ] = None
    default_time_entry_activity: Annotated[
        Name | None,
        Field(description="Activity of new time entries. Redmine 6.0 or later.", examples=["Development"]),
        Api(codec=Named(("time_entry_activity",))),
    ] = None
    permissions_trackers: Annotated[
        dict[Name, list[Name]] | None,
        Field(
            description="Permissions that it has for some trackers only; all others are for all trackers.",
            examples=[{"add_issues": ["Bug"]}],
        ),
        Api(codec=TrackerLimits(), clear=REFUSE),
    ] = None


class _Catalog(Catalog):
    def program_key(self, address: Address) -> Mapping[str, Any]:
        builtin = BUILTIN.get(address.key)
        return {"name": None if builtin else address.key, "builtin": builtin}

    def key_of(self, shown: Mapping[str, Any]) -> str:
        return next((name for name, word in BUILTIN.items() if word == shown.get("builtin")), str(shown["name"]))

    def identity(self, shown: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"name": self.key_of(shown)}

    def api_row(self, shown: Mapping[str, Any], names: Names) -> Row:
        same = ("assignable", "permissions", "issues_visibility", "time_entries_visibility", "users_visibility")
        row = {"name": self.key_of(shown)} if "name" in shown or shown.get("builtin") else {}
        return {**super().api_row(shown, names), **row, **{n: shown[n] for n in same if shown.get(n) is not None}}


class _Ordered(Ordered):
    def unordered(self, key: str) -> bool:
        return key in BUILTIN


class Roles(CatalogKind[RoleSpec]):
    """Roles that members can have, and the two for everybody else. Only their own pages show the permissions."""

    name = "role"
    plural = "roles"
    spec = RoleSpec
    identity = ("name",)
    _path = "/roles"
    capabilities = (
        ReadOnly("Administration → Roles and permissions"),
        _Catalog(),
        CatalogRows(),
        Exporting(unshown=frozenset({"default_time_entry_activity"})),
        _Ordered(),
        Rows({"name": NAME, "assignable": FLAG.optional, "permissions": Each(of=TEXT).optional}),
    )

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        # One that exists only in the manifests has no page, nor have the two built-in roles a need for one.
        return Listing(f"{self._path}/{row['id']}", "role", single=True) if row["id"] > 0 else None


KINDS = (Roles(),)
