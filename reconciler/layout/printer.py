"""A tree of YAML in its one layout: two spaces for each level, keys in their order, no blank at the end of a line.

Scalars, and what is in brackets over several lines, stay as they are written: nothing is quoted, unquoted or wrapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import yaml

from reconciler.layout.comments import Lines, attach
from reconciler.layout.tree import Entry, Node, Unsupported, parse
from reconciler.record import Record

STEP = 2


class Order(Protocol):
    """The order of the keys of mappings. A role says which mapping it is; the root's is ""."""

    def role(self, outer: Any, key: str) -> Any:
        """The role of a value, by that of the mapping or list that it is in; the key is "" in a list."""

    def rank(self, role: Any, key: str) -> int:
        """The place of a key; equal ones keep their order."""


def formatted(text: str, order: Order) -> str:
    """A YAML text in its layout. Raises yaml.YAMLError; Unsupported for what cannot be laid out."""
    lines: list[str] = []
    documents = parse(text)
    for document in documents:
        first = 0
        if document.marker:
            end = text.find("\n", document.marker[1])
            first = len(text) if end < 0 else end + 1
            lines.append(text[document.marker[0] : first].rstrip())
        if document.root is not None and document.root.form in ("map", "seq"):
            rest = attach(text, document, first)
            lines += [*_Printer(text, order).document(document.root), *_single_blanks(rest)]
        else:
            rest = [_Kept(line) for line in text[first : document.limit].removesuffix("\n").split("\n")]
            lines += rest if document.root else _single_blanks([line.rstrip() for line in rest])
    return "\n".join(_tidy(lines)) + "\n"


def _tidy(lines: Sequence[str]) -> list[str]:
    """The lines without blank ones at both ends."""
    found = list(lines)
    while found and not found[-1] and not isinstance(found[-1], _Kept):
        found.pop()
    while found and not found[0]:
        found.pop(0)
    return found


class _Kept(str):
    """A line of a text, which is not dropped even if it is blank."""

    __slots__ = ()


class _Block(Record):
    """The lines of a block, and the comments that have to be above its first line, whatever is in front of that."""

    above: list[str]
    lines: list[str]


