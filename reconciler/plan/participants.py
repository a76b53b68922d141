"""People whom Redmine would not accept in a field, as they are no members of the project or lack a right there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from reconciler.errors import Problem
from reconciler.kinds._members import is_private, possible_roles
from reconciler.kinds._server_settings import setting
from reconciler.model.address import Address, Row, Unresolved
from reconciler.model.kind import Object
from reconciler.model.name_index import Context
from reconciler.model.participation import ASSIGNABLE, Part, Participants
from reconciler.plan.operations import Warned
from reconciler.record import Record

GROUPS = (
    "Redmine takes a group as assignee only with the setting "
    '"Allow issue assignment to groups" (Administration → Settings → Issue tracking)'
)


class _Unfit(Record):
    """Why somebody cannot be what a field says, what to do, and whether that is certain."""

    said: str
    hint: str
    certain: bool = True


def unfit(found: Object, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterator[Problem | Warned]:
    """A Problem for each new person whom Redmine will refuse, and a warning for each whom it may refuse."""
    parts = found.kind.capability(Participants)
    for name, part in parts.parts.items():
        if name not in values or not _is_sent(found, name, row, values):
            continue
        for index, one in _newcomers(found, name, row, values, context):
            if not (why := _why(one, part, parts.exempt(name, one, row, values, context), context)):
                continue
            place = found.where(f"{name}.{index}" if isinstance(values[name], list) else name)
            if why.certain and not part.effect and not parts.doubtful(name, one, row, context):
                yield Problem(place, f"{name}: {why.said}", str(found.address), why.hint)
            else:
                more = "; ".join(filter(None, (part.effect, why.hint)))
                yield Warned(found.address, place, f"{name}: {why.said}{f'; {more}' if more else ''}")


def _is_sent(found: Object, name: str, row: Row | None, values: Mapping[str, Any]) -> bool:
    only_new = found.kind.fields[name].create_only or name in found.spec.create_only
    return values.get(name) is not None and (row is None or not only_new)


def _newcomers(
    found: Object, name: str, row: Row | None, values: Mapping[str, Any], context: Context
) -> Iterable[tuple[int, Address]]:
    # In the order of the manifest; a canonical list is sorted.
    value = found.fields[name]
    items = [[one] for one in value] if isinstance(value, list) else [value]
    with suppress(Unresolved, KeyError):
        new = set(found.kind.capability(Participants).newly_named(found.kind, name, values[name], row, context))
        named = ((n, one) for n, item in enumerate(items) for one in _people(found, name, item, context))
        return [(n, one) for n, one in named if one in new]
    return []


def _people(found: Object, name: str, item: Any, context: Context) -> list[Address]:
    return [context.resolve(reference) for reference in found.kind.fields[name].codec.references(item, context)]


def _why(person: Address, part: Part, exempt: bool, context: Context) -> _Unfit | None:
    if exempt:
        return None
    return _without_right(person, part, context) or _group(person, part, context)


def _without_right(person: Address, part: Part, context: Context) -> _Unfit | None:
    roles = possible_roles(person, context.project, context.names)
    if roles is None or (not roles and part.outsiders and not is_private(context)):
        return None
    who = person.key if person.kind == "user" else f'the group "{person.key}"'
    where = f'project "{context.project}"'
    if not roles:
        return _Unfit(f"{who} is not a member of {where}", f"add {who} to its members")
    rows = [context.names.live("role").rows.get(role, {}) for role in roles]
    if not part.right or any(_permits(row, part.right) for row in rows):
        return None
    names = ", ".join(sorted(row["name"] for row in rows))
    if part.right == ASSIGNABLE:
        return _Unfit(f"issues of {where} cannot be assigned to {who} as {names}", "give another role, or " + MENU)
    return _Unfit(f"{who} lacks the permission {part.right} in {where} as {names}", "give another role, or " + MENU)


MENU = "ask an administrator to change it: Administration → Roles and permissions"


def _permits(row: Row, right: str) -> bool:
    # A role whose own page was not read may permit everything.
    return bool(row.get(ASSIGNABLE, True)) if right == ASSIGNABLE else right in row.get("permissions", (right,))


def _group(person: Address, part: Part, context: Context) -> _Unfit | None:
    """A doubt about a group as assignee: the API does not show the setting, but a live issue may."""
    if person.kind != "group" or part.right != ASSIGNABLE:
        return None
    names = context.names
    allowed = setting("issue_group_assignment", names)
    if allowed is not None:
        return None if allowed else _Unfit(GROUPS, "declare `issue_group_assignment: true` in the settings")
    if "groups are assignees" not in names.memo:
        groups = names.live("group").rows
        assignees = ((row.get("assigned_to") or {}).get("id") for row in names.live("issue").rows.values())
        names.memo["groups are assignees"] = any(number in groups for number in assignees)
    return None if names.memo["groups are assignees"] else _Unfit(GROUPS, "", certain=False)
