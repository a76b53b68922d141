"""Kinds → JSON Schema (draft 2020-12) of a manifest, and the schemas of the JSON that the commands print.

The manifest's schema is made for editors: it accepts what `validate` accepts as far as types go. A plain YAML scalar is
text to the loader, and any text may hold `${NAME}`, so every scalar may also be such a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reconciler.kinds import declarable
from reconciler.model.address import CONTAINER
from reconciler.model.kind import Kind, nested_name
from reconciler.model.spec import REFUSE

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION: Schema = {"type": "string", "pattern": r"\$\{"}
"""A text with `${NAME}` in it: what it comes to is not known to an editor."""
WORDS: Schema = {"type": "string", "pattern": r"^(true|false|yes|no|on|off)$|\$\{"}
"""The words for a truth value that YAML 1.2 takes as text."""


# -- manifest --------------------------------------------------------------------------------------------------


def manifest_schema() -> Schema:
    """The schema of a manifest: every kind's list, at top level and inside a project (there without `project`)."""
    kinds = declarable().values()
    definitions = {kind.name: item_schema(kind) for kind in kinds}
    nested = {kind: f"{kind.name}_in_project" for kind in kinds if kind.inside}
    for kind, name in nested.items():
        definitions[name] = _without_project(definitions[kind.name])
    lists = {nested_name(kind): _list(kind, name) for kind, name in nested.items()}
    definitions[CONTAINER]["properties"] |= lists
    return {
        "$schema": DRAFT,
        "description": "What a Redmine should be like. All manifests together make one desired state.",
        **_object({"$schema": {"type": "string"}} | {kind.plural: _list(kind, kind.name) for kind in kinds}, ()),
        "$defs": dict(sorted(definitions.items())),
    }


def item_schema(kind: Kind) -> Schema:
    """The schema of one declared object of a kind."""
    made = raw_schema(kind)
    properties = {name: field_schema(kind, name, found) for name, found in made["properties"].items()}
    return {"description": _sentence(made), **_object(properties, made.get("required", ()))}


def raw_schema(kind: Kind) -> Schema:
    """What pydantic says of a kind's spec, with its references put in and without its titles and defaults."""
    made = kind.spec.model_json_schema()
    found: Schema = _inlined(made, made.get("$defs", {}))
    return found


def _inlined(found: Any, definitions: Mapping[str, Any], *, named: bool = False) -> Any:
    """`found` without `$ref`, titles and defaults; the keys of a `named` mapping are names of fields."""
    if isinstance(found, list):
        return [_inlined(part, definitions) for part in found]
    if not isinstance(found, dict):
        return found
    if "$ref" in found and not named:
        referred = definitions[found["$ref"].rpartition("/")[2]]
        found = {**referred, **{key: value for key, value in found.items() if key != "$ref"}}
    noise = () if named else ("title", "default", "format", "$defs")
    kept = {key: value for key, value in found.items() if key not in noise}
    return {key: _inlined(value, definitions, named=key == "properties" and not named) for key, value in kept.items()}


def field_schema(kind: Kind, name: str, made: Schema) -> Schema:
    """The schema of one field: pydantic's `made`, for YAML."""
    if name == "create_only":
        made = {**made, "items": {"type": "string", "enum": list(kind.fields)}}
    clearable = name not in kind.fields or kind.fields[name].clear is not REFUSE
    found = [part for part in _loosened(made) if clearable or part.get("type") != "null"]
    return _described(found, made)


def _described(alternatives: list[Schema], made: Mapping[str, Any]) -> Schema:
    """The alternatives as one schema, with the description that `made` has."""
    said = {"description": made["description"]} if "description" in made else {}
    return {**said, **(alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives})}


def _sentence(made: Mapping[str, Any]) -> str:
    return str(made.get("description", "")).strip()


def _object(properties: Mapping[str, Any], required: Any) -> Schema:
    """A mapping with these keys and no others."""
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def _list(kind: Kind, definition: str) -> Schema:
    items = {"$ref": f"#/$defs/{definition}"}
    return {"description": _sentence(raw_schema(kind)), "type": ["array", "null"], "items": items}


def _without_project(definition: Schema) -> Schema:
    properties = {name: found for name, found in definition["properties"].items() if name != CONTAINER}
    required = [name for name in definition.get("required", ()) if name != CONTAINER]
    return {"description": definition["description"], **_object(properties, required)}


def _loosened(part: Schema) -> list[Schema]:
    """What a plain YAML scalar needs in the place of what pydantic says: a list of alternatives."""
    part = {key: value for key, value in part.items() if key != "description"}
    if "anyOf" in part:
        return [found for choice in part["anyOf"] for found in _loosened(choice)]
    if "enum" in part or "const" in part:
        return [{"enum": part.get("enum") or [part["const"]]}, EXPRESSION]
    match part.get("type"):
        case "string":
            return _text(part)
        case "boolean":
            return [part, WORDS]
        case "integer" | "number":
            return [part, EXPRESSION]
    return [_collection(part)]


def _collection(part: Schema) -> Schema:
    """A list or a mapping, with what is in it loosened."""
    inner = {key: _described(_loosened(part[key]), part[key]) for key in INNER if isinstance(part.get(key), dict)}
    named = {key: _described(_loosened(found), found) for key, found in part.get("properties", {}).items()}
    return {**part, **inner, **({"properties": named} if named else {})}


INNER = ("items", "additionalProperties")


