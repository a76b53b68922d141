"""Manifests in their one layout. What would not mean the same, or lack something, is never the result."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from yaml import YAMLError

from reconciler.errors import Problem
from reconciler.layout.order import ManifestOrder, Role
from reconciler.layout.printer import formatted
from reconciler.layout.tree import Unsupported
from reconciler.manifest import loader
from reconciler.manifest.loader import Map, Reported, Seq
from reconciler.manifest.rules import Rules
from reconciler.manifest.sources import File, find
from reconciler.state import foreign

ORDER = ManifestOrder()


def tidied(text: str, *, is_json: bool) -> str:
    """A manifest in its layout. Raises Unsupported, with the reason, for one that is left as it is.

    Line ends stay those of Windows if all of them are.
    """
    windows = "\r\n" in text and text.count("\r\n") == text.count("\n")
    plain = text.replace("\r\n", "\n")
    if all(not line or line[0] == "#" for line in map(str.strip, plain.split("\n"))):
        return text
    if "\r" in plain:
        raise Unsupported("it has line ends of old Macs")
    try:
        result = _json(plain) if is_json else formatted(plain, ORDER)
    except (YAMLError, ValueError, RecursionError) as error:
        raise Unsupported("it cannot be parsed") from error
    if not _same(plain, result) or not (is_json or _complete(plain, result)):
        raise Unsupported("another layout could change what it means")
    return result.replace("\n", "\r\n") if windows else result


def files_of(paths: Sequence[str], problems: list[Problem], rules: Rules) -> list[File]:
    """The manifests at `paths`, without files of other programs that are found in a folder; adds to the problems."""
    found = find(paths, problems, rules)
    loaded = loader.load([path for path in paths if path != "-"], _Every(), rules=rules)
    others = {*loaded.files} - {*foreign.without(loaded).files}
    return [file for file in found if file.name not in others]


def problems_of(file: File, text: str) -> list[Problem]:
    """The problems with which a file is left alone: those of YAML, not those of values."""
    loaded = loader.load((file.path or "-",), _Every(), stdin=io.StringIO(text))
    return list(loaded.problems) if loaded.incomplete else []


# -- the check -----------------------------------------------------------------------------------------------------


class _Every(dict[str, str]):
    """A value for every variable: the expression itself."""

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> str:
        return f"${{{name}}}"


def _same(one: str, other: str) -> bool:
    """Whether two manifests declare the same: the same values, each of the same type."""
    loaded = [loader.load(("-",), _Every(), stdin=io.StringIO(text)) for text in (one, other)]
    before, after = (found.documents for found in loaded)
    problems = [Counter(problem.message for problem in found.problems) for found in loaded]
    return problems[0] == problems[1] and len(before) == len(after) and all(map(_equal, before, after))


def _equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, Map):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, Seq):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, Reported):
        return True  # its text is in the problem, which is compared
    return bool(one == other)


def _complete(one: str, other: str) -> bool:
    """Whether two texts have the same characters, wherever: so no comment is lost."""
    return _characters(one) == _characters(other)


def _characters(text: str) -> Counter[str]:
    # `-` is added to a block scalar that ends with the text; commas after the last item go.
    return Counter(char for char in text if not char.isspace() and char not in "-+,")


# -- JSON ----------------------------------------------------------------------------------------------------------


class _Raw(str):
    """A number as it is written: 1.10 is no 1.1 where it is a version."""

    __slots__ = ()


def _json(text: str) -> str:
    """A JSON manifest over several lines, with the keys in their order."""
    value = json.loads(text, parse_float=_Raw, parse_int=_Raw, parse_constant=_Raw, object_pairs_hook=_pairs)
    return _printed(value, "", "") + "\n"


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _printed(value: Any, indent: str, role: Role | str | None) -> str:
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        keys = sorted(value, key=lambda key: ORDER.rank(role, key))
        items = [f"{json.dumps(k, ensure_ascii=False)}: {_printed(value[k], inner, ORDER.role(role, k))}" for k in keys]
    elif isinstance(value, list) and value:
        items = [_printed(item, inner, ORDER.role(role, "")) for item in value]
    else:
        return value if isinstance(value, _Raw) else json.dumps(value, ensure_ascii=False)
    opening, closing = "{}" if isinstance(value, Mapping) else "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{closing}"
