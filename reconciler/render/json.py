"""Plans, reports and problems as JSON: stable keys in a stable order, described by `schemas/*.schema.json`.

A secret is `{"secret": true}`, which no value from a manifest or a server can be. `brief` cuts a long text to its
beginning, length and digest: `{"$text": "…", "length": 70000, "sha256": "…"}`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reconciler.model.spec import Secret
from reconciler.render.safe import INVISIBLE

if TYPE_CHECKING:
    from reconciler.apply.report import ItemError, Report, Result
    from reconciler.errors import Location, Problem
    from reconciler.export.run import Exported
    from reconciler.model.address import Address
    from reconciler.plan.operations import Change, FieldChange, Plan, Warned

FORMAT_VERSION = "1.4"
"""The minor part rises when keys are added, the major part when keys change or are removed."""
LONG = 1_000
"""Characters up to which `brief` leaves a text whole."""
BEGINNING = 200
"""Characters that it leaves of a longer one."""


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain data."""
    return {
        **_envelope(plan),
        "changes": [_change(change) for change in plan.changes],
        "summary": plan.summary,
        "requests": plan.requests,
        **({"uncompared": list(map(str, plan.uncompared))} if plan.uncompared else {}),
        **({"revealed": list(map(str, plan.revealed))} if plan.revealed else {}),
        **({"warnings": [_warning(w) for w in plan.warnings]} if plan.warnings else {}),
        **({"unmanaged": _unmanaged(plan)} if plan.unmanaged.listed or plan.unmanaged.objects else {}),
    }


def _unmanaged(plan: Plan) -> dict[str, Any]:
    """What no manifest declares: the number of what was read anyway, or all of it."""
    found = plan.unmanaged
    base = plan.url.rstrip("/")
    objects = [{"kind": o.address.kind, "key": o.address.key, "id": o.id, "url": base + o.path} for o in found.objects]
    listed = {"objects": objects, "complete": found.complete and not found.archived} if found.listed else {}
    return {"count": len(found.objects), **listed}


def _warning(warning: Warned) -> dict[str, Any]:
    address = warning.address
    return {"kind": address.kind, "key": address.key, **_place(warning.source), "message": warning.message}


def results_json(report: Report) -> dict[str, Any]:
    """The report of an apply as plain data: the changes of the plan, each with its outcome."""
    return {
        **_envelope(report.plan),
        "results": [_result(result) for result in report.results],
        "summary": report.summary,
        "requests": report.requests,
        "interrupted": report.interrupted,
        "ended": report.ended or None,
    }


def problems_json(problems: Iterable[Problem]) -> dict[str, Any]:
    """Problems as plain data. Lines and columns start at 1; 0 is the whole file."""
    return {"format_version": FORMAT_VERSION, "problems": [problem_json(problem) for problem in problems]}


def rest_json(problems: Iterable[Problem], rest: Plan, left_out: Iterable[Address]) -> dict[str, Any]:
    """Problems, the objects that they are of or that need these, and the plan of the others."""
    return {**problems_json(problems), "left_out": list(map(str, left_out)), "rest": plan_json(rest)}


def export_json(done: Exported) -> dict[str, Any]:
    """What an export wrote, as plain data."""
    replaced = dict(zip(("users", "mails"), done.sanitized, strict=True)) if done.sanitized else None
    return {
        "format_version": FORMAT_VERSION,
        "url": done.url,
        "folder": str(done.folder),
        "objects": dict(done.counts),
        "files": done.files,
        "removed": done.removed,
        "edited": list(done.edited),
        "left_out": [{"kind": a.kind, "key": a.key, "message": message} for a, message in done.left_out],
        **({"sanitized": replaced} if replaced else {}),
        "requests": done.requests,
    }


def brief(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a plan or report, with long texts in the fields of changes cut."""
    return {name: _brief(name, value) for name, value in data.items()}


def _brief(name: str, value: Any) -> Any:
    if name in ("before", "after"):
        return _cut(value)
    if isinstance(value, Mapping):
        return brief(value)
    return [_brief("", part) for part in value] if isinstance(value, list) else value


def _cut(value: Any) -> Any:
    """A value with the beginnings of its long texts, each with what distinguishes it from others."""
    if isinstance(value, Mapping):
        return {key: _cut(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_cut(part) for part in value]
    if not isinstance(value, str) or len(value) <= LONG:
        return value
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
    return {"$text": value[:BEGINNING], "length": len(value), "sha256": digest}


def dumps(data: Mapping[str, Any]) -> str:
    """The JSON text: UTF-8, with escapes for everything that a terminal would interpret or an encoder refuse."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    # Line by line: the line breaks left are those of the layout, which must stay.
    return "\n".join(INVISIBLE.sub(lambda match: json.dumps(match[0])[1:-1], line) for line in text.split("\n"))


def _envelope(plan: Plan) -> dict[str, Any]:
    return {"format_version": FORMAT_VERSION, "url": plan.url, "digest": plan.digest}


def _change(change: Change) -> dict[str, Any]:
    later = [{"fields": _fields(o.fields, change), "after": list(map(str, o.waits_for))} for o in change.later]
    return {
        "action": change.action,
        "kind": change.address.kind,
        "key": change.address.key,
        "id": change.id,
        "source": _place(change.source) if change.source.file else None,
        "fields": _fields(change.fields, change),
        **({"then": later} if later else {}),
        "reason": change.reason,
        **({"undeclared": True} if change.undeclared else {}),
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        **_change(result.change),
        "id": result.change.id if result.id is None else result.id,
        "outcome": result.outcome,
        "errors": [error.message for error in result.errors],
        "problems": [_item_error(error) for error in result.errors],
        "because": result.because,
        "notes": list(result.notes),
    }


def _item_error(error: ItemError) -> dict[str, Any]:
    return {"message": error.message, "path": error.path, **_place(error.location)}


def _fields(fields: Iterable[FieldChange], change: Change) -> list[dict[str, Any]]:
    """Fields; one that another file declares than the object (an overlay) with its place."""
    shown = []
    for one in fields:
        elsewhere = one.location is not None and one.location.file not in ("", change.source.file)
        place = {"source": _place(one.location)} if one.location is not None and elsewhere else {}
        shown.append({"path": one.path, "before": _plain(one.before), "after": _plain(one.after), **place})
    return shown


def _place(location: Location) -> dict[str, Any]:
    return {"file": location.file, "line": location.line, "column": location.column}


def problem_json(problem: Problem) -> dict[str, Any]:
    """One problem as plain data."""
    return {
        **_place(problem.location),
        "message": problem.message,
        "subject": problem.subject,
        "hint": problem.hint,
        "also": [_place(place) for place in problem.also],
    }


def _plain(value: Any) -> Any:
    """A canonical value as plain JSON data."""
    if isinstance(value, Secret):
        return {"secret": True}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    # JSON has no NaN or infinity; such a number becomes a string.
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)
