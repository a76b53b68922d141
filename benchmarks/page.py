"""What was measured, in docs/performance.md: what is between two markers is written here, all else by people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from charts import Line, Panel, Point, draw
from goals import Verdict, verdicts
from results import BARE, LISTING, REFRESH, SCRIPT, TOOL, Part, Scenario, Series
from words import NAMES, times, title, took, used


def between(page: str, name: str, text: str) -> str:
    """The page with another text between the markers of a name. Raises ValueError if it has no such markers."""
    start, end = f"<!-- {name}: written by make bench -->", f"<!-- end of {name} -->"
    found = re.search(f"{re.escape(start)}.*?{re.escape(end)}", page, re.S)
    if found is None:
        raise ValueError(f"The page lacks the markers of {name}.")
    return f"{page[: found.start()]}{start}\n\n{text.strip()}\n\n{end}{page[found.end() :]}"


def rows(head: Sequence[str], lines: Iterable[Sequence[str]], left: int = 1) -> Iterator[str]:
    """A table of Markdown; all columns but the first, or the first few, are numbers."""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * left}{' ---: |' * (len(head) - left)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"


# -- goals -----------------------------------------------------------------------------------------------------


def goals(parts: Sequence[Part]) -> str:
    """All goals, with what each server says about them."""
    lines = [_judged(verdict) for verdict in verdicts(parts)]
    return "\n".join(rows(("goal", "where", "limit", "measured"), lines, left=2))


def _judged(verdict: Verdict) -> Sequence[str]:
    shown = verdict.shown if verdict.met else f"**{verdict.shown}, missed**"
    return verdict.goal.words, verdict.part.server, verdict.goal.bound, shown


# -- tables ----------------------------------------------------------------------------------------------------


def measured(parts: Sequence[Part]) -> str:
    """A table for each server, with the circumstances."""
    return "\n\n".join(_part(part) for part in parts)


def _part(part: Part) -> str:
    names = [name for name in NAMES if any(scenario.of(name) for scenario in part.scenarios)]
    head = ("", *(NAMES[name] for name in names))
    table = rows(head, ([title(scenario), *(_cell(scenario, name) for name in names)] for scenario in part.scenarios))
    said = f"{part.measured}, {part.machine}, {part.versions}."
    return "\n".join([f"### {part.server[:1].upper()}{part.server[1:]}", "", *table, "", said])


def _cell(scenario: Scenario, name: str) -> str:
    series = scenario.of(name)
    if series is None:
        return "–"
    ratio = times(scenario, name)
    requests = f"{series.requests:,} requests" if series.requests else ""
    return "<br>".join(filter(None, [f"{took(series)}{f' ({ratio})' if ratio else ''}", requests]))


def grown(part: Part) -> str:
    """What the tool takes for more and more objects, in figures."""
    lines = [_growth(scenario, series) for scenario in part.scenarios if (series := scenario.of(TOOL))]
    return "\n".join(rows(("issues", "requests", "time", "CPU", "peak memory"), lines))


def _growth(scenario: Scenario, series: Series) -> Sequence[str]:
    memory = f"{series.memory:,.0f} MB"
    return f"{scenario.objects:,}", f"{series.requests:,}", took(series), used(series), memory


# -- plot ------------------------------------------------------------------------------------------------------

COLORS = {TOOL: 0, BARE: 1, SCRIPT: 2, LISTING: 3, REFRESH: 4}


def plot(part: Part) -> str:
    """Time, requests and memory against the number of objects."""
    below = "issues, nothing changed"
    panels = (
        Panel("Time, in seconds", tuple(_lines(part, lambda series: series.middle)), below),
        Panel("Requests", tuple(_lines(part, lambda series: float(series.requests), counted=True)), below),
        Panel("Peak memory, in MB", tuple(_lines(part, lambda series: series.memory, whole=True)), below),
    )
    return draw("Time, requests and peak memory of a plan of 1,000, 10,000 and 100,000 issues", panels)


def _lines(part: Part, figure: Callable[[Series], float], counted: bool = False, whole: bool = False) -> Iterator[Line]:
    for name, color in COLORS.items():
        found = [(s.objects, series) for s in part.scenarios if (series := s.of(name))]
        points = [
            Point(objects, figure(series), counted or series.scale == 1)
            for objects, series in found
            if not (whole and series.scale != 1)
        ]
        if points:
            yield Line(NAMES[name], color, tuple(points))
