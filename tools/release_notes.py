"""Print the section of a version in CHANGELOG.md, for the page of a release.

python tools/release_notes.py 0.1.0         (make release-notes VERSION=0.1.0)
python tools/release_notes.py               what is not released yet
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"
UNRELEASED = "Unreleased"


def notes(text: str, version: str = UNRELEASED) -> str:
    """The section of a version, without its heading. Raises LookupError if there is none, or nothing in it."""
    sections = re.split(r"^## (.+)\n", text, flags=re.M)
    known = {title.split()[0].strip("[]"): body for title, body in zip(sections[1::2], sections[2::2], strict=True)}
    if version not in known:
        raise LookupError(f"CHANGELOG.md has no section {version}; it has {', '.join(known)}.")
    # Without headings of which nothing is below.
    body = re.sub(r"^### .+\n+(?=### |\Z)", "", known[version].strip() + "\n", flags=re.M).strip()
    if not body:
        raise LookupError(f"CHANGELOG.md says nothing about {version}.")
    return body


if __name__ == "__main__":
    try:
        print(notes(CHANGELOG.read_text(encoding="utf-8"), *sys.argv[1:2]))
    except LookupError as error:
        sys.exit(str(error))