def _text(part: Schema) -> list[Schema]:
    """A text: also what YAML takes for a number or a truth value, where that can be one; `${NAME}` has any length."""
    pattern = re.compile(part.get("pattern", ""))
    types = [name for name, sample in (("number", "1"), ("boolean", "true")) if pattern.search(sample)]
    bounded = {"pattern", "maxLength"} & part.keys()
    return [{**part, "type": ["string", *types] if types else "string"}, *([EXPRESSION] if bounded else [])]


# -- what commands print ---------------------------------------------------------------------------------------

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
PLACE: Schema = {"file": TEXT, "line": {**COUNT, "description": "From 1; 0 is the whole file."}, "column": COUNT}
ANY: Schema = {"description": 'A value in the terms of the manifests; `{"secret": true}` for what is never shown.'}

ERROR: Schema = {"message": TEXT, "path": {"description": "The field; empty for the object.", **TEXT}, **PLACE}
WARNING: Schema = {"kind": TEXT, "key": TEXT, **PLACE, "message": TEXT}


def plan_schema() -> Schema:
    """The schema of a plan as JSON."""
    counts = dict.fromkeys(("create", "update", "delete", "unchanged"), COUNT)
    changes = _array(_open(_change(), optional=("then",)))
    hidden = {"description": "Declared objects inside archived projects: the API does not show them.", **_array(TEXT)}
    warned = {"description": "What is no change and should be known.", **_array(_open(WARNING))}
    later = {"description": "Declared objects to compare when this is done: it unarchives projects.", **_array(TEXT)}
    made = {"changes": changes, "summary": _open(counts), "requests": COUNT, "uncompared": hidden, "revealed": later}
    return _envelope(
        "What `apply` would do.", {**made, "warnings": warned}, optional=("uncompared", "revealed", "warnings")
    )


def results_schema() -> Schema:
    """The schema of the report of an apply as JSON."""
    outcomes = ("done", "failed", "skipped", "unknown")
    result = {
        **_change(),
        "outcome": {"enum": list(outcomes)},
        "errors": {"description": "The server's own sentences, or what went wrong.", **_array(TEXT)},
        "problems": {"description": "The same, each with its place in the manifests.", **_array(_open(ERROR))},
        "because": {"description": "What a skipped item was waiting for.", "type": ["string", "null"]},
        "notes": {"description": "What is worth knowing and no error.", **_array(TEXT)},
    }
    return _envelope(
        "What `apply` did.",
        {
            "results": _array(_open(result, optional=("then",))),
            "summary": _open(dict.fromkeys(outcomes, COUNT)),
            "requests": COUNT,
            "interrupted": {"type": "boolean"},
        },
    )


def problems_schema() -> Schema:
    """The schema of problems as JSON."""
    problem = {**PLACE, "message": TEXT, "subject": TEXT, "hint": TEXT, "also": _array(_open(PLACE))}
    return {
        "$schema": DRAFT,
        "description": "What is wrong with the manifests.",
        **_open({"format_version": _version(), "problems": _array(_open(problem))}),
    }


def export_schema() -> Schema:
    """The schema of what an export wrote as JSON."""
    counts = {"description": "How many objects of each kind.", "type": "object", "additionalProperties": COUNT}
    said = {"description": "What no manifest can say.", **_array(_open({"kind": TEXT, "key": TEXT, "message": TEXT}))}
    replaced = {"description": "With --sanitize: what was replaced.", **_open({"users": COUNT, "mails": COUNT})}
    removed = {"description": "How many files of an earlier export were removed.", **COUNT}
    first = {"format_version": _version(), "url": TEXT, "folder": TEXT, "objects": counts, "files": COUNT}
    made = {**first, "removed": removed, "left_out": said, "sanitized": replaced, "requests": COUNT}
    return {
        "$schema": DRAFT,
        "description": "What `export` wrote.",
        **_open(made, optional=("sanitized",)),
    }


def _envelope(description: str, properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> Schema:
    digest = {"description": "Of what would be done, and where.", "type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
    first = {"format_version": _version(), "url": TEXT, "digest": digest}
    return {"$schema": DRAFT, "description": description, **_open({**first, **properties}, optional=optional)}


def _version() -> Schema:
    return {"description": "Keys may be added within 1.x.", "type": "string", "pattern": r"^1\.\d+$"}


def _change() -> Schema:
    fields = _array(_open({"path": TEXT, "before": ANY, "after": ANY}))
    then = _array(_open({"fields": fields, "after": {"description": "Objects, as `kind key`.", **_array(TEXT)}}))
    return {
        "action": {"enum": ["create", "update", "delete"]},
        "kind": TEXT,
        "key": {"description": "`project/key` for what is inside a project.", "type": "string"},
        "id": {"description": "The server's; null for what is not there yet.", "type": ["integer", "string", "null"]},
        "source": {"description": "Where it is declared, if it is.", "anyOf": [_open(PLACE), {"type": "null"}]},
        "fields": fields,
        "then": {"description": "What is written later in the same apply.", **then},
        "reason": {"type": ["string", "null"]},
    }


def _open(properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> Schema:
    """A mapping that has these keys; further ones may come with a later version."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


# -- files -----------------------------------------------------------------------------------------------------

SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "manifest": manifest_schema,
    "plan": plan_schema,
    "results": results_schema,
    "problems": problems_schema,
    "export": export_schema,
}
"""What is described, by the name that its file begins with."""


def dumps(schema: Schema) -> str:
    """The text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(directory: Path) -> list[Path]:
    """Write `NAME.schema.json` for every schema into a directory, which is made if need be; the files' paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, make in SCHEMAS.items():
        paths.append(directory / f"{name}.schema.json")
        paths[-1].write_text(dumps(make()), encoding="utf-8")
    return paths
