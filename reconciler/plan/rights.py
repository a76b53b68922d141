"""What the account may not do of a plan, as far as its roles tell. An administrator may do everything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import field

from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.model.kind import scope_of
from reconciler.model.name_index import Names
from reconciler.model.rights import ADMIN, Choice, Rights
from reconciler.model.visibility import Unlisted
from reconciler.plan.operations import Change, Plan
from reconciler.record import Record

ANYWHERE = frozenset({"add_project"})
"""Permissions that count in whichever project a role has them."""
Permissions = Collection[str] | None
"""Those of a role; None if they are not known, so that it may have any."""


class Account(Record):
    """What an account may do: the permissions of its roles by the project's id, and of those who are no members."""

    roles: Mapping[int, Sequence[Permissions]] = field(default_factory=dict)
    outsider: Permissions = None


class Lacking(Record):
    """A permission, or one of several, that the account lacks in a project, and the changes that need it."""

    project: str
    permissions: Choice
    changes: tuple[Change, ...]


def lacking(plan: Plan, names: Names, account: Account) -> list[Lacking]:
    """Each permission that is missing, once for each project."""
    found: dict[tuple[str, Choice], list[Change]] = {}
    for change in plan.changes:
        for project, choice in _needed(change):
            if not _may(project, choice, names, account):
                found.setdefault((project, choice), []).append(change)
    return [Lacking(project, choice, tuple(changes)) for (project, choice), changes in sorted(found.items())]


def asks_outsider(plan: Plan, names: Names, mine: Collection[int]) -> bool:
    """Whether it matters what those may do who are no members; `mine` are the ids of the projects of the account."""
    needed = {project for change in plan.changes for project, choice in _needed(change) if choice != (ADMIN,)}
    return any(not project or _number(project, names) not in {*mine, None} for project in needed)


def _needed(change: Change) -> Iterator[tuple[str, Choice]]:
    """(project, permissions) for a change; the project is "" for what is in none."""
    kind = kinds()[change.address.kind]
    if kind.has(Unlisted):
        yield "", (ADMIN,)
        return
    changed = {f.path.partition(".")[0]: (f.before, f.after) for f in change.all_fields}
    if change.action == "create":
        # Its title is no renaming.
        changed = {name: values for name, values in changed.items() if name not in kind.identity}
    # What creates a project cannot be allowed inside it.
    project = "" if kind.name == CONTAINER and change.action == "create" else scope_of(kind, change.address)
    for choice in kind.capability(Rights).needed(change.action, changed):
        if choice:
            yield project, choice


def _may(project: str, choice: Choice, names: Names, account: Account) -> bool:
    everywhere = [permissions for roles in account.roles.values() for permissions in roles]
    if any(_has(permissions, ANYWHERE.intersection(choice)) for permissions in everywhere):
        return True
    if choice == (ADMIN,):
        return False
    if not project:
        return _has(account.outsider, choice)
    number = _number(project, names)
    # In a new project, the account gets a role when it creates it.
    if number is None:
        return True
    if number in account.roles:
        return any(_has(permissions, choice) for permissions in account.roles[number])
    row = names.row(Address(CONTAINER, project)) or {}
    return bool(row.get("is_public", True)) and _has(account.outsider, choice)


def _has(permissions: Permissions, choice: Collection[str]) -> bool:
    return bool(choice) and (permissions is None or not set(choice).isdisjoint(permissions))


def _number(project: str, names: Names) -> int | None:
    return names.id(Address(CONTAINER, project)) if project else None
