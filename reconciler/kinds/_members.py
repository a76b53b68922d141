"""Who may have which roles in a project once everything is as declared.

What is certain is only who has none: of a group, the users may not be known, and roles can come from several sources.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.kinds._inherited_roles import own_roles, principal
from reconciler.kinds._server_settings import setting
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.from_above import from_above
from reconciler.model.name_index import Context, Names

KIND = "membership"


def possible_roles(person: Address, project: str, names: Names) -> frozenset[int] | None:
    """The ids of the roles that a user or group has, or may have, in a project; None if that is not known."""
    none = frozenset[int]()
    known: dict[_Place, frozenset[int] | None] = names.memo.setdefault(("possible roles", person), {_Place(""): none})

    def above(place: _Place) -> _Place:
        heir = _heir_of(place.project, names)
        return _Place(heir, place.shown is not False and _inherits_now(place.project, names)) if heir else _Place("")

    def made(place: _Place, _: _Place, found: frozenset[int] | None) -> frozenset[int] | None:
        return _with_roles(found, person, place, names)

    return from_above(_Place(project), known, above, made, none)


class _Place(NamedTuple):
    """A project from which roles are inherited; None: in which they are asked for."""

    project: str
    shown: bool | None = None
    """Whether the project that inherits them shows them already, which it does unless it inherits from now on only."""


def _with_roles(found: frozenset[int] | None, person: Address, place: _Place, names: Names) -> frozenset[int] | None:
    """The roles that are inherited, with those in one more project."""
    rows = set[int]() if place.shown else _shown(person, place.project, names)
    roles = set(_declared(person, place.project, names))
    if found is None or rows is None or None in roles:
        return None
    return found.union(rows, (role for role in roles if role is not None))


def _shown(person: Address, project: str, names: Names) -> set[int] | None:
    unread = names.is_live(Address(CONTAINER, project)) and project not in names.members
    return None if unread else _live(person, project, names)


def _heir_of(project: str, names: Names) -> str:
    """The project from which one inherits members, or ""."""
    spec, row = names.spec(Address(CONTAINER, project)), names.row(Address(CONTAINER, project)) or {}
    declared = getattr(spec, "inherit_members", None)
    return names.parent(project) if (row.get("inherit_members", False) if declared is None else declared) else ""


def _inherits_now(project: str, names: Names) -> bool:
    row = names.row(Address(CONTAINER, project)) or {}
    return bool(row.get("inherit_members")) and names.parent(project) == names.live_parent(project) != ""


def _live(person: Address, project: str, names: Names) -> set[int] | None:
    rows, groups = _members(project, names)
    leaves, found = _leaves(person, project, names), set[int]()
    own = rows.get((person.kind, names.id(person)), ())
    for row in own:
        found |= {role["id"] for role in row["roles"]} - {*(own_roles(row) if leaves else ())}
    for number, row in groups if person.kind == "user" else ():
        if person.key.lower() in _users(names.live("group").keys.get(number, ""), names):
            found |= {role["id"] for role in row["roles"]}
    # A member that is declared absent and has inherited roles only is left out of the rows.
    return None if leaves and not own else found


Rows = tuple[Mapping[tuple[str, int | None], Sequence[Row]], Sequence[tuple[int, Row]]]


def _members(project: str, names: Names) -> Rows:
    """The live members of a project by kind and id, and the groups among them."""
    if ("members", project) not in names.memo:
        rows, groups = defaultdict[tuple[str, int | None], list[Row]](list), list[tuple[int, Row]]()
        for row in names.members.get(project, ()):
            kind, member = principal(row)
            rows[kind, member["id"]].append(row)
            groups += [(member["id"], row)] if kind == "group" else []
        names.memo["members", project] = dict(rows), groups
    known: Rows = names.memo["members", project]
    return known


def _leaves(person: Address, project: str, names: Names) -> bool:
    if "absent members" not in names.memo:
        names.memo["absent members"] = {absent.lower() for absent in names.absent(KIND)}
    return f"{project}/{person.kind}:{person.key}".lower() in names.memo["absent members"]


def _declared(person: Address, project: str, names: Names) -> Iterator[int | None]:
    """The ids of roles by declared memberships; None for one that does not exist."""
    known = names.live("role").ids
    own, groups = _memberships(names).get(project, ({}, ()))
    joined = (spec for spec in groups if person.kind == "user" and _may_belong(person, spec.group, names))
    for spec in (*own.get(f"{person.kind}:{person.key}".lower(), ()), *joined):
        yield from (_number(known.get(role)) for role in spec.roles or ())


def _number(number: object) -> int | None:
    return number if isinstance(number, int) else None


Specs = tuple[dict[str, list[Any]], list[Any]]


def _memberships(names: Names) -> Mapping[str, Specs]:
    """The declared memberships by project: by their keys in lower case, as Redmine compares them, and of groups."""
    if "memberships" not in names.memo:
        found = defaultdict[str, Specs](lambda: ({}, []))
        for key, spec in names.declared(KIND).items():
            address = Address(KIND, key)
            own, groups = found[address.project]
            own.setdefault(address.own_name.lower(), []).append(spec)
            groups += [spec] if spec.group else []
        names.memo["memberships"] = dict(found)
    known: Mapping[str, Specs] = names.memo["memberships"]
    return known


def _users(group: str, names: Names) -> Collection[str]:
    """The users who are declared to belong to a group, in lower case."""
    if ("users of", group) not in names.memo:
        spec = names.spec(names.canonical(Address("group", group)))
        names.memo["users of", group] = {str(user).lower() for user in getattr(spec, "users", None) or ()}
    known: Collection[str] = names.memo["users of", group]
    return known


def _may_belong(person: Address, group: str, names: Names) -> bool:
    address = names.canonical(Address("group", group))
    spec, row = names.spec(address), names.row(address)
    if spec is not None and spec.users is not None and not (row and "users" in spec.create_only):
        return person.key.lower() in _users(group, names)
    # A group's own page alone shows its users: without it, everybody may belong to it.
    return row is not None and ("users" not in row or names.id(person) in _live_users(address.key, row, names))


def _live_users(group: str, row: Row, names: Names) -> Collection[int]:
    if ("live users of", group) not in names.memo:
        names.memo["live users of", group] = {user["id"] for user in row["users"]}
    known: Collection[int] = names.memo["live users of", group]
    return known


def is_private(context: Context) -> bool:
    """Whether the project will certainly be private."""
    spec, row = context.names.spec(context.container), context.names.row(context.container) or {}
    declared = getattr(spec, "is_public", None)
    live = row.get("is_public", True) if row else setting("default_projects_public", context.names)
    return (live if declared is None else declared) is False


def is_admin(names: Names) -> bool:
    """Whether the account that reads is an administrator."""
    return bool(names.rights and names.rights[2])


def is_account(person: Address, names: Names) -> bool:
    """Whether a person is the account that reads."""
    login = str(names.rights[1]) if names.rights else ""
    return person.kind == "user" and person.key.lower() == login.lower()


def may_be_admin(person: Address, names: Names) -> bool:
    """Whether a person is, or will be, an administrator."""
    declared = getattr(names.spec(person), "admin", None)
    return bool((names.row(person) or {}).get("admin", False)) or bool(declared)
