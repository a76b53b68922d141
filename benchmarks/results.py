"""What was measured, and its files in `results/`: from them the page and the plots are written, at any time."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter

FOLDER = Path(__file__).parent / "results"
TOOL, BARE, SCRIPT, LISTING, REFRESH, YAML = "reconciler", "bare HTTP", "script", "listing script", "refresh", "libyaml"
"""The contenders: `script` looks each object up, `listing script` first reads a list of all, `refresh` gets each."""


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds by the clock and of CPU, and its peak memory in MB."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Series:
    """The processes of one contender, round by round.

    `scale` is how many times as much the scenario is as what was run: 10 for 1,000 objects of 10,000. The costs are of
    what was run; `idle` is that of the same for no object at all, which is not more for more objects. `requests` are
    those of the whole scenario; `concurrency` is 0 if the contender chooses it itself.
    """

    contender: str
    costs: tuple[Cost, ...]
    requests: int = 0
    scale: float = 1
    concurrency: int = 0
    idle: Cost = Cost(0, 0, 0)

    @property
    def wall(self) -> tuple[float, ...]:
        """Seconds by the clock for the whole scenario, round by round."""
        return tuple(self._whole(cost.wall, self.idle.wall) for cost in self.costs)

    @property
    def cpu(self) -> tuple[float, ...]:
        """Seconds of CPU for the whole scenario, round by round."""
        return tuple(self._whole(cost.cpu, self.idle.cpu) for cost in self.costs)

    def _whole(self, some: float, idle: float) -> float:
        return some if self.scale == 1 else idle + max(0.0, some - idle) * self.scale

    @property
    def memory(self) -> float:
        """The most that any round took, in MB."""
        return max(cost.memory for cost in self.costs)

    @property
    def middle(self) -> float:
        """The median of the seconds by the clock."""
        return statistics.median(self.wall)


@dataclass(frozen=True)
class Scenario:
    """One task with so many objects, as each contender did it."""

    name: str
    objects: int
    series: tuple[Series, ...]

    def of(self, contender: str) -> Series | None:
        """What a contender took, if it took part."""
        return next((series for series in self.series if series.contender == contender), None)

    def ratio(self, over: str, under: str, less: float = 0) -> float | None:
        """The median of the ratios, round by round; `less` seconds are taken off what is above the line."""
        above, below = self.of(over), self.of(under)
        if above is None or below is None:
            return None
        return statistics.median((a - less) / b for a, b in zip(above.wall, below.wall, strict=False))


def machine() -> str:
    """The machine: cores and CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return f"{os.cpu_count()} cores, {names[0] if names else platform.machine()}"


@dataclass(frozen=True)
class Part:
    """What was measured in one go against one server: `name` is that of its file, `server` is for people."""

    name: str
    server: str
    scenarios: tuple[Scenario, ...]
    goals: bool = True
    """Whether the goals apply; what is only there to compare with has none."""
    measured: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))
    machine: str = field(default_factory=machine)
    versions: str = field(default_factory=lambda: f"Python {platform.python_version()}, {_versions()}")

    def find(self, name: str, objects: int) -> Scenario | None:
        """A scenario."""
        return next((s for s in self.scenarios if (s.name, s.objects) == (name, objects)), None)


def _versions() -> str:
    names = {"reconciler": "redmine-reconciler", "httpx": "httpx", "python-redmine": "python-redmine"}
    # Not every part needs python-redmine.
    return ", ".join(f"{name} {found}" for name, package in names.items() if (found := _version(package)))


def _version(package: str) -> str:
    with suppress(PackageNotFoundError):
        return version(package)
    return ""


def merged(old: Part, new: Part) -> Part:
    """The new part, with the old scenarios that it lacks; only if both were measured under the same circumstances."""
    if (old.machine, old.versions) != (new.machine, new.versions):
        return new
    found = {(s.name, s.objects): s for s in (*old.scenarios, *new.scenarios)}
    kept = any(new.find(*key) is None for key in found)
    dates = sorted({*old.measured.split(" to "), new.measured}) if kept else [new.measured]
    return replace(new, scenarios=tuple(found.values()), measured=" to ".join(dict.fromkeys((dates[0], dates[-1]))))


class Book:
    """The files of a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    @cached_property
    def _form(self) -> TypeAdapter[Part]:
        return TypeAdapter(Part)

    def write(self, part: Part) -> None:
        """Keep a part, with what an earlier run of it on this machine measured and this one did not."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{part.name}.json"
        if path.is_file():
            part = merged(self._form.validate_json(path.read_bytes()), part)
        path.write_bytes(self._form.dump_json(part, indent=1) + b"\n")

    def parts(self) -> Iterator[Part]:
        """All parts, in the order of their names."""
        for path in sorted(self.folder.glob("*.json")):
            yield self._form.validate_json(path.read_bytes())
