"""Plans for tests of pages: with what waits for what, with much of everything, with texts that try to break out."""

from __future__ import annotations

from collections.abc import Sequence

from samples import at, changed, new, plan_of

from reconciler.model.address import Address
from reconciler.plan.operations import Change, Create, Delete, FieldChange, Operation, OperationId, Plan, Update


def waiting(
    kind: type[Operation],
    address: Address,
    number: int | None,
    fields: Sequence[FieldChange] = (),
    after: Sequence[Address] = (),
    reason: str | None = None,
) -> Change:
    """A change that comes after those on other objects."""
    first = kind(OperationId(address), tuple(fields), tuple(map(OperationId, after)), (), reason)
    return Change(address, number, at(1), (first,))


def many(number: int, projects: int = 10) -> Plan:
    """A plan of so many changes: of each ten issues, one is changed, one deleted, all others are created."""
    changes = []
    for name in (f"p{n}" for n in range(projects)):
        project, version = Address("project", name), Address("version", f"{name}/1.0")
        changes.append(waiting(Create, project, None, new(name=name, description="one\ntwo\nthree")))
        changes.append(waiting(Create, version, None, new(name="1.0"), [project]))
    changes += [_issue(n, f"p{n % projects}") for n in range(number - len(changes))]
    return plan_of(*changes, unchanged=7)


def _issue(n: int, project: str) -> Change:
    address, after = Address("issue", f"{project}/step {n}"), [Address("version", f"{project}/1.0")]
    if n % 10 == 8:
        return waiting(Delete, address, n, (), after, "also deletes 2 logged hours")
    if n % 10 == 9:
        long = "".join(f"line {n}\n" for n in range(40))
        texts = (
            changed("description", long, long.replace("line 2", "line twenty-")),
            changed("status", "New", "Closed"),
        )
        return waiting(Update, address, n, texts, after)
    fields = new(subject=f"step {n}", tracker="Bug", assigned_to="jsmith", custom_fields__Size="12")
    return waiting(Create, address, None, fields, after)
