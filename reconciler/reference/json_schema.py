"""Kinds → JSON Schema (draft 2020-12) of manifests, and the schemas of the JSON output.

The schema of manifests is for editors: it accepts what `validate` accepts, as far as types go. The loader reads plain
YAML scalars as strings, and a string may contain `${NAME}`, so each scalar may also be such a string.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from reconciler.kinds import declarable
from reconciler.model.address import CONTAINER
from reconciler.model.capabilities import FixedKey
from reconciler.model.collections import claimable
from reconciler.model.kind import Kind, nested_name
from reconciler.model.mapped import Mapped
from reconciler.model.ordering import ORDERED
from reconciler.model.spec import REFUSE
from reconciler.reference.examples import example

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION: Schema = {"type": "string", "pattern": r"\$\{"}
"""A string with `${NAME}`, whose value an editor cannot know."""
WORDS: Schema = {"type": "string", "pattern": r"^(true|false|yes|no|on|off)$|\$\{"}
"""The words for a Boolean that YAML 1.2 reads as strings."""


# -- manifest --------------------------------------------------------------------------------------------------


def manifest_schema() -> Schema:
    """The schema of a manifest: the list of each kind, at top level and inside projects (there without `project`)."""
    kinds = declarable().values()
    definitions = {kind.name: item_schema(kind) for kind in kinds if not kind.has(Mapped)}
    nested = {kind: f"{kind.name}_in_project" for kind in kinds if kind.inside}
    for kind, name in nested.items():
        definitions[name] = _without_project(definitions[kind.name])
    lists = {nested_name(kind): _list(kind, name) for kind, name in nested.items()}
    definitions[CONTAINER]["properties"] |= lists
    return {
        "$schema": DRAFT,
        "description": "The desired state of a Redmine. All manifests together form one desired state.",
        **_object({"$schema": TEXT, ORDERED: _ordered()} | {kind.plural: _listed(kind) for kind in kinds}, ()),
        "$defs": dict(sorted(definitions.items())),
    }


def _ordered() -> Schema:
    sentence = "Whether the order of the lists here is that of Redmine: of statuses, trackers, roles and enumerations."
    return {"description": sentence, "anyOf": [{"type": "boolean"}, WORDS, {"type": "null"}]}


def _listed(kind: Kind) -> Schema:
    """The list of a kind at top level, or the mapping of its objects."""
    if not kind.has(Mapped):
        return _list(kind, kind.name)
    mapped, schema = kind.capability(Mapped), raw_schema(kind)
    allow: Schema = {mapped.allow: {"type": ["array", "null"], "items": TEXT}} if mapped.allow else {}
    value = field_schema(kind, mapped.value, schema["properties"][mapped.value])
    more: Schema = {"properties": allow, "additionalProperties": value}
    return {"description": _sentence(schema), "type": ["object", "null"], **more}


def item_schema(kind: Kind) -> Schema:
    """The schema of one declared object of a kind."""
    schema = raw_schema(kind)
    properties = {name: field_schema(kind, name, field) for name, field in schema["properties"].items()}
    return {"description": _sentence(schema), **_object(properties, schema.get("required", ()))}


def raw_schema(kind: Kind) -> Schema:
    """Pydantic's schema of a kind's spec, with inlined references and without titles and defaults."""
    spec: type[BaseModel] = kind.spec
    schema = _spec_schema(spec)
    if not kind.has(FixedKey):
        return schema
    return {**schema, "properties": {n: field for n, field in schema["properties"].items() if n != "renamed_from"}}


@cache
def _spec_schema(spec: type[BaseModel]) -> Schema:
    # Made once for each spec: `explain` and `new` look at it for every field. Nothing changes it.
    schema = spec.model_json_schema()
    inlined: Schema = _inlined(schema, schema.get("$defs", {}))
    return inlined


def model_properties(model: type[BaseModel]) -> dict[str, Schema]:
    """The schemas of a model's fields for YAML."""
    schema = model.model_json_schema()
    inlined: Schema = _inlined(schema, schema.get("$defs", {}))
    return {name: _described(_loosened(field), field) for name, field in inlined["properties"].items()}


