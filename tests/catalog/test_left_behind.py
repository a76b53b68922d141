"""What Redmine would leave behind of what is deleted, or taken from projects: told beforehand, and cleared away."""

from __future__ import annotations

import pytest
from engine import apply_to, plan_of
from pydantic import SecretStr

from reconciler.apply.report import Report
from reconciler.catalog.session import Session
from reconciler.catalog.transport import Command
from reconciler.sandbox import Running, Sandbox

WORLD = """
roles:
- {name: Tester, permissions: [view_issues]}
- {name: Other, permissions: [view_issues]}
trackers: [{name: Task, default_status: New}]
settings: {default_projects_tracker_ids: [Bug, Task], new_project_user_role_id: Tester}
custom_fields:
- {type: issue, name: Size, field_format: string, is_for_all: true, trackers: [Bug]}
- {type: issue, name: Judge, field_format: user, user_role: [Tester, Other], is_for_all: true, trackers: [Bug]}
projects:
- {identifier: one, name: One, trackers: [Bug], enabled_modules: [issue_tracking], issues: [{subject: a, custom_fields: {Size: big}}]}
"""
GONE = """
roles: [{name: Tester, state: absent}]
trackers: [{name: Task, state: absent}]
custom_fields: [{type: issue, name: Size, is_for_all: false}]
"""
LEFT = """
roles = CustomField.find_by!(name: 'Judge').user_role.map { |id| Role.find_by(id: id)&.name }
trackers = Setting.default_projects_tracker_ids.map { |id| Tracker.find_by(id: id)&.name }
print [roles, trackers, Setting.new_project_user_role_id].inspect
"""
REFUSED = {
    "the only tracker of new projects": (
        "settings: {default_projects_tracker_ids: [Task]}",
        "trackers: [{name: Task, state: absent}]",
        "it is the only tracker of new projects (the setting default_projects_tracker_ids)",
    ),
    "the only role of a field for users": (
        "custom_fields: [{type: issue, name: Judge, user_role: [Other]}]",
        "roles: [{name: Other, state: absent}]",
        "it is the only role of the users that custom fields take: Judge",
    ),
}


def notes(report: Report) -> dict[str, tuple[str, ...]]:
    """What is said of what was done."""
    assert {str(r.change.address): r.errors for r in report.results if r.outcome != "done"} == {}
    return {str(r.change.address): r.notes for r in report.results if r.notes}


def session(redmine: Sandbox, world: Running) -> Session:
    """The program inside the test server."""
    return Session(Command(redmine.runner()), SecretStr(world.api_key))


def test_what_named_it_names_it_no_more(redmine: Sandbox, world: Running) -> None:
    """A role and a tracker go from settings and custom fields; values that a project will lose are counted."""
    assert notes(apply_to(world, WORLD, catalog=session(redmine, world))) == {}
    assert notes(apply_to(world, GONE, catalog=session(redmine, world))) == {
        "role Tester": ("deleted with it: 1 place in a custom field, 1 place in the settings",),
        "tracker Task": ("deleted with it: 1 place in the settings",),
        "custom_field issue/Size": (
            "1 issue will lose the value when next saved, unless their projects are given the field",
        ),
    }
    assert redmine.run(LEFT) == '[["Other"], ["Bug"], "0"]'


@pytest.mark.parametrize("case", REFUSED)
def test_what_nothing_could_take_the_place_of(case: str, redmine: Sandbox, world: Running) -> None:
    """Without it, new projects would have no tracker, or a field would take everybody."""
    before, after, said = REFUSED[case]
    apply_to(world, WORLD, catalog=session(redmine, world))
    apply_to(world, before, catalog=session(redmine, world))
    (result,) = apply_to(world, after, catalog=session(redmine, world)).results
    assert [error.message for error in result.errors] == [said]


ACTIVITIES = """
custom_fields:
- {type: time_entry_activity, name: Account, field_format: string}
- {type: time_entry_activity, name: Billed, field_format: bool}
time_entry_activities: [{name: Development, custom_fields: {Account: a}}]
projects: [{identifier: one, name: One, time_entry_activities: [{name: Development, custom_fields: {Account: null, Billed: true}}]}]
"""


def test_what_a_project_clears_of_an_activity(redmine: Sandbox, world: Running) -> None:
    """An empty value is nothing, and a Boolean one is true or false: a second plan is empty."""
    assert notes(apply_to(world, ACTIVITIES, catalog=session(redmine, world))) == {}
    assert plan_of(world, ACTIVITIES, catalog=session(redmine, world)).changes == ()


USED = """
users: [{login: amy, firstname: Amy, lastname: Able, mail: amy@example.net}]
roles:
- {name: Old, permissions: [view_issues, log_time, view_time_entries]}
- {name: New, permissions: [view_issues, log_time, view_time_entries]}
time_entry_activities: [{name: Talk}]
issue_priorities: [{name: Soon}]
projects:
- identifier: one
  name: One
  trackers: [Bug]
  enabled_modules: [issue_tracking, time_tracking]
  members: [{user: amy, roles: [Old]}]
  issues: [{subject: a, priority: Soon}]
  time_entries: [{user: amy, spent_on: 2026-01-02, activity: Talk, hours: 1, comments: c}]
"""


def test_what_the_same_manifests_take_out_of_use(redmine: Sandbox, world: Running) -> None:
    """It is deleted in the same apply, after what has used it."""
    apply_to(world, USED, catalog=session(redmine, world))
    after = USED.replace(
        "name: Old, permissions: [view_issues, log_time, view_time_entries]", "name: Old, state: absent"
    )
    for name in ("Talk", "Soon"):
        after = after.replace(f"[{{name: {name}}}]", f"[{{name: {name}, state: absent}}]")
    after = after.replace("[Old]", "[New]").replace("priority: Soon", "priority: High")
    after = after.replace("comments: c}", "comments: c, state: absent}")
    report = apply_to(world, after, catalog=session(redmine, world))
    assert notes(report) == {}
    assert sum(r.change.action == "delete" for r in report.results) == 4
