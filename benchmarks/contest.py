"""Contenders in turn, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

from process import measure
from results import LISTING, REFRESH, SCRIPT, Cost, Series


def nothing() -> None:
    """What there is to do before a run that needs nothing."""


@dataclass(frozen=True)
class Contender:
    """One way to do the task of a scenario; see `results.Series` for `requests`, `scale` and `concurrency`."""

    name: str
    command: tuple[str, ...]
    requests: int = 0
    scale: float = 1
    concurrency: int = 0
    idle: tuple[str, ...] = ()
    """The same for no object at all, for one that is scaled."""
    before: Callable[[], None] = nothing
    check: Callable[[str], None] = lambda output: None
    """Is given what it printed: nobody wins by doing something else."""


@dataclass(frozen=True)
class Rules:
    """Each contender runs until it has taken so many seconds, and at most so many times.

    Those that are there to compare with have a third of the seconds: they are slow, and the goals beside them far away.
    """

    seconds: float = 30
    rounds: int = 15

    def seconds_for(self, name: str) -> float:
        """Those of a contender."""
        return self.seconds / 3 if name in (SCRIPT, LISTING, REFRESH) else self.seconds


Run = Callable[[Contender], Cost]


def run(contender: Contender) -> Cost:
    """One process."""
    contender.before()
    cost, output = measure(contender.command)
    contender.check(output)
    return cost


def contest(contenders: Sequence[Contender], rules: Rules, run: Run = run) -> tuple[Series, ...]:
    """All of them, round by round; the order is turned round each time."""
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in contenders}
    for number in range(rules.rounds):
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            if sum(cost.wall for cost in costs[contender.name]) < rules.seconds_for(contender.name):
                costs[contender.name].append(run(contender))
    return tuple(_series(contender, costs[contender.name], run) for contender in contenders)


def _series(contender: Contender, costs: Sequence[Cost], run: Run) -> Series:
    series = Series(contender.name, tuple(costs), contender.requests, contender.scale, contender.concurrency)
    if contender.scale == 1:
        return series
    return replace(series, idle=run(replace(contender, command=contender.idle, check=lambda output: None)))


TRIES = 3
"""Of each concurrency: one of a few seconds can take half as long again on a machine that others disturb."""


def best(at: Callable[[int], Contender], concurrencies: Sequence[int] = (2, 4, 8, 16), run: Run = run) -> int:
    """The concurrency at which a contender can be fastest; all of them in turn, `TRIES` times."""
    took = dict.fromkeys(concurrencies, inf)
    for _ in range(TRIES):
        took = {concurrency: min(wall, run(at(concurrency)).wall) for concurrency, wall in took.items()}
    return min(took, key=lambda concurrency: took[concurrency])
