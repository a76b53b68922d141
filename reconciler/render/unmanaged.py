"""The wording of live objects that no manifest declares, by project and kind; the same in every format."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from reconciler.model.address import CONTAINER
from reconciler.record import Record
from reconciler.render import words

if TYPE_CHECKING:
    from reconciler.plan.operations import LiveObject, Plan

SHOWN = 20
"""Objects of one kind in one project to show; JSON has all."""
PARTIAL = "This account is no administrator's, so there may be more."


class Group(Record):
    """Objects of one kind in one project: a heading, (name, link) of the first ones, and how many more there are."""

    heading: str
    items: tuple[tuple[str, str], ...]
    more: int


def heading(plan: Plan) -> str:
    """The line above the list, or "" if the list was not asked for."""
    found = plan.unmanaged
    if not found.listed:
        return ""
    partial = [] if found.complete else [PARTIAL]
    archived = [f"Archived projects are not included: {', '.join(found.archived)}."] if found.archived else []
    number = len(found.objects)
    said = f"In no manifest: {number} object{'' if number == 1 else 's'} in declared projects."
    none = "Every object in the declared projects is in a manifest."
    return " ".join([said if number else none, *partial, *archived])


def groups(plan: Plan) -> Iterator[Group]:
    """The list, if it was asked for."""
    for (kind, project), some in groupby(plan.unmanaged.objects if plan.unmanaged.listed else (), key=_group):
        found = list(some)
        # A note about one more line would be as long as that line.
        shown = found if len(found) <= SHOWN + 1 else found[:SHOWN]
        where = f" in {project}" if project else ""
        items = tuple((_name(one), plan.url.rstrip("/") + one.path) for one in shown)
        yield Group(f"{words.count(len(found), kind)}{where}", items, len(found) - len(shown))


def _group(one: LiveObject) -> tuple[str, str]:
    address = one.address
    return address.kind, address.project if "/" in address.key and address.kind != CONTAINER else ""


def _name(one: LiveObject) -> str:
    return f"{one.address} (#{one.id})" if isinstance(one.id, int) else str(one.address)
