"""Declared fields against a live object → field changes. Fields that a manifest omits are never compared."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from reconciler.errors import Problem
from reconciler.manifest.loader import Included, Templated
from reconciler.model.address import Row, Unresolved
from reconciler.model.capabilities import PartialRows
from reconciler.model.codecs import Codec, Difference, blank, join
from reconciler.model.field_sets import field_sets
from reconciler.model.inner_place import Path, inner_place
from reconciler.model.kind import Kind, Object
from reconciler.model.name_index import Context
from reconciler.model.spec import Secret
from reconciler.natural import natural
from reconciler.plan.operations import FieldChange

# Just the variable: text around it, or a default, would have to be stored in plain text.
PURE = re.compile(r"\$\{\w+\}", re.ASCII)


def canonical(declared: Object, context: Context) -> tuple[dict[str, Any], list[Problem]]:
    """The declared fields of an object in canonical form, and a Problem for each invalid value."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    sets = field_sets(declared.kind)
    # Thousands of issues have the same tracker, and name it in the same project.
    known = context.names.memo.setdefault(("canonical", declared.kind.name, context.project), {})
    for name, value in declared.fields.items():
        if name in sets.as_declared:
            values[name] = value
        elif name not in sets.linking or not isinstance(value, str):
            problems += _translate(declared, name, value, context, values)
        elif (name, value) in known:
            values[name] = known[name, value]
        elif faults := _translate(declared, name, value, context, values):
            problems += faults
        else:
            known[name, value] = values[name]
    return values, problems


def _translate(declared: Object, name: str, value: Any, context: Context, values: dict[str, Any]) -> list[Problem]:
    """Add a declared field in canonical form to `values`; a Problem for each part that is invalid."""
    api, problems = declared.kind.fields[name], []
    if api.secret:
        # From the mapping: only there is the `${NAME}` that the value came from.
        values[name] = secret(declared.body.get(name))
        return []
    if api.codec.is_whole:
        try:
            values[name] = api.codec.kept(value, context)
        except Unresolved:
            # It is found again, with its place, below.
            pass
        else:
            return []
    # Piece by piece, so that one invalid custom field does not hide the problems of the others.
    for part, piece in api.codec.pieces(value):
        try:
            one = api.codec.kept(piece, context)
            if part and set(one) & set(values.get(name, {})):
                raise Unresolved(f"{part}: declared twice, by name and by #id", "remove one of them")
            values[name] = {**values.get(name, {}), **one} if part else one
        except Unresolved as error:
            inner = _inner(api.codec, part, piece, context, error)
            place = declared.where(join(name, part), *_in_whole(inner, piece, value))
            problems.append(Problem(place, f"{name}: {error}", str(declared.address), error.hint, (), error.missing))
    return problems


def _in_whole(inner: Path, piece: Any, value: Any) -> Path:
    """The place inside a field of a place inside a piece of it, which may be some items of a list."""
    if not isinstance(piece, list) or not isinstance(value, list | tuple) or not inner:
        return inner
    item = piece[int(inner[0])]
    return next(((index, *inner[1:]) for index, other in enumerate(value) if other is item), ())


def _inner(codec: Codec, part: str, piece: Any, context: Context, error: Unresolved) -> Path:
    """Where inside a piece of a field an error is."""
    # The part of a mapping (`custom_fields`), else the piece itself.
    keyed = isinstance(piece, Mapping) and part in piece

    def fails(value: Any) -> bool:
        try:
            codec.kept({part: value} if keyed else value, context)
        except Unresolved as other:
            return str(other) == str(error)
        return False

    return inner_place(piece[part] if keyed else piece, fails)


def secret(raw: Any) -> Secret | None:
    """A secret, with its `${NAME}` if that is all the manifest has: only then can a plan be saved."""
    if blank(raw):
        return None
    raw = raw.line if isinstance(raw, Included) else raw
    expression = raw.expression if isinstance(raw, Templated) else ""
    return Secret(str(raw), expression if PURE.fullmatch(expression) else "")


def changes(declared: Object, values: Mapping[str, Any], row: Row, context: Context) -> Iterator[FieldChange]:
    """The changes that make a live object match its declaration; none for create-only fields."""
    kind, create_only, sets = declared.kind, declared.spec.create_only, field_sets(declared.kind)
    plain, links = sets.as_shown, sets.linking
    same: set[tuple[str, str, Any]] = context.names.memo.setdefault(("same", kind.name, context.project), set())
    for name, wanted in values.items():
        if name not in sets.compared or name in create_only:
            continue
        # Equal as they are in most cases; thousands of issues have the same tracker.
        if name in plain and wanted is not None and row.get(plain[name]) == wanted:
            continue
        wire = row.get(links[name]) if name in links and isinstance(wanted, str) else None
        if wire and (name, wanted, wire["id"]) in same:
            continue
        shown = kind.capability(PartialRows).shows(kind, row, name, values)
        differences = (_differences if shown else _unseen)(kind, row, name, wanted, context)
        if wire and shown and not differences:
            same.add((name, wanted, wire["id"]))
        for part, before, after in differences:
            yield located(declared, join(name, part), before, after)


