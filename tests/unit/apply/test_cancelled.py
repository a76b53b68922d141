"""What a run that is cancelled does and says: through the Python API by `task.cancel()`, or by a listener that raises, in
the commands by Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from canned import Canned, reached
from click.testing import CliRunner

import reconciler
from reconciler.cli import main
from reconciler.errors import ListenerFailed

Before = Callable[[str, str], bool]


def server(**project: Any) -> Canned:
    """A server with a project."""
    redmine = Canned()
    redmine.add("projects", identifier="p", name="P", enabled_modules=["issue_tracking"], **project)
    return redmine


def applied(
    redmine: Canned, folder: Path, project: dict[str, Any], when: Before | None = None, **options: Any
) -> reconciler.Report:
    """The report of an apply that is cancelled before the request at which `when` is true, or by its listener."""
    (folder / "m.yaml").write_text(json.dumps({"projects": [{"identifier": "p", "name": "P", **project}]}))

    async def run() -> reconciler.Report:
        manifests = reconciler.load(folder, environ={"REDMINE_URL": redmine.url, "REDMINE_API_KEY": redmine.api_key})

        def cancel(*_: object) -> None:
            task.cancel()

        listener = cancel if when is None else None
        task = asyncio.create_task(manifests.apply_async(listener=listener, **options))

        def before(method: str, path: str) -> None:
            if when is not None and when(method, path):
                redmine.before = lambda *_: None
                task.cancel()

        redmine.before = before
        return await task

    with reached(redmine):
        return asyncio.run(run())


def writes(redmine: Canned) -> list[tuple[str, str]]:
    return [request for request in redmine.seen if request[0] != "GET"]


def opens(method: str, path: str) -> bool:
    """Whether a request unarchives a project."""
    return method == "PUT" and "unarchive" in path


ISSUES = [{"subject": f"I{number}"} for number in range(5)]


def test_nothing_more_is_begun_in_an_unarchived_project(tmp_path: Path) -> None:
    """Cancelled while the project is opened: it is archived again, and what is inside is left as it is."""
    redmine = server(status=9)
    report = applied(redmine, tmp_path, {"issues": ISSUES}, opens, unarchive=True)
    assert report.interrupted
    assert [path for _, path in writes(redmine)] == ["/projects/p/unarchive.json", "/projects/p/archive.json"]
    assert redmine.row("projects", "p")["status"] == 9


@pytest.mark.parametrize("opened", [True, False], ids=["while it is opened", "while it is compared"])
def test_ctrl_c_leaves_no_project_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: bool) -> None:
    """Nor does Ctrl-C while the second plan is made."""
    redmine, state = server(status=9), {"opened": False, "sent": False}
    (tmp_path / "m.yaml").write_text(json.dumps({"projects": [{"identifier": "p", "issues": ISSUES}]}))

    def before(method: str, path: str) -> None:
        if (opens(method, path) if opened else state["opened"] and path.startswith("/issues")) and not state["sent"]:
            state["sent"] = True
            os.kill(os.getpid(), signal.SIGINT)
        state["opened"] |= opens(method, path)

    redmine.before = before
    monkeypatch.setenv("REDMINE_URL", redmine.url)
    monkeypatch.setenv("REDMINE_API_KEY", redmine.api_key)
    with reached(redmine):
        ended = CliRunner().invoke(main, ["apply", "--yes", "--unarchive", str(tmp_path / "m.yaml")])
    assert state["sent"]
    assert ended.exit_code == 130, ended.output
    assert [path for _, path in writes(redmine)] == ["/projects/p/unarchive.json", "/projects/p/archive.json"]


def test_what_was_not_read_back_is_unknown(tmp_path: Path) -> None:
    """Written, and cancelled before that was compared: the server may have dropped it, so it is not `done`."""
    redmine = server()

    def reads_back(method: str, path: str) -> bool:
        return method == "GET" and any(method == "PUT" for method, _ in writes(redmine))

    report = applied(redmine, tmp_path, {"name": "Other"}, reads_back)
    (result,) = report.results
    assert report.interrupted
    assert result.outcome == "unknown"
    assert "interrupted before it was read back" in str(result.errors[0])


def test_what_was_completed_was_not_in_progress(tmp_path: Path) -> None:
    """Of changes that had ended when the run was cancelled, none is said to have been in progress."""
    redmine = server()
    report = applied(redmine, tmp_path, {"versions": [{"name": f"V{number}"} for number in range(3)]})
    assert report.interrupted
    assert [str(error) for result in report.results for error in result.errors if "in progress" in str(error)] == []


# -- a listener that raises --------------------------------------------------------------------------------------


def unheard(redmine: Canned, folder: Path, project: dict[str, Any], **options: Any) -> reconciler.Report:
    """The report of an apply whose listener raises when it is called, which it is only once."""
    (folder / "m.yaml").write_text(json.dumps({"projects": [{"identifier": "p", "name": "P", **project}]}))
    fault, heard = ZeroDivisionError(), []

    def listener(address: reconciler.Address, outcome: str) -> None:
        heard.append(address)
        raise fault

    environ = {"REDMINE_URL": redmine.url, "REDMINE_API_KEY": redmine.api_key, "REDMINE_CONCURRENCY": "2"}
    with reached(redmine), pytest.raises(ListenerFailed) as raised:
        reconciler.load(folder, environ=environ).apply(None, listener, **options)
    assert (raised.value.__cause__, len(heard)) == (fault, 1)
    return raised.value.report


def test_a_listener_that_raises_ends_the_run(tmp_path: Path) -> None:
    """What was running is completed and read back, nothing else is begun, and the exception has the report."""
    redmine = server()
    report = unheard(redmine, tmp_path, {"issues": ISSUES})
    posts = len(writes(redmine))
    assert 1 <= posts < len(ISSUES)
    assert report.summary == {"done": posts, "failed": 0, "skipped": 0, "unknown": 0, "left": len(ISSUES) - posts}
    assert (report.interrupted, report.ended) == (False, "The run ended early, because its listener raised an error.")


def test_a_listener_that_raises_leaves_no_project_open(tmp_path: Path) -> None:
    """A project that was opened only to be compared is archived again, which is in the report."""
    redmine = server(status=9)
    report = unheard(redmine, tmp_path, {"issues": ISSUES}, unarchive=True)
    assert [path for _, path in writes(redmine)] == ["/projects/p/unarchive.json", "/projects/p/archive.json"]
    assert report.summary["done"] == len(report.results) == 2


def test_a_listener_that_raises_in_an_unarchived_project(tmp_path: Path) -> None:
    """The report is that of both plans; the project stays open, as after an interruption."""
    redmine = server(status=9)
    (tmp_path / "m.yaml").write_text(json.dumps({"projects": [{"identifier": "p", "issues": ISSUES}]}))

    def listener(address: reconciler.Address, outcome: str) -> None:
        if address.kind == "issue":
            raise ZeroDivisionError

    environ = {"REDMINE_URL": redmine.url, "REDMINE_API_KEY": redmine.api_key, "REDMINE_CONCURRENCY": "1"}
    with reached(redmine), pytest.raises(ListenerFailed) as raised:
        reconciler.load(tmp_path, environ=environ).apply(None, listener, unarchive=True)
    outcomes = [(str(r.change.address), r.outcome) for r in raised.value.report.results]
    assert outcomes[:3] == [("project p", "done"), ("project p", "failed"), ("issue p/I0", "done")]
    assert {outcome for _, outcome in outcomes[3:]} == {"left"}
