"""Links of the docs lead somewhere, and the commands and options in them exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from paths import ROOT

from reconciler.cli import main

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("examples/**/*.md"))]
HEADING = re.compile(r"^#+ (.+)$", re.M)
CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives a page's headings."""
    titles = HEADING.findall(CODE_BLOCK.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the project, and a heading in it."""
    for target, fragment in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not fragment or fragment in anchors(linked), f"{target}#{fragment}"


def test_every_page_is_in_the_navigation() -> None:
    """mkdocs.yml has each page of docs/ once, so that nobody writes one that readers of the site do not find."""
    named = re.findall(r"^ +- .*: ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert len(named) == len(set(named))
    assert {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")} <= set(named)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path) -> None:
    """Every `reconciler COMMAND --option` in the docs is one that the program knows."""
    lines = re.findall(r"reconciler ((?:[a-z]+)(?: [^\n`#|>)]*)?)", page.read_text())
    for line in lines:
        words = line.split()
        command = words[:2] if words[0] == "sandbox" and len(words) > 1 and words[1].isalpha() else words[:1]
        shown = help_of(*command)
        known = shown.exit_code == 0 or f"reconciler {line}" in NOT_COMMANDS
        assert known, line
        for option in re.findall(r"--[a-z][a-z-]*", line):
            assert option in shown.stdout, line


@cache
def help_of(*command: str) -> Result:
    """What a command prints as its help."""
    return CliRunner().invoke(main, [*command, "--help"])


NOT_COMMANDS = {"reconciler promises"}
