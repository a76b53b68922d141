"""What the project wants to reach, and whether it does: one row for each figure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from results import BARE, SCRIPT, TOOL, YAML, Part, Scenario

Figure = Callable[[Part, Scenario], float | None]


@dataclass(frozen=True)
class Goal:
    """A figure of a scenario, which is at most `limit`, or at least."""

    scenario: str
    objects: int
    words: str
    figure: Figure
    limit: float
    unit: str
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Whether a figure reaches it."""
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def bound(self) -> str:
        """For people: ≤ 2 s."""
        return f"{'≥' if self.at_least else '≤'} {_with_unit(f'{self.limit:,g}', self.unit)}"


@dataclass(frozen=True)
class Verdict:
    """What one part says about one goal."""

    part: Part
    goal: Goal
    value: float

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.goal.met_by(self.value)

    @property
    def shown(self) -> str:
        """The figure, for people; with one more digit if it would look like the limit that it misses."""
        digits = _digits(self.value)
        looks_met = self.goal.met_by(round(self.value, digits)) and not self.met
        return _with_unit(f"{self.value:,.{digits + looks_met}f}", self.goal.unit)


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2


def _with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}"


def wall(part: Part, scenario: Scenario) -> float | None:
    """Milliseconds by the clock."""
    return _tool(scenario, lambda series: series.middle * 1000)


def cpu(part: Part, scenario: Scenario) -> float | None:
    """Seconds of CPU."""
    return _tool(scenario, lambda series: statistics.median(series.cpu))


def memory(part: Part, scenario: Scenario) -> float | None:
    """MB at the peak."""
    return _tool(scenario, lambda series: series.memory)


def _tool(scenario: Scenario, figure: Callable[..., float]) -> float | None:
    series = scenario.of(TOOL)
    return None if series is None else figure(series)


def over(contender: str, less: float = 0) -> Figure:
    """The time as a multiple of a contender's, without `less` seconds."""
    return lambda part, scenario: scenario.ratio(TOOL, contender, less)


def faster_than(contender: str) -> Figure:
    """How many times as long a contender takes."""
    return lambda part, scenario: scenario.ratio(contender, TOOL)


def growth(part: Part, scenario: Scenario) -> float | None:
    """The CPU as a multiple of that for a tenth of the objects."""
    smaller = part.find(scenario.name, scenario.objects // 10)
    before, after = (cpu(part, smaller) if smaller else None), cpu(part, scenario)
    return after / before if before and after else None


START_UP = 0.35

GOALS = (
    Goal("help", 0, "`reconciler --help`", wall, 60, "ms"),
    Goal("validate", 1, "`validate` of one small file", wall, 250, "ms"),
    Goal("validate", 10_000, "`validate` of 10,000 issues / libyaml's loader", over(YAML), 1.1, "×"),
    Goal("create", 1000, "`apply` of 1,000 new issues / bare POSTs", over(BARE), 1.05, "×"),
    Goal("create", 1000, "python-redmine script / `apply` of 1,000 new issues", faster_than(SCRIPT), 2.9, "×", True),
    Goal("re-check", 1000, "`plan` of 1,000 issues, less 0.35 s / bare GETs", over(BARE, START_UP), 1.05, "×"),
    Goal("re-check", 1000, "python-redmine script / `plan` of 1,000 issues", faster_than(SCRIPT), 25, "×", True),
    Goal("re-check", 10_000, "`plan` of 10,000 issues, less 0.35 s / bare GETs", over(BARE, START_UP), 1.05, "×"),
    Goal("re-check", 10_000, "python-redmine script / `plan` of 10,000 issues", faster_than(SCRIPT), 25, "×", True),
    Goal("plan", 10_000, "CPU of a `plan` of 10,000 issues", cpu, 2, "s"),
    Goal("plan", 100_000, "CPU of a `plan` of 100,000 issues", cpu, 22, "s"),
    Goal("plan", 100_000, "peak memory of a `plan` of 100,000 issues", memory, 1200, "MB"),
    Goal("plan", 100_000, "CPU for 100,000 issues / for 10,000 (linear: 10)", growth, 11, "×"),
)


def verdicts(parts: Iterable[Part]) -> Iterator[Verdict]:
    """Of all goals that the parts say something about."""
    judged = [part for part in parts if part.goals]
    for goal in GOALS:
        for part in judged:
            scenario = part.find(goal.scenario, goal.objects)
            value = goal.figure(part, scenario) if scenario else None
            if value is not None:
                yield Verdict(part, goal, value)
