"""The proof itself: what it declares, remembers, finds wrong and goes on with."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from bench import Clock, Ended, Recording
from cases import PARTS, Case, judge
from faults import READS, WRITES
from ledger import Entry, Ledger
from proxy import Exchange
from remembered import Remembered
from stub import Stub
from world import worlds

import reconciler
from reconciler.kinds import kinds
from reconciler.model.capabilities import ReadOnly
from reconciler.sandbox import Running

# -- the world -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("redmine", ["5.0", "6.0", "6.1"])
def test_the_world_has_everything(redmine: str, tmp_path: Path) -> None:
    """Each kind that can be declared is created, changed and deleted by one of the two applies, and both are valid."""
    from world import write

    folders = write(tmp_path, redmine)
    assert [p for folder in folders.values() for p in reconciler.load(folder).problems] == []
    declared = {name: reconciler.load(folder).desired.objects for name, folder in folders.items()}
    wanted = {kind.name for kind in kinds().values() if not kind.has(ReadOnly)}
    assert {address.kind for address in declared["create"]} == wanted
    absent = {a.kind for a, found in declared["change"].items() if found.spec.state == "absent"}
    assert absent == wanted
    assert {a.kind for a, found in declared["change"].items() if found.spec.state == "present"} >= wanted - {
        "issue_category"
    }


def test_the_world_has_a_value_in_every_custom_field() -> None:
    """An issue, project, version, user, group and time entry have a value in a custom field of every format."""
    data = json.dumps(worlds("6.1")["create"])
    for kind in ("Issue", "Project", "Version", "User", "Group", "TimeEntry"):
        for form in ("attachment", "bool", "date", "float", "int", "link", "list multiple", "string", "text"):
            assert f'"{kind} {form}"' in data


# -- the memory ------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A server's database with what the memory looks at."""
    path = tmp_path / "redmine.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE projects (name TEXT, status INTEGER, updated_on TEXT);"
            "CREATE TABLE attachments (id INTEGER, disk_directory TEXT, disk_filename TEXT);"
            "CREATE TABLE settings (updated_on TEXT);"
        )
    return path


@pytest.fixture
def memory(database: Path, tmp_path: Path) -> Iterator[Remembered]:
    """The memory of a server that stores each body as a project, and shows how many there are."""

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        with closing(sqlite3.connect(database)) as db, db:
            if method == "POST":
                db.execute("INSERT INTO projects VALUES (?, 1, random())", [body.decode()])
            return 200, str(db.execute("SELECT count(*) FROM projects").fetchone()[0]).encode()

    (tmp_path / "states").mkdir()
    (tmp_path / "files").mkdir()
    with Stub(answer) as stub:
        memory = Remembered(Running("6.1", "stub", stub.url, "key", 0, 0, tmp_path), tmp_path / "states")
        yield memory
        memory.close()


def ask(memory: Remembered, method: str, body: str = "") -> str:
    """The text of an answer."""
    response = memory.answer(Exchange(1, 0, method, "/projects.json", {}, body.encode()))
    return b"".join(response.iter_raw()).decode()


def test_what_was_asked_in_a_state_is_not_asked_again(memory: Remembered) -> None:
    """The same requests in the same states are answered from memory, whatever time it is; others go to the server."""
    first = memory.state
    for _ in range(2):
        memory.state = first
        assert [ask(memory, "GET"), ask(memory, "POST", "a"), ask(memory, "GET")] == ["0", "1", "1"]
    assert memory.asked == 3
    assert ask(memory, "POST", "b") == "2"
    assert memory.asked == 4


def test_a_server_is_brought_into_the_state_in_which_it_is_asked(memory: Remembered) -> None:
    """After a remembered answer the server is somewhere else: a new request finds it in the state of the run."""
    first = memory.state
    ask(memory, "POST", "a")
    memory.state = first
    assert ask(memory, "POST", "b") == "1"
    assert ask(memory, "GET") == "1"


def test_only_the_states_of_the_undisturbed_runs_are_kept(memory: Remembered) -> None:
    """What a case has led to is forgotten after it."""
    first = memory.state
    memory.keep()
    ask(memory, "POST", "a")
    memory.state = first
    ask(memory, "POST", "b")
    states = {path.name for path in memory.folder.iterdir() if path.is_file()}
    memory.forget()
    assert len(states) == 3
    assert {path.name for path in memory.folder.iterdir() if path.is_file()} == {first, memory.state}


# -- what is wrong ---------------------------------------------------------------------------------------------


