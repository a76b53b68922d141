"""The layout of a directed graph in layers, from left to right: what depends on something is to the right of it.

The usual four steps (Sugiyama, Tagawa and Toda 1981): layers, the order inside each layer, places, lines. Apart from
sorting, each takes time in proportion to the size of the graph, so that 5,000 objects take about two seconds. Nothing
is random: the same graph always gets the same layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

from msgspec import Struct, field

from reconciler.record import Record

Edge = tuple[int, int]
Point = tuple[float, float]

GAP = 12.0
"""Between two boxes above each other."""
CHANNEL = 64.0
"""Between two layers: there the lines run."""
LINE = 4.0
"""The height that a line takes where it passes a layer."""
WIDE = 1200.0
"""The width up to which unconnected parts are placed beside each other."""
SWEEPS = 6
SPAN = 40
"""The most layers in which a line is kept apart from the boxes; a longer one passes behind them."""
REDUCED = 10_000
"""The most objects of a graph from which implied edges are removed: that takes memory in proportion to their square."""


class Box(Record):
    """The place of an object: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


class Line(Record):
    """An edge: the points it passes, from the box of the first object to that of the second.

    `back` is true if it runs to the left, because it is part of a cycle.
    """

    edge: Edge
    points: tuple[Point, ...]
    back: bool = False


