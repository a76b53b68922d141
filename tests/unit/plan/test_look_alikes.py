"""Nothing is created beside what looks the same without a warning."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from canned import Canned
from engine import plan_of

SIZE = "Größe"
DECOMPOSED = unicodedata.normalize("NFD", SIZE)


@pytest.mark.parametrize(
    ("table", "live", "declared"),
    [
        ("versions", {"name": DECOMPOSED}, f"versions: [{{name: {SIZE}}}]"),
        ("versions", {"name": "1.0 "}, 'versions: [{name: "1.0"}]'),
        ("versions", {"name": "1.0\u200b"}, 'versions: [{name: "1.0"}]'),
        ("versions", {"name": "RC"}, "versions: [{name: rc}]"),
        ("issue_categories", {"name": DECOMPOSED}, f"issue_categories: [{{name: {SIZE}}}]"),
        ("news", {"title": DECOMPOSED, "description": "x"}, f"news: [{{title: {SIZE}, description: x}}]"),
        ("issues", {"subject": DECOMPOSED}, f"issues: [{{subject: {SIZE}}}]"),
        ("wiki_pages", {"title": DECOMPOSED, "text": "x"}, f"wiki_pages: [{{title: {SIZE}, text: x}}]"),
    ],
)
def test_a_look_alike_in_a_project(table: str, live: dict[str, Any], declared: str) -> None:
    """What is about to be created beside a live object that looks the same is created with a warning."""
    redmine = Canned()
    modules = ["issue_tracking", "news", "wiki"]
    redmine.add("projects", identifier="shop", enabled_modules=modules)
    redmine.add(table, **({"inside": "shop"} if table == "wiki_pages" else {"project": "shop"}), **live)
    plan = plan_of(redmine, f"projects:\n  - identifier: shop\n    {declared}\n")
    (warned,) = plan.warnings
    assert [change.action for change in plan.changes] == ["create"]
    assert "which looks the same: only " in warned.message
    assert "renamed_from" in warned.message


def test_a_look_alike_group() -> None:
    """The same holds for groups."""
    redmine = Canned()
    redmine.add("groups", name=DECOMPOSED)
    (warned,) = plan_of(redmine, f"groups: [{{name: {SIZE}}}]").warnings
    assert f'"{DECOMPOSED}", which looks the same' in warned.message


def test_no_warning_for_what_is_declared() -> None:
    """A live object that is declared too is no twin, nor is a renamed one."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    redmine.add("versions", project="shop", name="RC")
    text = "projects: [{identifier: shop, versions: [{name: rc%s}%s]}]"
    assert not plan_of(redmine, text % ("", ", {name: RC}")).warnings
    assert not plan_of(redmine, text % (", renamed_from: RC", "")).warnings
