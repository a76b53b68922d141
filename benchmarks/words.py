"""Figures and names for people, the same in the terminal, on the page and in the plots."""

from __future__ import annotations

import statistics

from results import BARE, LISTING, REFRESH, SCRIPT, TOOL, YAML, Scenario, Series

NAMES = {
    TOOL: "reconciler",
    BARE: "bare HTTP",
    SCRIPT: "script, look-up of each",
    LISTING: "script, list first",
    REFRESH: "one GET for each",
    YAML: "libyaml's loader",
}
"""The contenders, in the order in which they are shown."""
TASKS = {"help": "`--help`", "validate": "validate", "plan": "plan, no changes", "re-check": "plan, no changes"}
"""Scenarios with another name than their own."""


def title(scenario: Scenario) -> str:
    """What is done, with how many objects."""
    said = TASKS.get(scenario.name, scenario.name)
    if ": " in said:
        return f"{said}, {scenario.objects:,} objects"
    issues = f", {scenario.objects:,} issue{'s' * (scenario.objects != 1)}"
    return said + issues * bool(scenario.objects)


def seconds(value: float) -> str:
    """A duration in the unit that suits it."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 10:
        return f"{value:.2f} s"
    return f"{value:.1f} s" if value < 100 else f"{value:,.0f} s"


def took(series: Series) -> str:
    """The median of the times; what was computed is said to be."""
    return f"{'≈ ' if series.scale != 1 else ''}{seconds(series.middle)}"


def spread(series: Series) -> str:
    """The least and the most, if there was more than one round."""
    least, most = min(series.wall), max(series.wall)
    return f"{seconds(least)} – {seconds(most)}" if len(series.wall) > 1 else ""


def used(series: Series) -> str:
    """The median of the CPU times."""
    return seconds(statistics.median(series.cpu))


def times(scenario: Scenario, contender: str) -> str:
    """How many times as long a contender takes as the tool does, round by round."""
    ratio = scenario.ratio(contender, TOOL)
    return "" if ratio is None or contender == TOOL else f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"


def in_order(scenario: Scenario) -> list[Series]:
    """The contenders that took part."""
    return [series for name in NAMES if (series := scenario.of(name))]
