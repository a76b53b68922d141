"""The configuration as text and JSON: each setting with its value and origin."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from reconciler.config import Config
from reconciler.config.origins import Origin, Setting
from reconciler.manifest.sources import shown
from reconciler.masking import MASK, shown_url
from reconciler.record import Record
from reconciler.render.json import FORMAT_VERSION
from reconciler.render.safe import terminal

DIM, BOLD = "2", "1"
WIDEST = 48
"""The widest value after which origins are still aligned."""


class Shown(Record):
    """What is shown. `chosen_by` is the option or variable that chooses the instance."""

    file: str
    instance: str
    chosen_by: str
    instances: tuple[tuple[str, str | None], ...]
    settings: tuple[Setting, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, config: Config, settings: Iterable[Setting], chosen_by: str) -> Shown:
        """What a configuration says."""
        urls = ((name, s.url and shown_url(s.url)) for name, s in config.instances.items())
        file = shown(str(config.path)) if config.path is not None else ""
        return cls(file, config.instance, chosen_by, tuple(urls), tuple(settings), config.notes)


def text(found: Shown, *, color: bool) -> str:
    """For people: first what is set, then the defaults, then the names of what is not set."""

    def paint(code: str, line: str) -> str:
        return f"\x1b[{code}m{line}\x1b[0m" if color else line

    used = [setting for setting in found.settings if setting.origin.type not in ("default", "unset")]
    default = [setting for setting in found.settings if setting.origin.type == "default"]
    unset = [setting.name for setting in found.settings if setting.origin.type == "unset"]
    parts = [_head(found), *(_table(rows, paint) for rows in (used, default) if rows)]
    return "\n\n".join([*parts, f"Not set: {', '.join(unset)}."] if unset else parts)


def _head(found: Shown) -> str:
    lines = [f"Configuration: {terminal(found.file) or 'no reconciler.yaml'}"]
    if found.instance:
        lines.append(f"Instance: {terminal(found.instance)} (chosen by {found.chosen_by})")
    elif found.instances:
        lines.append("Instance: none is chosen (--instance NAME)")
    width = max((len(name) for name, _ in found.instances), default=0)
    for name, url in found.instances:
        lines.append(
            f"  {'*' if name == found.instance else ' '} {terminal(name):{width}}  {terminal(url or '')}".rstrip()
        )
    return "\n".join(lines)


def _table(rows: Sequence[Setting], paint: Any) -> str:
    first = max(len(terminal(row.name)) for row in rows)
    second = min(max(len(_value(row)) for row in rows), WIDEST)
    return "\n".join(line for row in rows for line in _lines(row, first, second, paint))


def _lines(row: Setting, first: int, second: int, paint: Any) -> Iterator[str]:
    origin = terminal(str(row.origin) + (f", {row.expression}" if row.expression else ""))
    name = terminal(row.name)
    gap = " " * (first - len(name))
    yield f"{paint(BOLD, name)}{gap}  {_value(row):{second}}  {paint(DIM, origin)}"
    indent = " " * (first + 2)
    if row.problem:
        yield f"{indent}! {terminal(row.problem)}"
    for other in row.overrides:
        yield f"{indent}{paint(DIM, f'instead of {terminal(str(other))}')}"


def _value(row: Setting) -> str:
    if row.value is None:
        return "?" if row.problem else ""
    if isinstance(row.value, float):
        return f"{row.value:g}"
    return terminal(row.value if isinstance(row.value, str) else json.dumps(row.value, ensure_ascii=False))


def data(found: Shown) -> dict[str, Any]:
    """For programs; `schemas/settings.schema.json`."""
    return {
        "format_version": FORMAT_VERSION,
        "file": found.file or None,
        "instance": found.instance or None,
        "chosen_by": found.chosen_by or None if found.instance else None,
        "instances": [{"name": name, "url": url} for name, url in found.instances],
        "settings": [_setting(setting) for setting in found.settings],
        "notes": list(found.notes),
    }


def _setting(found: Setting) -> dict[str, Any]:
    return {
        "name": found.name,
        "value": None if found.value == MASK else found.value,
        "secret": found.secret,
        "origin": _origin(found.origin),
        "expression": found.expression or None,
        "overrides": [_origin(origin) for origin in found.overrides],
        "problem": found.problem or None,
    }


def _origin(origin: Origin) -> dict[str, Any]:
    place = origin.place
    where = {"file": place.file, "line": place.line, "column": place.column} if place else {}
    named = {"name": origin.name} if origin.name else {}
    return {"type": origin.type, **named, **where, **({"instance": origin.instance} if origin.instance else {})}
