"""A manifest to start with: the required fields of a kind filled in, every other one as a comment."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.errors import ConfigError
from reconciler.manifest import loader
from reconciler.model.address import CONTAINER, split_key
from reconciler.model.kind import Kind
from reconciler.model.mapped import Mapped
from reconciler.model.spec import COMMON
from reconciler.reference.examples import example, example_yaml
from reconciler.reference.explain import kind_named, sentence, type_of
from reconciler.reference.json_schema import raw_schema
from reconciler.state import desired

WIDTH = 100
MISSING = "no such file"


def starter(name: str, key: str = "") -> str:
    """A commented manifest of one object of a kind, with this key (`PROJECT/NAME` for what is inside a project).

    Raises ConfigError for an unknown kind, and for a key that the kind does not allow.
    """
    kind = kind_named(name)
    schema = raw_schema(kind)
    given = _given(kind, key)
    items = _entry(kind, schema, given) if kind.has(Mapped) else _item(kind, schema, given)
    text = "\n".join((*_head(kind, schema), f"{kind.plural}:", *items)) + "\n"
    _check(kind, text, given)
    return text


def _given(kind: Kind, key: str) -> dict[str, str]:
    """The fields that a key says."""
    if not key:
        return {}
    project, name = split_key(key) if kind.inside and "/" in key else ("", key)
    said = {CONTAINER: project} if project else {}
    said |= {kind.identity[0]: name} if name else {}
    # What an object is called follows from its key, as far as it can.
    named = next((field for field in ("name", "subject") if field in kind.required), "")
    return said | ({named: _words(name)} if named and name else {})


def _words(key: str) -> str:
    """`web-shop` as a title: `Web shop`."""
    text = key.replace("-", " ").replace("_", " ").strip()
    return text[:1].upper() + text[1:] or key


def _head(kind: Kind, schema: Mapping[str, Any]) -> Iterator[str]:
    yield from _comment(sentence(schema["description"]), "")
    yield from _comment(
        f"To set a field, remove the # before it. More about one: reconciler explain {kind.name}.FIELD", ""
    )


def _item(kind: Kind, schema: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    needed = [name for name in schema["properties"] if name in given or _needed(kind, schema, name)]
    others = [name for name in schema["properties"] if name not in needed]
    for number, name in enumerate(needed):
        # The comment of the first field is above the dash.
        first = number == 0
        yield from _comment(_about(schema["properties"][name]), "  " if first else "    ")
        yield textwrap.indent(example_yaml(kind, name, given.get(name)), "    ").replace("    ", "  - ", first)
    for name in sorted(others, key=COMMON.__contains__):
        yield ""
        yield from _comment(_about(schema["properties"][name]), "    ")
        yield textwrap.indent(example_yaml(kind, name), "    #", lambda line: True)


def _entry(kind: Kind, schema: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    """An entry of a mapping of objects."""
    value, key = kind.capability(Mapped).value, kind.identity[0]
    yield from _comment(_about(schema["properties"][value]), "  ")
    yield f"  {given.get(key) or example(kind, key)}: {example(kind, value)}"


def _about(field: Mapping[str, Any]) -> str:
    """The description of a field, with the values of an enumeration."""
    choices = type_of(field)
    return f"{sentence(field['description'])}{f' {choices.capitalize()}.' if choices.startswith('one of ') else ''}"


def _comment(text: str, indent: str) -> list[str]:
    head = f"{indent}# "
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=head, break_on_hyphens=False)


def _needed(kind: Kind, schema: Mapping[str, Any], name: str) -> bool:
    """Whether a new object needs a field: it is required, names the object, or is a list that must not be empty."""
    listed = any(part.get("minItems") for part in schema["properties"][name].get("anyOf", ()))
    # Of a file, the name follows from the path.
    named = name == kind.identity[0] and name not in schema.get("required", ()) and "path" not in kind.required
    return name in schema.get("required", ()) or name in kind.required or named or listed


def _check(kind: Kind, text: str, given: Mapping[str, str]) -> None:
    """Raise ConfigError for a key that is not valid."""
    loaded = loader.load(("-",), {}, stdin=io.StringIO(text))
    problems = (*loaded.problems, *desired.build(loaded.documents, {}).problems)
    # The file that a new object is to have may not be there yet.
    wrong = [p.message for p in problems if not (MISSING in p.message or p.message.startswith("path"))]
    if wrong and given:
        raise ConfigError(f"Not a key of a {kind.name}: {wrong[0]}.")
