"""Writes the index of the kinds, with which all others of the generated files are made (`make regen`)."""

from __future__ import annotations

from paths import ROOT

from reconciler.reference.kind_index import index

INDEX = ROOT / "reconciler" / "kinds" / "_index.py"

if __name__ == "__main__":
    text = index()
    if not INDEX.exists() or INDEX.read_text(encoding="utf-8") != text:
        INDEX.write_text(text, encoding="utf-8")
        print(f"written: {INDEX.relative_to(ROOT)}")
