"""Which comment and which blank line belongs to which entry: with it they move."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.layout.tree import Document, Entry, Node, Unsupported
from reconciler.record import Record


class Lines(Record):
    """A text as lines: which one a position is in, and in which column."""

    text: str

    def column(self, index: int) -> int:
        """The column of a position, from 0."""
        return index - self.text.rfind("\n", 0, index) - 1


class _Place(Record):
    """An entry that begins a line, with the entries around it."""

    entry: Entry
    around: tuple[Entry, ...]


def attach(text: str, document: Document, first: int) -> list[str]:
    """Give each line of comment, and each blank one, from position `first` on to an entry.

    Returns those that belong to none: of a document without entries, and at its end.
    """
    lines = Lines(text)
    places = list(_places(document.root, (), lines))
    begin, before = first, list[_Place]()
    for place in places:
        start = text.rfind("\n", 0, place.entry.start) + 1
        gap = text[begin:start]
        place.entry.lead = _tails(gap, lines.column(place.entry.start), place, before, lines)
        begin = _line_end(text, _last(text, place.entry))
        before.append(place)
    rest = text[begin : document.limit]
    return _tails(rest, -1, None, before, lines)


def _places(node: Node | None, around: tuple[Entry, ...], lines: Lines) -> Iterator[_Place]:
    """The entries that begin a line, in the order of the text."""
    if node is None or node.form not in ("map", "seq"):
        return
    for entry in node.entries:
        line = lines.text.rfind("\n", 0, entry.start) + 1
        if not lines.text[line : entry.start].strip(" "):
            yield _Place(entry, around)
        elif "\t" in lines.text[line : entry.start]:
            raise Unsupported("a tab")
        yield from _places(entry.value, (*around, entry), lines)


def _last(text: str, entry: Entry) -> int:
    """A position on the last line of an entry before the first of its own entries that begins a line."""
    value = entry.value
    if value is None or value.form not in ("map", "seq") or not value.entries:
        return entry.end
    first = value.entries[0]
    return entry.colon if "\n" in text[entry.start : first.start] else _last(text, first)


def _line_end(text: str, index: int) -> int:
    """The beginning of the line after a position."""
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _tails(gap: str, column: int, place: _Place | None, before: list[_Place], lines: Lines) -> list[str]:
    """The lines of a gap that belong to what follows; comments that are indented deeper belong to what is above."""
    found = gap.split("\n")[:-1] if gap.endswith("\n") else gap.split("\n") if gap else []
    own, pending, shallowest = list[str](), list[str](), len(gap)
    for line in found:
        stripped = line.strip(" ")
        # After a comment of an outer entry, none can be of an inner one: they would change places.
        depth = min(len(line) - len(line.lstrip(" ")), shallowest)
        owner = None if own or not stripped or depth <= column else _above(depth, place, before, lines)
        if not stripped and not own:
            pending.append("")
        elif owner is not None:
            owner.after += [*pending, line.rstrip()]
            pending, shallowest = [], lines.column(owner.start)
        else:
            own += [*pending, line.rstrip()]
            pending = []
    return own + pending


def _above(depth: int, place: _Place | None, before: list[_Place], lines: Lines) -> Entry | None:
    """The last entry that has ended and is not indented deeper."""
    around = place.around if place else ()
    for other in reversed(before):
        if any(other.entry is outer for outer in around):
            return None
        if lines.column(other.entry.start) <= depth:
            return other.entry
    return None
