"""The groups of a page: what is deleted, the kinds outside projects, then each project."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from reconciler.kinds import kinds
from reconciler.model.address import CONTAINER, Address
from reconciler.render import words
from reconciler.render.html_items import Item, link
from reconciler.render.html_page import Group

if TYPE_CHECKING:
    from reconciler.plan.operations import Change, Plan

T = TypeVar("T")
DELETIONS = "deletions"


def project_of(address: Address) -> str:
    """The project that an object is in, also of a project itself; "" for kinds that are in none."""
    kind = kinds().get(address.kind)
    return address.project if address.kind == CONTAINER or (kind is not None and kind.inside) else ""


def name_of(address: Address) -> str:
    """The anchor of the group of an object. No object has such a one: its own has a slash after the kind."""
    project = project_of(address)
    return f"project:{quote(project, safe='')}" if project else f"kind:{quote(address.kind, safe='')}"


def ordered(found: Iterable[T], address: Callable[[T], Address]) -> list[T]:
    """Kinds outside projects first, then project by project, each in the order of kinds."""
    ranks = {name: rank for rank, name in enumerate(kinds())}

    def place(one: T) -> tuple[Address, int, Address]:
        own = address(one)
        return Address(CONTAINER, project_of(own)), ranks.get(own.kind, len(ranks)), own

    return sorted(found, key=place)


def removed(change: Change) -> bool:
    """Whether a change is shown among the deletions."""
    return change.action == "delete" or change.undeclared


def of_plan(plan: Plan, item: Callable[[Change], Item]) -> Iterator[Group]:
    """The groups of a plan. No link leads to a project that is not there yet."""
    new = {change.address for change in plan.changes if change.action == "create"}
    yield from grouped(plan.url, plan.changes, item, new)


def grouped(
    url: str, found: Iterable[Change], item: Callable[[Change], Item], new: Collection[Address] = ()
) -> Iterator[Group]:
    """The groups of some changes: what is deleted, the kinds outside projects, then each project."""
    changes = ordered(found, lambda change: change.address)
    if lost := [change for change in changes if removed(change)]:
        heading = "Deletions" if all(change.action == "delete" for change in lost) else "Deletions and locked users"
        yield Group(DELETIONS, heading, tuple(map(item, lost)))
    places: dict[str, list[Change]] = {}
    for change in changes:
        if not removed(change):
            places.setdefault(name_of(change.address), []).append(change)
    for name, some in places.items():
        project = project_of(some[0].address)
        heading = f"Project {project}" if project else _plural(some[0].address.kind)
        there = Address(CONTAINER, project) not in new
        page = f"{url.rstrip('/')}/projects/{quote(project, safe='')}" if project and there else ""
        yield Group(name, heading, tuple(map(item, some)), link=link(page, "Open in Redmine") if page else "")


def _plural(kind: str) -> str:
    """`Users`."""
    return words.count(2, kind).removeprefix("2 ").capitalize()