def _inlined(node: Any, definitions: Mapping[str, Any], *, fields: bool = False) -> Any:
    """A node of a schema without `$ref`, titles and defaults.

    With `fields`, the keys of the node are names of fields, one of which may be called `title`.
    """
    if isinstance(node, list):
        return [_inlined(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node and not fields:
        target = definitions[node["$ref"].rpartition("/")[2]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    dropped = () if fields else ("title", "default", "format", "$defs")
    kept = {key: value for key, value in node.items() if key not in dropped}
    return {key: _inlined(part, definitions, fields=key == "properties" and not fields) for key, part in kept.items()}


def field_schema(kind: Kind, name: str, schema: Schema) -> Schema:
    """The schema of one field for YAML, from pydantic's schema."""
    # The type only says that these are names; which ones there are depends on the kind.
    if name == "create_only":
        items = {"type": "string", "enum": list(kind.fields)}
        schema = {**schema, "examples": [example(kind, name)], "items": items}
    if name == "authoritative":
        schema = _choosing(schema, [known for known, one in claimable(declarable()).entries.items() if one.is_inside])
    clearable = name not in kind.fields or kind.fields[name].clear is not REFUSE
    alternatives = [part for part in _loosened(schema) if clearable or part.get("type") != "null"]
    return _described(alternatives, schema)


def _choosing(schema: Schema, names: list[str]) -> Schema:
    """The schema of a list of these names, or null."""
    items = {"type": "string", "enum": names}
    return {**schema, "anyOf": [{**part, "items": items} if "items" in part else part for part in schema["anyOf"]]}


def _described(alternatives: list[Schema], schema: Mapping[str, Any]) -> Schema:
    """The alternatives as one schema, with the description and the examples of the original."""
    description = {key: schema[key] for key in ABOUT if key in schema}
    return {**description, **(alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives})}


def _sentence(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", "")).strip()


def _object(properties: Mapping[str, Any], required: Any) -> Schema:
    """A mapping with only these keys."""
    mapping: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**mapping, "required": list(required)} if required else mapping


def _list(kind: Kind, definition: str) -> Schema:
    items = {"$ref": f"#/$defs/{definition}"}
    # null: a list whose items are all commented out.
    return {"description": _sentence(raw_schema(kind)), "type": ["array", "null"], "items": items}


def _without_project(definition: Schema) -> Schema:
    properties = {name: field for name, field in definition["properties"].items() if name != CONTAINER}
    required = [name for name in definition.get("required", ()) if name != CONTAINER]
    return {"description": definition["description"], **_object(properties, required)}


ABOUT = ("description", "examples")
"""What a schema says about a value as a whole, whatever its alternatives are."""


def _loosened(part: Schema) -> list[Schema]:
    """The alternatives that a plain YAML scalar needs in place of pydantic's schema."""
    part = {key: value for key, value in part.items() if key not in ABOUT}
    if "anyOf" in part:
        return [alternative for choice in part["anyOf"] for alternative in _loosened(choice)]
    if "enum" in part or "const" in part:
        return [{"enum": part.get("enum") or [part["const"]]}, EXPRESSION]
    match part.get("type"):
        case "string":
            return _string(part)
        case "boolean":
            return [part, WORDS]
        case "integer":
            return [part, _quoted_number(part)]
        case "number":  # `.inf` is one for YAML
            return [{"maximum": sys.float_info.max, **part}, _quoted_number(part)]
    return [_collection(part)]


def _quoted_number(part: Schema) -> Schema:
    """A string for a number: `"30"`, or `1e2`, which YAML 1.1 takes for a string; or one with `${NAME}`."""
    sign = "" if {"minimum", "exclusiveMinimum"} & part.keys() else "[-+]?"
    rest = "" if part["type"] == "integer" else r"(\.[0-9]*)?([eE][-+]?[0-9]+)?"
    return {"type": "string", "pattern": rf"^{sign}[0-9]+{rest}$|{EXPRESSION['pattern']}"}


def _collection(part: Schema) -> Schema:
    """A list or mapping with loosened contents."""
    inner = {key: _described(_loosened(part[key]), part[key]) for key in INNER if isinstance(part.get(key), dict)}
    fields = {key: _described(_loosened(field), field) for key, field in part.get("properties", {}).items()}
    return {**part, **inner, **({"properties": fields} if fields else {})}


INNER = ("items", "additionalProperties")


def _string(part: Schema) -> list[Schema]:
    """A string: also a number or Boolean of YAML if it matches the pattern. `${NAME}` can have any length."""
    pattern = re.compile(part.get("pattern", ""))
    # `search`, because patterns in JSON Schema are not anchored.
    types = [name for name, sample in (("number", "1"), ("boolean", "true")) if pattern.search(sample)]
    bounded = {"pattern", "maxLength"} & part.keys()
    return [{**part, "type": ["string", *types] if types else "string"}, *([EXPRESSION] if bounded else [])]


# -- what commands print ---------------------------------------------------------------------------------------

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
PLACE: Schema = {"file": TEXT, "line": {**COUNT, "description": "Starts at 1; 0 is the whole file."}, "column": COUNT}
ANY: Schema = {
    "description": (
        'A value as in manifests; `{"secret": true}` for a secret. Without --full, a text of more than 1,000 '
        'characters, also inside a value, is `{"$text": its beginning, "length": …, "sha256": …}`.'
    )
}

ERROR: Schema = {"message": TEXT, "path": {"description": "The field; empty for the object.", **TEXT}, **PLACE}
WARNING: Schema = {"kind": TEXT, "key": TEXT, **PLACE, "message": TEXT}


def plan_schema() -> Schema:
    """The schema of a plan as JSON."""
    counts = dict.fromkeys(("create", "update", "delete", "unchanged"), COUNT)
    changes = array(open_object(_change(), optional=("then", "undeclared")))
    uncompared = {"description": "Declared objects in archived projects, which the API does not show.", **array(TEXT)}
    warnings = {"description": "Warnings about declared objects.", **array(open_object(WARNING))}
    later = {"description": "Declared objects that are compared once the plan is applied.", **array(TEXT)}
    required = {"changes": changes, "summary": open_object(counts), "requests": COUNT}
    optional = {"uncompared": uncompared, "revealed": later, "warnings": warnings, "unmanaged": _unmanaged()}
    return _envelope("What `apply` would do.", {**required, **optional}, optional=tuple(optional))


def _unmanaged() -> Schema:
    one = {"kind": TEXT, "key": TEXT, "id": {"type": ["integer", "string"]}, "url": TEXT}
    complete = {"description": "Whether an administrator saw all, and no project is archived.", "type": "boolean"}
    listed = {
        "objects": {"description": "With --unmanaged: all of them.", **array(open_object(one))},
        "complete": complete,
    }
    count = {"description": "Without --unmanaged, of what was read anyway.", **COUNT}
    return {
        "description": "Live objects in declared projects that no manifest declares and the plan keeps.",
        **open_object({"count": count, **listed}, optional=tuple(listed)),
    }


def results_schema() -> Schema:
    """The schema of the report of an apply as JSON."""
    outcomes = ("done", "failed", "skipped", "unknown", "left")
    result = {
        **_change(),
        "outcome": {"enum": list(outcomes)},
        "errors": {"description": "Messages of the server, or of the reconciler.", **array(TEXT)},
        "problems": {
            "description": "The same errors, each with its place in the manifests.",
            **array(open_object(ERROR)),
        },
        "because": {"description": "Why the change was skipped.", "type": ["string", "null"]},
        "notes": {"description": "Notes that are not errors.", **array(TEXT)},
    }
    return _envelope(
        "What `apply` did.",
        {
            "results": array(open_object(result, optional=("then", "undeclared"))),
            "summary": open_object(dict.fromkeys(outcomes, COUNT)),
            "requests": COUNT,
            "interrupted": {"type": "boolean"},
            "ended": {"description": "Why the run ended early.", "type": ["string", "null"]},
        },
    )


def problems_schema() -> Schema:
    """The schema of problems as JSON."""
    left_out = {"description": "The objects that `rest` leaves out, as `kind key`.", **array(TEXT)}
    plan = {name: part for name, part in plan_schema().items() if name != "$schema"}
    rest = {**plan, "description": "What `apply --keep-going` would do, as a plan."}
    optional = {"left_out": left_out, "rest": rest}
    first = {"format_version": version(), "problems": array(problem_schema())}
    return {
        "$schema": DRAFT,
        "description": "Problems in the manifests.",
        **open_object({**first, **optional}, optional=tuple(optional)),
    }


def problem_schema() -> Schema:
    """The schema of one problem."""
    return open_object({**PLACE, "message": TEXT, "subject": TEXT, "hint": TEXT, "also": array(open_object(PLACE))})


def export_schema() -> Schema:
    """The schema of what an export wrote as JSON."""
    counts = {"description": "How many objects of each kind.", "type": "object", "additionalProperties": COUNT}
    remark = open_object({"kind": TEXT, "key": TEXT, "message": TEXT})
    left_out = {"description": "Values that cannot be expressed in a manifest.", **array(remark)}
    replaced = {"description": "With --sanitize: what was replaced.", **open_object({"users": COUNT, "mails": COUNT})}
    removed = {"description": "How many files of an earlier export were removed.", **COUNT}
    edited = {"description": "Files that were edited since then, and replaced or removed.", **array(TEXT)}
    first = {"format_version": version(), "url": TEXT, "folder": TEXT, "objects": counts, "files": COUNT}
    then = {"removed": removed, "edited": edited, "left_out": left_out, "sanitized": replaced, "requests": COUNT}
    properties = open_object({**first, **then}, optional=("sanitized",))
    return {"$schema": DRAFT, "description": "What `export` wrote.", **properties}


def _envelope(description: str, properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> Schema:
    pattern = "^sha256:[0-9a-f]{64}$"
    digest = {"description": "Digest of the changes and the server.", "type": "string", "pattern": pattern}
    first = {"format_version": version(), "url": TEXT, "digest": digest}
    return {"$schema": DRAFT, "description": description, **open_object({**first, **properties}, optional=optional)}


def version() -> Schema:
    """The schema of `format_version`."""
    return {"description": "Keys may be added within 1.x.", "type": "string", "pattern": r"^1\.\d+$"}


def _change() -> Schema:
    place = {"description": "Where it is declared, if in another file than the object.", **open_object(PLACE)}
    fields = array(open_object({"path": TEXT, "before": ANY, "after": ANY, "source": place}, optional=("source",)))
    then = array(open_object({"fields": fields, "after": {"description": "Objects, as `kind key`.", **array(TEXT)}}))
    return {
        "action": {"enum": ["create", "update", "delete"]},
        "kind": TEXT,
        "key": {"description": "`project/key` for what is inside a project.", "type": "string"},
        "id": {"description": "The server's id; null for a new object.", "type": ["integer", "string", "null"]},
        "source": {"description": "Where it is declared, or null.", "anyOf": [open_object(PLACE), {"type": "null"}]},
        "fields": fields,
        "then": {"description": "Fields that are written later in the same apply.", **then},
        "reason": {"type": ["string", "null"]},
        "undeclared": {"description": "No manifest declares the object: it is pruned.", "type": "boolean"},
    }


def open_object(properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> Schema:
    """A mapping with these keys. Later versions may add others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def array(items: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": items}


# -- files -----------------------------------------------------------------------------------------------------


def _elsewhere(name: str) -> Callable[[], Schema]:
    """A schema of `config_schema`, which is made with this module."""

    def make() -> Schema:
        from reconciler.reference import config_schema

        made: Schema = getattr(config_schema, name)()
        return made

    return make


SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "manifest": manifest_schema,
    "plan": plan_schema,
    "results": results_schema,
    "problems": problems_schema,
    "export": export_schema,
    **{name: _elsewhere(f"{name}_schema") for name in ("config", "overlay", "settings", "check", "lease")},
}
"""The schemas, by the name that their files begin with."""


def dumps(schema: Schema) -> str:
    """The text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(directory: Path) -> list[Path]:
    """Write `NAME.schema.json` for each schema into a directory, which is created if needed. Returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, make in SCHEMAS.items():
        paths.append(directory / f"{name}.schema.json")
        paths[-1].write_text(dumps(make()), encoding="utf-8")
    return paths
