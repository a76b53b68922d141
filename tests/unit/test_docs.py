"""The README's transcript and the commands of the docs are run, and print what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the project."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path) -> None:
    """Every `reconciler COMMAND --option` in the docs is one that the program knows."""
    lines = re.findall(r"reconciler ((?:[a-z]+)(?: [^\n`#|>)]*)?)", page.read_text())
    for line in lines:
        words = line.split()
        command = words[:2] if words[0] == "sandbox" and len(words) > 1 else words[:1]
        shown = subprocess.run(
            [sys.executable, "-m", "reconciler", *command, "--help"], capture_output=True, text=True, check=False
        )
        known = shown.returncode == 0 or f"reconciler {line}" in NOT_COMMANDS
        assert known, line
        for option in re.findall(r"--[a-z][a-z-]*", line):
            assert option in shown.stdout, line


NOT_COMMANDS = {"reconciler promises"}

