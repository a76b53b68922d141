"""Very many objects, in all shapes, on the whole way from the manifests to the export: the cost of the client.

Each shape is measured with its number of objects and with half as many, in a process of its own: what is linear takes
twice as long.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from big import BIG
from page import rows
from process import output_of, python, say
from results import TOOL, Cost, Part, Scenario, Series
from words import seconds

STEPS = {"validate": "validate", "plan": "plan", "show": "show and save", "apply": "apply", "export": "export"}
"""The steps of `whole_way.py`, and what people call them."""


def run(shapes: Sequence[str] = tuple(BIG), part: float = 1) -> Part:
    """Measure the shapes; `part` of their objects only."""
    scenarios = [one for shape in shapes for one in _shape(shape, int(BIG[shape].count * part))]
    return Part("sizes", "a server in memory", tuple(scenarios), goals=False)


def _shape(shape: str, count: int) -> Iterator[Scenario]:
    for objects in (count // 2, count):
        say(f"In memory: {objects:,} {BIG[shape].words} …")
        took = json.loads(output_of(python("whole_way.py", shape, objects)))
        for step in STEPS:
            wall, cpu, memory, requests = took[step]
            cost = Cost(round(wall, 4), round(cpu, 4), round(memory, 1))
            yield Scenario(f"{shape}: {step}", objects, (Series(TOOL, (cost,), int(requests)),))


def section(part: Part) -> str:
    """The table of the page."""
    head = ("", *STEPS.values(), "peak memory")
    lines = [_line(part, shape) for shape in BIG if part.find(f"{shape}: plan", BIG[shape].count)]
    said = f"{part.measured}, {part.machine}, {part.versions}."
    return "\n".join([*rows(head, lines), "", said])


def _line(part: Part, shape: str) -> Sequence[str]:
    big = BIG[shape]
    memory = max(_cost(part, shape, step, big.count).memory for step in STEPS)
    return f"{big.count:,} {big.words}", *(_cell(part, shape, step) for step in STEPS), f"{memory:,.0f} MB"


def _cell(part: Part, shape: str, step: str) -> str:
    """The CPU, and how many times as much it is as for half as many objects."""
    half, whole = (_cost(part, shape, step, BIG[shape].count // by).cpu for by in (2, 1))
    return f"{seconds(whole)} ({whole / half:.1f} ×)"


def _cost(part: Part, shape: str, step: str, objects: int) -> Cost:
    found = part.find(f"{shape}: {step}", objects)
    series = found.of(TOOL) if found else None
    assert series is not None, f"{shape}, {step} was not measured with {objects:,}"
    return series.costs[0]
