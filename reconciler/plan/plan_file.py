"""A plan as a file: what the public JSON has, and what is needed to carry it out later and elsewhere.

    save(plan, names, public) → text → load(text, …) → Saved
    live.read(client, saved.desired) → Live → check(saved.plan, live)

Secrets are not in it: a `${NAME}` is kept as such and evaluated again when the plan is applied. `seal` covers all of
the file, so a change by hand is noticed (not one by somebody who means harm: the file is as trusted as a manifest).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from reconciler.errors import ConfigError, Location, ReconcilerError, RefusedError
from reconciler.kinds import kinds
from reconciler.manifest.loader import Map, expand
from reconciler.model.address import CONTAINER, Address, Row
from reconciler.model.codecs import digest, join
from reconciler.model.kind import Kind, Object, scope_of
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Secret
from reconciler.plan.diff import gather, split
from reconciler.plan.operations import Change, FieldChange, Operation, Plan, is_stored_secret
from reconciler.plan.scheduling import fingerprint
from reconciler.state.desired import Desired
from reconciler.state.live import Live

FORMAT = "2.0"
"""Version of what is in the file beyond the public plan."""
REPLAN = "make a new plan"


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan from a file, and a desired state that stands for just the objects that carrying it out concerns."""

    plan: Plan
    desired: Desired


@cache
def _plans() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan)


# -- save ------------------------------------------------------------------------------------------------------


def save(plan: Plan, names: Names, public: Mapping[str, Any] | None = None) -> str:
    """The file's text; `public` is the plan as other programs read it.

    Raises RefusedError for a secret that is in the manifest itself.
    """
    for change in plan.changes:
        _check_secrets(change)
    data = {
        **(public or {}),
        "digest": plan.digest,
        "saved": FORMAT,
        "settings": {k: v for k, v in names.settings.items() if k != "place"},
        "plan": _plans().dump_python(plan, mode="json"),
        "needs": [{"kind": a.kind, "key": a.key, "id": names.id(a)} for a in sorted(_named(plan, names))],
    }
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**data, "seal": _seal(data)}.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _check_secrets(change: Change) -> None:
    for field in (*change.all_fields, *change.unchanged):
        if isinstance(field.after, Secret) and not field.after.expression:
            raise RefusedError(
                f"The plan cannot be saved, because {field.path} of {change.address} would be in the file: in the "
                "manifest, write it as ${NAME} and no more."
            )


def _is_plan(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes() or b'{"saved": ""}')
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "saved" in content


