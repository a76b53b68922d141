"""Plain data → YAML as people write it: block scalars, no anchors, short lists on one line.

Strings that YAML 1.1 reads as another type (`yes`, `1e3`, dates) are quoted, for editors and other tools. `${` is
escaped, because manifests expand it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import yaml

from reconciler.record import Record

WIDTH = 100
"""Characters up to which a mapping or list is written on one line; strings are never folded."""
MEMORABLE = 40
"""Characters up to which the YAML of a value is cached, because it is likely to occur again."""
# As the width, because PyYAML folds longer strings.
ENDLESS = 1 << 30
BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")
"""Characters that YAML reads as a line break, or drops, unless they are escaped."""

REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make a line look in an editor as what it does not say. They are escaped."""
QUOTED = BREAKS | REORDERING

BLOCK = re.compile(r"(?!\n*\t)[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
"""Strings that a block scalar preserves: printable, without a tab where YAML detects the indentation."""
SIMPLE = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)


class Day(str):
    """A date, written without quotes."""

    __slots__ = ()


class Included(Record):
    """A text in a file of its own: `!file path`, relative to the manifest."""

    path: str


class Noted(Record):
    """An object in a list with a comment above it; without a value, only the comment."""

    value: Any
    lines: tuple[str, ...]
    brief: bool = False
    """Whether the object is written on one line if it fits."""


class Written(str):
    """The YAML of an object in a list, from `written`."""

    __slots__ = ()


class _Key(str):
    """A key of a mapping. Keys are not expanded, so `${` is not escaped."""

    __slots__ = ()


class _Block(dict[str, Any]):
    """A mapping that is always written over several lines."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's dumper, with indented list items and without aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent list items below their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write an object again where it occurs again."""
        return True

    def analyze_scalar(self, scalar: str) -> Any:
        """Allow blocks with trailing white space in a line, which PyYAML reads back unchanged but never writes."""
        analysis = super().analyze_scalar(scalar)
        analysis.allow_block = analysis.allow_block or bool(BLOCK.fullmatch(scalar))
        return analysis

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """Escape all letters but ASCII in a text of which some must be escaped."""
        allowed = self.allow_unicode
        self.allow_unicode = allowed and not REORDERING & {*text}
        super().write_double_quoted(text, split)
        self.allow_unicode = allowed

    def choose_scalar_style(self) -> str:
        """Write the path of an included file without quotes if it needs none."""
        event: Any = self.event
        plain = event.tag == "!file" and SIMPLE.fullmatch(event.value)
        return "" if plain else str(super().choose_scalar_style())


OTHERS = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+|[yYnN]")
"""Strings that YAML 1.2 reads as numbers, and some YAML 1.1 readers as Booleans."""


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    value = value.replace("${", "$${")
    style = "|" if "\n" in value and not value.isspace() else "'" if OTHERS.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if QUOTED & {*value} else style)


def _day(dumper: _Dumper, value: Day) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:timestamp", str(value))


def _included(dumper: _Dumper, value: Included) -> yaml.Node:
    return dumper.represent_scalar("!file", value.path.replace("${", "$${"))


def _key(dumper: _Dumper, value: _Key) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style='"' if QUOTED & {*value} else None)


def _mapping(dumper: _Dumper, value: Mapping[str, Any]) -> yaml.Node:
    pairs = [(_Key(key), part) for key, part in value.items()]
    short = not isinstance(value, _Block) and _short(value)
    return dumper.represent_mapping("tag:yaml.org,2002:map", pairs, flow_style=short)


def _sequence(dumper: _Dumper, value: Iterable[Any]) -> yaml.Node:
    items = list(value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=_short(items))


def _short(value: Any) -> bool:
    """Whether a list or mapping fits on one line: short and without nested collections."""
    return len(str(value)) <= WIDTH and all(_plain(part) for part in _parts(value))


def _parts(value: Any) -> list[Any]:
    return [*value.values(), *value] if isinstance(value, Mapping) else list(value)


def _plain(part: Any) -> bool:
    if isinstance(part, list | dict):
        return all(not isinstance(inner, list | dict | Included) and _plain(inner) for inner in _parts(part))
    return not isinstance(part, Included) and not (isinstance(part, str) and "\n" in part)


# PyYAML looks these up by the exact type, so each subclass needs its own.
_Dumper.add_representer(str, _text)
_Dumper.add_representer(Included, _included)
_Dumper.add_representer(_Key, _key)
_Dumper.add_representer(Day, _day)
_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(_Block, _mapping)
_Dumper.add_representer(list, _sequence)


def dump(value: Any) -> str:
    """Plain data as YAML."""
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": ENDLESS, "default_flow_style": False}
    # PyYAML ends a document that is a plain scalar, or ends in blank lines, with a marker `...`.
    return re.sub(r"^\.\.\.\n\Z", "", str(yaml.dump(value, Dumper=_Dumper, **options)), flags=re.MULTILINE)


def written(item: Any) -> Written:
    """An object of a list as YAML, which takes less memory than the object."""
    return Written(_item(item))


def _item(item: Any) -> str:
    """One item of a list, as a block with a dash."""
    if isinstance(item, Written):
        return item
    if isinstance(item, Noted):
        comment = "".join(f"# {_one_line(line)}\n" for line in item.lines)
        brief = item.brief and item.value and _short(item.value)
        body = "" if item.value is None else f"- {dump(item.value)}" if brief else _item(item.value)
        return comment + body
    return f"- {_indented(_block(item))}"


def _block(item: Any) -> str:
    """An object over several lines; each field may be on one line."""
    if not item or not isinstance(item, Mapping):
        return dump(item)
    return "".join(_list(n, v) if _noted(v) else field(n, v) for n, v in item.items())


def field(name: str, value: Any) -> str:
    """One field of an object."""
    brief = not isinstance(value, list | Mapping | Included) and len(str(value)) <= MEMORABLE
    return _remembered(name, value) if brief else dump(_Block({name: value}))


# `typed`: 1, 1.0 and True are equal, but are not written alike.
@lru_cache(maxsize=10_000, typed=True)
def _remembered(name: str, value: Any) -> str:
    """The same for a value that many objects have, such as a status."""
    return dump(_Block({name: value}))


def _noted(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, Noted) for item in value)


def _list(name: str, items: Iterable[Any]) -> str:
    """A list of objects, one block each."""
    return f"{name}:\n  {_indented(''.join(map(_item, items)))}"


def _indented(text: str) -> str:
    """The text with all lines but the first indented by two."""
    first, *rest = text.split("\n")
    # Empty lines stay empty; a block scalar reads back the same either way.
    return "\n".join([first, *(f"  {line}" if line else line for line in rest)])


def _one_line(text: str) -> str:
    """The text of a comment on one line, with printable characters only."""
    return "".join(char if char.isprintable() else " " for char in text)


def manifest(lists: Mapping[str, Iterable[Any] | bool]) -> str:
    """A manifest with these lists of objects (or `Noted` ones), mappings and flags."""
    parts = ((name, items if isinstance(items, Mapping | bool) else list(items)) for name, items in lists.items())
    return "\n".join(_top(name, items) for name, items in parts if items)


def _top(name: str, items: Any) -> str:
    """A list of objects, a mapping with one line or more for each key, or a flag."""
    if isinstance(items, Mapping):
        return f"{name}:\n  {_indented(_block(items))}"
    return field(name, items) if isinstance(items, bool) else _list(name, items)
