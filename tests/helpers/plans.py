"""Plans without a server, for tests: a live state filled in by hand, manifests of one project, and a look into a plan.

made = plan(inside("issues: [{subject: s, done_ratio: 10}]"), SHOP, issue(9, "shop", "s"))
assert steps(the(made, "issue", "shop/s")) == [{"done_ratio": 10}]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine import offline

from reconciler.errors import Problem
from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.kind import Kind
from reconciler.model.name_index import Names
from reconciler.plan.operations import Change, Id, Operation, OperationId
from reconciler.plan.planner import Plan, make
from reconciler.state.desired import Desired
from reconciler.state.live import Live, fresh_names
from reconciler.state.renames import settle_renames, settle_swaps

LOOKUPS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "tracker": [{"id": 1, "name": "Bug"}, {"id": 2, "name": "Feature"}, {"id": 3, "name": "Support"}],
    "issue_status": [
        {"id": 1, "name": "New", "is_closed": False},
        {"id": 2, "name": "In Progress", "is_closed": False},
        {"id": 5, "name": "Closed", "is_closed": True},
    ],
    "issue_priority": [{"id": 1, "name": "Low"}, {"id": 2, "name": "Normal"}, {"id": 3, "name": "High"}],
    "role": [{"id": 3, "name": "Manager"}, {"id": 4, "name": "Developer"}, {"id": 5, "name": "Reporter"}],
}
"""Definitions as Redmine's default data has them."""


Present = tuple[str, str, Mapping[str, Any]]
"""An object that is live: its kind, its key, and its row as the API would show it."""


def live_of(wanted: Desired, present: Iterable[Present] = ()) -> Live:
    """A live state of Redmine's definitions and what is `present`."""
    names = fresh_names(wanted)
    for kind, definitions in LOOKUPS.items():
        for row in definitions:
            names.add(kind, row["name"], row)
    for kind, key, row in present:
        names.add(kind, key, row)
    problems = [problem for kind in kinds().values() for problem in settled(kind, wanted, names)]
    return Live(names, {"id": 1, "login": "admin", "admin": True}, tuple(problems))


def settled(kind: Kind, wanted: Desired, names: Names) -> list[Problem]:
    """Settle which live object is which renamed one; what cannot be told."""
    objects = [found for found in wanted.objects.values() if found.kind is kind]
    settle_renames(kind, objects, names)
    return settle_swaps(kind, objects, names)[1]


def planned(wanted: Desired, present: Iterable[Present] = ()) -> Plan:
    """The plan for a live state by hand."""
    return make(wanted, live_of(wanted, present), "http://redmine.test")


def project(number: int, identifier: str, **more: Any) -> Present:
    """A live project."""
    return ("project", identifier, {"id": number, "identifier": identifier, "name": identifier, "status": 1, **more})


def user(number: int, login: str, **more: Any) -> Present:
    """A live user."""
    return ("user", login, {"id": number, "login": login, "status": 1, **more})


def version(number: int, owner: str, name: str, **more: Any) -> Present:
    """A live version."""
    row = {"id": number, "name": name, "project": {"id": 1}, "status": "open", "sharing": "none", **more}
    return ("version", f"{owner}/{name}", row)


def issue(number: int, owner: str, subject: str, **more: Any) -> Present:
    """A live issue, new and a bug unless `status` and `tracker` name others."""
    row = {"id": number, "subject": subject, "project": {"id": 1}, "custom_fields": []}
    named = {kind: next(r for r in LOOKUPS[kind] if r["name"] == name) for kind, name in more.pop("named", {}).items()}
    status = named.get("issue_status", LOOKUPS["issue_status"][0])
    tracker = named.get("tracker", LOOKUPS["tracker"][0])
    return ("issue", f"{owner}/{subject}", {**row, "status": status, "tracker": tracker, **more})


SHOP = project(1, "shop")


def plan(text: str, *present: Present) -> Plan:
    """The plan for a manifest and a live state."""
    return planned(offline(text), present)


def steps(change: Change) -> list[dict[str, Any]]:
    """What an object gets, in order of its operations."""
    return [{f.path: f.after for f in operation.fields} for operation in change.operations]


def the(made: Plan, kind: str, key: str) -> Change:
    """The change of one object."""
    (found,) = [c for c in made.changes if c.address == Address(kind, key)]
    return found


def after(change: Change, index: int = -1) -> set[str]:
    """What a later operation waits for."""
    return {str(a) for a in change.later[index].waits_for}


def operation(made: Plan, address: Address, number: int = 0) -> Operation:
    """One operation of a plan."""
    (one,) = [o for o in made.operations if o.id == (address, number)]
    return one


def comes_before(made: Plan, first: tuple[Address, int], second: tuple[Address, int]) -> bool:
    """Whether the edges of a plan lead from one operation to another."""
    before: dict[Id, Sequence[Id]] = {o.id: o.predecessors for o in made.operations}
    before |= {m.id: m.after for m in made.milestones}
    seen = set[Id]()
    todo: list[Id] = [OperationId(*second)]
    while todo:
        for other in before.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return OperationId(*first) in seen


PERSON = "firstname: A, lastname: B, mail: c@example.net"
"""What every new user needs."""


def inside(*lines: str, name: str = "shop") -> str:
    """A manifest of project `shop`, with these lists in it (from line 3 on)."""
    return "\n".join(["projects:", "  - identifier: shop", *(f"    {line}" for line in lines), f"    name: {name}"])
