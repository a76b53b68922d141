"""The kinds and their fields in words: `reconciler explain`, and docs/reference.md. Both come from the models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from reconciler.errors import ConfigError
from reconciler.kinds import declarable, kinds
from reconciler.manifest.loader import suggest
from reconciler.model.codecs import Codec, Ref, RefSet
from reconciler.model.kind import Kind, nested_name
from reconciler.model.spec import COMMON, REFUSE, Api, Date, Spec
from reconciler.reference.json_schema import raw_schema

WIDTH = 100
DATE = TypeAdapter(Date).json_schema()["pattern"]
TYPES = {
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "mapping",
    "string": "text",
}
REFERENCE = """\
# Manifest reference

Made from the models in `reconciler/kinds/`; `reconciler explain KIND[.FIELD]` says the same. How to write a
manifest, and what stands for what, is in the README.

A field that is left out is never sent and never compared. *Clear* says whether an explicit `null` clears it. Fields
are there from Redmine 5.0 on, if they do not say otherwise.
"""


def explain(kind: str, field: str | None = None) -> str:
    """A kind (by its name or by that of its list) or one of its fields, in words.

    Raises ConfigError for a kind or field that there is not, with a near miss.
    """
    found = _kind(kind)
    return "\n".join(_about_kind(found) if field is None else _about_field(found, field))


def reference() -> str:
    """All kinds in Markdown: docs/reference.md."""
    common = Spec.model_json_schema()["properties"]
    rows = [f"| `{name}` | {_cell(type_of(made))} | {_cell(made['description'])} |" for name, made in common.items()]
    parts = [REFERENCE, "## Every object\n", "| field | value | |\n| --- | --- | --- |", *rows, ""]
    for kind in declarable().values():
        parts += _section(kind)
    return "\n".join(parts)


# -- one kind --------------------------------------------------------------------------------------------------


def _kind(name: str) -> Kind:
    known = {alias: kind for kind in declarable().values() for alias in (kind.name, kind.plural, nested_name(kind))}
    if name in known:
        return known[name]
    if name in kinds():
        said = kinds()[name].plural.replace("_", " ").capitalize()
        raise ConfigError(f"{said} cannot be declared: Redmine's API only reads them; manifests refer to them by name.")
    near = suggest(name, known) or f"There is: {', '.join(k.name for k in declarable().values())}."
    raise ConfigError(f'There is no kind "{name}". {near[0].upper()}{near[1:]}')


def _about_kind(kind: Kind) -> Iterator[str]:
    made = raw_schema(kind)
    properties = {name: found for name, found in made["properties"].items() if name not in COMMON}
    yield f"{kind.name}: {_sentence(made['description'])}"
    yield f"\n{_declared(kind)}\n"
    marked = {name: f"{name} *" if name in made.get("required", ()) else name for name in properties}
    names = max(map(len, marked.values()))
    for name, found in properties.items():
        head = f"  {marked[name]:{names}}  "
        text = f"{type_of(found)}. {_sentence(found['description'])}"
        yield textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
    yield f"\n* required. Every object also takes: {', '.join(Spec.model_fields)}."


def _declared(kind: Kind) -> str:
    if not kind.inside:
        return f"Declared in the list `{kind.plural}`."
    nested = nested_name(kind)
    return f"Declared in the list `{nested}` of a project, or in `{kind.plural}` at top level with `project:`."


def _about_field(kind: Kind, field: str) -> Iterator[str]:
    name = field.partition(".")[0]
    made = raw_schema(kind)
    if name not in made["properties"]:
        near = suggest(name, made["properties"]) or f"There is: {', '.join(made['properties'])}."
        raise ConfigError(f'{kind.name} has no field "{name}". {near[0].upper()}{near[1:]}')
    found = made["properties"][name]
    yield f"{kind.name}.{name}"
    yield f"\n{textwrap.fill(_sentence(found['description']), WIDTH)}\n"
    facts = {"value": type_of(found), "required": "yes" if name in made.get("required", ()) else "no"}
    for label, fact in (facts | _facts(kind, name)).items():
        yield textwrap.fill(fact, WIDTH, initial_indent=f"  {label:10}", subsequent_indent=" " * 12)


# -- one field -------------------------------------------------------------------------------------------------


def _facts(kind: Kind, name: str) -> dict[str, str]:
    """What the contract says of a field, by the word that each fact is listed under."""
    api = kind.fields.get(name)
    if api is None:
        return {"sent": "never: it steers the reconciler, or says which object is meant"}
    clear = "cannot be cleared: leave the field out" if api.clear is REFUSE else "clears it"
    targets = " or ".join(known.replace("_", " ") for known in _targets(api.codec))
    sent = "; ".join(_sent(api))
    return {"null": clear} | ({"refers to": targets} if targets else {}) | ({"sent": sent} if sent else {})


def _targets(codec: Codec) -> tuple[str, ...]:
    """The kinds of the objects that a field names."""
    ref = codec.of if isinstance(codec, RefSet) else codec
    return ref.kinds if isinstance(ref, Ref) else ()


def _sent(api: Api) -> Iterator[str]:
    """When a field is written, where it is not simply with the others."""
    if api.create_only:
        yield "on create only, and never compared"
    if api.secret:
        yield "never shown"
    if api.deferred is not None and api.deferred.wait == "references":
        yield "after the objects that it names, if they change in the same apply"
    elif api.deferred is not None and api.deferred.wait == "referrers":
        yield "after the work on objects that name this one, in the same apply"
    if api.gate is not None:
        yield f"{' or '.join(sorted(api.gate.shut))} is opened for planned work and restored after it"


def type_of(made: Mapping[str, Any]) -> str:
    """A JSON Schema in words, `null` left out."""
    if "anyOf" in made:
        return " or ".join(dict.fromkeys(type_of(part) for part in made["anyOf"] if part.get("type") != "null"))
    if "enum" in made or "const" in made:
        choices = made.get("enum") or [made["const"]]
        return f"one of {', '.join(choices)}" if len(choices) > 1 else str(choices[0])
    if made.get("type") == "array":
        return f"list of {type_of(made['items'])}".replace("list of text", "list of texts")
    return "date" if made.get("pattern") == DATE else TYPES.get(made.get("type", ""), "any value")


def _sentence(text: str) -> str:
    """A docstring as one line."""
    return " ".join(text.split())


# -- the page --------------------------------------------------------------------------------------------------


def _section(kind: Kind) -> Iterator[str]:
    made = raw_schema(kind)
    yield f"## {kind.plural}\n\n{_sentence(made['description'])} {_declared(kind)}\n"
    yield "| field | value | refers to | clear | |\n| --- | --- | --- | --- | --- |"
    for name, found in made["properties"].items():
        if name not in COMMON:
            facts = _facts(kind, name)
            required = "**required** " if name in made.get("required", ()) else ""
            clear = {"clears it": "yes"}.get(facts.get("null", ""), "no" if "null" in facts else "")
            said = required + _sentence(found["description"])
            notes = f"{said} Sent: {facts['sent']}." if "sent" in facts and "null" in facts else said
            cells = (type_of(found), facts.get("refers to", ""), clear, notes)
            yield f"| `{name}` | {' | '.join(map(_cell, cells))} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
