"""Standard output that cannot be written to: a file on a full disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
COMMANDS = {
    "a result": ("explain", 1),
    "problems as JSON": ("validate --format json a.yaml", 1),
    "a missing file as JSON": ("plan --format json missing.yaml", 3),
}


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("case", COMMANDS)
def test_it_is_an_error_without_a_traceback(tmp_path: Path, case: str) -> None:
    """The exit code is not that of a success, and stderr says why."""
    command, code = COMMANDS[case]
    (tmp_path / "a.yaml").write_text("projects: [{identifiers: shop}]")
    with FULL.open("w") as stdout:
        ended = subprocess.run(
            [sys.executable, "-m", "reconciler", *command.split()],
            cwd=tmp_path,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == code
    assert "Cannot write to standard output: No space left on device." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Internal error" not in ended.stderr
