"""Which roles members inherit after the planned work: the API shows that a role is inherited, and not where from.

A member inherits the roles of its groups in the project, and all its roles in the parent of a project that inherits
members. With the last source, Redmine removes the role, and then a member without roles (5.0 to 6.1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from reconciler.model.address import CONTAINER, Address, Row, split_key
from reconciler.model.name_index import Context

KIND = "membership"


def principal(row: Row) -> tuple[str, Row]:
    """The kind of a member, and its id and name; the built-in groups come as `group_anonymous`, `group_non_member`."""
    # Built-in groups have a key of their own, which names them (5.0 to 6.1).
    key = next(key for key in row if key == "user" or key.startswith("group"))
    return key.partition("_")[0], row[key]


def own_roles(row: Row) -> list[int]:
    """The ids of a member's roles that are not inherited."""
    inherited = {role["id"] for role in row["roles"] if role.get("inherited")}
    # A role can be in the list twice, as direct and as inherited (5.0; test_trap_31): it counts as inherited.
    return sorted({role["id"] for role in row["roles"]} - inherited)


def foresee(keyed: Iterable[tuple[str, Row]], context: Context) -> Iterator[tuple[str, Row]]:
    """Memberships by key, without the inherited roles that the planned work takes away.

    Such rows have `given_by`, the objects that gave these roles, and those that will give others, `is_deleted`: whether
    Redmine deletes the member too, and `before`: the row as it is now.
    """
    members = _Members(list(keyed), context)
    for key, row in members.keyed:
        yield key, members.foreseen(key, row)


class _Members:
    """The members of projects, now and after the planned work (`after`); names are in lower case."""

    def __init__(self, keyed: Sequence[tuple[str, Row]], context: Context) -> None:
        self.keyed, self.names = keyed, context.names
        # Redmine compares logins and group names without case, and two manifests may spell them differently.
        self.rows = {key.lower(): row for key, row in keyed}
        self.specs = {kind: self._lower(self.names.declared(kind)) for kind in (KIND, "group", "project")}
        self.absent = {kind: {k.lower(): k for k in self.names.absent(kind)} for kind in (KIND, "group")}
        self.read = {split_key(key)[0] for key in (*self.rows, *self.specs[KIND], *self.absent[KIND])}
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        for key in (*self.rows, *self.specs[KIND]):
            project, member = split_key(key)
            if member.startswith("group:"):
                self.groups[project].add(member.removeprefix("group:"))

    @staticmethod
    def _lower(specs: Any) -> dict[str, Any]:
        return {key.lower(): spec for key, spec in specs.items()}

    def foreseen(self, key: str, row: Row) -> Row:
        """A row without the inherited roles that will have no source any more."""
        project, member = split_key(key.lower())
        givers: set[Address] = set()
        gone = set()
        for role in {role["id"] for role in row["roles"] if role.get("inherited")}:
            sources = set(self.sources(project, member, role, after=False))
            # Without a known source nothing can be foreseen: the role stays.
            if sources and not set(self.sources(project, member, role, after=True)):
                gone.add(role)
                givers |= sources
        if not gone:
            return row
        left = [role for role in row["roles"] if not (role.get("inherited") and role["id"] in gone)]
        known = self.names.live("role").ids.values()
        # A role that the planned work adds keeps the member as well, or makes a new one.
        later = {source for role in known for source in self.sources(project, member, role, after=True)}
        gone_for_good = not (left or later)
        return {
            **row,
            "roles": left,
            "given_by": tuple(sorted(givers | later)),
            "is_deleted": gone_for_good,
            "before": row,
        }

    def sources(self, project: str, member: str, role: int, *, after: bool) -> Iterator[Address]:
        """The objects by which a member inherits, or may inherit, a role."""
        for group in self.groups[project] if member.startswith("user:") else ():
            key = f"{project}/group:{group}"
            if role in self.own(key, after) and self.belongs(member.removeprefix("user:"), group, after):
                yield from (self._address(KIND, key), self._address("group", group))
        above = self.parent(project, after)
        key = f"{above}/{member}"
        if above and role in self.own(key, after):
            yield self._address(KIND, key)
        # What comes down from above may be inherited there too: its sources are those of the role here.
        yield from self.sources(above, member, role, after=after) if above else ()
        if above and above not in self.read:
            # Its members were not read: it counts as a source before and after, so nothing is foreseen from it.
            yield Address(CONTAINER, above)

    def own(self, key: str, after: bool) -> set[int]:
        """The roles that a member has directly."""
        spec = self.specs[KIND].get(key)
        if after and key in self.absent[KIND]:
            return set()
        # `create_only` roles are left alone on a member that exists.
        if after and spec is not None and (key not in self.rows or "roles" not in spec.create_only):
            known = self.names.live("role").ids
            return {known[role] for role in spec.roles or () if role in known}
        return set(own_roles(self.rows[key])) if key in self.rows else set()

    def belongs(self, user: str, group: str, after: bool) -> bool:
        """Whether a user is, or may be, in a group: of a group that is not declared, the users may not be known."""
        row, spec = self.names.row(Address("group", group)) or {}, self.specs["group"].get(group)
        # Nobody belongs to a built-in group, so nothing is inherited from one.
        if row.get("builtin") or (after and group in self.absent["group"]):
            return False
        if after and spec is not None and "users" in {*spec.model_fields_set} - {*spec.create_only}:
            return user in {login.lower() for login in spec.users or ()}
        number = self.names.id(Address("user", user))
        # Only a group's own page shows its users: without it, everybody may belong to it.
        return "users" not in row or number in {member["id"] for member in row["users"]}

    def parent(self, project: str, after: bool) -> str:
        """The project that a project inherits members from, or ""."""
        row, spec = self.names.row(Address(CONTAINER, project)) or {}, self.specs["project"].get(project)
        inherits = row.get("inherit_members", False)
        if after and spec is not None and spec.inherit_members is not None:
            inherits = spec.inherit_members
        above = self.names.ancestors(project)[:1] if after else [self._live_parent(row)]
        return "".join(above) if inherits else ""

    def _live_parent(self, row: Row) -> str:
        return self.names.live("project").keys.get((row.get("parent") or {}).get("id", 0), "")

    def _address(self, kind: str, key: str) -> Address:
        return self.names.canonical(Address(kind, self.absent[kind].get(key, key)))
