"""A YAML text as a tree of nodes that know where in the text they are, so that they can be moved as they are written.

Made of libyaml's tokens: a parser that gives values would lose comments, quotes and block scalars.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct, field


class Unsupported(Exception):
    """The text has something whose layout is left as it is."""


class Entry(Struct):
    """A key of a mapping with its value, or an item of a list. `start` is where the key or the dash is."""

    start: int
    key: Node | None
    colon: int
    """Where the text of the value begins: after the colon or the dash."""
    value: Node | None
    lead: list[str] = field(default_factory=list)
    """The lines of comment, and blank ones, above it."""
    after: list[str] = field(default_factory=list)
    """The lines of comment below it that are indented as its contents."""
    ends: int = 0

    @property
    def end(self) -> int:
        """Where the entry ends in the text, without what follows on the line."""
        return self.value.end if self.value else max(self.colon, self.ends)


class Node(Struct):
    """A value: `map` or `seq` for a block, `flow-map`, `flow-seq` in brackets, or a `leaf`."""

    form: str
    start: int
    begin: int
    """Where it begins, without anchor and tag."""
    end: int
    entries: list[Entry] = field(default_factory=list)
    properties: int = 0
    """Where anchor and tag end; without them, where it starts."""


FORMS = {
    "Directive": "a directive (%)",
    "DocumentEnd": "the end marker of a document (...)",
}
"""What of YAML is left as it is, by the name of its token."""


class Document(Struct):
    """One document: its root, and the text of its first line if that is `---`."""

    marker: tuple[int, int] | None
    root: Node | None
    limit: int = 0
    """Where the next document begins, or the end of the text."""


def parse(text: str) -> list[Document]:
    """The documents of a YAML text. Raises yaml.YAMLError; Unsupported for explicit keys, directives and the like."""
    return _Parser(text).documents()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: Iterator[Any] = iter(yaml.scan(text, Loader=yaml.CSafeLoader))
        self.token: Any = next(self.tokens)
        self.name = ""
        self.advance()

    def advance(self) -> Any:
        """The current token, leaving it."""
        token = self.token
        self.token = next(self.tokens, None)
        self.name = type(self.token).__name__.removesuffix("Token")
        return token

    def documents(self) -> list[Document]:
        found: list[Document] = []
        while self.name != "StreamEnd":
            if self.name in FORMS:
                raise Unsupported(FORMS[self.name])
            marker = None
            if self.name == "DocumentStart":
                token = self.advance()
                marker = (token.start_mark.index, token.end_mark.index)
                if found:
                    found[-1].limit = marker[0]
            elif found:
                raise Unsupported("several values")
            root = None if self.name in ("StreamEnd", "DocumentStart") else self.node()
            if root and marker and "\n" not in self.text[marker[1] : root.start]:
                raise Unsupported("a value beside ---")
            found.append(Document(marker, root, len(self.text)))
        return found

    def node(self) -> Node:
        """The value at the current token."""
        start = properties = int(self.token.start_mark.index)
        while self.name in ("Anchor", "Tag"):
            properties = self.advance().end_mark.index
        begin: int = self.token.start_mark.index
        match self.name:
            case "BlockMappingStart":
                self.advance()
                return self.finished(Node("map", start, begin, begin, list(self.pairs()), properties))
            case "BlockSequenceStart":
                self.advance()
                return self.finished(Node("seq", start, begin, begin, list(self.items()), properties))
            case "BlockEntry":
                # A list that is not indented below its key has no tokens of its own.
                return self.closed(Node("seq", start, begin, begin, list(self.items()), properties))
            case "FlowMappingStart" | "FlowSequenceStart":
                return self.flow(start)
            case "Scalar" | "Alias":
                return Node("leaf", start, begin, self.scalar_end(self.advance()))
            case _:
                # An anchor or a tag without a value.
                if begin > start and self.name in ("Key", "Value", "BlockEnd", "StreamEnd", "FlowEntry"):
                    raise Unsupported("an empty value with an anchor or a tag")
                raise Unsupported(FORMS.get(self.name, "a form without a layout"))

    def finished(self, node: Node) -> Node:
        if self.name != "BlockEnd":
            raise Unsupported(FORMS.get(self.name, "a form without a layout"))
        self.advance()
        return self.closed(node)

    def closed(self, node: Node) -> Node:
        node.end = node.entries[-1].end if node.entries else node.begin
        return node

    def pairs(self) -> Iterator[Entry]:
        """The pairs of a block mapping."""
        while self.name == "Key":
            token = self.advance()
            if token.end_mark.index > token.start_mark.index:
                raise Unsupported("a key with a question mark")
            key = self.node()
            if self.name != "Value" or "\n" in self.text[key.start : key.end]:
                raise Unsupported("a key without a value")
            colon = self.advance().end_mark.index
            nothing = self.name in ("Key", "BlockEnd", "StreamEnd", "DocumentStart")
            yield Entry(key.start, key, colon, None if nothing else self.node())

    def items(self) -> Iterator[Entry]:
        """The items of a block list."""
        while self.name == "BlockEntry":
            token = self.advance()
            nothing = self.name in ("BlockEntry", "BlockEnd", "Key", "StreamEnd", "DocumentStart")
            yield Entry(token.start_mark.index, None, token.end_mark.index, None if nothing else self.node())

    def flow(self, start: int) -> Node:
        """A list in brackets or a mapping in braces."""
        opening = self.advance()
        mapping = type(opening).__name__ == "FlowMappingStartToken"
        node = Node("flow-map" if mapping else "flow-seq", start, opening.start_mark.index, 0)
        while self.name not in ("FlowMappingEnd", "FlowSequenceEnd"):
            if self.name == "FlowEntry":
                self.advance()
            else:
                node.entries.append(self.flow_item())
        node.end = self.advance().end_mark.index
        return node

    def flow_item(self) -> Entry:
        start: int = self.token.start_mark.index
        if self.name != "Key":
            value = self.node()
            return Entry(start, None, start, value)
        token = self.advance()
        if token.end_mark.index > token.start_mark.index or self.name == "Value":
            raise Unsupported("a key with a question mark")
        key = self.node()
        colon = key.end
        if self.name == "Value":
            colon = self.advance().end_mark.index
        nothing = self.name in ("FlowEntry", "FlowMappingEnd", "FlowSequenceEnd")
        return Entry(start, key, colon, None if nothing else self.node())

    def scalar_end(self, token: Any) -> int:
        """The end of a scalar; of a block scalar, without the blank lines that are not part of it."""
        start, end = token.start_mark.index, token.end_mark.index
        if getattr(token, "style", None) not in ("|", ">"):
            return int(end)
        raw: str = self.text[start:end]
        kept = "+" in raw.partition("\n")[0].partition("#")[0]
        return int(start + len(raw.removesuffix("\n") if kept else _without_blank_end(raw)))


def _without_blank_end(raw: str) -> str:
    """A block scalar up to the end of its last line that is not blank."""
    lines = raw.split("\n")
    indent = next((len(line) - len(line.lstrip(" ")) for line in lines[1:] if line.strip(" ")), 0)
    # Spaces beyond the indentation are text.
    while len(lines) > 1 and not lines[-1].strip(" ") and len(lines[-1]) <= indent:
        lines.pop()
    return "\n".join(lines)
