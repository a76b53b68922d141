"""A plan as a file: the public JSON, and what is needed to apply it later and elsewhere.

    save(plan, names, public) → text → load(text, …) → Saved
    live.read(client, saved.desired) → Live → check(saved.plan, live)

It contains no secrets: `${NAME}` is stored as such and evaluated again when the plan is applied. `seal` is a digest of
the whole file that detects manual changes. It does not protect against an attacker: trust the file like a manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from reconciler.errors import ConfigError, Location, ReconcilerError, RefusedError
from reconciler.kinds import kinds
from reconciler.manifest.loader import expand
from reconciler.masking import Secrets
from reconciler.model.address import Address, Row
from reconciler.model.catalog import existing
from reconciler.model.codecs import digest, join
from reconciler.model.json_pieces import pieces, sha256
from reconciler.model.kind import Kind, scope_of
from reconciler.model.local_files import write_private
from reconciler.model.name_index import Context, Names
from reconciler.model.spec import Secret
from reconciler.plan.diff import gather, split
from reconciler.plan.operations import Change, FieldChange, Operation, Plan, is_stored_secret
from reconciler.plan.scheduling import evidence, fingerprint
from reconciler.plan.stand_ins import stand_ins
from reconciler.record import Record
from reconciler.state.desired import Desired
from reconciler.state.foreign import is_saved_plan
from reconciler.state.live import Live

FORMAT = "2.1"
"""Version of the file's contents beyond the public JSON."""
PUBLIC = "1."
"""The beginning of the version of the public JSON (`render.json`)."""
REPLAN = "plan again"
NOT_JSON = (ValueError, RecursionError)
"""Raised for text that is no JSON; the latter for thousands of brackets."""


class Saved(Record):
    """A plan from a file, and a desired state with just the objects that applying it involves."""

    plan: Plan
    desired: Desired


@cache
def _plans() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan)


@cache
def _changes() -> TypeAdapter[Change]:
    # One by one: while one call converts all of them, no other thread could move a progress bar.
    return TypeAdapter(Change)


# -- save ------------------------------------------------------------------------------------------------------


