"""The example of the pytest plugin, run as in a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from paths import ROOT

EXAMPLE = ROOT / "examples" / "pytest"


def test_the_tests_of_the_example_pass(redmine_version: str) -> None:
    """Worlds on a sandbox: created with a setup, changed, restored, with what the team's own configuration declares."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--redmine-version", redmine_version]
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("REDMINE_", "RECONCILER_", "PYTEST_"))}
    # A leftover in a shell: tests must not run there.
    kept["REDMINE_URL"] = "http://127.0.0.1:1"
    done = subprocess.run(command, cwd=EXAMPLE, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("6 passed"), done.stdout
