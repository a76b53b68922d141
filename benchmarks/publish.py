"""Writes the page and the plots from the files in `results/`; nothing is measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import fleet
import fleet_page
import page
import sizes
from results import Book, Part

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PLOT, FLEET_PLOT = "performance.md", "performance.svg", "fleet.svg"


def written(text: str, parts: Sequence[Part], many: fleet.Measured | None) -> dict[str, str]:
    """The page, from its text of now, and the plots, by the names of their files."""
    files = {}
    servers = [part for part in parts if part.name not in ("growth", "offline", "sizes")]
    if parts:
        text = page.between(text, "goals", page.goals(parts))
        text = page.between(text, "measured", page.measured(servers))
    for part in parts:
        if part.name == "growth":
            text = page.between(text, "growth", page.grown(part))
            files[PLOT] = page.plot(part)
        if part.name == "sizes":
            text = page.between(text, "sizes", sizes.section(part))
    if many is not None:
        text = page.between(text, "fleet", fleet_page.section(many))
        files[FLEET_PLOT] = fleet_page.plot(many)
    return {PAGE: text, **files}


def publish(book: Book, docs: Path = DOCS) -> None:
    """Write them."""
    files = written((docs / PAGE).read_text(), list(book.parts()), fleet.read())
    for name, text in files.items():
        (docs / name).write_text(text)
