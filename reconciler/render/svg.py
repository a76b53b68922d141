"""Drawings of dependencies as SVG: boxes with two lines of text, and curves to what depends on them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from reconciler.record import Record
from reconciler.render.layered import Edge, Layout, Line, layout
from reconciler.render.safe import html

LONGEST = 34
"""Columns of a text to show; more is shortened in the middle, and is whole in the tooltip."""
COLUMN = 7.3
"""The width of a character: those of a monospaced font at 12 px are at most that wide."""
HEIGHT = 42.0
MARGIN = 12.0
STYLE = """\
.graph { --box: #fff; --edge: #818b98; --ink: #1f2328; --soft: #59636e; --c: #818b98; }
@media (prefers-color-scheme: dark) { .graph { --box: #151b23; --edge: #656c76; --ink: #e6edf3; --soft: #9198a1; } }
@media print { .graph { --box: #fff; --edge: #818b98; --ink: #1f2328; --soft: #59636e; } }
.graph text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre; }
.graph text { fill: var(--ink); }
.graph .kind { font-size: 11px; fill: var(--soft); }
.graph rect { fill: var(--box); stroke: var(--edge); }
.graph .bar { fill: var(--c); stroke: none; }
.graph path { fill: none; stroke: var(--edge); stroke-width: 1.2; }
.graph .back { stroke-dasharray: 4 3; }
.graph marker path { fill: var(--edge); stroke: none; }
.graph a:hover rect, .graph a:focus rect { stroke: var(--ink); }
.graph .add, .graph .c2 { --c: #2da44e; } .graph .mod, .graph .c4 { --c: #bf8700; }
.graph .del, .graph .c6 { --c: #cf222e; } .graph .note, .graph .c0 { --c: #0969da; }
.graph .c1 { --c: #8250df; } .graph .c3 { --c: #1b7c83; } .graph .c5 { --c: #bf3989; }
.graph .c7 { --c: #818b98; }
"""
"""Of the page or the file; a drawing inside a page has none of its own, as the page's security policy forbids it."""
_NO_XML = re.compile("[\ufffe\uffff]")


class Node(Record):
    """A box: a small line above a large one, the color of its bar (a class of STYLE), and where a click leads to."""

    above: str
    text: str
    style: str = ""
    href: str = ""

    @property
    def width(self) -> float:
        """As wide as the longer line."""
        return max(columns(_short(self.above)) * COLUMN * 11 / 12, columns(_short(self.text)) * COLUMN) + 26


def drawing(nodes: Sequence[Node], edges: Iterable[Edge], label: str, *, alone: bool = False) -> str:
    """The drawing as an element for a page, or `alone` as a file."""
    drawn = layout([(node.width, HEIGHT) for node in nodes], edges)
    width, height = (round(side + 2 * MARGIN) for side in (drawn.width, drawn.height))
    head = f'class="graph" width="{width}" height="{height}" viewBox="{-MARGIN:g} {-MARGIN:g} {width} {height}"'
    space = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    style = [f"<style>\n{STYLE}</style>"] if alone else []
    parts = [f"<title>{_text(label)}</title>", *style, ARROW, *_lines(drawn), *_boxes(nodes, drawn)]
    return "\n".join([f'<svg{space} {head} role="group" aria-label="{_text(label)}">', *parts, "</svg>"])


ARROW = (
    '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker>'
)


def _boxes(nodes: Sequence[Node], drawn: Layout) -> Iterator[str]:
    for node, box in zip(nodes, drawn.boxes, strict=True):
        inner = (
            f"<title>{_text(f'{node.above} {node.text}')}</title>"
            f'<rect width="{box.width:g}" height="{box.height:g}" rx="5"/>'
            f'<rect class="bar" x="1" y="5" width="4" height="{box.height - 10:g}" rx="2"/>'
            f'<text class="kind" x="14" y="17">{_text(_short(node.above))}</text>'
            f'<text x="14" y="33">{_text(_short(node.text))}</text>'
        )
        linked = f'<a href="{_text(node.href)}">{inner}</a>' if node.href else inner
        style = f' class="{node.style}"' if node.style else ""
        yield f'<g{style} transform="translate({box.x:g} {box.y:g})">{linked}</g>'


def _lines(drawn: Layout) -> Iterator[str]:
    for back, style in ((False, ""), (True, ' class="back"')):
        found = [line for line in drawn.lines if line.back is back]
        yield from (f'<path{style} marker-end="url(#arrow)" d="{_curve(line)}"/>' for line in found)


def _curve(line: Line) -> str:
    """A smooth curve between the layers, and a straight line through each layer on the way."""
    (x, y), *_ = line.points
    steps = [f"M{x:g} {y:g}"]
    for number, ((x, y), (to_x, to_y)) in enumerate(pairwise(line.points)):
        middle = (x + to_x) / 2
        through = (number % 2 == 0) is not line.back
        steps.append(f"L{to_x:g} {to_y:g}" if through else f"C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}")
    return "".join(steps)


def columns(text: str) -> int:
    """The number of columns of a text: those of East Asia take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _short(text: str) -> str:
    """A text of at most LONGEST columns: its beginning and its end."""
    if columns(text) <= LONGEST:
        return text
    start, end = _cut(text, LONGEST * 2 // 3), _cut(text[::-1], LONGEST // 3 - 1)[::-1]
    return f"{start}…{end}"


def _cut(text: str, most: int) -> str:
    width = 0
    for number, char in enumerate(text[: most + 1]):
        width += columns(char)
        if width > most:
            return text[:number]
    return text[:most]


def _text(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", html(text))
