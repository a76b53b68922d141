"""Generated files are current, and one command writes them all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import generated
import pytest
from generated import GENERATED, STALE
from paths import ROOT


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_generated_file_is_current(path: Path) -> None:
    """A schema, the reference or a golden file is, byte for byte, what the code makes today."""
    assert path.read_text(encoding="utf-8") == GENERATED[path](), f"{path.relative_to(ROOT)} {STALE}"


def test_nothing_else_is_among_the_generated_files() -> None:
    """No schema and no golden file is left of something that is gone."""
    assert generated.strangers() == set()


def test_regenerating_writes_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is missing or old is written, a current one is not touched, and one that nothing makes goes."""
    (tmp_path / "schemas").mkdir()
    old, current, gone, missing = (tmp_path / "schemas" / name for name in ("old", "current", "gone", "missing"))
    for path in (old, current, gone):
        path.write_text("before")
    before = current.stat().st_mtime_ns
    made = {old: lambda: "after", current: lambda: "before", missing: lambda: "after"}
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    monkeypatch.setattr(generated, "GENERATED", made)
    generated.regenerate()
    assert {p.name: p.read_text() for p in (tmp_path / "schemas").iterdir()} == {
        "old": "after",
        "current": "before",
        "missing": "after",
    }
    assert current.stat().st_mtime_ns == before


def test_make_regen_writes_them() -> None:
    """The command that a stale file's message names is a target that runs this writer."""
    made = subprocess.run(["make", "-n", "regen"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tests/helpers/generated.py" in made.stdout
