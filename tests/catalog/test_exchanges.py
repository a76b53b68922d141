"""Objects of the catalog that exchange their names, on a real Redmine: each keeps its number, and what uses it."""

from __future__ import annotations

from engine import apply_to, plan_of
from pydantic import SecretStr

from reconciler.catalog.session import Session
from reconciler.catalog.transport import Command
from reconciler.sandbox import Running, Sandbox

ONE = """
issue_statuses: [{name: Waiting, is_closed: false}, {name: Over, is_closed: true}]
trackers:
- {name: Task, default_status: Waiting, description: t, is_in_roadmap: false}
- {name: Epic, default_status: New, description: e, is_in_roadmap: true}
roles: [{name: Cook, permissions: [view_issues, add_issues]}, {name: Guest, permissions: [edit_issues]}]
issue_priorities: [{name: Soon, active: false}, {name: Later, active: true}]
time_entry_activities: [{name: Talk, active: false}, {name: Walk, active: true}]
custom_fields:
- {type: issue, name: Size, field_format: string, description: s, is_for_all: true, trackers: [Task]}
- {type: issue, name: Color, field_format: string, description: c, is_for_all: true, trackers: [Task]}
queries:
- {name: Mine, visibility: public, filters: {author: me}}
- {name: Yours, visibility: public, filters: {assigned_to: me}}
projects:
- identifier: desk
  name: Desk
  trackers: [Task, Epic]
  enabled_modules: [issue_tracking]
  issues: [{subject: it, tracker: Task, status: Waiting, custom_fields: {Size: big, Color: red}}]
"""
NAMES = [
    "Waiting",
    "Over",
    "Task",
    "Epic",
    "Cook",
    "Guest",
    "Soon",
    "Later",
    "Talk",
    "Walk",
    "Size",
    "Color",
    "Mine",
    "Yours",
]
PAIRS = dict(zip(NAMES[::2], NAMES[1::2], strict=True))
KEPT = """
names = [IssueStatus, Tracker, Role, IssuePriority, TimeEntryActivity, CustomField, Query].flat_map do |model|
  model.where(name: %w[NAMES]).order(:id).map(&:name)
end
print names.join(' ')
""".replace("NAMES", " ".join(NAMES))


def exchanged(text: str) -> str:
    """The manifests with the names exchanged where objects are declared and where others name them."""
    for one, other in PAIRS.items():
        text = text.replace(one, "\0").replace(other, one).replace("\0", other)
        for new, old in ((other, one), (one, other)):
            text = text.replace(f"name: {new},", f"name: {new}, renamed_from: {old},")
    return text


def test_names_are_exchanged(redmine: Sandbox, world: Running) -> None:
    """One apply does it, of every kind; an issue keeps what it has, under the new names."""
    session = Session(Command(redmine.runner()), SecretStr(world.api_key))
    assert [r.errors for r in apply_to(world, ONE, catalog=session).results if r.outcome != "done"] == []
    before = redmine.run(KEPT).split()
    after = exchanged(ONE)
    report = apply_to(world, after, catalog=session)
    assert {str(r.change.address): r.errors for r in report.results if r.outcome != "done"} == {}
    assert {change.address.kind for change in report.plan.changes}.isdisjoint({"issue", "project"})
    other = {**PAIRS, **{new: old for old, new in PAIRS.items()}}
    assert redmine.run(KEPT).split() == [other[name] for name in before]
    assert plan_of(world, after, catalog=session).changes == ()
