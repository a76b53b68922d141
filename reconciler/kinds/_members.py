"""Who may have which roles in a project once everything is as declared.

What is certain is only who has none: of a group, the users may not be known, and roles can come from several sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.kinds._server_settings import setting
from reconciler.kinds.memberships.inherited_roles import own_roles, principal
from reconciler.model.address import CONTAINER, Address
from reconciler.model.name_index import Context, Names

KIND = "membership"


def possible_roles(person: Address, project: str, names: Names) -> frozenset[int] | None:
    """The ids of the roles that a user or group has, or may have, in a project; None if that is not known."""
    known: dict[tuple[Address, str], frozenset[int] | None] = names.memo.setdefault("possible roles", {})
    if (person, project) not in known:
        known[person, project] = _possible_roles(person, project, names)
    return known[person, project]


def _possible_roles(person: Address, project: str, names: Names) -> frozenset[int] | None:
    found, shown = set[int](), False
    for at in _chain(project, names):
        # Inherited roles are shown in the project itself, unless it only inherits them from now on.
        rows = set[int]() if shown else _shown(person, at, names)
        roles = list(_declared(person, at, names))
        if rows is None or None in roles:
            return None
        found.update(rows, (role for role in roles if role is not None))
        shown = (shown or at == project) and _inherits_now(at, names)
    return frozenset(found)


def _shown(person: Address, project: str, names: Names) -> set[int] | None:
    unread = names.is_live(Address(CONTAINER, project)) and project not in names.members
    return None if unread else _live(person, project, names)


def _chain(project: str, names: Names) -> Iterator[str]:
    """A project, and those above it from which it inherits members."""
    for at in (project, *names.ancestors(project)):
        yield at
        spec, row = names.spec(Address(CONTAINER, at)), names.row(Address(CONTAINER, at)) or {}
        declared = getattr(spec, "inherit_members", None)
        if not (row.get("inherit_members", False) if declared is None else declared):
            return


def _inherits_now(project: str, names: Names) -> bool:
    row = names.row(Address(CONTAINER, project)) or {}
    return bool(row.get("inherit_members")) and next(iter(names.ancestors(project)), None) == names.live_parent(project)


def _live(person: Address, project: str, names: Names) -> set[int] | None:
    number, found, shown = names.id(person), set[int](), False
    for row in names.members.get(project, ()):
        kind, member = principal(row)
        if (kind, member["id"]) == (person.kind, number):
            shown = True
            own = own_roles(row) if _leaves(person, project, names) else ()
            found |= {role["id"] for role in row["roles"]} - {*own}
        elif kind == "group" and _joins(person, names.live("group").keys.get(member["id"], ""), names):
            found |= {role["id"] for role in row["roles"]}
    # A member that is declared absent and has inherited roles only is left out of the rows.
    return None if _leaves(person, project, names) and not shown else found


def _leaves(person: Address, project: str, names: Names) -> bool:
    key = f"{project}/{person.kind}:{person.key}".lower()
    return key in {absent.lower() for absent in names.absent(KIND)}


def _declared(person: Address, project: str, names: Names) -> Iterator[int | None]:
    """The ids of roles by declared memberships; None for one that does not exist."""
    known = names.live("role").ids
    for key, spec in _memberships(names).get(project, ()):
        own = key == f"{person.kind}:{person.key}".lower()
        if own or (spec.group and person.kind == "user" and _may_belong(person, spec.group, names)):
            yield from (_number(known.get(role)) for role in spec.roles or ())


def _number(number: object) -> int | None:
    return number if isinstance(number, int) else None


def _memberships(names: Names) -> dict[str, list[tuple[str, Any]]]:
    """The declared memberships by project, with their keys in lower case: Redmine compares these without case."""
    if "memberships" not in names.memo:
        found: dict[str, list[tuple[str, Any]]] = {}
        for key, spec in names.declared(KIND).items():
            address = Address(KIND, key)
            found.setdefault(address.project, []).append((address.own_name.lower(), spec))
        names.memo["memberships"] = found
    known: dict[str, list[tuple[str, Any]]] = names.memo["memberships"]
    return known


def _joins(person: Address, group: str, names: Names) -> bool:
    """Whether a user is declared to belong to a group."""
    spec = names.spec(names.canonical(Address("group", group)))
    return person.kind == "user" and person.key.lower() in {str(u).lower() for u in getattr(spec, "users", None) or ()}


def _may_belong(person: Address, group: str, names: Names) -> bool:
    address = names.canonical(Address("group", group))
    spec, row = names.spec(address), names.row(address)
    if spec is not None and spec.users is not None and not (row and "users" in spec.create_only):
        return _joins(person, group, names)
    # A group's own page alone shows its users: without it, everybody may belong to it.
    return row is not None and ("users" not in row or names.id(person) in {user["id"] for user in row["users"]})


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
