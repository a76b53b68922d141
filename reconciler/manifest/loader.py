"""Parses manifest files into documents: mappings and lists of strings that know the place of every key and item.

Built from the events of libyaml's C loader instead of `yaml.load`: plain scalars keep the text as written (`1.10`,
`no`, `2026-12-01`), since only the models know the type of a field. All problems are collected, none is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern
from typing import Any, BinaryIO, NoReturn, TextIO

from yaml import CSafeLoader, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from reconciler.errors import Location, ManifestError, Problem
from reconciler.manifest.effects import Effect
from reconciler.manifest.excerpt import MAX_BYTES, Source, excerpt, explain_yaml_error, mark_of, suggest
from reconciler.manifest.expressions import expand
from reconciler.manifest.rules import ALL, Rules
from reconciler.manifest.scalars import Computed, Included, Reported, Templated, Variables, literal
from reconciler.manifest.sources import File, beside, find, read_text

__all__ = [
    "Included", "Loaded", "Map", "Reported", "Seq", "Templated", "Variables", "excerpt", "expand", "load",
    "locate", "suggest",
]  # fmt: skip

MAX_NODES = 2_000_000
MAX_DEPTH = 60

# A place is packed into one integer, line << 32 | column (both from 1): a file can have millions of them, and a
# Location object for each would cost memory and loading time.
_SHIFT = 32
_FIRST = (1 << _SHIFT) + 1
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(("!", *(_CORE + name for name in ("str", "int", "float", "bool", "timestamp"))))
_TAGS_HINT = "supported: !file PATH and YAML's own !!str, !!int, !!float, !!bool, !!timestamp, !!null, !!map, !!seq"
_MERGE = "<<"
_OPEN = object()

_COMPUTED_HINTS = {
    "!command": "write api_key: !command [PROGRAM, ARGUMENT]; it works only in reconciler.yaml, for credentials",
    "!keyring": "write api_key: !keyring [SERVICE, USERNAME]; it works only in reconciler.yaml, for credentials",
}


def _unpack(file: str, at: int) -> Location:
    return Location(file, at >> _SHIFT, at & ((1 << _SHIFT) - 1))


class Map(dict[str, Any]):
    """A YAML mapping. `at` is its packed place, `marks` has those of its keys, `root` is the manifests' real folder.

    Aliases share the object, so it must not be modified.
    """

    __slots__ = ("at", "file", "marks", "root")

    def __init__(self, file: str = "", at: int = 0, root: str = "") -> None:
        self.file = file
        self.at = at
        self.root = root
        self.marks: dict[str, int] = {}

    def where(self, key: str | None = None) -> Location:
        """The place of a key, or of the mapping if there is no such key."""
        return _unpack(self.file, self.at if key is None else self.marks.get(key, self.at))

    def origin(self, key: str) -> Map:
        """The mapping that an entry comes from: this one, unless an overlay has changed it."""
        return self


class Seq(list[Any]):
    """A YAML list. `at` is its packed place, `marks` has those of its items. Aliases share it: do not modify it."""

    __slots__ = ("at", "file", "marks")

    def __init__(self, file: str = "", at: int = 0) -> None:
        self.file = file
        self.at = at
        self.marks: list[int] = []

    def where(self, index: int | None = None) -> Location:
        """The place of an item, or of the list if there is no such item."""
        known = index is not None and 0 <= index < len(self.marks)
        return _unpack(self.file, self.marks[index] if known and index is not None else self.at)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The top-level mappings of all files, all problems sorted by place, and the names of the files.

    `found` are the files that were not named but found in a folder, `left_out` those of them that are no manifests.
    `incomplete` is true if more than single values are missing because of the problems. `overlaid` is what overlays
    have changed. `sources` is a cache for
    `excerpt`; it has the text of standard input, which cannot be read twice.
    """

    documents: tuple[Map, ...]
    problems: tuple[Problem, ...]
    files: tuple[str, ...]
    found: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    incomplete: bool = False
    overlaid: tuple[Effect, ...] = ()
    sources: dict[str, Source] = field(default_factory=dict, compare=False, repr=False)


