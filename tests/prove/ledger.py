"""The file of the cases that are finished: `make prove` goes on where it stopped, as long as the code is the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TypedDict

from paths import ROOT

CODE = ("reconciler", "tests/prove", "tests/helpers")
"""The folders on whose files a result depends."""


class Entry(TypedDict):
    """A finished case."""

    case: str
    request: str
    word: str
    wrong: list[str]


def version_of_code() -> str:
    """A digest of everything that a result depends on."""
    hasher = hashlib.sha256()
    for folder in CODE:
        for path in sorted(ROOT.joinpath(folder).rglob("*.py")) + sorted(ROOT.joinpath(folder).rglob("*.rb")):
            hasher.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return hasher.hexdigest()[:16]


class Ledger:
    """A file with a line for the code and one for each finished case; that of another code is begun anew."""

    def __init__(self, path: Path, code: str) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        if not lines or lines[0] != json.dumps({"code": code}):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"code": code}) + "\n")

    def entries(self) -> dict[str, Entry]:
        """The finished cases, by their id; the last result counts."""
        found: dict[str, Entry] = {}
        for line in self.path.read_text().splitlines()[1:]:
            # The last line of a run that was killed may be half a line.
            try:
                entry: Entry = json.loads(line)
            except ValueError:
                continue
            found[entry["case"]] = entry
        return found

    def add(self, entry: Entry) -> None:
        """Note a finished case; several processes may do so."""
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
