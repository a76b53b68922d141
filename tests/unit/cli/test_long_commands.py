"""Commands that mostly take a moment: what is said on stderr if they take longer."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from canned import Canned
from click.testing import CliRunner, Result

from reconciler.catalog import session
from reconciler.cli import apply, documents, main, output, reports, run_report, saved_plan
from reconciler.cli import progress as module
from reconciler.cli.options import State
from reconciler.cli.progress import Progress, if_long
from reconciler.manifest.sources import File
from reconciler.plan import plan_file
from reconciler.render import text

MANIFEST = """\
trackers: [{name: Bug, default_status: New}]
issue_statuses: [{name: New}]
projects:   [{identifier: shop, name: Shop}]
"""
ENOUGH = 30
"""Seconds after which something does not happen any more, however busy the machine is."""

MANIFESTS, PLAN = "Reading the manifests …\n", "Reading the plan …\n"
COMMANDS = {
    "validate a.yaml": MANIFESTS,
    "validate --format json a.yaml": MANIFESTS,
    "validate --verbose --no-color a.yaml": MANIFESTS,
    "graph a.yaml": MANIFESTS,
    "fmt --diff a.yaml": MANIFESTS,
    "catalog script a.yaml": MANIFESTS,
    "show saved.plan": PLAN,
    "apply --plan saved.plan --yes": PLAN,
}
"""Command → what is announced if it takes long."""


def run(line: str) -> Result:
    """A command that does not fail."""
    result = CliRunner().invoke(main, line.split())
    assert "Error" not in result.stderr
    return result


def until_announced(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, what: str) -> None:
    """Let a function take until something is announced."""
    announced = Event()
    say, function = output.say, getattr(owner, name)

    def heard(text: str) -> None:
        say(text)
        if text == f"{what} …":
            announced.set()

    def slow(*given: Any, **named: Any) -> Any:
        assert announced.wait(ENOUGH)
        return function(*given, **named)

    monkeypatch.setattr(output, "say", heard)
    monkeypatch.setattr(owner, name, slow)


@pytest.mark.parametrize("line", COMMANDS)
def test_what_takes_long_is_announced(line: str, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, before it ends, and only then; stdout has the same as otherwise."""
    Path("a.yaml").write_text(MANIFEST)
    run("plan --out saved.plan a.yaml")
    if COMMANDS[line] == MANIFESTS:
        usual = run(line)
        until_announced(monkeypatch, File, "text", "Reading the manifests")
    else:
        usual = run("show saved.plan")
        until_announced(monkeypatch, saved_plan, "read", "Reading the plan")
    monkeypatch.setattr(module, "MOMENT", 0.001)
    late = run(line)
    assert COMMANDS[line] not in usual.stderr
    assert late.stderr.startswith(COMMANDS[line])
    assert late.stderr.count(COMMANDS[line]) == 1
    assert late.stdout == usual.stdout or line.startswith("apply")


WRITERS: dict[str, tuple[str, Any, str]] = {
    "plan a.yaml": ("Writing the plan", text, "plan"),
    "plan --format json a.yaml": ("Writing the plan", documents, "rendered"),
    "plan --out new.plan a.yaml": ("Saving the plan", plan_file, "save"),
    "plan --report r.md a.yaml": ("Writing the reports", reports.Reports, "write"),
    "plan wrong.yaml": ("Writing the problems", text, "problems"),
    "plan part.yaml": ("Writing the plan", text, "plan"),
    "plan --format json part.yaml": ("Writing the plan", documents, "rendered"),
    "show saved.plan": ("Writing the plan", text, "plan"),
    "validate wrong.yaml": ("Writing the problems", text, "problems"),
    "validate --report r.json a.yaml": ("Writing the reports", reports.Reports, "write"),
    "check part.yaml": ("Writing the problems", text, "problems"),
    "check --format json a.yaml": ("Writing the result", output, "as_json"),
    "catalog script a.yaml": ("Writing the script", session, "script_of"),
    "apply --yes a.yaml": ("Writing the report", text, "results"),
    "apply --yes --report r.json a.yaml": ("Writing the reports", run_report.RunReport, "results"),
}
"""Command → what is announced if a function of it takes long."""
PART = "projects: [{identifier: shop, name: Shop}, {identifier: other, name: Other, parent: none}]"


@pytest.mark.parametrize("line", WRITERS)
def test_what_takes_long_to_write_is_announced(line: str, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan, a report and problems take seconds if there is much in them, whatever the command and the format."""
    for name, manifest in {"a": MANIFEST, "wrong": "projects: [{name: 1}]", "part": PART}.items():
        Path(f"{name}.yaml").write_text(manifest)
    run("plan --out saved.plan a.yaml")
    announced, owner, name = WRITERS[line]
    until_announced(monkeypatch, owner, name, announced)
    monkeypatch.setattr(module, "MOMENT", 0.001)
    found = CliRunner().invoke(main, line.split())
    assert f"{announced} …\n" in found.stderr


@pytest.mark.parametrize("line", ["show saved.plan", "apply --plan saved.plan --yes"])
def test_a_long_plan_is_announced_at_once(line: str, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one call parses all of it, nothing could be said."""
    Path("a.yaml").write_text(MANIFEST)
    run("plan --out saved.plan a.yaml")
    monkeypatch.setattr(saved_plan, "LONG", 0)
    assert run(line).stderr.startswith(PLAN)


def test_a_report_is_shown_without_the_bar_of_what_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while something is read: the bar is gone before the report is made, which may have one of its own."""
    stopped, shown = [], Progress(State())
    monkeypatch.setattr(shown, "stop", lambda: stopped.append(True))
    with pytest.raises(KeyboardInterrupt), apply._reported(State(), run_report.RunReport((), State()), shown):
        raise KeyboardInterrupt
    assert stopped


class Terminal(io.StringIO):
    """It is one."""

    def isatty(self) -> bool:
        return True


def terminal(patch: pytest.MonkeyPatch) -> Terminal:
    """What stderr is from now on. No fixture: pytest captures anew when the test begins."""
    patch.setenv("TERM", "xterm")
    found = Terminal()
    patch.setattr(sys, "stderr", found)
    return found


def waited_for(happened: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + ENOUGH
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_moment_leaves_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends soon shows nothing: no line, no bar, and nothing that removes one."""
    shown = terminal(monkeypatch)
    with if_long(State(), "Reading the manifests"):
        pass
    assert shown.getvalue() == ""


def test_what_takes_long_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """It moves by itself, leaves stdout to whoever renders the result, and is gone at the end."""
    monkeypatch.setattr(module, "MOMENT", 0.001)
    stdout = sys.stdout
    shown = terminal(monkeypatch)
    with if_long(State(), "Reading the manifests"):
        waited_for(lambda: "⠙" in shown.getvalue())
        assert sys.stdout is stdout
    assert shown.getvalue().startswith(MANIFESTS)
    assert shown.getvalue().endswith("\x1b[2K")


def test_nothing_is_announced_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar that begins just when the work ends is waited for and removed, as it would stay otherwise."""
    monkeypatch.setattr(module, "MOMENT", 0.001)
    begun, say = Event(), output.say

    def slowly(text: str) -> None:
        begun.set()
        time.sleep(0.05)
        say(text)

    monkeypatch.setattr(output, "say", slowly)
    shown = terminal(monkeypatch)
    with if_long(State(), "Reading the manifests"):
        assert begun.wait(ENOUGH)
    assert shown.getvalue().endswith("\x1b[2K")