class Layout(Record):
    """The boxes by the number of their object, the lines, and the size of it all."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def layout(sizes: Sequence[Point], edges: Iterable[Edge]) -> Layout:
    """The layout of objects 0 to n - 1 with these (width, height); an edge leads from an object to a dependent one."""
    forward, backward = essential(len(sizes), edges)
    parts = [_Part(sizes, *part).layout() for part in _components(len(sizes), forward | {(b, a) for a, b in backward})]
    boxes, drawn, width, height = _packed(len(sizes), parts)
    lines = [line for line in drawn if line.edge in forward]
    lines += (_turned(line) for line in drawn if line.edge[::-1] in backward)
    return Layout(boxes, tuple(sorted(lines, key=lambda line: line.edge)), width, height)


def _turned(line: Line) -> Line:
    a, b = line.edge
    return Line((b, a), line.points[::-1], back=True)


# -- without cycles, and without what is implied ----------------------------------------------------------------


def essential(count: int, edges: Iterable[Edge]) -> tuple[set[Edge], set[Edge]]:
    """The edges without those that follow from others, and apart from them those that close a cycle."""
    wanted = sorted({(a, b) for a, b in edges if a != b})
    backward = set(_backward(count, wanted))
    return set(_reduced(count, [edge for edge in wanted if edge not in backward])), backward


def _neighbors(count: int, edges: Iterable[Edge]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(count)]
    for first, then in edges:
        found[first].append(then)
    return found


def _backward(count: int, edges: Sequence[Edge]) -> Iterator[Edge]:
    """The edges that close a cycle, found on a walk in depth. A loop, because Python limits recursion."""
    after = _neighbors(count, edges)
    targets = {then for _, then in edges}
    sources = sorted(range(count), key=targets.__contains__)
    state = [0] * count  # 0: not seen, 1: on the way, 2: done
    for source in sources:
        way = [] if state[source] else [(source, iter(after[source]))]
        state[source] = state[source] or 1
        while way:
            node, rest = way[-1]
            then = next((n for n in rest if state[n] != 2), None)
            if then is None:
                state[node] = 2
                way.pop()
            elif state[then] == 1:
                yield node, then
            else:
                state[then] = 1
                way.append((then, iter(after[then])))


def _reduced(count: int, edges: Sequence[Edge]) -> list[Edge]:
    """The edges without those that follow from others: a → c, if there are a → b and b → c."""
    if count > REDUCED:
        return list(edges)
    after = _neighbors(count, edges)
    order = _in_order(count, edges)
    rank = {node: number for number, node in enumerate(order)}
    reach = [0] * count  # as bits, because then one step unites thousands of objects
    kept = []
    for node in reversed(order):
        seen = 0
        # The nearest first: what it reaches is implied for those that come later.
        for then in sorted(after[node], key=rank.__getitem__):
            if not seen >> then & 1:
                kept.append((node, then))
            seen |= reach[then] | 1 << then
        reach[node] = seen
    return sorted(kept)


def _in_order(count: int, edges: Iterable[Edge]) -> list[int]:
    """The objects, each after all that it depends on."""
    after = _neighbors(count, edges)
    missing = [0] * count
    for _, then in edges:
        missing[then] += 1
    order = [node for node in range(count) if not missing[node]]
    for node in order:  # grows on the way
        for then in after[node]:
            missing[then] -= 1
            if not missing[then]:
                order.append(then)
    return order


def _components(count: int, unordered: Iterable[Edge]) -> Iterator[tuple[list[int], list[Edge]]]:
    """The connected parts of the graph, largest first; the objects without edges are the last one."""
    edges = sorted(unordered)
    both = _neighbors(count, [*edges, *((b, a) for a, b in edges)])
    part = [-1] * count
    for start in range(count):
        todo = [start] if part[start] < 0 else []
        while todo:
            node = todo.pop()
            if part[node] < 0:
                part[node] = start
                todo += both[node]
    nodes: dict[int, list[int]] = {}
    for node in range(count):
        nodes.setdefault(part[node] if both[node] else -1, []).append(node)
    inner: dict[int, list[Edge]] = {}
    for edge in edges:
        inner.setdefault(part[edge[0]], []).append(edge)
    for name in sorted(nodes, key=lambda name: (name < 0, -len(nodes[name]), name)):
        yield nodes[name], inner.get(name, [])


# -- one connected part ----------------------------------------------------------------------------------------


class _Cell(Struct):
    """A box in a layer, or the place in which a line passes it; these have no `node`."""

    layer: int
    width: float
    height: float
    node: int | None = None
    before: list[_Cell] = field(default_factory=list)
    after: list[_Cell] = field(default_factory=list)
    rank: int = 0
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


class _Placed(Record):
    """A part with its left upper corner at (0, 0)."""

    boxes: dict[int, Box]
    lines: list[Line]
    width: float
    height: float


class _Part:
    """Lays out the objects of one part."""

    def __init__(self, sizes: Sequence[Point], nodes: Sequence[int], edges: Sequence[Edge]) -> None:
        self.sizes, self.nodes, self.edges = sizes, nodes, edges
        self.ways: dict[Edge, list[_Cell]] = {}

    def layout(self) -> _Placed:
        """The boxes and lines."""
        if not self.edges:
            return self.grid()
        cells = self.cells()
        layers = self.layers(cells)
        for sweep in range(SWEEPS):
            self.sort(layers if sweep % 2 == 0 else layers[::-1], forward=sweep % 2 == 0)
        self.place(layers)
        return self.drawn(cells, layers)

    def grid(self) -> _Placed:
        """Objects without edges: in rows, as wide as the drawing may become."""
        column = max(self.sizes[node][0] for node in self.nodes) + GAP
        row = max(self.sizes[node][1] for node in self.nodes) + GAP
        across = max(1, min(len(self.nodes), int((WIDE + GAP) // column)))
        boxes = {n: Box(i % across * column, i // across * row, *self.sizes[n]) for i, n in enumerate(self.nodes)}
        return _Placed(boxes, [], across * column - GAP, -(-len(self.nodes) // across) * row - GAP)

    def numbers(self) -> dict[int, int]:
        """The layer of each object: right of all that it depends on, but no further left than it has to be."""
        local = {node: number for number, node in enumerate(self.nodes)}
        edges = [(local[a], local[b]) for a, b in self.edges]
        after, order = _neighbors(len(local), edges), _in_order(len(local), edges)
        layer = [0] * len(local)
        for node in order:
            for then in after[node]:
                layer[then] = max(layer[then], layer[node] + 1)
        for node in {a for a, _ in edges} - {b for _, b in edges}:
            layer[node] = min(layer[then] for then in after[node]) - 1
        return {node: layer[number] for node, number in local.items()}

    def cells(self) -> dict[int, _Cell]:
        """A cell for each object, and one for all lines from the same object that pass a layer."""
        layer = self.numbers()
        cells = {node: _Cell(layer[node], *self.sizes[node], node) for node in self.nodes}
        passing: dict[tuple[int, int], _Cell] = {}
        for a, b in self.edges:
            through = range(layer[a] + 1, layer[b]) if layer[b] - layer[a] <= SPAN else ()
            way = [cells[a], *(passing.setdefault((a, n), _Cell(n, 0, LINE)) for n in through), cells[b]]
            for one, other in pairwise(way):
                if other not in one.after[-1:]:
                    one.after.append(other)
                    other.before.append(one)
            self.ways[a, b] = way
        return cells

    def layers(self, cells: dict[int, _Cell]) -> list[list[_Cell]]:
        """All cells by layer, in the order in which a walk in depth meets them."""
        layers: list[list[_Cell]] = [[] for _ in range(1 + max(cell.layer for cell in cells.values()))]
        seen = set[int]()
        todo = [cells[node] for node in reversed(self.nodes) if not cells[node].before]
        while todo:
            cell = todo.pop()
            if id(cell) not in seen:
                seen.add(id(cell))
                layers[cell.layer].append(cell)
                todo += reversed(cell.after)
        for layer in layers:
            for rank, cell in enumerate(layer):
                cell.rank = rank
        return layers

    def sort(self, layers: Sequence[list[_Cell]], *, forward: bool) -> None:
        """Move each cell to the middle of its neighbors in the layer before; that leaves few crossings."""
        for layer in layers:
            layer.sort(key=lambda cell: _mean([c.rank for c in (cell.before if forward else cell.after)], cell.rank))
            for rank, cell in enumerate(layer):
                cell.rank = rank

    def place(self, layers: Sequence[list[_Cell]]) -> None:
        """Give each cell its height: as near to its neighbors as the order in its layer allows."""
        for layer in layers:
            _spread(layer, [0.0] * len(layer))
        for way in (layers, layers[::-1], layers):
            for layer in way:
                near = ([c.middle for c in (*cell.before, *cell.after)] for cell in layer)
                _spread(layer, [_mean(ys, cell.middle) for ys, cell in zip(near, layer, strict=True)])

    def drawn(self, cells: dict[int, _Cell], layers: Sequence[list[_Cell]]) -> _Placed:
        """The boxes and lines of the cells."""
        widths = [max(cell.width for cell in layer) for layer in layers]
        lefts = list(accumulate((width + CHANNEL for width in widths), initial=0.0))
        top = min(cell.y for layer in layers for cell in layer)
        bottom = max(cell.y + cell.height for layer in layers for cell in layer)
        for cell in (cell for layer in layers for cell in layer):
            cell.y -= top
        boxes = {n: Box(lefts[c.layer], c.y, c.width, c.height) for n, c in cells.items()}
        lines = [Line(edge, tuple(_points(way, lefts, widths))) for edge, way in self.ways.items()]
        return _Placed(boxes, lines, lefts[-1] - CHANNEL, bottom - top)


def _points(way: Sequence[_Cell], lefts: Sequence[float], widths: Sequence[float]) -> Iterator[Point]:
    """The points of a line: both sides of each layer that it passes, from the side of the first box to the last one."""
    first, *passed, last = way
    yield lefts[first.layer] + first.width, first.middle
    yield lefts[first.layer] + widths[first.layer], first.middle
    for cell in passed:
        yield lefts[cell.layer], cell.middle
        yield lefts[cell.layer] + widths[cell.layer], cell.middle
    yield lefts[last.layer], last.middle


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _spread(layer: Sequence[_Cell], middles: Sequence[float]) -> None:
    """Place the cells of a layer as near as possible to these middles, in their order and without overlaps.

    The least squares under that condition: cells that would overlap are moved together (pool adjacent violators).
    """
    offsets = list(accumulate((_apart(a, b) for a, b in pairwise(layer)), initial=0.0))
    blocks: list[tuple[float, int]] = []  # (sum of the wanted places, number of cells)
    for middle, offset in zip(middles, offsets, strict=True):
        total, count = middle - offset, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            before, others = blocks.pop()
            total, count = total + before, count + others
        blocks.append((total, count))
    places = (total / count for total, count in blocks for _ in range(count))
    for cell, offset, place in zip(layer, offsets, places, strict=True):
        # Rounded, so that the last digits of a sum are not in the file.
        cell.y = round(place + offset - cell.height / 2, 1)


def _apart(upper: _Cell, lower: _Cell) -> float:
    return (upper.height + lower.height) / 2 + GAP


# -- all parts -------------------------------------------------------------------------------------------------


def _packed(count: int, parts: Iterable[_Placed]) -> tuple[tuple[Box, ...], list[Line], float, float]:
    """All parts in rows: beside each other up to the width of the widest one."""
    found = list(parts)
    limit = max([WIDE, *(part.width for part in found)])
    boxes, lines = dict[int, Box](), list[Line]()
    left = top = height = width = 0.0
    for part in found:
        if left and left + part.width > limit:
            left, top, height = 0.0, top + height + 3 * GAP, 0.0
        boxes |= {n: Box(b.x + left, b.y + top, b.width, b.height) for n, b in part.boxes.items()}
        lines += (Line(one.edge, tuple((x + left, y + top) for x, y in one.points)) for one in part.lines)
        width, height = max(width, left + part.width), max(height, part.height)
        left += part.width + 3 * GAP
    return tuple(boxes[node] for node in range(count)), lines, width, top + height
