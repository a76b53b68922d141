"""Contenders, what is kept of them, and whether the goals are met; nothing here is timed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import canned_server
import pytest
import results
import worlds
from contest import TRIES, Contender, Rules, best, contest
from goals import verdicts
from online import did_all
from results import BARE, SCRIPT, TOOL, Book, Cost, Part, Scenario, Series
from rich.console import Console
from table import of_goals, of_part

import reconciler


def series(name: str, *walls: float, scale: float = 1, requests: int = 0) -> Series:
    """A contender that took so many seconds in its rounds."""
    return Series(name, tuple(Cost(wall, wall / 2, 40.0) for wall in walls), requests, scale)


def part(*scenarios: Scenario, name: str = "redmine-6.1-postgresql", goals: bool = True) -> Part:
    """What was measured on a day."""
    return Part(name, "Redmine 6.1, PostgreSQL", scenarios, goals, "2026-11-29", "2 cores, a CPU", "Python 3.13.1")


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Callable[[Contender], Cost]:
    """Instead of a process: as many seconds as its command says."""
    return lambda contender: Cost(float(contender.command[0]), 0.1, 30.0)


# -- rounds ----------------------------------------------------------------------------------------------------


def test_the_order_is_turned_round_each_time() -> None:
    """Nobody always runs after the same one."""
    order: list[str] = []

    def run(contender: Contender) -> Cost:
        order.append(contender.name)
        return Cost(1, 1, 1)

    contest([Contender("a", ()), Contender("b", ())], Rules(seconds=10, rounds=3), run)
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_a_slow_contender_sits_out_when_its_time_is_up(taking: Callable[[Contender], Cost]) -> None:
    """A fast one has no more than the rounds; those that are only compared with have a third of the time."""
    contenders = [Contender(TOOL, ("1",)), Contender(BARE, ("25",)), Contender(SCRIPT, ("25",))]
    found = contest(contenders, Rules(seconds=40, rounds=5), taking)
    assert [len(one.costs) for one in found] == [5, 2, 1]


def test_a_ratio_is_the_median_of_the_rounds_that_both_took_part_in() -> None:
    """Round by round, as the machine is not equally quiet in all of them; a part of the objects counts in full."""
    scenario = Scenario("create", 1000, (series(TOOL, 1, 2, 100), series(SCRIPT, 3, 4, scale=10)))
    assert scenario.ratio(SCRIPT, TOOL) == pytest.approx((30 / 1 + 40 / 2) / 2)
    assert scenario.ratio(TOOL, SCRIPT, less=1) == pytest.approx((0 + 1 / 40) / 2)
    assert scenario.ratio(TOOL, BARE) is None


def test_what_is_computed_has_one_start_up() -> None:
    """Of a tenth of the objects, only the time that the objects took is multiplied."""
    commands = {"some": Cost(5, 3, 30), "none": Cost(1, 0.5, 20)}
    contender = Contender(SCRIPT, ("some",), scale=10, idle=("none",))
    (found,) = contest([contender], Rules(rounds=1), lambda one: commands[one.command[0]])
    assert (found.wall, found.cpu) == ((41,), (25.5,))


def test_the_best_concurrency_is_the_fastest_of_several_tries_in_turn() -> None:
    """A moment in which the machine is busy decides nothing."""
    walls = iter([9, 5, 6, *[3, 5, 6] * (TRIES - 1)])
    tried: list[int] = []

    def run(contender: Contender) -> Cost:
        tried.append(int(contender.name))
        return Cost(next(walls), 1, 1)

    assert best(lambda number: Contender(str(number), ()), (2, 4, 8), run) == 2
    assert tried == [2, 4, 8] * TRIES


# -- files -----------------------------------------------------------------------------------------------------


def test_what_is_written_reads_back_equal(tmp_path: Path) -> None:
    """The page can be written again without measuring."""
    found = part(Scenario("create", 1000, (series(TOOL, 1.5, 2, requests=12),)))
    Book(tmp_path).write(found)
    assert list(Book(tmp_path).parts()) == [found]


def test_a_run_of_one_task_keeps_the_others(tmp_path: Path) -> None:
    """Both days are named; what was measured on another machine is not mixed with it."""
    first, second = part(Scenario("create", 1000, ())), part(Scenario("export", 1000, ()))
    Book(tmp_path).write(first)
    Book(tmp_path).write(replace(second, measured="2026-12-01"))
    (both,) = Book(tmp_path).parts()
    assert [scenario.name for scenario in both.scenarios] == ["create", "export"]
    assert both.measured == "2026-11-29 to 2026-12-01"
    assert results.merged(first, replace(second, machine="another")) == replace(second, machine="another")


# -- goals -----------------------------------------------------------------------------------------------------


def judged(*parts: Part) -> Sequence[tuple[str, bool]]:
    """What is said about the goals."""
    return [(verdict.shown, verdict.met) for verdict in verdicts(parts)]


def test_a_goal_is_met_or_missed() -> None:
    """By the median; at the limit it is met."""
    found = Scenario("create", 1000, (series(TOOL, 2.1, 2.1, 9), series(BARE, 2, 2, 2), series(SCRIPT, 5, 5, 5)))
    assert judged(part(found)) == [("1.05 ×", True), ("2.38 ×", False)]


def test_start_up_is_taken_off_a_plan() -> None:
    """0.35 seconds, before it is compared with the bare requests."""
    found = Scenario("re-check", 1000, (series(TOOL, 1.40), series(BARE, 1.0)))
    assert judged(part(found)) == [("1.05 ×", True)]


def test_goals_of_the_client_alone() -> None:
    """CPU, memory, and that it grows in proportion."""
    found = [Scenario("plan", n, (series(TOOL, n / 6000),)) for n in (10_000, 100_000)]
    shown = [("0.83 s", True), ("8.33 s", True), ("40.0 MB", True), ("10.0 ×", True)]
    assert judged(part(*found, name="growth")) == shown


def test_what_is_there_to_compare_with_has_no_goals() -> None:
    """SQLite allows one writer."""
    assert judged(part(Scenario("create", 1000, (series(TOOL, 9), series(BARE, 1))), goals=False)) == []


def test_a_missed_goal_is_shown_as_missed() -> None:
    """In the terminal."""
    found = part(Scenario("create", 1000, (series(TOOL, 9, requests=1012), series(BARE, 1))))
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(of_part(found), of_goals(list(verdicts([found]))))
    text = console.export_text()
    assert "MISSED" in text
    assert "1,012" in text


def test_a_goal_that_is_missed_by_little_does_not_look_met() -> None:
    """1.054 is more than 1.05, so it is not shown as 1.05."""
    found = part(Scenario("create", 1000, (series(TOOL, 1.054), series(BARE, 1))))
    assert judged(found)[0] == ("1.054 ×", False)


# -- worlds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [0, 5])
def test_the_manifest_is_valid(tmp_path: Path, changed: int) -> None:
    """Also that of changed issues."""
    assert reconciler.validate(worlds.write_manifest(tmp_path / "a.yaml", 50, changed), environ={}) == ()


def test_one_in_ten_has_changed() -> None:
    """As many as asked for."""
    before, after = worlds.items(50), worlds.items(50, 5)
    assert sum(a.fields != b.fields for a, b in zip(before, after, strict=True)) == 5


def test_the_script_reads_the_same_issues(tmp_path: Path) -> None:
    """Line breaks and all."""
    path = worlds.write_table(tmp_path / "a.csv", worlds.items(3))
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert found == [{name: str(value) for name, value in item.fields.items()} for item in worlds.items(3)]


def test_the_server_that_answers_at_once_has_the_issues_of_the_manifest() -> None:
    """So a plan against it is a re-check."""
    for item in worlds.items(70):
        row = canned_server.issue(item.number + 1, canned_server.declared(item.number))
        named = {name: row[name]["name"] for name in ("tracker", "priority", "fixed_version")}
        assert {name: row[name] for name in item.fields} | named == item.fields


def test_the_server_that_answers_at_once_has_pages_and_a_search_for_subjects() -> None:
    """A page has at most 100 rows, whatever is asked for; python-redmine relies on that."""

    def found(query: str) -> Any:
        return json.loads(canned_server.World(250).answer("GET", f"/issues.json?{query}", b"")[1])

    assert len(found("limit=250")["issues"]) == 100
    assert [row["id"] for row in found("limit=250&offset=240")["issues"]] == list(range(241, 251))
    assert [row["id"] for row in found("subject=Item+7+of+the+benchmark")["issues"]] == [8]
    assert found("subject=Item+7+of+the+benchmark")["total_count"] == 1


def test_a_contender_that_does_something_else_is_an_error() -> None:
    """Nobody wins by creating nothing."""
    did_all("created", 2, 'a line\n{"created": 2}\n')
    with pytest.raises(SystemExit, match="created 2 issues"):
        did_all("created", 2, '{"created": 1}')
