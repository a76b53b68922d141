"""The drawing of a plan's dependencies for a page: only objects with changes, and never more than a person can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.model.address import Address
from reconciler.record import Record
from reconciler.render import words
from reconciler.render.html_groups import name_of, project_of
from reconciler.render.html_items import anchor
from reconciler.render.layered import essential
from reconciler.render.safe import html
from reconciler.render.svg import Node, drawing

if TYPE_CHECKING:
    from reconciler.plan.operations import Plan

MOST = 60
"""Boxes of a drawing. If there are more, objects share one: all of a kind in a project, then all of a kind."""
ALIKE = 4
"""Objects that depend on the same, and on which the same depends, share a box from this number on."""
ORDER = "From left to right: each change waits for those from which an arrow leads to it."

Pairs = set[tuple[Address, Address]]
Boxes = Mapping[Address, Hashable]


class Marks(Record):
    """What a drawing shows of each change: a word or symbol, by which a shared box counts them, and its color.

    `places` are the groups on the page, to which a shared box can lead.
    """

    of: Mapping[Address, tuple[str, str]]
    places: Collection[str]

    def counted(self, addresses: Sequence[Address]) -> str:
        """`+80 ~9 -9`, or `80 done 9 failed`."""
        counts = Counter(self.of[address][0] for address in addresses)
        used = [word for word in (*words.SYMBOLS.values(), *words.OUTCOMES.values()) if counts[word]]
        return " ".join(f"{counts[word]} {word}" if word[0].isalpha() else f"{word}{counts[word]}" for word in used)


def graph(plan: Plan, marks: Marks) -> Iterator[str]:
    """The drawing, folded; nothing if no change waits for another."""
    changes = {change.address for change in plan.changes}
    pairs = _pairs(plan, changes)
    linked = sorted({address for pair in pairs for address in pair})
    if not linked:
        return
    boxes, shared = _boxes(linked, pairs)
    lone = len(changes) - len(linked)
    left_out = [f"Not drawn: {lone} that {'waits' if lone == 1 else 'wait'} for no other."] if lone else []
    yield '<details class="drawing" id="dependencies"><summary><h2>Order of the changes</h2></summary>'
    yield f'<p class="soft">{html(" ".join(filter(None, [ORDER, shared, *left_out])))}</p>'
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Drawing of the order">'
    yield _drawn(boxes, pairs, marks)
    yield "</div>"
    yield "</details>"


def _pairs(plan: Plan, changes: Collection[Address]) -> Pairs:
    """(first, then) for each object with changes whose first operation waits for another one.

    Not for later operations, which the fields tell: a project is created before its members, and its default assignee
    is set after that. As objects, the two would wait for each other.
    """
    firsts = (change.operations[0] for change in plan.changes if change.operations)
    return {(other, one.id.address) for one in firsts for other in one.waits_for if other in changes}


def _drawn(boxes: Boxes, pairs: Pairs, marks: Marks) -> str:
    members: dict[Hashable, list[Address]] = {}
    for address, box in boxes.items():
        members.setdefault(box, []).append(address)
    numbers = {box: number for number, box in enumerate(members)}
    edges = {(numbers[boxes[first]], numbers[boxes[then]]) for first, then in pairs}
    return drawing([_node(some, marks) for some in members.values()], sorted(edges), "Order of the changes")


def _node(addresses: Sequence[Address], marks: Marks) -> Node:
    """The box of one change or several."""
    address, styles = addresses[0], {marks.of[address][1] for address in addresses}
    style = styles.pop() if len(styles) == 1 else ""
    if len(addresses) == 1:
        return Node(address.kind, address.key, style, f"#{anchor(address)}")
    place = name_of(address) if len(set(map(name_of, addresses))) == 1 else ""
    text = f"{words.count(len(addresses), address.kind)}  {marks.counted(addresses)}"
    return Node(project_of(address) if place else "", text, style, f"#{place}" if place in marks.places else "")


# -- what shares a box -----------------------------------------------------------------------------------------


def _boxes(linked: Sequence[Address], pairs: Pairs) -> tuple[Boxes, str]:
    """The box of each object, and a sentence about what shares one."""
    alike = _alike(linked, pairs)
    number = len(set(alike.values()))
    if number <= MOST:
        return alike, "Changes that wait for the same, and for which the same waits, share a box." if number < len(
            linked
        ) else ""
    places = {address: (address.kind, project_of(address)) for address in linked}
    if len(set(places.values())) <= MOST:
        return places, "All changes of a kind in a project share a box."
    return {address: address.kind for address in linked}, "All changes of a kind share a box."


def _alike(linked: Sequence[Address], pairs: Pairs) -> Boxes:
    """One box for objects of a kind in a project between the same others; everything else has one of its own."""
    numbers = {address: number for number, address in enumerate(linked)}
    forward, backward = essential(len(linked), ((numbers[first], numbers[then]) for first, then in pairs))
    near: list[list[int]] = [[] for _ in linked]
    for first, then in sorted(forward | backward):
        near[first].append(then)
        near[then].append(-1 - first)
    shapes = {a: (a.kind, project_of(a), tuple(sorted(near[numbers[a]]))) for a in linked}
    counts = Counter(shapes.values())
    return {address: shape if counts[shape] >= ALIKE else address for address, shape in shapes.items()}
