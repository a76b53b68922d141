"""Line charts as SVG, for phones and for large screens, light and dark: one panel below the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, LEFT, RIGHT, HEAD, HEIGHT, FOOT = 400, 52, 24, 34, 190, 44
"""In units that are pixels on a phone; of a panel, `HEIGHT` is what the lines have."""
ROW = 22
STYLE = """svg{color-scheme:light dark;--card:#fff;--ink:#1f2328;--faint:#59636e;--grid:#d8dee4;
--c0:#0550ae;--c1:#6e7781;--c2:#bc4c00;--c3:#8250df;--c4:#116329}
@media(prefers-color-scheme:dark){svg{--card:#161b22;--ink:#e6edf3;--faint:#9198a1;--grid:#30363d;
--c0:#79c0ff;--c1:#9198a1;--c2:#ffa657;--c3:#d2a8ff;--c4:#7ee787}}
text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--ink)}
.title{font-weight:600;font-size:14px}.tick{font-size:12px;fill:var(--faint)}
.card{fill:var(--card);stroke:var(--grid)}.grid{stroke:var(--grid)}
.line{fill:none;stroke-width:2}.main{stroke-width:3.5}.dashed{stroke-dasharray:5 4}.dot{stroke-width:2}
"""


@dataclass(frozen=True)
class Point:
    """A figure; one that was computed from smaller ones is drawn hollow, and the line to it dashed."""

    x: float
    y: float
    measured: bool = True


@dataclass(frozen=True)
class Line:
    """The figures of one contender. `color` is a number; 0 is the thick line."""

    name: str
    color: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Panel:
    """A chart with logarithmic axes. `below` is said under it."""

    title: str
    lines: tuple[Line, ...]
    below: str


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis: figures to units of the drawing."""

    least: float
    most: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a figure is."""
        part = (math.log10(value) - math.log10(self.least)) / (math.log10(self.most) - math.log10(self.least))
        return self.start + part * (self.end - self.start)


def decades(values: Iterable[float]) -> list[float]:
    """The powers of ten around some figures: at least two."""
    all_values = list(values)
    first, last = math.floor(math.log10(min(all_values))), math.ceil(math.log10(max(all_values)))
    return [10.0**n for n in range(first, max(last, first + 1) + 1)]


def number(value: float) -> str:
    """A short number: 0.1, 10, 1k, 1M."""
    for size, mark in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{mark}"
    return f"{value:g}"


def draw(label: str, panels: Sequence[Panel]) -> str:
    """The file: a legend, and all panels."""
    names = {line.name: line for panel in panels for line in panel.lines}
    hollow = any(not point.measured for panel in panels for line in panel.lines for point in line.points)
    legend = list(_legend(list(names.values()), hollow))
    top = 16 + ROW * len(legend)
    parts = [part for n, panel in enumerate(panels) for part in _panel(panel, top + n * (HEAD + HEIGHT + FOOT))]
    height = top + len(panels) * (HEAD + HEIGHT + FOOT) + 6
    box = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{escape(label)}">'
    card = f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>'
    said = [f"<title>{escape(label)}</title>", f"<style>{STYLE}</style>"]
    return "\n".join([head, *said, card, *legend, *parts, "</svg>\n"])


def _legend(lines: Sequence[Line], hollow: bool) -> Iterator[str]:
    for row, line in enumerate(lines):
        y = 24 + row * ROW
        path = f'<path class="{_class(line)}" stroke="var(--c{line.color})" d="M16 {y}H44"/>'
        yield f'{path}<text x="54" y="{y + 4}">{escape(line.name)}</text>'
    if hollow:
        y = 24 + len(lines) * ROW
        dot = f'<circle class="dot" cx="30" cy="{y}" r="4" fill="var(--card)" stroke="var(--faint)"/>'
        path = f'<path class="line dashed" stroke="var(--faint)" d="M16 {y}H44"/>'
        yield f'{path}{dot}<text x="54" y="{y + 4}">computed</text>'


def _class(line: Line) -> str:
    return "line main" if line.color == 0 else "line"


def _panel(panel: Panel, top: float) -> Iterator[str]:
    points = [point for line in panel.lines for point in line.points]
    across = sorted({point.x for point in points})
    rows = decades(point.y for point in points)
    x = Scale(across[0], across[-1], LEFT, WIDTH - RIGHT)
    y = Scale(rows[0], rows[-1], top + HEAD + HEIGHT, top + HEAD)
    yield f'<text class="title" x="16" y="{top + 18}">{escape(panel.title)}</text>'
    yield from _axes(panel, x, y, across, rows)
    for line in sorted(panel.lines, key=lambda line: -line.color):
        yield from _drawn(line, x, y)


def _axes(panel: Panel, x: Scale, y: Scale, across: Sequence[float], rows: Sequence[float]) -> Iterator[str]:
    for value in rows:
        yield f'<path class="grid" d="M{LEFT} {y.at(value):.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="tick" x="{LEFT - 8}" y="{y.at(value) + 4:.1f}" text-anchor="end">{number(value)}</text>'
    for value in across:
        yield _below(x.at(value), y.start + 18, number(value))
    yield _below((x.start + x.end) / 2, y.start + 34, panel.below)


def _below(x: float, y: float, text: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'


def _drawn(line: Line, x: Scale, y: Scale) -> Iterator[str]:
    places = [(x.at(point.x), y.at(point.y), point.measured) for point in line.points]
    for (x1, y1, _), (x2, y2, measured) in pairwise(places):
        style = _class(line) + ("" if measured else " dashed")
        yield f'<path class="{style}" stroke="var(--c{line.color})" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'
    for cx, cy, measured in places:
        fill = f"var(--c{line.color})" if measured else "var(--card)"
        yield f'<circle class="dot" cx="{cx:.1f}" cy="{cy:.1f}" r="4" fill="{fill}" stroke="var(--c{line.color})"/>'
