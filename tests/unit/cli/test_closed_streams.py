"""Standard streams that are closed, as a supervisor may start a program: `2>&-`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from canned import Canned
from stub import Stub

from reconciler.errors import ConfigError
from reconciler.manifest.sources import File

SHOP = "projects: [{identifier: shop, name: Shop}]"


def ran(folder: Path, command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell, in which `reconciler` is the program."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("REDMINE_", "RECONCILER_"))}
    line = command.replace("reconciler", f"{sys.executable} -m reconciler")
    return subprocess.run(
        line, shell=True, cwd=folder, env=clean | environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("command", "code", "printed"),
    [
        ("reconciler validate a.yaml 2>&-", 0, "Valid: 1 object in 1 file.\n"),
        ("reconciler --debug validate a.yaml 0<&- 2>&-", 0, "Valid: 1 object in 1 file.\n"),
        ("reconciler plan none.yaml 2>&-", 3, ""),
        ("reconciler plan a.yaml 2>&-", 1, ""),
        ("reconciler validate a.yaml >&-", 0, ""),
    ],
)
def test_without_a_stream_to_print_to(tmp_path: Path, command: str, code: int, printed: str) -> None:
    """What belongs there goes nowhere; the other stream and the exit code are as always."""
    (tmp_path / "a.yaml").write_text(SHOP)
    ended = ran(tmp_path, command)
    assert (ended.returncode, ended.stdout) == (code, printed)
    assert "Error" not in ended.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("reconciler validate - 0<&-", "Error: Cannot read standard input: it is closed.\n"),
        ("reconciler validate - 0>out", "Error: Cannot read standard input: Bad file descriptor.\n"),
        ("reconciler fmt - 0<&-", "Error: Cannot read standard input: it is closed.\n"),
        (
            "reconciler plan --api-key-file - a.yaml 0<&-",
            "Error: --api-key-file: cannot read standard input: it is closed.\n",
        ),
    ],
)
def test_without_standard_input(tmp_path: Path, command: str, said: str) -> None:
    """What is to be read from there is missing, which is not the same as empty."""
    (tmp_path / "a.yaml").write_text(SHOP)
    ended = ran(tmp_path, command)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.endswith(said)


def test_no_terminal_to_confirm_on(tmp_path: Path) -> None:
    """Without standard input, an apply needs --yes."""
    (tmp_path / "a.yaml").write_text(SHOP)
    with Stub(Canned().answer) as server:
        ended = ran(tmp_path, "reconciler apply a.yaml 0<&-", REDMINE_URL=server.url, REDMINE_API_KEY="key")
    assert ended.returncode == 1
    assert "but there is no terminal; no changes were made" in ended.stderr


def test_a_program_without_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python API says the same."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ConfigError, match=r"Cannot read standard input: it is closed\."):
        File("<stdin>", "", ".").text(10, None)
