"""Plain data → YAML as a person would have written it: block texts, no anchors, short lists on one line.

Texts that YAML 1.1 takes for something else (`yes`, `1e3`, dates) are quoted, for the editors and tools that type them;
`${` is doubled, as manifests expand it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

WIDTH = 100
"""Characters of a mapping or list that are put on one line; texts are never folded."""
MEMORABLE = 40
"""Characters of a value that is likely to come again."""
ENDLESS = 1 << 30
BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")
"""What YAML takes for the end of a line, or for nothing, where it is not escaped."""


BLOCK = re.compile(r"(?!\n*\t)[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
"""Texts that a block gives back: printable, and not with a tab where the indentation of a block is found out."""
SIMPLE = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)


class Day(str):
    """A date: it needs no quotes where a date is meant."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Included:
    """A text that stands in a file of its own: `!file path`, relative to the manifest."""

    path: str


@dataclass(frozen=True, slots=True)
class Noted:
    """An object in a list with lines of comment above it; without a value, the comment alone."""

    value: Any
    lines: tuple[str, ...]
    brief: bool = False
    """Whether it is written on one line if it fits."""


class Written(str):
    """An object in a list that is YAML already, see `written`."""

    __slots__ = ()


class _Key(str):
    """A key: what is in it is not expanded."""

    __slots__ = ()


class _Block(dict[str, Any]):
    """A mapping that is written over several lines, however short it is."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's emitter, with list items indented and no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent list items below their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write out what is the same object twice."""
        return True

    def analyze_scalar(self, scalar: str) -> Any:
        """PyYAML allows no block where a blank or a tab ends a line, although it is read back as it is."""
        found = super().analyze_scalar(scalar)
        found.allow_block = found.allow_block or bool(BLOCK.fullmatch(scalar))
        return found

    def choose_scalar_style(self) -> str:
        """No quotes for the path of an included file that needs none."""
        event: Any = self.event
        plain = event.tag == "!file" and SIMPLE.fullmatch(event.value)
        return "" if plain else str(super().choose_scalar_style())


OTHERS = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0o[0-7]+|[yYnN]")
"""What YAML 1.2 takes for a number, and some readers of YAML 1.1 for yes or no."""


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    value = value.replace("${", "$${")
    style = "|" if "\n" in value and not value.isspace() else "'" if OTHERS.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if BREAKS & {*value} else style)


def _day(dumper: _Dumper, value: Day) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:timestamp", str(value))


def _included(dumper: _Dumper, value: Included) -> yaml.Node:
    return dumper.represent_scalar("!file", value.path.replace("${", "$${"))


def _key(dumper: _Dumper, value: _Key) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style='"' if BREAKS & {*value} else None)


def _mapping(dumper: _Dumper, value: Mapping[str, Any]) -> yaml.Node:
    pairs = [(_Key(key), part) for key, part in value.items()]
    short = not isinstance(value, _Block) and _short(value)
    return dumper.represent_mapping("tag:yaml.org,2002:map", pairs, flow_style=short)


def _sequence(dumper: _Dumper, value: Iterable[Any]) -> yaml.Node:
    items = list(value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=_short(items))


def _short(value: Any) -> bool:
    """Whether a list or mapping is written on one line: there is little in it, and it fits."""
    return len(str(value)) <= WIDTH and all(_plain(part) for part in _parts(value))


def _parts(value: Any) -> list[Any]:
    return [*value.values(), *value] if isinstance(value, Mapping) else list(value)


def _plain(part: Any) -> bool:
    if isinstance(part, list | dict):
        return all(not isinstance(inner, list | dict | Included) and _plain(inner) for inner in _parts(part))
    return not isinstance(part, Included) and not (isinstance(part, str) and "\n" in part)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Included, _included)
_Dumper.add_representer(_Key, _key)
_Dumper.add_representer(Day, _day)
_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(_Block, _mapping)
_Dumper.add_representer(list, _sequence)


def dump(value: Any) -> str:
    """Any plain data, as YAML."""
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": ENDLESS, "default_flow_style": False}
    # A document that ends in blank lines, or is one plain text, gets a mark of its end.
    return re.sub(r"^\.\.\.\n\Z", "", str(yaml.dump(value, Dumper=_Dumper, **options)), flags=re.MULTILINE)


def written(item: Any) -> Written:
    """An object of a list as YAML: of many, that takes less memory than the objects."""
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
    """An object over several lines, whatever its length; its fields may be on one."""
    if not item or not isinstance(item, Mapping):
        return dump(item)
    return "".join(_list(n, v) if _noted(v) else _field(n, v) for n, v in item.items())


def _field(name: str, value: Any) -> str:
    """One field of an object."""
    brief = not isinstance(value, list | Mapping | Included) and len(str(value)) <= MEMORABLE
    return _remembered(name, value) if brief else dump(_Block({name: value}))


@lru_cache(maxsize=10_000, typed=True)
def _remembered(name: str, value: Any) -> str:
    """The same, of a value that many objects have, such as a status."""
    return dump(_Block({name: value}))


def _noted(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, Noted) for item in value)


def _list(name: str, items: Iterable[Any]) -> str:
    """A list of objects, one block each."""
    return f"{name}:\n  {_indented(''.join(map(_item, items)))}"


def _indented(text: str) -> str:
    """All lines but the first moved to the right by two."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(f"  {line}" if line else line for line in rest)])


def _one_line(text: str) -> str:
    """A comment's text on one line, printable."""
    return "".join(char if char.isprintable() else " " for char in text)


def manifest(lists: Mapping[str, Iterable[Any]]) -> str:
    """A manifest: lists of objects (or `Noted` ones) by their names."""
    return "\n".join(_list(name, found) for name, items in lists.items() if (found := list(items)))
