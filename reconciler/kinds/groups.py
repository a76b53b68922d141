"""Groups: `GET/POST /groups`, `PUT/DELETE /groups/:id`, `POST /groups/:id/users`, `DELETE /groups/:id/users/:user`.

For administrators only (5.0 to 7.0).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from reconciler.kinds._families import ALL
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Alternative, Deletion, Rows
from reconciler.model.codecs import Ref, RefSet
from reconciler.model.custom_fields import CustomFields
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import TEXT
from reconciler.model.kind import Kind, Listing, Matches, Need, Object, Request
from reconciler.model.name_index import Context, Names
from reconciler.model.requests import payload
from reconciler.model.spec import PARTIAL, REFUSE, Api, Id, Name, Spec, Strings
from reconciler.model.turns import Turns
from reconciler.model.visibility import Unlisted


class Members(RefSet):
    """Users by login."""

    lookups = ("user",)
    """Logins are needed to show the users that a plan removes, also where it adds and keeps none."""


class GroupSpec(Spec):
    """A group of users. Its identity is the name, which Redmine compares without case."""

    name: Annotated[
        Name,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["Support"]),
        Api(clear=REFUSE),
    ]
    users: Annotated[
        Strings | None,
        Field(
            description="Logins of all users of the group, including locked ones. null or []: none.",
            examples=[["jsmith", "amy"]],
        ),
        # null and [] both mean nobody: Redmine, too, takes null for the empty set (seen on 5.0).
        Api(codec=Members(Ref(("user",))), write="user_ids", detail=True, clear=[], label="User"),
    ] = None
    twofa_required: Annotated[
        bool | None,
        Field(description="Whether its users must use two-factor authentication. Write-only.", examples=[True]),
        Api(read=None, create_only=True, clear=REFUSE, label="Require two factor authentication"),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name.", examples=[{"Cost center": "4711"}]),
        Api(codec=CustomFields("group"), clear=REFUSE),
    ] = None


class _Export(Exporting):
    """The built-in groups are not exported."""

    def exportable(self, row: Row) -> bool:
        return not row.get("builtin")


class _Unlisted(Unlisted):
    """Members show the names of groups (5.0 to 7.0)."""

    def glimpse(self, named: Row) -> Row | None:
        # PARTIAL: what its own page does not show either is not compared.
        return {"id": named["id"], "name": named["name"], PARTIAL: True} if named.get("name") else None


class _Turns(Turns):
    """Whoever joins or leaves a group becomes, or is no longer, a member of its projects."""

    def behind(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[Address]:
        # A new group is in no project yet, and its memberships come after it.
        if row is not None and (not values or "users" in changed):
            yield ALL


class Groups(Kind[GroupSpec]):
    """The built-in groups (anonymous users, non members) are listed with `builtin=1`; Redmine answers 204 to writes of
    them and does nothing (5.0 to 6.1)."""

    name = "group"
    plural = "groups"
    spec = GroupSpec
    identity = ("name",)
    ignores_case = True
    rank = 20
    capabilities = (
        Rows({"builtin": TEXT.optional}),
        Alternative("user"),
        Deletion("deletes its memberships and the roles that its users have through it; its issues lose the assignee"),
        _Turns(),
        _Unlisted("membership", ("group", "group_anonymous", "group_non_member")),
        _Export(),
    )

    def match(self, rows: Sequence[Row], context: Context, objects: Sequence[Object[GroupSpec]]) -> Matches:
        matches = super().match(rows, context, objects)
        builtin = {str(row["name"]).casefold() for row in rows if row.get("builtin")}
        # The earlier name counts as well: a manifest could try to rename a built-in group.
        fixed = [o for o in objects if {o.address.key.casefold(), str(o.spec.renamed_from).casefold()} & builtin]
        said, hint = "built-in groups cannot be changed", "refer to it only in memberships"
        return Matches(matches.rows, (*matches.problems, *((o, said, hint) for o in fixed)))

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # Memberships can name the built-in groups, which the list omits unless asked (5.0 to 6.1).
        yield [Listing("/groups", "groups", (("builtin", 1),), paged=False)]

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        page = Listing(f"/groups/{row['id']}", "group", (("include", "users"),), single=True, none={404: None})
        return page if "users" in fields else None

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        row = context.names.row(address) or {}
        # Without the live users there is nothing to compare with, so the full set is sent.
        if "users" not in values or "users" not in row:
            return super().update(address, number, values, context)
        own = {name: value for name, value in values.items() if name != "users"}
        wanted = payload(self.fields, {"users": values["users"]}, context)["user_ids"]
        changes = members(number, frozenset(user["id"] for user in row["users"]), frozenset(wanted))
        return [*super().update(address, number, own, context), *changes]


def members(group: Id, live: frozenset[int], wanted: frozenset[int]) -> list[Request]:
    """The requests that change the users of a group, by id, from `live` to `wanted`: one adds all new ones."""
    path = f"/groups/{group}/users"
    added, removed = sorted(wanted - live), sorted(live - wanted)
    # Adding the same users again is refused (422), so the request is not repeated when its answer is lost.
    added_by = [Request("POST", path, {"user_ids": added}, once=True)] if added else []
    # The API adds many users at once and removes one at a time (5.0 to 6.1).
    return [*added_by, *(Request("DELETE", f"{path}/{user}") for user in removed)]


KINDS = (Groups(),)