def _differences(kind: Kind, row: Row, name: str, wanted: Any, context: Context) -> list[Difference]:
    """How a live object differs in a field from its canonical value."""
    live = kind.live(row, name, context)
    # The codec decides what only looks different (`1.5` and `1.50`; test_trap_33).
    return kind.fields[name].codec.differences(wanted, live) if wanted != live else []


def _unseen(kind: Kind, row: Row, name: str, wanted: Any, context: Context) -> list[Difference]:
    """The same if the row lacks the field: it is written without comparing if it can be read back after the write."""
    parts = kind.fields[name].codec.parts(wanted) if kind.capability(PartialRows).writes_unseen(row, context) else ()
    return [(part, None, value) for part, value in parts]


def matching(
    declared: Object, values: Mapping[str, Any], row: Row, changed: Iterable[FieldChange]
) -> Iterator[FieldChange]:
    """The declared fields that already match the live object; `changed` are those that do not."""
    kind, paths = declared.kind, {change.path for change in changed}
    for name, wanted in values.items():
        api = kind.fields[name]
        if api.read is not None and not api.create_only and name not in declared.spec.create_only:
            parts = api.codec.parts(wanted) if kind.capability(PartialRows).shows(kind, row, name, values) else ()
            same = ((join(name, part), value) for part, value in parts)
            yield from (located(declared, path, value, value) for path, value in same if path not in paths)


def companions(declared: Object, values: Mapping[str, Any], changed: Collection[str]) -> Iterator[FieldChange]:
    """Write-only fields that accompany a change, such as the comment on a change of a wiki page."""
    for name, wanted in values.items() if changed else ():
        if declared.kind.fields[name].along & set(changed) and not blank(wanted):
            yield located(declared, name, None, wanted)


def creation(declared: Object, values: Mapping[str, Any]) -> Iterator[FieldChange]:
    """The fields of a new object."""
    for name, wanted in values.items():
        for part, value in declared.kind.fields[name].codec.parts(wanted):
            yield located(declared, join(name, part), None, value)


def located(declared: Object, path: str, before: Any, after: Any) -> FieldChange:
    """A field change with its place in the manifest."""
    return FieldChange(path, before, after, declared.where(path))


def split(path: str, value: Any) -> tuple[str, Any]:
    """The name of the field of a path, and the field's value that contains the path's value (the reverse of `join`)."""
    name, _, part = path.partition(".")
    return name, {part: value} if part else value


def gather(fields: Iterable[FieldChange]) -> dict[str, Any]:
    """The canonical values after the changes, by field. Of several changes of a path, the last one counts."""
    values: dict[str, Any] = {}
    for change in fields:
        name, value = split(change.path, change.after)
        # Parts of one field are sent together; a change of the whole field replaces earlier ones.
        if isinstance(values.get(name), dict) and change.path != name:
            value = {**values[name], **value}
        values[name] = value
    return values


def detail(before: Any, after: Any) -> list[str]:
    """The diff of a long value, in lines that begin with `-`, `+`, a space (context) or `@@` (a position in a text).

    Lists are compared as sets and mappings key by key (`+key: value`), anything else line by line.
    """
    if not isinstance(before, list | dict) and not isinstance(after, list | dict):
        old, new = ([] if blank(value) else str(value).split("\n") for value in (before, after))
        # Without the two lines for file names.
        return list(difflib.unified_diff(old, new, lineterm=""))[2:]
    from deepdiff import DeepDiff  # slow to import (100 ms), and few plans need it
    from deepdiff.helper import notpresent

    empty: list[Any] | dict[str, Any] = {} if isinstance(before or after, dict) else []
    # Pairing similar items (the default) is quadratic: 10 s for 1,000 names with deepdiff 9.1.
    options: dict[str, Any] = {"ignore_order": True, "cutoff_intersection_for_pairs": 0}
    # Without this option, keys that begin with `__` would be ignored, and a custom field can be called that.
    tree = DeepDiff(before or empty, after or empty, view="tree", ignore_private_variables=False, **options)
    lines = set()
    for level in (level for levels in tree.values() for level in levels):
        keys = [key for key in level.path(output_format="list") if isinstance(key, str)]
        label = f"{'.'.join(keys)}: " if keys else ""
        sides = (("-", level.t1), ("+", level.t2))
        lines |= {(label, sign, str(value)) for sign, value in sides if value is not notpresent}
    # A set has no order, and the same plan must always read the same.
    ordered = sorted(lines, key=lambda line: (natural(line[0]), line[1] == "+", natural(line[2])))
    return [f"{sign}{label}{value}" for label, sign, value in ordered]