def save(
    plan: Plan, names: Names, public: Mapping[str, Any] | None = None, made_with: Mapping[str, str] | None = None
) -> str:
    """The text of the file; `public` is the public JSON of the plan, `made_with` where its settings were found.

    Raises RefusedError for a secret that the manifest contains in plain text.
    """
    for change in plan.changes:
        _check_secrets(change)
    data = {
        **(public or {}),
        "digest": plan.digest,
        "saved": FORMAT,
        # Without the place of the configuration on this machine: `load` gets the one where the plan is applied.
        "settings": {k: v for k, v in names.settings.items() if k != "place"},
        **({"made_with": dict(made_with)} if made_with else {}),
        "plan": _data(plan),
        "needs": [{"kind": a.kind, "key": a.key, "id": names.id(a)} for a in sorted(_referenced(plan, names))],
    }
    lines = (f"{json.dumps(key)}: {''.join(pieces(value, 2))}" for key, value in {**data, "seal": _seal(data)}.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _data(plan: Plan) -> dict[str, Any]:
    """A plan as plain data."""
    without: dict[str, Any] = _plans().dump_python(replace(plan, changes=()), mode="json")
    return {**without, "changes": [_changes().dump_python(change, mode="json") for change in plan.changes]}


def _check_secrets(change: Change) -> None:
    for field in (*change.all_fields, *change.unchanged):
        if isinstance(field.after, Secret) and not field.after.expression:
            raise RefusedError(
                f"Cannot save the plan: it would contain {field.path} of {change.address} in plain text. In the "
                "manifest, write the value as just ${NAME}."
            )


def check_echoes(plan: Plan, secrets: Secrets) -> None:
    """Raise RefusedError if a value that is no secret field's, live or declared, repeats a secret."""
    for change in plan.changes:
        for field in (*change.all_fields, *change.unchanged):
            if secrets.spans(repr((field.before, field.after))):
                raise RefusedError(
                    f"Cannot save the plan: {field.path} of {change.address} repeats a secret of the configuration or "
                    "of a secret field. Remove it there, or apply without a saved plan."
                )


def _is_plan(path: Path) -> bool:
    try:
        text = path.read_bytes()
        # An empty file is replaced too: it has nothing to lose (`mktemp` makes one).
        content = json.loads(text or b"{}")
    except (OSError, *NOT_JSON):
        return False
    return not text or (isinstance(content, dict) and is_saved_plan(content.keys()))


def write(path: Path, text: str) -> None:
    """Write a file that only its owner can read, completely or not at all.

    Raises ReconcilerError, also for an existing file that is not a saved plan: only saved plans are overwritten.
    """
    write_private(path, text, "a saved plan", _is_plan)


def _referenced(plan: Plan, names: Names) -> set[Address]:
    """The live objects to which values before and after refer."""
    referenced = set()
    for change in (*plan.changes, *plan.affected):
        kind = kinds()[change.address.kind]
        context = Context(names, scope_of(kind, change.address))
        for field in (*change.all_fields, *change.unchanged, *_named_by(change, names)):
            for value in (field.before, field.after):
                name, whole = split(field.path, value)
                for reference in kind.fields[name].codec.references(whole, context):
                    referenced.add(names.canonical(reference.addresses(names.is_inside)[0]))
    # These are in the plan itself: each object must have exactly one stand-in.
    own = {c.address for c in (*plan.changes, *plan.affected)}
    return {a for a in referenced - own if names.id(a) is not None}


def _named_by(change: Change, names: Names) -> Iterator[FieldChange]:
    """What the key of a deleted object names, such as the group of a membership: without it, it cannot be foreseen what
    others inherit no more."""
    row, kind = names.row(change.address), kinds()[change.address.kind]
    context = Context(names, scope_of(kind, change.address))
    for name in kind.identity if row is not None and change.action == "delete" else ():
        if name in kind.fields and row is not None and row.get(kind.fields[name].read or ""):
            yield FieldChange(name, kind.live(row, name, context), None)


def _seal(data: Mapping[str, Any]) -> str:
    return sha256({k: v for k, v in data.items() if k != "seal"}, 3)


# -- load ------------------------------------------------------------------------------------------------------


def load(text: str, name: str, variables: Mapping[str, str], place: Location) -> Saved:
    """The plan in the text of a file. `variables` give its secrets; `place` is reported for problems with settings.

    Raises ReconcilerError for anything but a saved plan, RefusedError for one that was modified or is of another
    version, ConfigError for a secret whose variable is not set.
    """
    return restored(checked(text, name), name, variables, place)


def restored(data: Mapping[str, Any], name: str, variables: Mapping[str, str], place: Location) -> Saved:
    """The plan in the data of a file that was checked. Raises as `load`."""
    with _of_this_version(name):
        plan = _plan(data, name, variables)
        return Saved(plan, stand_ins(plan, data["needs"], {**data["settings"], "place": place}))


def shown(data: Mapping[str, Any], name: str) -> Plan:
    """The same only to be shown, for which no variable has to be set."""
    with _of_this_version(name):
        return _plan(data, name, _Unset())


class _Unset(dict[str, str]):
    """Has every variable; all of them are empty."""

    def __contains__(self, name: object) -> bool:
        return True


def _plan(data: Mapping[str, Any], name: str, variables: Mapping[str, str]) -> Plan:
    changes = map(_changes().validate_python, data["plan"]["changes"])
    plan = _plans().validate_python({**data["plan"], "changes": ()})
    plan = replace(plan, changes=tuple(_with_secrets(change, variables) for change in changes))
    # The seal is about the text, the digest about its meaning, which this version may read differently.
    if plan.digest != data["digest"]:
        raise RefusedError(f"{name} does not match its digest: {REPLAN}.")
    return plan


@contextmanager
def _of_this_version(name: str) -> Iterator[None]:
    """Raise RefusedError for data of another form."""
    try:
        yield
    # pydantic's ValidationError is a ValueError.
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(f"{name} was saved by another version of reconciler: {REPLAN}.") from error


def checked(text: str, name: str) -> dict[str, Any]:
    """The data of a saved plan of this version. Raises ReconcilerError, RefusedError."""
    try:
        data = json.loads(text)
    except NOT_JSON as error:
        raise ReconcilerError(f"{name} is not a saved plan, or is incomplete: it is not valid JSON.") from error
    if not isinstance(data, dict) or "seal" not in data:
        raise ReconcilerError(f"{name} is not a saved plan. Create one with `reconciler plan --out FILE`.")
    # Before the seal, which another format may compute differently.
    if data.get("saved") != FORMAT or not str(data.get("format_version", PUBLIC)).startswith(PUBLIC):
        raise RefusedError(f"{name} was saved by another version of reconciler: {REPLAN}.")
    if data["seal"] != _seal(data):
        raise RefusedError(f"{name} was modified after it was saved: {REPLAN}.")
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
    text, problems = expand(expression, variables)
    if problems:
        raise ConfigError(f"The plan needs {expression} for {field.path} of {address}, but it is not set.")
    return replace(field, after=Secret(str(text), expression))


# -- check -----------------------------------------------------------------------------------------------------


def check_url(plan: Plan, url: str) -> None:
    """Raise RefusedError for a plan of another server."""
    if plan.url != url:
        raise RefusedError(f"The plan was made for {plan.url}, not for {url}: {REPLAN}.")


def check(plan: Plan, live: Live) -> None:
    """Raise RefusedError, listing each difference, if the live state or local files changed after the plan was made."""
    changes = plan.changes
    stale = [f"{c.address} {reason}" for c in changes if (reason := _stale(c, live.names))]
    stale += [f"{p.subject or 'the server'}: {p.message}" for p in live.problems]
    stale += [f"{c.address} {reason}" for c in changes for f in c.all_fields for reason in _changed_files(f.after)]
    if stale:
        listed = "\n".join(f"  {line}" for line in stale)
        raise RefusedError(f"The plan is out of date. No changes were made; {REPLAN}:\n{listed}")


def _changed_files(value: Any) -> Iterator[str]:
    """A reason for each local file of a canonical value that has changed."""
    if isinstance(value, Mapping) and "sha256" in value:
        path = Path(str(value["file"]))
        if not path.is_file():
            yield f"needs the file {path}, which no longer exists"
        elif digest(path.read_bytes()) != value["sha256"]:
            yield f"needs the file {path}, which has changed"
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _changed_files(part)


def _stale(change: Change, names: Names) -> str:
    """How a live object differs from the one that the plan was made for, or ""."""
    row = _row(change, names)
    if change.action == "create":
        return "" if row is None else f"was created after the plan was made{_number(row)}"
    if row is None:
        return "no longer exists"
    # Deleted and created again: equal values would not show it.
    if row["id"] != change.id:
        return f"is a different object now (#{row['id']}, was #{change.id})"
    now = _before(change, row, names)
    seen = evidence(kinds()[change.address.kind], row) if change.undeclared else None
    if fingerprint(row, now, seen) == change.fingerprint:
        return ""
    if change.undeclared:
        return "has changed, and no manifest declares it"
    # Reversed, so that the first change of a path counts: a later one starts from a value that this plan writes.
    was = {f.path: f.before for f in reversed(change.all_fields)}
    return "changed: " + ", ".join(f.path for f in now if f.before != was[f.path])


def _number(row: Row) -> str:
    return f" (#{row['id']})" if isinstance(row["id"], int) else ""


def _row(change: Change, names: Names) -> Row | None:
    """The live object, by key, or by id if the change gives it another key."""
    # What the plan itself makes of the catalog is expected, and not there yet.
    row = existing(names.row(change.address))
    if row is None and change.id is not None:
        row = names.live(change.address.kind).rows.get(change.id)
        if row is not None:
            # Applying looks it up by the key in the plan.
            names.add(change.address.kind, change.address.key, row)
    return row


def _before(change: Change, row: Row, names: Names) -> list[FieldChange]:
    """The same fields with the current live values as `before`, as a new plan would show them."""
    kind = kinds()[change.address.kind]
    context = Context(names, scope_of(kind, change.address), change.address)
    # Of several operations on a field, only the first has the live value as `before`.
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
    """The live value of a field without a difference: the desired one, or the recorded one of a write-only field."""
    return change.before if kind.fields[split(change.path, None)[0]].read is None else change.after