def write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, all of it or nothing.

    Raises ReconcilerError, also for a file that is there and is no saved plan: nothing else is overwritten.
    """
    real = Path(os.path.realpath(path))
    if real.exists() and not real.is_file():
        raise ReconcilerError(f"The plan cannot be saved as {path}: that is not a regular file.")
    if real.exists() and not _is_plan(real):
        raise ReconcilerError(f"{path} is there and is no saved plan: it is not overwritten. Save the plan elsewhere.")
    try:
        handle, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(real)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ReconcilerError(f"The plan cannot be saved as {path}: {error.strerror}.") from error


def _named(plan: Plan, names: Names) -> set[Address]:
    """The live objects that the values before and after name."""
    named = set()
    for change in (*plan.changes, *plan.affected):
        kind = kinds()[change.address.kind]
        context = Context(names, scope_of(kind, change.address))
        for field in (*change.all_fields, *change.unchanged):
            for value in (field.before, field.after):
                name, whole = split(field.path, value)
                for reference in kind.fields[name].codec.references(whole, context):
                    named.add(names.canonical(reference.addresses(names.is_inside)[0]))
    own = {c.address for c in (*plan.changes, *plan.affected)}
    return {a for a in named - own if names.id(a) is not None}


def _seal(data: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in data.items() if k != "seal"}, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


# -- load ------------------------------------------------------------------------------------------------------


def load(text: str, name: str, variables: Mapping[str, str], place: Location) -> Saved:
    """The plan in a file's text. `variables` are for its secrets, `place` is where problems with settings are shown.

    Raises ReconcilerError for what is no saved plan, RefusedError for one that was changed or is of another version,
    ConfigError for a secret whose variable is not set.
    """
    data = _checked(text, name)
    try:
        plan = _plans().validate_python(data["plan"])
        plan = replace(plan, changes=tuple(_with_secrets(change, variables) for change in plan.changes))
        settings = {**data["settings"], "place": place}
        desired = Desired(dict(sorted(_stand_ins(plan, data["needs"]))), (), settings)
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"{name} was saved by another version of reconciler: {REPLAN}.") from error
    if plan.digest != data["digest"]:
        raise RefusedError(f"{name} does not have the digest that it was saved with: {REPLAN}.")
    return Saved(plan, desired)


def _checked(text: str, name: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ReconcilerError(f"{name} is not a saved plan, or not a whole one: it is not valid JSON.") from error
    if not isinstance(data, dict) or "seal" not in data:
        raise ReconcilerError(f"{name} is not a saved plan: `reconciler plan --out FILE` makes one.")
    if data.get("saved") != FORMAT:
        raise RefusedError(f"{name} was saved by another version of reconciler: {REPLAN}.")
    if data["seal"] != _seal(data):
        raise RefusedError(f"{name} was changed after it was saved: {REPLAN}.")
    return data


def _with_secrets(change: Change, variables: Mapping[str, str]) -> Change:
    """The change with its secrets evaluated again."""
    if not any(is_stored_secret(field.after) for field in change.all_fields):
        return change

    def evaluated(operation: Operation) -> Operation:
        fields = (_evaluated(change.address, field, variables) for field in operation.fields)
        return replace(operation, fields=tuple(fields))

    return replace(change, operations=tuple(map(evaluated, change.operations)))


def _evaluated(address: Address, field: FieldChange, variables: Mapping[str, str]) -> FieldChange:
    if not is_stored_secret(field.after):
        return field
    expression = field.after["secret"]
    text, faults = expand(expression, variables)
    if faults:
        raise ConfigError(f"The plan needs {expression} for {field.path} of {address}, and it is not set.")
    return replace(field, after=Secret(str(text), expression))


def _stand_ins(plan: Plan, needs: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Address, Object]]:
    """An object for each change, and for each that its values name: as much of it as reading the live state takes."""
    for item in needs:
        address = Address(item["kind"], item["key"])
        yield address, _object(address, item["id"], {}, Location(""))
    for change in plan.changes:
        state = {"state": "absent"} if change.action == "delete" else {}
        yield change.address, _object(change.address, change.id, gather(change.all_fields), change.source, **state)
    for change in plan.affected:
        yield change.address, _object(change.address, change.id, gather(change.unchanged), change.source)


def _object(
    address: Address, number: int | str | None, fields: Mapping[str, Any], source: Location, **more: str
) -> Object:
    kind = kinds()[address.kind]
    values: dict[str, Any] = {**more, **fields}
    if "id" in kind.spec.model_fields:
        values["id"] = number
    if len(kind.identity) == 1:
        name = address.key.partition("/")[2] if kind.inside else address.key
        values.setdefault(kind.identity[0], name)
    if kind.inside:
        values[CONTAINER] = address.project
    return Object(kind, address, kind.spec.model_construct(_fields_set=set(fields), **values), Map(source.file))


# -- check -----------------------------------------------------------------------------------------------------


def check_url(plan: Plan, url: str) -> None:
    """Raise RefusedError for a plan that was made for another server."""
    if plan.url != url:
        raise RefusedError(f"The plan was made for {plan.url}, not for {url}: {REPLAN}.")


def check(plan: Plan, live: Live) -> None:
    """Raise RefusedError, naming each object, unless everything is as it was when the plan was made."""
    stale = [f"{c.address} {said}" for c in plan.changes if (said := _stale(c, live.names))]
    stale += [f"{p.subject or 'the server'}: {p.message}" for p in live.problems]
    stale += [f"{c.address} {said}" for c in plan.changes for f in c.all_fields for said in _changed_files(f.after)]
    if stale:
        listed = "\n".join(f"  {line}" for line in stale)
        raise RefusedError(f"What the plan was made from changed meanwhile; nothing was done: {REPLAN}.\n{listed}")


def _changed_files(value: Any) -> Iterator[str]:
    """What is not as it was of the local files that a canonical value names."""
    if isinstance(value, Mapping) and "sha256" in value:
        path = Path(str(value["file"]))
        if not path.is_file():
            yield f"needs the file {path}, which is not there any more"
        elif digest(path.read_bytes()) != value["sha256"]:
            yield f"needs the file {path}, which has changed"
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _changed_files(part)


def _stale(change: Change, names: Names) -> str:
    """How an object is not what it was, or ""."""
    row = _row(change, names)
    if change.action == "create":
        return "" if row is None else f"was created meanwhile{_number(row)}"
    if row is None:
        return "does not exist any more"
    if row["id"] != change.id:
        return f"is another object now (#{row['id']}, it was #{change.id})"
    now = _before(change, row, names)
    if fingerprint(row, now) == change.fingerprint:
        return ""
    was = {f.path: f.before for f in reversed(change.all_fields)}
    return "changed: " + ", ".join(f.path for f in now if f.before != was[f.path])


def _number(row: Row) -> str:
    return f" (#{row['id']})" if isinstance(row["id"], int) else ""


def _row(change: Change, names: Names) -> Row | None:
    """The live object; if a change gives it another key, by its id."""
    row = names.row(change.address)
    if row is None and change.id is not None:
        row = names.live(change.address.kind).rows.get(change.id)
        if row is not None:
            names.add(change.address.kind, change.address.key, row)
    return row


def _before(change: Change, row: Row, names: Names) -> list[FieldChange]:
    """The same fields with what they are now as `before`: as the plan would show them if it were made now."""
    kind = kinds()[change.address.kind]
    context = Context(names, scope_of(kind, change.address), change.address)
    first = {f.path: f for f in reversed(change.all_fields)}
    differing: dict[str, Any] = {}
    for name, wanted in gather(tuple(first.values())).items():
        if kind.fields[name].read is None:
            continue
        live = kind.live(row, name, context)
        for part, before, _ in kind.fields[name].codec.differences(wanted, live):
            differing[join(name, part)] = before
    return [FieldChange(f.path, differing.get(f.path, _unread(kind, f)), f.after) for f in first.values()]


def _unread(kind: Kind, change: FieldChange) -> Any:
    """The live value of a field that does not differ: the wanted one, or what the API never tells."""
    return change.before if kind.fields[split(change.path, None)[0]].read is None else change.after