class _Printer:
    def __init__(self, text: str, order: Order) -> None:
        self.text = text
        self.order = order
        self.lines = Lines(text)

    def document(self, root: Node) -> list[str]:
        """The lines of a document."""
        if root.begin != root.start:
            raise Unsupported("an anchor or a tag of a whole document")
        block = self.block(root, 0, self.order.role("", "") if root.form == "seq" else "")
        return [*block.above, *block.lines]

    def block(self, node: Node, indent: int, role: Any) -> _Block:
        """A block mapping or list. The comments above its first entry are given apart."""
        above: list[str] = []
        lines: list[str] = []
        for number, entry in enumerate(self.ordered(node, role)):
            dash = node.form == "seq"
            lead, own = self.entry(entry, indent, role, dash=dash)
            lead = _single_blanks(lead)
            if number == 0:
                above = lead[next((n for n, line in enumerate(lead) if line), len(lead)) :]
            else:
                lines += lead
            lines += own
        return _Block(above, lines)

    def ordered(self, node: Node, role: Any) -> list[Entry]:
        """The entries in the order of their keys, where that does not change what an alias means."""
        if node.form not in ("map", "flow-map") or not self.movable(node):
            return node.entries
        return sorted(node.entries, key=lambda entry: self.order.rank(role, self.key(entry)))

    def movable(self, node: Node) -> bool:
        """Whether no alias in a node is of an anchor in it, and no anchor is there twice."""
        part = self.text[node.start : node.end]
        if "&" not in part:
            return True
        tokens = list(yaml.scan(part, Loader=yaml.CSafeLoader)) if node.form != "map" else self.tokens(node)
        anchors = [token.value for token in tokens if isinstance(token, yaml.AnchorToken)]
        aliases = {token.value for token in tokens if isinstance(token, yaml.AliasToken)}
        return not aliases & {*anchors} and len({*anchors}) == len(anchors)

    def tokens(self, node: Node) -> list[Any]:
        """The tokens of a part of the text."""
        found = yaml.scan(self.text, Loader=yaml.CSafeLoader)
        return [token for token in found if node.start <= token.start_mark.index < node.end]

    def key(self, entry: Entry) -> str:
        """The text of a key, without quotes."""
        return self.text[entry.key.begin : entry.key.end].strip("'\"") if entry.key else ""

    def entry(self, entry: Entry, indent: int, role: Any, *, dash: bool) -> tuple[list[str], list[str]]:
        """The comments above an entry, and its lines."""
        shift = indent - self.lines.column(entry.start)
        inner = self.order.role(role, "" if dash else self.key(entry))
        head = " " * indent + ("-" if dash else f"{self.text[entry.start : entry.key.end]}:" if entry.key else "")
        lead, after = ([_shifted_comment(line, shift) for line in lines] for lines in (entry.lead, entry.after))
        value = entry.value
        if value is None:
            return lead, [head + self.rest(entry.colon), *after]
        if value.form not in ("map", "seq"):
            return lead, [*self.leaf(head, entry, value, shift, inner), *after]
        properties, _, below = self.text[value.start : value.properties].partition("\n")
        if below or (properties and "\n" in self.text[entry.colon : value.start]):
            raise Unsupported("an anchor or a tag on a line of its own")
        block = self.block(value, indent + STEP, inner)
        # On the line of the dash: only if nothing else is there.
        if dash and not properties and not self.comment(entry, value):
            first, *others = block.lines
            return [*lead, *_outdented(block.above)], [f"{head} {first[indent + STEP :]}", *others, *after]
        text = f"{head} {properties}" if properties else head
        return lead, [text + self.comment(entry, value), *block.above, *block.lines, *after]

    def comment(self, entry: Entry, value: Node) -> str:
        """The comment on the line of an entry, behind its anchor and tag, whose value is on the lines below it."""
        begin = value.properties if value.properties > value.start else entry.colon
        line, ended, _ = self.text[begin : value.begin].partition("\n")
        return line.rstrip() if ended and line.strip() else ""

    def rest(self, index: int) -> str:
        """What follows on the line: nothing, or a comment."""
        end = self.text.find("\n", index)
        return self.text[index : end if end >= 0 else len(self.text)].rstrip()

    def leaf(self, head: str, entry: Entry, value: Node, shift: int, role: Any) -> list[str]:
        """An entry whose value is a scalar, an alias, or in brackets."""
        between = self.text[entry.colon : value.start]
        text = self.flow(value, role)
        if "\n" in between:
            # A long text that begins on the next line, as it is.
            text = self.text[entry.colon : value.end]
        else:
            head += " "
        if value.end == len(self.text):
            text = _ended(text)
        first, *others = (text + self.rest(value.end)).split("\n")
        return [(head + first).rstrip(), *(_Kept(_shifted(line, shift)) for line in others)]

    def flow(self, node: Node, role: Any) -> str:
        """A value as it is written; on one line in brackets: one blank after each comma, and keys in their order."""
        raw = self.text[node.start : node.end]
        if "flow" not in node.form or "\n" in raw or self.odd(node):
            return raw
        properties = self.text[node.start : node.begin].strip()
        items = []
        for entry in self.ordered(node, role):
            inner = self.order.role(role, self.key(entry) if entry.key else "")
            value = self.flow(entry.value, inner) if entry.value else ""
            items.append(f"{self.text[entry.key.start : entry.key.end]}: {value}" if entry.key else value)
        opening, closing = "{}" if node.form == "flow-map" else "[]"
        return f"{properties} {opening}{', '.join(items)}{closing}".lstrip()

    def odd(self, node: Node) -> bool:
        """Whether something in brackets is to stay as it is: a key without a value, a pair in a list."""
        mapping = node.form == "flow-map"
        return any((entry.key is None) == mapping or (mapping and entry.value is None) for entry in node.entries)


def _shifted(line: str, shift: int) -> str:
    """A line that is indented more, or less as far as it is indented."""
    if not line:
        return line
    if shift >= 0:
        return " " * shift + line
    return line[min(-shift, len(line) - len(line.lstrip(" "))) :]


def _shifted_comment(line: str, shift: int) -> str:
    """The same for a comment; one in the first column, as an editor makes it of code, stays there."""
    return line if line.startswith("#") else _shifted(line, shift)


def _outdented(lines: Sequence[str]) -> list[str]:
    return [_shifted_comment(line, -STEP) for line in lines]


def _single_blanks(lines: Sequence[str]) -> list[str]:
    """The lines, with one blank one where there are several."""
    return [line for number, line in enumerate(lines) if line or not number or lines[number - 1]]


def _ended(text: str) -> str:
    """A block scalar at the end of a text that has no line break there: with one, it would have one more."""
    header, line, body = text.partition("\n")
    if not line or header[:1] not in ("|", ">") or "-" in header:
        return text
    return f"{header[0]}-{header[1:].replace('+', '')}{line}{body}"
