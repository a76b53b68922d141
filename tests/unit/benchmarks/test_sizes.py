"""The manifests of very many objects, the server in memory, and the table; nothing here is timed."""

from __future__ import annotations

from pathlib import Path

import page
import pytest
import sizes
from big import BIG, write
from canned import reached
from memory import Memory
from results import TOOL, Cost, Part, Scenario, Series
from whole_way import STEPS, Way
from words import title

import reconciler


@pytest.mark.parametrize("shape", BIG)
@pytest.mark.parametrize("changed", [False, True])
def test_the_manifests_are_valid(tmp_path: Path, shape: str, changed: bool) -> None:
    """Before and after the change."""
    write(BIG[shape], 100, changed, tmp_path / "manifests")
    assert reconciler.validate(tmp_path / "manifests", environ={}) == ()


@pytest.mark.parametrize("shape", ["users", "group", "wiki_levels"])
def test_the_whole_way_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    """Everything is created, changed and exported, and a plan after that has no changes."""
    monkeypatch.chdir(tmp_path)
    server = Memory()
    with reached(server):
        way = Way(server, tmp_path)
        way.go(BIG[shape], 20)
    requests = {step: int(took[3]) for step, took in way.took.items()}
    assert (requests["validate"], requests["show"]) == (0, 0)
    assert min(requests[step] for step in ("plan", "apply", "export")) > 0
    assert sum(requests.values()) == server.requests
    assert server.seen == []
    assert list((tmp_path / "out").rglob("*.yaml"))


def measured(shape: str, count: int, cpu: float) -> list[Scenario]:
    """What the steps of a shape took."""
    cost = Cost(9, cpu, 123.4)
    return [Scenario(f"{shape}: {step}", count, (Series(TOOL, (cost,), 7),)) for step in STEPS]


def test_the_table_compares_with_half_as_many() -> None:
    """What is linear takes twice as long; a shape that was not measured is not there."""
    count = BIG["users"].count
    part = Part("sizes", "a server", (*measured("users", count // 2, 2), *measured("users", count, 4.2)), goals=False)
    lines = sizes.section(part).splitlines()
    cells = " | ".join(["4.20 s (2.1 ×)"] * 5)
    assert lines[2] == f"| 100,000 users | {cells} | 123 MB |"
    assert [line.startswith("|") for line in lines] == [True, True, True, False, False]
    assert title(part.scenarios[0]) == "users: validate, 50,000 objects"
    assert "100,000 users" in page.between(
        "<!-- sizes: written by make bench -->\n<!-- end of sizes -->", "sizes", lines[2]
    )
