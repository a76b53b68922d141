"""Memberships: `GET/POST /projects/:p/memberships`, `PUT/DELETE /memberships/:id`. Only direct roles are managed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from reconciler.codecs import Ref, RefSet
from reconciler.kind import Kind, Listing, Need, Object
from reconciler.names import Address, Context, Names, Row
from reconciler.spec import REFUSE, Api, Name, ProjectItem, Spec

ROLE = Ref(("role",))


class Roles(RefSet):
    """Direct roles. One that the member inherits as well counts as there: from 5.1.6 and 6.0.3 on Redmine never stores
    it as direct, before that it stores it once more with every PUT."""

    def equal(self, desired: Any, live: Any) -> bool:
        return bool(set(desired) - set(live["inherited"]) == set(live["direct"]) - set(live["inherited"]))

    def decode(self, wire: Any, context: Context) -> Any:
        rows = wire or ()
        direct = super().decode([r for r in rows if not r.get("inherited")], context)
        return {"direct": direct, "inherited": super().decode([r for r in rows if r.get("inherited")], context)}

    def differences(self, desired: Any, live: Any) -> list[tuple[str, Any, Any]]:
        return [] if self.equal(desired, live) else [("", live["direct"], desired)]


class MembershipSpec(ProjectItem):
    """The roles of a user or a group in a project."""

    user: Annotated[
        Name | None,
        Field(description="Login of the user (or give `group`)."),
        Api(codec=Ref(("user",)), write="user_id"),
    ] = None
    group: Annotated[
        Name | None,
        Field(description="Name of the group (or give `user`)."),
        Api(codec=Ref(("group",)), write="user_id"),
    ] = None
    roles: Annotated[
        list[Name] | None,
        Field(description="Names of all direct roles; inherited ones are left alone.", min_length=1),
        Api(codec=Roles(ROLE), write="role_ids", clear=REFUSE),
    ] = None


class Memberships(Kind):
    """The list has users and groups, locked users, and rows that exist through inheritance only."""

    name = "membership"
    plural = "memberships"
    nested = "members"
    spec = MembershipSpec
    inside = True
    identity = ("user", "group")
    fold = True
    rank = 40

    def key(self, spec: Spec, project: str) -> str:
        assert isinstance(spec, MembershipSpec)
        return f"{project}/user:{spec.user}" if spec.user else f"{project}/group:{spec.group or ''}"

    def key_of(self, row: Row, context: Context) -> str | None:
        project = context.key("project", row["project"]["id"])
        kind = "user" if "user" in row else "group"
        name = context.key(kind, row[kind]["id"]) or f"#{row[kind]['id']}"
        return None if project is None else f"{project}/{kind}:{name}"

    def check(self, found: Object, settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = found.spec
        assert isinstance(spec, MembershipSpec)
        if bool(spec.user) == bool(spec.group):
            yield "", "give either user or group"
        if spec.state == "present" and not spec.roles:
            yield "", "roles is missing: a member has at least one role"

    def leans_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        # A project that inherits its members gets them with the parent's: what is inherited is changed, not created.
        project, _, member = address.key.partition("/")
        return [("project", Address(self.name, f"{above}/{member}")) for above in context.names.ancestors(project)]

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        yield [
            Listing(f"/projects/{p}/memberships", "memberships", none={403: None, 404: None}, seen_from=p)
            for p in need.projects(self.name)
            if p in names.ids.get("project", {})
        ]


KINDS = (Memberships(),)
