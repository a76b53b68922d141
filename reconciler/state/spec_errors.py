"""Pydantic's validation errors as problems in the terms of manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from reconciler.errors import Location, Problem
from reconciler.manifest.loader import Map, locate, suggest
from reconciler.model.kind import Kind


def type_name(value: Any) -> str:
    """The type of a value for a message; never the value itself, which may be a secret."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else "a string"


def explain(kind: Kind, body: Map, error: ValidationError, nested: Iterable[str]) -> Iterator[Problem]:
    """One Problem for each validation error of `body`."""
    known = [*kind.spec.model_fields, *nested]
    subject = " ".join([kind.name, *label_of(kind, body)])
    for item in error.errors(include_url=False, include_context=True):
        # pydantic puts the names of validators into the path of an error; manifests have no such level.
        path = [p for p in item["loc"] if not str(p).startswith(("function-", "constrained-"))]
        message, hint = _message(kind, path, item, known)
        yield Problem(_place(body, path, item["type"]), message, subject, hint)


def label_of(kind: Kind, body: Map) -> Iterator[str]:
    """The name of an invalid object for messages, if it has one."""
    for name in (*kind.identity, *kind.required):
        if isinstance(body.get(name), str):
            yield body[name]
            return


def _place(body: Map, path: Sequence[str | int], error: str) -> Location:
    return body.where() if error == "missing" else locate(body, path)


def _message(kind: Kind, path: Sequence[str | int], item: Mapping[str, Any], known: Sequence[str]) -> tuple[str, str]:
    field = str(path[0]) if path else ""
    error, context = item["type"], item.get("ctx", {})
    if field in OVERLAY_KEYS:
        return f"{field} works only in an overlay", "list the file under `overlays` in reconciler.yaml"
    if error == "extra_forbidden":
        return f'unknown field "{field}"', suggest(field, known) or f"`reconciler explain {kind.name}` lists its fields"
    if error == "missing":
        return f"{field} is missing", ""
    secret = field in kind.fields and kind.fields[field].secret
    # Only a plain string is repeated: a list or mapping could contain a secret.
    plain = isinstance(item["input"], str) and not secret
    shown = f', found "{item["input"]}"' if plain else f", found {type_name(item['input'])}"
    if error == "literal_error":
        # pydantic has the choices only in words: 'a', 'b' or 'c'.
        choices = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return f"{field}: expected one of {choices}{shown}", suggest(str(item["input"]), choices.split(", "))
    if error == "string_pattern_mismatch":
        # The description of such a field begins with the allowed form in words, which says more than the pattern.
        form = str(kind.spec.model_fields[field].description).partition(". ")[0].rstrip(".")
        return f"{field}: expected {form[0].lower()}{form[1:]}{shown}", ""
    if error == "value_error":
        return f"{field}: {context['error']}{shown}", ""
    expected = EXPECTED.get(error)
    if expected:
        return f"{field}: expected {expected.format(**context)}{shown}", ""
    return f"{field}: {item['msg'][0].lower()}{item['msg'][1:]}{shown}", ""


OVERLAY_KEYS = frozenset({"$overlay", "$unset"})
"""The keys of an overlay that are no fields."""

EXPECTED = {
    "string_type": "a string",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "string_too_short": "a non-empty string",
    "string_too_long": "a string of at most {max_length} characters",
    "too_short": "a list of at least {min_length} items",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than_equal": "a number of at most {le:g}",
    "finite_number": "a number",
}