def locate(node: Map, path: Sequence[str | int]) -> Location:
    """The deepest place along the `loc` of a pydantic error; parts that are not in the manifest are skipped."""
    place, here = node.where(), node
    for part in path:
        known = part in here.marks if isinstance(here, Map) else isinstance(part, int) and part < len(here)
        if known:
            place, here = here.where(part), here[part]  # type: ignore[arg-type,index]
        if not isinstance(here, Map | Seq):
            break
    return place


def load(
    paths: Sequence[str | Path],
    env: Mapping[str, str],
    *,
    stdin: TextIO | BinaryIO | None = None,
    max_bytes: int = MAX_BYTES,
    max_nodes: int = MAX_NODES,
    rules: Rules = ALL,
    computed: Sequence[type[Computed]] = (),
) -> Loaded:
    """Read manifests: files, folders (recursively) and `-` for standard input. Never raises for their contents.

    `env` has the variables for `${NAME}`. `max_bytes` limits the size of a file, `max_nodes` its number of values
    after expanding aliases. `rules` say which files of a folder are read. `computed` are further tags for lists.
    """
    problems: list[Problem] = []
    documents: list[Map] = []
    sources: dict[str, Source] = {}
    files = find(paths, problems, rules)
    incomplete = bool(problems)
    for file in files:
        try:
            text = file.text(max_bytes, stdin)
        except ManifestError as error:
            problems += error.problems
            incomplete = True
            continue
        if not file.path:
            sources[file.name] = Source(text, json=file.is_json(text))
        builder = _Builder(file, text, env, (max_bytes, max_nodes), {one.tag: one for one in computed})
        documents += builder.documents()
        problems += builder.problems
        incomplete = incomplete or builder.incomplete
    problems.sort(key=lambda problem: (problem.location, problem.message))
    found = frozenset(file.name for file in files if file.found)
    names = tuple(file.name for file in files)
    return Loaded(tuple(documents), tuple(problems), names, found, incomplete=incomplete, sources=sources)


