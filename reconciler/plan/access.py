"""Gates that guard access: Redmine lets new values name active users only, and to unlock one lets that person in.

A user is unlocked for planned work only if the manifest declares the status. Then the next run locks the user again,
even if this one is killed in between; anybody else stays locked, and the plan says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.errors import Problem
from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.codecs import sort_key
from reconciler.model.kind import Kind
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Gate, Spec
from reconciler.plan.draft import Draft, targets
from reconciler.plan.operations import FieldChange


def added(change: FieldChange) -> Any:
    """What a change adds: an object may keep references to what was locked since (Redmine 5.0 to 6.1)."""
    if not (isinstance(change.before, list) and isinstance(change.after, list)):
        return change.after
    # Counted, not a set: the same note can be there twice.
    left, new = Counter(map(sort_key, change.before)), []
    for item in change.after:
        if left[sort_key(item)] > 0:
            left[sort_key(item)] -= 1
        else:
            new.append(item)
    return new


def names_of(draft: Draft, field: str) -> set[str]:
    """What the field of a referrer is called in `Gate.via`."""
    return {field, f"{draft.kind.name}.{field}"}


def may_open(gate: Gate, spec: Spec | None, name: str) -> bool:
    """Whether planned work may open a gate, given what declares its owner; `name` is the gate's field."""
    return not gate.guards_access or _declared(spec, name) is not None


def closes_access(kind: Kind, fields: Sequence[FieldChange]) -> bool:
    """Whether a write takes access away, as locking a user does."""
    gates = ((f, kind.fields[f.path].gate) for f in fields if f.path in kind.fields)
    return any(gate is not None and gate.guards_access and f.after in gate.shut for f, gate in gates)


def barred(drafts: Mapping[Address, Draft], names: Names) -> Iterator[Problem]:
    """A Problem for each new value that names a user who is not active, and is not made so."""
    for draft in drafts.values():
        for change in draft.fields:
            for address in targets(draft.declared, change.path, added(change), names):
                yield from _barred(draft, change, address, names)


def _barred(draft: Draft, change: FieldChange, address: Address, names: Names) -> Iterator[Problem]:
    row, spec, kind = names.row(address), names.spec(address), kinds()[address.kind]
    through = names_of(draft, change.path.partition(".")[0])
    for name, api in kind.fields.items():
        gate = api.gate
        if gate is None or not gate.guards_access or not through & gate.via:
            continue
        live = None if row is None else kind.live(row, name, Context(names))
        wanted = _declared(spec, name) if row else getattr(spec, name, None)
        if wanted is not None and wanted != gate.open and wanted not in gate.shut:
            # It is made so, and nothing opens it for a while.
            live = wanted
        # None: the account is not shown it, or it is new.
        elif live in (None, gate.open) or wanted == gate.open or (wanted is not None and live in gate.shut):
            continue
        message = f"{change.path}: {address} is {live}, and Redmine accepts only {gate.open} {kind.plural} here"
        hint = f"declare the {kind.name} with `{name}: {live}`: it is made {gate.open} for this and {live} again after"
        if live not in gate.shut:
            hint = f"declare the {kind.name} with `{name}: {gate.open}`, or leave out this value"
        yield Problem(draft.declared.where(change.path), message, str(draft.address), hint)


def _declared(spec: Spec | None, name: str) -> Any:
    """The declared value of a field that every run restores, else None."""
    return None if spec is None or name in spec.create_only else getattr(spec, name)