class FakeBench:
    """A bench whose disturbed apply ends as told, in the state `disturbed`; the next one leads to `after`. With `late`,
    there is nothing left when it ends, and `disturbed` is what the server has executed after that."""

    def __init__(
        self,
        outcomes: dict[str, str],
        left: dict[str, Any],
        after: str = "end",
        rows: Any = None,
        *,
        late: bool = False,
    ) -> None:
        self.late, self.at_end = late, ""
        self.memory = SimpleNamespace(state="")
        self.recordings = {"create": Recording("begin", "end", ("POST /a",), {"users": ["amy"]})}
        self._runs = [("disturbed", Ended(outcomes)), (after, Ended({}))]
        self._left = {"disturbed": left}
        self._rows = rows or {"users": ["amy"]}

    def apply(self, stage: str, write: int = 0, trouble: Any = None) -> Ended:
        self.memory.state, ended = self._runs.pop(0)
        self.at_end = "complete" if self.late else self.memory.state
        return ended

    def left(self, stage: str, at: str) -> dict[str, Any]:
        return self._left.get(at, {})

    def rows(self, at: str) -> Any:
        return self._rows


CASE = Case("apply", "create", 1, "lost-reset")
LEFT = {"user amy": {"login": "amy"}}


@pytest.mark.parametrize(
    "bench, wrong",
    [
        (FakeBench({"user amy": "done"}, {}), ""),
        (FakeBench({"user amy": "unknown"}, LEFT), ""),
        (FakeBench({"user amy": "failed"}, LEFT), ""),
        (FakeBench({"user amy": "done"}, LEFT, late=True), ""),
        (FakeBench({"user amy": "done"}, LEFT), "reported as done, but"),
        (FakeBench({"user amy": "failed"}, {}), "reported as failed, but"),
        (FakeBench({"user amy": "unknown"}, LEFT, "other", {"users": ["amy", "amy"]}), "the state differs"),
    ],
)
def test_what_counts_as_wrong(bench: Any, wrong: str) -> None:
    """A false `done`, a false `failed`, and another state after one more apply; an `unknown` is none of these."""
    found = judge(bench, CASE).wrong
    assert len(found) == bool(wrong)
    assert all(wrong in text for text in found)


def test_each_case_is_in_one_part_and_keeps_its_name() -> None:
    """The parts are about equal, and do not change from run to run."""
    cases = [Case("apply", "create", number, fault) for number in range(80) for fault in WRITES]
    sizes = [sum(case.part == part for case in cases) for part in range(PARTS)]
    assert sum(sizes) == len(cases)
    assert min(sizes) > len(cases) / PARTS / 2
    assert (CASE.id, CASE.part) == ("apply/create/1/lost-reset", 2)


# -- faults ----------------------------------------------------------------------------------------------------


def says(data: Any) -> httpx.Response:
    return httpx.Response(200, stream=httpx.ByteStream(json.dumps(data).encode()))


@pytest.mark.parametrize(
    "fault, expected",
    [
        ("total-too-big", {"issues": [1, 2], "total_count": 3}),
        ("total-too-small", {"issues": [1, 2], "total_count": 1}),
        ("total-zero", {"issues": [1, 2], "total_count": 0}),
        ("list-moves", {"issues": [2], "total_count": 1}),
        ("empty-lasting", {"issues": [], "total_count": 0}),
    ],
)
def test_lies_about_lists(fault: str, expected: Any) -> None:
    """Each changes the list or its count, and nothing else."""
    change = READS[fault].fault.change
    assert change is not None
    assert json.loads(b"".join(change(says({"issues": [1, 2], "total_count": 2})).iter_raw())) == expected


def test_pages_and_other_answers() -> None:
    """Lies about pages are told of pages only: repeating the first one is no lie."""
    row, page = says({"issue": {"id": 1}}), {"issues": [{"id": 1}], "total_count": 9}
    first, second = (Exchange(1, 0, "GET", f"/issues.json?offset={n}", {}, b"") for n in (0, 2))
    repeated, counted = READS["page-repeated"].needs, READS["total-zero"].needs
    assert [repeated(first, says(page)), repeated(second, says(page)), counted(first, row)] == [False, True, False]


# -- the ledger ------------------------------------------------------------------------------------------------


def test_finished_cases_are_known_until_the_code_changes(tmp_path: Path) -> None:
    """Also after a run that was killed in the middle of a line; a case that was tried again has its last result."""
    path = tmp_path / "folder" / "6.1.jsonl"
    ledger = Ledger(path, "one")
    for wrong in (["bad"], []):
        ledger.add(Entry(case=CASE.id, request="POST /a", word="done", wrong=wrong))
    with path.open("a") as file:
        file.write('{"case": "apply/cre')
    assert [entry["wrong"] for entry in Ledger(path, "one").entries().values()] == [[]]
    assert Ledger(path, "two").entries() == {}


# -- time ------------------------------------------------------------------------------------------------------


def test_time_that_nobody_waits_for() -> None:
    """What is due within two minutes is due at once."""

    async def main() -> float:
        clock, started = Clock(asyncio.get_running_loop()), time.monotonic()
        threading.Timer(0.05, clock.advance, [121.0]).start()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(120):
                await asyncio.Event().wait()
        return time.monotonic() - started

    assert asyncio.run(main()) < 60