class _Builder:
    """Builds the documents of one file from libyaml's events, in a single pass."""

    def __init__(
        self,
        file: File,
        text: str,
        env: Mapping[str, str],
        bounds: tuple[int, int],
        computed: Mapping[str, type[Computed]],
    ) -> None:
        self.file, self.env, self.text, self.computed = file, env, file.yaml(text), computed
        self.max_bytes, self.max_nodes = bounds
        self.next: Callable[[], Any] = CSafeLoader(self.text).get_event
        self.problems: list[Problem] = []
        self.anchors: dict[str, Any] = {}  # name: (value, number of values, levels of nesting), or _OPEN
        self.nodes = self.depth = self.deepest = 0
        self.incomplete = False

    def documents(self) -> list[Map]:
        """All top-level mappings before the first syntax error."""
        documents: list[Map] = []
        try:
            self._read_documents(documents)
        except YAMLError as error:
            mark, message, hint, context = explain_yaml_error(error, self.text)
            self._report(mark, message, hint, *([self._place(context)] if context else []))
        except ManifestError as error:
            self.problems += error.problems
            self.incomplete = True
        return documents

    def _read_documents(self, documents: list[Map]) -> None:
        self.next()
        count, bare, empty = 0, False, []
        while (start := self.next()).__class__ is DocumentStartEvent:
            count += 1
            self.anchors = {}
            root = self.next()
            # The value is built even if it is of no use: its problems are reported together with this one.
            value = self._value(root)
            self.next()
            bare = value is None and root.value == ""
            if isinstance(value, Map):
                documents.append(value)
            elif value is None:
                empty.append(start.start_mark)
            elif not isinstance(value, Reported):
                self._report(root.start_mark, "the top level is not a mapping", 'start with a key such as "projects:"')
        if count == len(empty) < 2:
            self.problems.append(Problem(Location(self.file.name), "the manifest is empty"))
        elif bare:  # a trailing `---` with nothing after it is common
            empty.pop()
        for mark in empty if count > 1 else ():
            self._report(mark, "the document is empty", "remove the ---")

    def _value(self, event: Any) -> Any:
        self.nodes += 1
        if self.nodes > self.max_nodes:
            self._stop(event, f"the file has more than {self.max_nodes:,} values", "split it")
        kind = event.__class__  # compared by identity: faster than isinstance for millions of events
        if kind is not ScalarEvent:
            return self._alias(event) if kind is AliasEvent else self._collection(event)
        value = event.value
        if event.tag is not None:
            value = self._tagged(event)
        elif not event.style and value in _NULLS:
            value = None
        elif "$" in value:
            value = self._expanded(event)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1, 0)
        return value

    def _collection(self, event: Any) -> Any:
        anchor, size, deepest = event.anchor, self.nodes, self.deepest
        self.depth = self.deepest = self.depth + 1
        self._check_depth(event, self.depth)
        if anchor:
            self.anchors[anchor] = _OPEN
        mapping = event.__class__ is MappingStartEvent
        value: Any = self._mapping(event) if mapping else self._sequence(event)
        if event.tag not in (None, "!", _CORE + ("map" if mapping else "seq")):
            computed = None if mapping else self.computed.get(event.tag)
            value = self._unknown_tag(event) if computed is None else computed(map(literal, value))
        if anchor:
            self.anchors[anchor] = (value, self.nodes - size + 1, self.deepest - self.depth + 1)
        self.depth, self.deepest = self.depth - 1, max(self.deepest, deepest)
        return value

    def _mapping(self, start: Any) -> Map:
        mark = start.start_mark
        node = Map(self.file.name, (mark.line << _SHIFT | mark.column) + _FIRST, self.file.root)
        marks, merge = node.marks, None
        while (event := self.next()).__class__ is not MappingEndEvent:
            mark = event.start_mark
            plain = event.__class__ is ScalarEvent and event.value and event.tag is None and event.anchor is None
            key = intern(event.value) if plain else self._key(event)  # the same few keys repeat in every object
            value = self._value(self.next())
            if key is None:
                continue
            # After the value was read, as its events have to be consumed in any case.
            if key in marks:
                self._report(mark, f'duplicate key "{_shorten(key)}"', "remove all but one", node.where(key))
                continue
            marks[key] = (mark.line << _SHIFT | mark.column) + _FIRST
            node[key] = value
            if key == "<<" and not event.style:
                merge = mark
        if merge:
            self._merge(node, merge)
        return node

    def _sequence(self, start: Any) -> Seq:
        mark = start.start_mark
        node = Seq(self.file.name, (mark.line << _SHIFT | mark.column) + _FIRST)
        while (event := self.next()).__class__ is not SequenceEndEvent:
            mark = event.start_mark
            node.marks.append((mark.line << _SHIFT | mark.column) + _FIRST)
            node.append(self._value(event))
        return node

    def _key(self, event: Any) -> str | None:
        """The key in an event, or None if it is not a valid key, which is reported."""
        if event.__class__ is ScalarEvent and event.tag is None and event.anchor is None:
            # `_mapping` has taken those with a value.
            if event.style:
                return ""
        elif event.__class__ is ScalarEvent and event.tag in (None, *_TEXT_TAGS):
            self.anchors[event.anchor or ""] = (event.value, 1, 0)
            return intern(event.value)
        value = self._value(event)
        if type(value) is str and event.__class__ is AliasEvent:
            return intern(value)
        if not isinstance(value, Reported):
            self._report(
                event.start_mark, "a key must be a string", "quote it; a value such as {{ x }} needs quotes as well"
            )
        return None

    def _merge(self, node: Map, mark: Any) -> None:
        """Merge the mappings of `<<`: the mapping's own keys win, then those of earlier mappings."""
        merged = node.pop("<<")
        del node.marks["<<"]
        for other in merged if isinstance(merged, Seq) else [merged]:
            if isinstance(other, Map):
                fresh = [key for key in other if key not in node]
                node.update((key, other[key]) for key in fresh)
                node.marks.update((key, other.marks[key]) for key in fresh)
            elif not isinstance(other, Reported):
                self._report(mark, "<< needs an alias of a mapping, or a list of aliases", "write <<: *name")

    def _alias(self, event: Any) -> Any:
        known = self.anchors.get(event.anchor)
        if known is None:
            hint = suggest(event.anchor, self.anchors) or "define an anchor (&name) before its aliases"
            self._report(event.start_mark, f"undefined alias *{event.anchor}", hint)
            return Reported(event.anchor)
        if known is _OPEN:
            self._report(event.start_mark, f"the alias *{event.anchor} is inside its own anchor")
            return Reported(event.anchor)
        value, size, height = known
        self.nodes += size - 1
        if self.nodes > self.max_nodes:
            message = f"the file has more than {self.max_nodes:,} values after expanding its aliases"
            self._stop(event, message, "each alias repeats everything in its anchor")
        self._check_depth(event, self.depth + height)
        self.deepest = max(self.deepest, self.depth + height)
        return value

    def _tagged(self, event: Any) -> Any:
        if event.tag == "!file":
            return self._included(event)
        if event.tag == _CORE + "null":
            return None
        if event.tag not in _TEXT_TAGS:
            return self._unknown_tag(event)
        return self._expanded(event) if "$" in event.value else event.value

    def _unknown_tag(self, event: Any) -> Reported:
        tag = event.tag.replace(_CORE, "!!")
        self._report(event.start_mark, f"unsupported tag {_shorten(tag)}", _COMPUTED_HINTS.get(tag, _TAGS_HINT))
        return Reported()  # not the tag, which would count as the secret of a setting

    def _expanded(self, event: Any) -> str:
        value, faults = expand(event.value, self.env)
        for fault in faults:
            mark = event.start_mark  # the fallback: an escape such as "\x24{" is not in the text
            index = fault.within(self.text, mark.index, event.end_mark.index)
            self._report_value(mark if index is None else mark_of(self.text, index, mark), fault.message, fault.hint)
        return Reported(event.value) if faults else value

    def _included(self, event: Any) -> str:
        """The text of the file that `!file` names, with LF line ends, as YAML scalars have."""
        name = self._expanded(event)
        if isinstance(name, Reported):
            return name
        try:
            return Included(self._include(name).replace("\r\n", "\n"))
        except ManifestError as error:
            for problem in error.problems:
                message = f"!file {_shorten(name)}: {problem.message}"
                self._report_value(event.start_mark, message, problem.hint, problem.location)
            return Reported(name)

    def _include(self, name: str) -> str:
        return read_text(beside(self.file.path, self.file.root, name), self.max_bytes)

    def _check_depth(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._stop(event, f"more than {MAX_DEPTH} levels of nesting", "a manifest needs about ten")

    def _stop(self, event: Any, message: str, hint: str) -> NoReturn:
        raise ManifestError([Problem(self._place(event.start_mark), message, hint=hint)])

    def _report(self, mark: Any, message: str, hint: str = "", *also: Location) -> None:
        self.incomplete = True
        self._report_value(mark, message, hint, *also)

    def _report_value(self, mark: Any, message: str, hint: str = "", *also: Location) -> None:
        """Report a problem of one value that has no meaning for others."""
        self.problems.append(Problem(self._place(mark), message, hint=hint, also=also))

    def _place(self, mark: Any) -> Location:
        return Location(self.file.name, mark.line + 1, mark.column + 1)


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
