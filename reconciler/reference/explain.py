"""Descriptions of kinds and fields, generated from the models: `reconciler explain` and docs/reference.md."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from reconciler.errors import ConfigError
from reconciler.kinds import declarable
from reconciler.manifest.loader import suggest
from reconciler.model.address import CONTAINER
from reconciler.model.codecs import Codec, Ref, RefSet
from reconciler.model.kind import Kind, nested_name
from reconciler.model.mapped import Mapped
from reconciler.model.spec import COMMON, REFUSE, Api, Date, Spec
from reconciler.reference.examples import example_yaml
from reconciler.reference.json_schema import raw_schema

WIDTH = 100
# In a schema, only their pattern distinguishes dates from other strings.
DATE = TypeAdapter(Date).json_schema()["pattern"]
TYPES = {
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "mapping",
    "string": "string",
}
REFERENCE = """\
# Manifest reference

Generated from the models in `reconciler/kinds/`. `reconciler explain KIND[.FIELD]` prints the same. The README and
[examples](../examples/README.md) show complete manifests.

A field that a manifest omits is never sent and never compared. *Clear* tells whether an explicit `null` clears it.
Fields work from Redmine 5.0 on, unless stated otherwise.
"""


def explain(kind: str, field: str | None = None) -> str:
    """Describe a kind (by its name or that of its list), or one of its fields; of a project, also what is nested in it.

    Raises ConfigError for an unknown kind or field, with a near miss.
    """
    known = kind_named(kind)
    if field is None:
        return "\n".join(_about_kind(known))
    name, _, rest = field.partition(".")
    if name in (nested := lists_in(known)):
        return explain(nested[name].name, rest or None)
    return "\n".join(_about_field(known, name))


def lists_in(kind: Kind) -> dict[str, Kind]:
    """The lists that an object of a kind can have, with the kinds of what is in them."""
    inside = (other for other in declarable().values() if other.inside)
    return {nested_name(other): other for other in inside} if kind.name == CONTAINER else {}


def overview() -> str:
    """All kinds that manifests declare: name, list, and what it is."""
    rows = [("KIND", "LIST", "")]
    rows += [(kind.name, nested_name(kind), summary(kind)) for kind in declarable().values()]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    table = [f"{name:{widths[0]}}  {listed:{widths[1]}}  {text}".rstrip() for name, listed, text in rows]
    more = ("`reconciler explain KIND` lists its fields, `reconciler explain KIND.FIELD` shows an example,",)
    return "\n".join([*table, "", *more, "`reconciler new KIND` prints a manifest to start with."])


def summary(kind: Kind) -> str:
    """What a kind is, in one sentence."""
    return f"{sentence(raw_schema(kind)['description']).partition('. ')[0].removesuffix('.')}."


def reference() -> str:
    """The text of docs/reference.md: all kinds in Markdown."""
    common = Spec.model_json_schema()["properties"]
    rows = [f"| `{name}` | {_cell(type_of(one))} | {_cell(one['description'])} |" for name, one in common.items()]
    parts = [REFERENCE, "## Every object\n", "| field | value | |\n| --- | --- | --- |", *rows, ""]
    for kind in declarable().values():
        parts += _section(kind)
    return "\n".join(parts)


# -- one kind --------------------------------------------------------------------------------------------------


def kind_named(name: str) -> Kind:
    """A kind by its name or that of its list. Raises ConfigError for an unknown one, with a near miss."""
    declared = declarable().entries.values()
    # A list of a project can have the name of one outside projects, which comes first.
    known = {entry.nested or entry.plural: entry.plural for entry in declared}
    known |= {alias: entry.plural for entry in declared for alias in (entry.name, entry.plural)}
    if name in known:
        return declarable()[known[name]]
    near = suggest(name, known) or f"Kinds: {', '.join(entry.name for entry in declared)}."
    raise ConfigError(f'There is no kind "{name}". {near[0].upper()}{near[1:]}')


def _about_kind(kind: Kind) -> Iterator[str]:
    schema = raw_schema(kind)
    properties = {name: field_schema for name, field_schema in schema["properties"].items() if name not in COMMON}
    yield f"{kind.name}: {sentence(schema['description'])}"
    yield f"\n{_declared(kind)}\n"
    marked = {name: f"{name} *" if name in schema.get("required", ()) else name for name in properties}
    names = max(map(len, marked.values()))
    for name, field_schema in properties.items():
        head = f"  {marked[name]:{names}}  "
        text = f"{type_of(field_schema)}. {sentence(field_schema['description'])}"
        yield textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
    if nested := lists_in(kind):
        text = f"Lists in it: {', '.join(nested)}. `reconciler explain {kind.name}.{next(iter(nested))}` describes one."
        yield f"\n{textwrap.fill(text, WIDTH)}"
    yield f"\n* required. Every object also has: {', '.join(n for n in schema['properties'] if n in COMMON)}."


def _declared(kind: Kind) -> str:
    if kind.has(Mapped):
        return f"Declared in the mapping `{kind.plural}`, as `{kind.identity[0].upper()}: VALUE`."
    if not kind.inside:
        return f"Declared in the list `{kind.plural}`."
    nested = nested_name(kind)
    return f"Declared in the list `{nested}` of a project, or in `{kind.plural}` at top level with `project:`."


def _about_field(kind: Kind, field: str) -> Iterator[str]:
    name, schema = field, raw_schema(kind)
    if name not in schema["properties"]:
        known = [*schema["properties"], *lists_in(kind)]
        near = suggest(name, known) or f"Fields: {', '.join(known)}."
        raise ConfigError(f'{kind.name} has no field "{name}". {near[0].upper()}{near[1:]}')
    field_schema = schema["properties"][name]
    yield f"{kind.name}.{name}"
    yield f"\n{textwrap.fill(sentence(field_schema['description']), WIDTH)}\n"
    facts = {"value": type_of(field_schema), "required": "yes" if name in schema.get("required", ()) else "no"}
    for label, fact in (facts | _facts(kind, name)).items():
        yield textwrap.fill(fact, WIDTH, initial_indent=f"  {label:10}", subsequent_indent=" " * 12)
    yield f"\n{textwrap.indent(example_yaml(kind, name), '    ')}"


# -- one field -------------------------------------------------------------------------------------------------


def _facts(kind: Kind, name: str) -> dict[str, str]:
    """The facts about a field, by label."""
    api = kind.fields.get(name)
    if api is None:
        return {"sent": "never; it controls the reconciler or identifies the object"}
    clear = "cannot be cleared; omit the field" if api.clear is REFUSE else "clears it"
    targets = " or ".join(known.replace("_", " ") for known in _targets(api.codec))
    sent = "; ".join(_sent(api))
    return {"null": clear} | ({"refers to": targets} if targets else {}) | ({"sent": sent} if sent else {})


def _targets(codec: Codec) -> tuple[str, ...]:
    """The kinds to which a field refers."""
    ref = codec.of if isinstance(codec, RefSet) else codec
    return ref.kinds if isinstance(ref, Ref) else ()


def _sent(api: Api) -> Iterator[str]:
    """When a field is written, if not together with the others."""
    if api.create_only:
        yield "only on create, never compared"
    if api.secret:
        yield "never shown"
    if api.deferred is not None and api.deferred.wait == "references":
        yield "after the objects it refers to, if they change in the same apply"
    elif api.deferred is not None and api.deferred.wait == "referrers":
        yield "after changes to objects that refer to this one, in the same apply"
    if api.gate is not None:
        declared = "declared " if api.gate.guards_access else ""
        shut = " or ".join(sorted(api.gate.shut))
        yield f"{declared}{shut} becomes {api.gate.open} for planned changes and is restored afterwards"


def type_of(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in words, without `null`."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(part) for part in schema["anyOf"] if part.get("type") != "null"))
    if "enum" in schema or "const" in schema:
        choices = schema.get("enum") or [schema["const"]]
        return f"one of {', '.join(choices)}" if len(choices) > 1 else str(choices[0])
    if schema.get("type") == "array" and "enum" in schema["items"]:
        return f"list of {', '.join(schema['items']['enum'])}"
    if schema.get("type") == "array":
        return "list of " + " or ".join(f"{item}s" for item in type_of(schema["items"]).split(" or "))
    types = schema.get("type", "")
    names = [TYPES.get(one, "any value") for one in (types if isinstance(types, list) else [types])]
    return "date" if schema.get("pattern") == DATE else " or ".join(names)


def sentence(text: str) -> str:
    """A docstring on one line."""
    return " ".join(text.split())


# -- the page --------------------------------------------------------------------------------------------------


def _section(kind: Kind) -> Iterator[str]:
    schema = raw_schema(kind)
    yield f"## {kind.plural}\n\n{sentence(schema['description'])} {_declared(kind)}\n"
    yield "| field | value | refers to | clear | |\n| --- | --- | --- | --- | --- |"
    for name, field_schema in schema["properties"].items():
        if name not in COMMON:
            facts = _facts(kind, name)
            required = "**required** " if name in schema.get("required", ()) else ""
            clear = {"clears it": "yes"}.get(facts.get("null", ""), "no" if "null" in facts else "")
            description = required + sentence(field_schema["description"])
            notes = f"{description} Sent: {facts['sent']}." if "sent" in facts and "null" in facts else description
            cells = (type_of(field_schema), facts.get("refers to", ""), clear, notes)
            yield f"| `{name}` | {' | '.join(map(_cell, cells))} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
