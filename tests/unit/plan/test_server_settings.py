"""A plan that writes settings foresees what they do to everything else that it writes: as declared, else as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from canned import Canned
from catalog import MemorySession
from engine import plan_of, problems_of

LIVE: Mapping[str, tuple[str, Any]] = {
    "app_title": ("text", "Redmine"),
    "parent_issue_priority": ("text", "derived"),
    "parent_issue_dates": ("text", "derived"),
    "parent_issue_done_ratio": ("text", "derived"),
    "issue_done_ratio": ("text", "issue_field"),
    "cross_project_issue_relations": ("boolean", False),
    "cross_project_subtasks": ("text", "tree"),
    "default_projects_modules": ("set", ["issue_tracking", "wiki"]),
    "default_projects_tracker_ids": ("set", ["Bug", "Feature"]),
    "default_projects_public": ("boolean", True),
    "issue_group_assignment": ("boolean", False),
    "timelog_accept_0_hours": ("boolean", False),
    "timelog_max_hours_per_day": ("integer", 24),
}
"""Name → format and value."""


def shop() -> Canned:
    """A server with two projects, an issue with a subtask, and people."""
    redmine = Canned()
    for name in ("shop", "other"):
        redmine.add("projects", identifier=name, enabled_modules=["issue_tracking", "time_tracking"])
    top = redmine.add("issues", project="shop", subject="top", priority="Normal", done_ratio=0)
    redmine.add("issues", project="shop", subject="sub", priority="Normal", done_ratio=0, parent={"id": top})
    redmine.add("issues", project="other", subject="far")
    redmine.add("users", login="bob")
    redmine.add("groups", name="Support")
    redmine.add("memberships", project="shop", group="Support", roles=["Developer"])
    return redmine


def program(redmine: Canned) -> MemorySession:
    """The program that shows the settings."""
    made = MemorySession(redmine)
    for name, (form, value) in LIVE.items():
        made.add("setting", name=name, value=value, format=form)
    return made


def told(text: str, settings: str, *, inside: bool = True) -> str:
    """All problems and warnings of a plan, and what it changes besides settings, in one text."""
    redmine = shop()
    catalog = program(redmine) if inside else None
    manifest = f"{text}\nsettings: {{{settings}}}"
    problems = problems_of(redmine, manifest, catalog=catalog)
    if problems:
        return "\n".join(problem.message for problem in problems)
    plan = plan_of(redmine, manifest, catalog=catalog)
    changed = (f"{c.address} {f.path}" for c in plan.changes for f in c.all_fields if c.address.kind != "setting")
    return "\n".join([*(warning.message for warning in plan.warnings), *changed])


TOP = "issues: [{project: shop, subject: top, %s}]"
NEW = "projects: [{identifier: fresh, name: Fresh, %s}]"
CASES: Mapping[str, tuple[str, str, str, str, str]] = {
    # what the plan is about: (manifest, the setting as it is declared first, what is said, another value, what then)
    "priority of a parent": (
        TOP % "priority: High",
        "parent_issue_priority: derived",
        "priority: Redmine computes it from the subtasks",
        "parent_issue_priority: independent",
        "issue shop/top priority",
    ),
    "progress of a parent": (
        TOP % "done_ratio: 50",
        "parent_issue_done_ratio: derived",
        "done_ratio: Redmine computes it from the subtasks",
        "parent_issue_done_ratio: independent",
        "issue shop/top done_ratio",
    ),
    "modules of a new project": (
        NEW % "news: [{title: t, description: d}]",
        "default_projects_modules: [wiki]",
        'requires the module news, which is not enabled in project "fresh"',
        "default_projects_modules: [wiki, news]",
        "news fresh/t title",
    ),
    "trackers of a new project": (
        NEW % "enabled_modules: [issue_tracking], issues: [{subject: s, tracker: Support}]",
        "default_projects_tracker_ids: [Bug]",
        "Support",
        "default_projects_tracker_ids: [Bug, Support]",
        "issue fresh/s subject",
    ),
    "whether a new project is public": (
        NEW % "enabled_modules: [issue_tracking], issues: [{subject: s, tracker: Bug, watchers: [bob], author: bob}]",
        "default_projects_public: false",
        'bob is not a member of project "fresh"',
        "default_projects_public: true",
        "issue fresh/s subject",
    ),
    "groups as assignees": (
        TOP % "assigned_to: {group: Support}",
        "issue_group_assignment: false",
        "assigned_to: Redmine takes a group as assignee only with the setting",
        "issue_group_assignment: true",
        "issue shop/top assigned_to",
    ),
    "no hours": (
        "time_entries: [{project: shop, user: admin, spent_on: 2026-11-02, activity: Design, hours: 0}]",
        "timelog_accept_0_hours: false",
        "whether it takes 0 hours",
        "timelog_accept_0_hours: true",
        "hours",
    ),
    "many hours": (
        "time_entries: [{project: shop, user: admin, spent_on: 2026-11-02, activity: Design, hours: 20}]",
        "timelog_max_hours_per_day: 12",
        "Redmine takes at most 12 hours of a user on one day",
        "timelog_max_hours_per_day: 24",
        "hours",
    ),
}


@pytest.mark.parametrize("about", CASES)
def test_settings_as_declared(about: str) -> None:
    """What a declared setting forbids or replaces is told; with another value, the plan just makes the change."""
    text, first, said, other, then = CASES[about]
    assert said in told(text, first)
    changed = told(text, other)
    assert said not in changed and then in changed


def test_settings_as_they_are() -> None:
    """Of settings that the manifests do not declare, the live values count, if the program was asked."""
    assert "Redmine computes it from the subtasks" in told(TOP % "priority: High", "app_title: Ours")
    assert "requires the module news" in told(NEW % "news: [{title: t, description: d}]", "app_title: Ours")


def test_settings_that_cannot_be_written() -> None:
    """Without the program, a declared setting will not be written, so that nothing is concluded from it."""
    said = told(NEW % "news: [{title: t, description: d}]", "default_projects_modules: [wiki]", inside=False)
    assert "whether a new project has that is a setting of the server" in said


def test_a_value_that_is_none() -> None:
    """A declared value that the setting cannot have is its own problem, and no other one."""
    said = told(NEW % "news: [{title: t, description: d}]", "default_projects_modules: wiki")
    assert said == "value: expected a list"
