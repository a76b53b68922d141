"""The transcript of the README: its commands are run, and print what it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from paths import ROOT

from reconciler.sandbox import Running

SHOWN_URL = "http://127.0.0.1:3161"


def block(page: Path, language: str) -> str:
    """The first code block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", page.read_text(), re.S)
    assert found is not None
    return found[1]


def commands(transcript: str) -> list[tuple[str, str]]:
    """(command, what it prints) for each `$` line."""
    parts = re.split(r"^\$ (.*)\n", transcript, flags=re.M)
    return [(parts[i], parts[i + 1].strip("\n")) for i in range(1, len(parts), 2)]


def run(command: str, folder: Path, world: Running) -> str:
    """Run a shell command as a reader would; its stdout."""
    (folder / "bin").mkdir(exist_ok=True)
    tool = folder / "bin" / "reconciler"
    tool.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m reconciler "$@"\n')
    tool.chmod(0o755)
    path = f"{tool.parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "REDMINE_URL": world.url, "REDMINE_API_KEY": world.api_key}
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.stdout.strip("\n").replace(world.url, SHOWN_URL)


def test_the_transcript_of_the_readme_is_what_happens(world: Running, tmp_path: Path) -> None:
    """Each command of the README, on the manifest of the README, prints what the README shows."""
    (tmp_path / "redmine.yaml").write_text(block(ROOT / "README.md", "yaml"))
    for command, printed in commands(block(ROOT / "README.md", "console")):
        assert run(command, tmp_path, world) == printed, command
