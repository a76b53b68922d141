"""What is said on stderr while much is read."""

from __future__ import annotations

import pytest

from reconciler.cli import progress as module
from reconciler.cli.options import State
from reconciler.cli.progress import Live, Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which only the test moves."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Every few seconds: how many of how many, and how long the rest will take at that speed."""
    shown = Progress(State())
    for done in range(1, 2001):
        clock[0] += 0.0625
        shown.counted("issues", done, 2000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "issues: 81 of 2,000, about 0:01:58 remaining …"
    assert lines[-1] == "issues: 1,921 of 2,000, about 0:00:05 remaining …"
    assert len(lines) == 24


def test_what_is_read_at_once_makes_no_line(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to be told of what takes a moment; requests are counted again afterwards."""
    shown = Progress(State())
    for done in range(1, 4):
        shown.counted("lists", done, 3)
    assert capsys.readouterr().err == ""
    for _ in range(module.REQUESTS):
        shown.request("GET /issues")
    assert capsys.readouterr().err == "50 requests …\n"


def test_a_terminal_gets_a_bar(clock: list[float]) -> None:
    """The bar counts what is read, with the time left; when all is there, it turns into the count of requests again."""
    shown = Live(State())
    shown.request("GET /issues")
    shown.counted("issues", 40, 100)
    assert shown.bar is not None
    (task,) = shown.bar.tasks
    assert (task.description, task.completed, task.total) == ("issues", 40, 100)
    shown.counted("issues", 100, 100)
    (task,) = shown.bar.tasks
    assert (task.description, task.total) == ("1 request", None)
    shown.stop()
