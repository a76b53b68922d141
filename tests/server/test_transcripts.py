"""The transcripts of the docs: the commands of each page are run, and print what it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT
from snippets import PAGES, blocks, write

from reconciler.sandbox import Running

SHOWN_URL = "http://127.0.0.1:3161"
TRANSCRIPTS = [page for page in PAGES if any(block.language == "console" for block in blocks(page))]


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


@pytest.mark.parametrize("page", TRANSCRIPTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_transcript_is_what_happens(page: Path, world: Running, tmp_path: Path) -> None:
    """Each command of a page, with the files of the page and after what is above it, prints what the page shows."""
    for block in blocks(page):
        if block.file:
            write(block, tmp_path)
        for command, printed in commands(block.text) if block.language == "console" else ():
            assert run(command, tmp_path, world) == printed, command
