"""Modules of a new project that are left to the server: a warning in the plan, and a reason in the results."""

from __future__ import annotations

import pytest
from canned import Canned
from engine import apply_to, plan_of

INSIDE = {
    "versions: [{name: v}]": "issue_tracking",
    "issue_categories: [{name: c}]": "issue_tracking",
    "issues: [{subject: s}]": "issue_tracking",
    "wiki_pages: [{title: T, text: t}]": "wiki",
    "news: [{title: t, description: d}]": "news",
    "time_entries: [{user: admin, spent_on: 2026-11-02, activity: Design, hours: 1}]": "time_tracking",
}


@pytest.mark.parametrize("text", INSIDE)
def test_modules_left_to_the_server(text: str) -> None:
    """A new project that does not declare its modules is a warning at the project, for every kind that needs one."""
    wanted = "projects:\n  - {identifier: shop, name: Shop, %s" + text + "}"
    (warned,) = plan_of(Canned(), wanted % "").warnings
    assert (str(warned.address), warned.source.line) == ("project shop", 2)
    assert f"needs {INSIDE[text]}:" in warned.message
    assert plan_of(Canned(), wanted % f"enabled_modules: [{INSIDE[text]}], ").warnings == ()


def test_no_warning_without_need() -> None:
    """Neither a project that is there nor one without contents that need a module is a warning."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    assert plan_of(redmine, "projects: [{identifier: shop, versions: [{name: v}]}]").warnings == ()
    assert plan_of(Canned(), "projects: [{identifier: new-one, name: N, members: []}]").warnings == ()


@pytest.mark.parametrize("text", INSIDE)
def test_what_a_module_hides_may_be_there_already(text: str) -> None:
    """Redmine shows nothing of a module that is off: where a plan enables one and creates what needs it, it warns."""
    redmine = Canned()
    redmine.add("projects", identifier="shop", enabled_modules=["calendar"])
    wanted = f"projects:\n  - {{identifier: shop, enabled_modules: [calendar, {INSIDE[text]}], {text}}}"
    (warned,) = plan_of(redmine, wanted).warnings
    assert (str(warned.address), warned.source.line) == ("project shop", 2)
    assert warned.message.startswith(f"{INSIDE[text]} is off as yet")
    redmine.set(redmine.row("projects", "shop"), "projects", enabled_modules=["calendar", INSIDE[text]])
    assert plan_of(redmine, wanted).warnings == ()


def test_what_the_new_project_lacks() -> None:
    """What needs a module that the new project does not have is not sent; the rest is done."""
    redmine = Canned()
    text = "projects: [{identifier: shop, name: S, versions: [{name: v}], news: [{title: t, description: d}]}]"
    results = {str(r.change.address): r for r in apply_to(redmine, text).results}
    assert {a: r.outcome for a, r in results.items()} == {
        "project shop": "done",
        "version shop/v": "done",
        "news shop/t": "failed",
    }
    (error,) = results["news shop/t"].errors
    assert error.message.startswith(
        'requires the module news, which the server has not enabled in the new project "shop"'
    )
    assert not any(method == "POST" and "news" in path for method, path in redmine.seen)
