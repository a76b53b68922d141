"""The man page and docs/commands.md have every command, option, example and exit code, as the program has them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from paths import ROOT

from reconciler.cli import main
from reconciler.cli.manual import CODES, entries, markdown, roff
from reconciler.errors import Exit

PAGES = {"man": roff, "markdown": markdown}


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_missing(page: str) -> None:
    """Each command has its description, its own options and its examples on both pages."""
    text = PAGES[page]().replace("\\-", "-").replace("\\e", "\\").replace("\\|", "|").replace("`", "")
    for entry in entries():
        assert entry.usage in text or not entry.words
        for words in [*(name for name, _ in entry.options), *(example.line for example in entry.examples)]:
            assert words in text, words


def test_every_exit_code_is_explained() -> None:
    """The exit codes are those of the program, with the words of `--help`."""
    assert set(CODES) == set(Exit)
    helped = " ".join((main.help or "").split())
    assert [meaning for code, meaning in CODES.items() if f"{int(code)} {meaning}" not in helped] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_is_valid() -> None:
    """groff formats the page without a warning."""
    page = ROOT / "man" / "reconciler.1"
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", page], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "reconciler" in done.stdout
