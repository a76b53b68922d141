"""`apply --report FILE`: a report that is there whatever ends the run."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from commands import MANY, SHOP, SITUATIONS, fake, on_a_terminal, prepare, run, server, start, wait_for, written
from fake import Fake
from stub import Stub

from reconciler.reference.json_schema import SCHEMAS

__all__ = ["fake", "server"]


def report(name: str = "report.json") -> dict[str, object]:
    """The file as data."""
    data: dict[str, object] = json.loads(Path(name).read_text(encoding="utf-8"))
    return data


def cases(name: str) -> list[tuple[str, str]]:
    """(name, outcome) of each test case of a JUnit file."""
    suite = ElementTree.parse(name).getroot()[0]
    return [(case.attrib["name"], case[0].tag if len(case) else "passed") for case in suite]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_report_of_every_end(situation: str, fake: Fake, server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an apply ends with, the file has the results, or the problems and errors that were there instead."""
    extra = prepare(situation, fake, monkeypatch)
    _, code, ends = SITUATIONS[situation]
    for name in ("report.json", "report.xml"):
        fake.projects.pop("shop", None) if situation != "nothing to do" else None
        assert run("apply", "--yes", "--report", name, *extra).exit_code == code
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    jsonschema.validate(report(), SCHEMAS["results" if ends == "done" else "problems"]())
    outcomes = {0: "passed", 4: "failure"}
    expected = [] if situation == "nothing to do" else [outcomes.get(code, "failure")]
    assert [outcome for _, outcome in cases("report.xml")] == expected


def test_a_run_that_loses_its_account(fake: Fake, server: Stub) -> None:
    """When the key is revoked, the run ends: one change has failed, the others are left, not tried one by one."""
    fake.fault = "revoke"
    result = run("apply", "--yes", "--concurrency", "1", "--report", "report.json", manifest=MANY)
    assert result.exit_code == 4
    assert report()["summary"] == {"done": 3, "failed": 1, "skipped": 0, "unknown": 0, "left": 4}
    assert report()["ended"] == "The run ended early, because the server no longer accepts the credentials."
    assert "Not started: 4" in result.stdout
    assert result.stdout.endswith("Applied: 3 done, 1 failed, 0 skipped, 0 unknown, 4 not started.\n")
    assert len(written(server)) == 4


@pytest.mark.parametrize(("number", "ended"), [(signal.SIGINT, "The run was interrupted."), (signal.SIGKILL, None)])
def test_a_run_that_is_stopped(number: int, ended: str | None, fake: Fake, server: Stub) -> None:
    """The file says what is left; that of a process that was killed, that the run has not ended."""
    fake.pause = 0.3
    Path("a.yaml").write_text(MANY)
    args = ["apply", "--yes", "--concurrency", "1", "--report", "report.json"]
    process = start(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    wait_for(process.stderr, "Applying 8 changes")
    time.sleep(0.45)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert report()["ended"] == (ended or "The run has not ended.")
    summary = report()["summary"]
    assert isinstance(summary, dict)
    assert summary["left"] >= 5


def test_a_plan_that_is_not_confirmed(fake: Fake, server: Stub) -> None:
    """Everything is left."""
    Path("a.yaml").write_text(SHOP)
    on_a_terminal(["apply", "--report", "report.json"], "[y/N] ", "n\n")
    assert report()["ended"] == "The plan was not confirmed."
    assert report()["summary"] == {"done": 0, "failed": 0, "skipped": 0, "unknown": 0, "left": 1}


def test_deletions_beyond_the_limit(fake: Fake, server: Stub) -> None:
    """What is refused before anything is written is in the file as the reason why all is left."""
    fake.projects["shop"] = {"id": 1, "status": 1, "identifier": "shop", "name": "Shop"}
    manifest = "projects: [{identifier: shop, state: absent}]"
    result = run("apply", "--yes", "--max-deletes", "0", "--report", "report.json", manifest=manifest)
    assert result.exit_code == 5
    assert report()["summary"] == {"done": 0, "failed": 0, "skipped": 0, "unknown": 0, "left": 1}
    assert "more than --max-deletes 0" in str(report()["ended"])


def test_only_a_report_is_overwritten(fake: Fake, server: Stub) -> None:
    """A file of something else stays, and nothing is written to the server; another ending is a usage error."""
    Path("mine.json").write_text('{"a": 1}')
    result = run("apply", "--yes", "--report", "mine.json", manifest=SHOP)
    assert (result.exit_code, written(server)) == (1, [])
    assert "mine.json exists and is not a report, so it was not overwritten" in result.stderr
    assert run("apply", "--yes", "--report", "a.txt").exit_code == 1
    assert Path("mine.json").read_text() == '{"a": 1}'
