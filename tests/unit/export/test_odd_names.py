"""Names with line breaks, marks of direction and control characters in an export."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from canned import Canned

from reconciler import export_to
from reconciler.export.yaml_writer import dump
from reconciler.manifest import loader

ODD = "a\nb\u202egpj.exe\x07\u200b/../x"


def test_identifiers(canned: Canned, tmp_path: Path) -> None:
    """A project whose identifier cannot be part of a URL is left out, and said to be; all others are exported."""
    canned.add("projects", identifier="a\nb", name="Broken")
    canned.add("projects", identifier="\u202egpj", name="Mirrored")
    exported = export_to(tmp_path / "out")
    assert (tmp_path / "out/projects/shop.yaml").exists()
    left_out = [said for _, said in exported.left_out if "identifier is" in said]
    assert len(left_out) == 2
    assert all("a name that can be part of a URL" in said for said in left_out)


@pytest.mark.parametrize("table", ["versions", "issues", "wiki_pages", "news"])
def test_titles(canned: Canned, tmp_path: Path, table: str) -> None:
    """Titles with such characters are exported or left out, and no file has one of them in its name."""
    text = "\n".join(f"line {number}" for number in range(60))
    home = {"inside": "shop"} if table == "wiki_pages" else {"project": "shop"}
    named = {"versions": "name", "issues": "subject"}.get(table, "title")
    body = "text" if table == "wiki_pages" else "description"
    canned.set(canned.row("projects", "shop"), "projects", enabled_modules=["issue_tracking", "wiki", "news"])
    canned.add(table, **home, **{named: ODD, body: text})
    export_to(tmp_path / "out")
    names = [path.name for path in (tmp_path / "out").rglob("*")]
    assert names and all(name.isprintable() for name in names), names


@pytest.mark.parametrize("mark", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_what_rearranges_a_line_is_visible(mark: str) -> None:
    """A subject cannot make a manifest look in an editor, or in a review, as what it does not say: it is escaped."""
    for text in (f"adm{mark}in", f"one\n{mark}two\n", f"{mark}🚀 Küche"):
        written = dump({text.strip(): text})
        assert mark not in written
        assert f"\\u{ord(mark):04X}" in written
        assert loader.load(("-",), {}, stdin=io.StringIO(written)).documents == ({text.strip(): text},)


def test_other_marks_of_hebrew_and_arabic_stay() -> None:
    """Marks that belong to such texts, and what joins the parts of an emoji, do not make them unreadable."""
    text = "שלום\u200f! می\u200cخواهم 👩\u200d💻\nזה\n"
    assert dump({"a": text}) == f"a: |\n  {text.splitlines()[0]}\n  {text.splitlines()[1]}\n"
