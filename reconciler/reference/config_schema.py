"""JSON Schemas around the configuration: of `reconciler.yaml` and overlays, and of what is printed about them."""

from __future__ import annotations

from typing import Any

from reconciler.reference import json_schema as schemas
from reconciler.reference.json_schema import (
    ABOUT,
    COUNT,
    DRAFT,
    PLACE,
    TEXT,
    Schema,
    array,
    model_properties,
    open_object,
)
from reconciler.settings import SECRET, Settings
from reconciler.state.overlay_entries import ACTION, ACTIONS, UNSET

TAGGED: Schema = {
    "description": "The list behind !command or !keyring.",
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
}
NULL: Schema = {"type": "null"}
MAYBE: Schema = {"type": ["string", "null"]}


def config_schema() -> Schema:
    """The schema of `reconciler.yaml`."""
    properties = {name: _setting(name, schema) for name, schema in model_properties(Settings).items()}
    instance = {"description": "Settings of one instance.", **_closed(properties)}
    instances: Schema = {
        "description": "Servers by name, each with settings of its own; `--instance NAME` chooses one.",
        "type": ["object", "null"],
        "additionalProperties": {"$ref": "#/$defs/instance"},
    }
    return {
        "$schema": DRAFT,
        "description": "The configuration of reconciler.",
        **_closed({**properties, "instances": instances}),
        "$defs": {"instance": instance},
    }


def _setting(name: str, schema: Schema) -> Schema:
    """The schema of a setting; a secret can also be what a program prints, or a password of the keyring."""
    if name not in SECRET:
        return _or_null(schema)
    secret = {"anyOf": [{"type": ["string", "number", "boolean"]}, TAGGED]}
    values = {"type": "object", "additionalProperties": secret} if name == "headers" else secret
    return _or_null({"description": schema["description"], **values})


def _or_null(schema: Schema) -> Schema:
    """The same or null, which counts as not set, also inside a mapping."""
    about = {key: schema[key] for key in ABOUT if key in schema}
    rest = {key: value for key, value in schema.items() if key not in ABOUT}
    choices = [_inside(part) for part in rest.get("anyOf", [rest])]
    return {**about, "anyOf": [*choices, *([] if NULL in choices else [NULL])]}


def _inside(part: Schema) -> Schema:
    required, inner = part.get("required", ()), part.get("additionalProperties")
    fields = {n: one if n in required else _or_null(one) for n, one in part.get("properties", {}).items()}
    others = {"additionalProperties": _or_null(inner)} if isinstance(inner, dict) else {}
    return {**part, **({"properties": fields} if fields else {}), **others}


def _closed(properties: dict[str, Any]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def overlay_schema() -> Schema:
    """The schema of an overlay: that of a manifest, where no field is required, with what overlays can say."""
    made = schemas.manifest_schema()
    action = {
        "description": "`add`: only this overlay declares the object; `remove`, `replace`.",
        "enum": list(ACTIONS),
    }
    unset = {"description": "Fields that are not declared.", "type": "array", "items": TEXT}
    extra: dict[str, Schema] = {ACTION: action, UNSET: unset}
    definitions = {name: _loose(definition, extra) for name, definition in made["$defs"].items()}
    return {**made, "description": "Changes to what manifests declare, for one instance.", "$defs": definitions}


def _loose(definition: Schema, extra: dict[str, Schema]) -> Schema:
    kept = {key: value for key, value in definition.items() if key != "required"}
    return {**kept, "properties": {**definition["properties"], **extra}}


def settings_schema() -> Schema:
    """The schema of what `config show` prints."""
    types = ["option", "environment", "file", "default", "unset"]
    named = {"name": {"description": "The option or the variable.", **TEXT}, "instance": TEXT, **PLACE}
    origin = open_object({"type": {"enum": types}, **named}, optional=tuple(named))
    value = {"description": "As it may be shown; null for a secret, and if it is not set."}
    setting = {
        "name": TEXT,
        "value": value,
        "secret": {"type": "boolean"},
        "origin": origin,
        "expression": {"description": "What the file says for a value with `${NAME}` in it.", **MAYBE},
        "overrides": {"description": "The origins of values that are not used.", **array(origin)},
        "problem": {"description": "Why the value cannot be used.", **MAYBE},
    }
    return _document(
        "The configuration, as `config show` prints it.",
        {
            "file": MAYBE,
            "instance": {"description": "The chosen instance.", **MAYBE},
            "chosen_by": {"description": "The option or variable that chooses it.", **MAYBE},
            "instances": array(open_object({"name": TEXT, "url": MAYBE})),
            "settings": array(open_object(setting)),
            "notes": {"description": "What the environment says and is not used.", **array(TEXT)},
        },
    )


def check_schema() -> Schema:
    """The schema of what `check` prints."""
    account = {"login": TEXT, "admin": {"type": "boolean"}}
    membership = open_object({"project": TEXT, "roles": array(TEXT)})
    need = {
        "project": {"description": "Identifier; empty if it is not about a project.", **TEXT},
        "permission": {
            "description": "What Redmine calls it, such as add_issues; `admin` for an administrator.",
            **TEXT,
        },
        "for": {"description": "The changes that need it, as `kind key`.", **array(TEXT)},
        "places": array(open_object(PLACE)),
    }
    missing = {"kind": TEXT, "name": TEXT, "message": TEXT, "hint": TEXT, "places": array(open_object(PLACE))}
    summary = dict.fromkeys(("create", "update", "delete", "unchanged"), COUNT)
    optional = {
        "memberships": {"description": "Those of an account that is not an administrator.", **array(membership)},
        "unreadable": {"description": "Lists that the manifests need and the account may not read.", **array(TEXT)},
        "summary": {"description": "What a plan would do, with valid manifests.", **open_object(summary)},
        "ended": {"description": "Why the check ended early.", **TEXT},
    }  # fmt: skip
    required = {
        "url": TEXT,
        "status": {"enum": ["ok", "incomplete", "failed"]},
        "waited": {"description": "Seconds until the server was there.", "type": "number"},
        "missing": {"description": "Names that the server does not have, each once.", **array(open_object(missing))},
        "permissions": {"description": "Permissions that the account lacks, each once.", **array(open_object(need))},
        "problems": {"description": "All other problems.", **array(schemas.problem_schema())},
        "account": {"anyOf": [open_object(account), {"type": "null"}]},
    }
    return _document("What `check` found.", {**required, **optional}, optional=tuple(optional))


def lease_schema() -> Schema:
    """The schema of what `lease show` prints."""
    return _document(
        "The lease, as `lease show` prints it.",
        {
            "url": {"description": "The address of its page.", **TEXT},
            "state": {"enum": ["free", "held", "expired"]},
            "holder": {"description": "A random id of the run that holds it.", **MAYBE},
            "who": MAYBE,
            "process": MAYBE,
            "command": MAYBE,
            "since": {"description": "In UTC, as ISO 8601.", **MAYBE},
            "expires": {"description": "In UTC, as ISO 8601, unless it is renewed.", **MAYBE},
            "note": {"description": "How the last lease ended.", **MAYBE},
        },
    )


def _document(description: str, properties: dict[str, Any], optional: tuple[str, ...] = ()) -> Schema:
    first = {"format_version": schemas.version()}
    return {"$schema": DRAFT, "description": description, **open_object({**first, **properties}, optional=optional)}
