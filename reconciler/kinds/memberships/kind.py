"""Memberships: `GET/POST /projects/:p/memberships`, `PUT/DELETE /memberships/:id`. Only direct roles are managed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any

from msgspec.structs import replace
from pydantic import Field

from reconciler.kinds._families import family
from reconciler.kinds._inherited_roles import foresee, own_roles, principal
from reconciler.model.address import Address, Reference, Row
from reconciler.model.capabilities import Creation, Deletion, Dependencies, FixedKey, KeptValues, Nesting, Rows
from reconciler.model.codecs import Ref, RefSet
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import FLAG, REF, TEXT, WHOLE, Each, Fields
from reconciler.model.kind import Inside, Kind, Listing, Matches, Need, Object, Request, project_lists
from reconciler.model.name_index import Context, Names
from reconciler.model.pruning import Foresight, Pruning
from reconciler.model.requests import payload
from reconciler.model.rights import all_need
from reconciler.model.spec import REFUSE, Api, Id, Name, ProjectItem
from reconciler.model.turns import Turns

ROLE = Ref(("role",))
PRINCIPALS = ("user", "group", "group_anonymous", "group_non_member")
"""What a row names its member by."""


class Roles(RefSet):
    """Direct roles. One that the member inherits as well counts as there: from 5.1.6 and 6.0.3 on Redmine never stores
    it as direct, before that it stores it once more with every PUT."""

    form = Each(of=Fields(of={"id": WHOLE, "name": TEXT, "inherited": FLAG.optional}))

    def references(self, value: Any, context: Context) -> Iterable[Reference]:
        return super().references(value["direct"] if isinstance(value, Mapping) else value, context)

    def equal(self, desired: Any, live: Any) -> bool:
        return bool(set(desired) - set(live["inherited"]) == set(live["direct"]) - set(live["inherited"]))

    def decode(self, wire: Any, context: Context) -> Any:
        rows = wire or ()
        direct = super().decode([r for r in rows if not r.get("inherited")], context)
        return {"direct": direct, "inherited": super().decode([r for r in rows if r.get("inherited")], context)}

    def written(self, value: Any, context: Context) -> Any:
        return super().written(value["direct"], context)

    def differences(self, desired: Any, live: Any) -> list[tuple[str, Any, Any]]:
        return [] if self.equal(desired, live) else [("", live["direct"], desired)]


class MembershipSpec(ProjectItem):
    """The direct roles of a user or a group in a project. `state: absent` removes them; inherited ones are kept."""

    user: Annotated[
        Name | None,
        Field(description="Login of the user; or set `group`.", examples=["jsmith"]),
        # Both are `user_id`: Redmine has users and groups in one table, and takes either id here.
        Api(codec=Ref(("user",)), write="user_id"),
    ] = None
    group: Annotated[
        Name | None,
        Field(description="Name of the group; or set `user`.", examples=["Support"]),
        Api(codec=Ref(("group",)), write="user_id"),
    ] = None
    roles: Annotated[
        list[Name] | None,
        Field(
            description="Names of all direct roles; inherited ones are kept.", min_length=1, examples=[["Developer"]]
        ),
        # An empty list is a 422 that deletes the roles (5.0) or the member (6.1) all the same (test_trap_12).
        Api(codec=Roles(ROLE), write="role_ids", clear=REFUSE, label="Role"),
    ] = None


class _Dependencies(Dependencies):
    """Inherited roles come and go with the memberships that they are inherited from."""

    def runs_after(self, address: Address, row: Row | None, context: Context) -> Iterable[Address]:
        return tuple((row or {}).get("given_by", ()))

    def depends_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        # A project that inherits its members gets them with the parent's: what is inherited is changed, not created.
        project, member = address.project, address.own_name
        parents = (Address("membership", f"{above}/{member}") for above in context.names.ancestors(project))
        return [("project", parent) for parent in parents if parent not in self.runs_after(address, row, context)]


class _Turns(Turns):
    """Members come after the projects that begin to inherit them."""

    def behind(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[Address]:
        yield family(address.project, context.names)


class _Pruning(Pruning):
    """Inherited roles come and go with other objects, and are not deleted with the direct ones."""

    def link(self, kind: Kind, address: Address, number: Id) -> str:
        return f"/projects/{address.project}/settings/members"

    def evidence(self, kind: Kind, row: Row) -> Any:
        return [principal(row)[1]["id"], own_roles(row.get("before", row))]


class _Foresight(Foresight):
    """Inherited roles go with the memberships of groups and parent projects, and with groups."""

    def foresee(self, names: Names) -> None:
        live = names.live("membership")
        before = [(key, live.rows[number].get("before", live.rows[number])) for number, key in live.keys.items()]
        for _, row in foresee(before, Context(names)):
            live.replace_row(row["id"], row)


class _Export(Exporting):
    """Only direct roles are declared."""

    def exportable(self, row: Row) -> bool:
        return bool(own_roles(row))


class _Rows(Rows):
    """A row names its member as a user or as one of several sorts of group."""

    def whole(self, row: Row) -> str:
        return "" if any(row.get(name) for name in PRINCIPALS) else "user or group is missing"


class _KeptValues(KeptValues):
    """A role can be limited in which roles it gives and takes (`managed_roles`), which no API shows (5.0 to 7.0)."""

    def why_kept(self, kind: Kind, name: str, wanted: Any, row: Row, context: Context) -> str:
        limited = name == "roles" and context.names.sight is not None
        return "this account may not give or take some of these roles" if limited else ""


class Memberships(Kind[MembershipSpec]):
    """The list has users and groups, locked users, and rows that exist through inheritance only."""

    name = "membership"
    plural = "memberships"
    spec = MembershipSpec
    inside = Inside()
    identity = ("user", "group")
    ignores_case = True
    rank = 40
    capabilities = (
        FixedKey(),
        all_need("manage_members"),
        _Rows({"roles": Roles.form, **dict.fromkeys(PRINCIPALS, REF.optional)}),
        Nesting("members"),
        # The membership of a group, or in the parent project, can create it in the same apply.
        Creation(adoption_note=""),
        Deletion(
            loss="categories and the project no longer assign new issues to the member; assigned issues stay",
            why_refused="it now inherits roles, which only go with the membership of the group or parent project",
        ),
        _Dependencies(),
        _Turns(),
        _Pruning(),
        _Foresight(),
        _KeptValues(),
        _Export(),
    )

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        yield from project_lists(self, need, names, paged=True)

    def key(self, spec: MembershipSpec, project: str) -> str:
        return f"{project}/user:{spec.user}" if spec.user else f"{project}/group:{spec.group or ''}"

    def key_of(self, row: Row, context: Context) -> str | None:
        project = context.key("project", row["project"]["id"])
        kind, member = principal(row)
        # A member whose name was not read still needs a key of its own.
        name = context.key(kind, member["id"]) or f"#{member['id']}"
        return None if project is None else f"{project}/{kind}:{name}"

    def match(self, rows: Sequence[Row], context: Context, objects: Sequence[Object[MembershipSpec]]) -> Matches:
        matches = super().match(rows, context, objects)
        gone = {o.address.key.lower() for o in objects if o.spec.state == "absent"}
        # Inherited roles cannot be taken from the member itself.
        # After the match: what is foreseen depends on all members of all projects that were read.
        seen = foresee(matches.rows.items(), context)
        return Matches({k: r for k, r in seen if k.lower() not in gone or self._has_own(r)}, matches.problems)

    def _has_own(self, row: Row) -> bool:
        """Whether there is something to delete: roles of its own, or (Redmine 5.0) a member without any."""
        return bool(own_roles(row)) or not (row["roles"] or "given_by" in row)

    def live(self, row: Row, name: str, context: Context) -> Any:
        # Groups come under keys such as `group_non_member`; the field is `group`.
        return super().live({**row, **dict([principal(row)])}, name, context)

    def check(self, declared: Object[MembershipSpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = declared.spec
        if bool(spec.user) == bool(spec.group):
            yield "", "set either user or group"
        if spec.renamed_from:
            yield "renamed_from", "a membership cannot be renamed: declare the old one absent and the new one present"
        if spec.state == "present" and not spec.roles:
            yield "", "roles is missing: a member needs at least one role"

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        row = context.names.row(address) or {}
        if row.get("is_deleted"):
            # Redmine has deleted the member with the roles that it inherited.
            return [self._member(address, row, payload(self.fields, {"roles": values["roles"]}, context)["role_ids"])]
        # A PUT without roles is refused, and deletes those that there are.
        roles = {name: value for name, value in values.items() if name == "roles"}
        requests = super().update(address, number, roles, context)
        # A member that loses its inherited roles, and gets others, is a new one for Redmine (5.0 to 6.1).
        return [replace(r, undo=self._undo(address, r, row), renewed="given_by" in row) for r in requests]

    def _undo(self, address: Address, request: Request, row: Row) -> tuple[Request, ...]:
        # A PUT of roles that do not exist is refused, and deletes those that there are (5.0) or the member (6.0, 6.1).
        own = own_roles(row) if row else []
        body = {self.name: {"role_ids": own}}
        return (replace(request, body=body), self._member(address, row, own)) if own else ()

    def _member(self, address: Address, row: Row, roles: Sequence[int]) -> Request:
        """The POST that creates the membership again."""
        body = {"user_id": principal(row)[1]["id"], "role_ids": [*roles]}
        return Request("POST", f"/projects/{address.project}/{self.plural}", {self.name: body}, once=True)

    def delete(self, address: Address, number: Id, context: Context) -> Request:
        inherits = any(role.get("inherited") for role in (context.names.row(address) or {"roles": ()})["roles"])
        # The member itself cannot be deleted then (422), but its own roles can.
        own = Request("PUT", f"/{self.plural}/{number}", {self.name: {"role_ids": []}})
        # The member may inherit roles by then.
        return own if inherits else replace(super().delete(address, number, context), instead=own)

    def losses(self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context) -> Iterable[str]:
        if not values:
            kept = sorted({role["name"] for role in row["roles"] if role.get("inherited")})
            yield f"inherited roles are kept: {', '.join(kept)}" if kept else self.capability(Deletion).loss
