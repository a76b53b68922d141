"""Custom fields and queries from manifests, on a real Redmine: created with what uses them, renamed, exported."""

from __future__ import annotations

import json
from typing import Any

import pytest
from catalog import exported
from custom_fields import EVERY
from engine import apply_to, plan_of, rows
from pydantic import SecretStr

from reconciler.apply.report import Report
from reconciler.catalog.session import Session
from reconciler.catalog.transport import Command
from reconciler.sandbox import Running, Sandbox

pytestmark = pytest.mark.custom_fields(EVERY)

FIELDS = """
issue_statuses: [{name: Open}]
trackers: [{name: Incident, default_status: Open}]
custom_fields:
- name: Extent
  type: issue
  field_format: list
  possible_values: [S, M, L]
  default_value: M
  is_filter: true
  is_for_all: true
  trackers: [Incident]
- name: Channel
  type: issue
  field_format: enumeration
  options: [Web, {name: Fax, active: false}, Phone]
  default_value: Web
  is_for_all: true
  trackers: [Incident]
- name: Caretaker
  type: issue
  field_format: user
  user_role: [Manager]
  multiple: true
  edit_tag_style: check_box
  visible: false
  roles: [Manager]
  trackers: [Incident]
- {name: Target, type: issue, field_format: version, version_status: [open], trackers: [Incident]}
- {name: Report, type: issue, field_format: text, text_formatting: full, full_width_layout: true, trackers: [Incident]}
- {name: Contract, type: version, field_format: attachment, extensions_allowed: pdf}
- {name: Initials, type: user, field_format: string, regexp: '^[A-Z]+$', min_length: 2, max_length: 5}
- {name: Invoiced, type: time_entry_activity, field_format: bool, default_value: true}
time_entry_activities: [{name: Consulting, custom_fields: {Invoiced: false}}]
projects:
- identifier: desk
  name: Desk
  trackers: [Incident]
  enabled_modules: [issue_tracking]
  default_issue_query: Large ones
  issues: [{subject: One, tracker: Incident, custom_fields: {Extent: L, Channel: Phone}}]
"""
QUERIES = """
queries:
- name: Large ones
  visibility: public
  filters: {Extent: L, tracker: Incident, status: {operator: open}, assigned_to: me, is_private: false}
  columns: [id, status, Extent]
  sort: [{priority: desc}, Extent]
  group_by: Extent
  totals: [estimated_hours]
- {name: Ours, project: desk, visibility: roles, roles: [Manager], filters: {due_date: {operator: '<t+', values: 7}}}
- {name: This week, type: time_entry, visibility: public, filters: {spent_on: {operator: w}}, totals: [hours]}
- {name: Running, type: project, visibility: public, filters: {status: active}}
"""
TEXT = FIELDS + QUERIES


def program(sandbox: Sandbox, world: Running) -> Session:
    """The program inside the test server."""
    return Session(Command(sandbox.runner()), SecretStr(world.api_key))


def failures(report: Report) -> dict[str, list[str]]:
    """What went wrong: object → messages."""
    return {str(r.change.address): [e.message for e in r.errors] for r in report.results if r.outcome != "done"}


def issue_values(world: Running) -> dict[str, Any]:
    """The custom fields of the one issue, as the API shows them."""
    (issue,) = rows(world, "/issues.json?project_id=desk&status_id=*", "issues")
    return {field["name"]: field["value"] for field in issue["custom_fields"]}


def test_one_apply_and_a_rename(redmine: Sandbox, world: Running) -> None:
    """Fields, what has values of them, and queries by them are one apply; renamed values stay those of the issue."""
    session = program(redmine, world)
    assert failures(apply_to(world, TEXT, catalog=session)) == {}
    # Read, the catalog, and the query of a project after that project.
    assert session.calls == 3
    before = issue_values(world)
    assert before["Extent"] == "L"
    assert plan_of(world, TEXT, catalog=session).changes == ()
    after = TEXT.replace("Extent: L", "Extent: Large").replace("default_value: M", "default_value: Middle")
    after = after.replace("[S, M, L]", "[S, {value: Middle, renamed_from: M}, {value: Large, renamed_from: L}]")
    after = after.replace("[Web, {name: Fax, active: false}, Phone]", "[{name: Call, renamed_from: Phone}, Web, Fax]")
    after = after.replace("Channel: Phone", "Channel: Call")
    changes = plan_of(world, after, catalog=session).changes
    assert [str(change.address) for change in changes] == ["custom_field issue/Channel", "custom_field issue/Extent"]
    assert failures(apply_to(world, after, catalog=session)) == {}
    assert issue_values(world) == {**before, "Extent": "Large"}
    assert plan_of(world, after, catalog=session).changes == ()


def test_what_is_exported_plans_empty(redmine: Sandbox, world: Running) -> None:
    """All custom fields and queries of a server, those of its default data too, are exported without a remark."""
    session = program(redmine, world)
    fields, queries = (list(exported(world, session, kind).values()) for kind in ("custom_field", "query"))
    assert len(fields) > 10
    assert queries
    plan = plan_of(world, json.dumps({"custom_fields": fields, "queries": queries}), catalog=session)
    assert (plan.changes, plan.unchanged) == ((), len(fields) + len(queries))


NAMED = """
users: [{login: amy, firstname: Amy, lastname: Able, mail: amy@example.net}]
groups: [{name: Crew, users: [amy]}]
projects: [{identifier: desk, name: The Desk, trackers: [Bug], enabled_modules: [issue_tracking]}]
custom_fields:
- {type: issue, name: Judge, field_format: user, is_filter: true, is_for_all: true, trackers: [Bug]}
- {type: issue, name: Hue, field_format: enumeration, options: [Red, Blue], is_filter: true, is_for_all: true, trackers: [Bug]}
queries:
- {name: Unused tracker, visibility: public, filters: {tracker: [Bug, Support]}}
- {name: No member, visibility: public, filters: {assigned_to: [amy, Crew, me], Judge: amy, Hue: Blue}, sort: []}
- {name: Here, visibility: public, filters: {project: desk, member_of_group: Crew, assigned_to_role: Manager}}
- {name: Mine, type: project, visibility: public, filters: {id: [desk, mine], status: active}}
- {name: Bugs, type: time_entry, visibility: public, filters: {issue.tracker: Bug, activity: Design, user: amy}}
"""
STORED = """
numbers = Query.where(name: ['Unused tracker', 'No member', 'Here', 'Mine', 'Bugs']).flat_map do |query|
  query.filters.values.flat_map { |filter| filter[:values] }
end
print numbers.reject { |value| value =~ /\\A\\d+\\z/ }.sort.join(' ')
"""


def test_filters_have_numbers(redmine: Sandbox, world: Running) -> None:
    """What a filter names is stored by its number, also where no project uses it and Redmine would offer none."""
    session = program(redmine, world)
    assert failures(apply_to(world, NAMED, catalog=session)) == {}
    assert redmine.run(STORED) == "me mine"
    assert plan_of(world, NAMED, catalog=session).changes == ()


def test_filters_that_have_texts_are_mended(redmine: Sandbox, world: Running) -> None:
    """A text where Redmine wants a number finds nothing, although it looks like the name that is declared."""
    session = program(redmine, world)
    apply_to(world, NAMED, catalog=session)
    redmine.run(
        "query = Query.find_by!(name: 'Here'); query.filters = {}; query.add_filter('project_id', '=', ['desk']); query.save!"
    )
    (change,) = plan_of(world, NAMED, catalog=session).changes
    assert str(change.address) == "query Here"
    assert failures(apply_to(world, NAMED, catalog=session)) == {}
    assert redmine.run(STORED) == "me mine"


def test_names_that_nothing_has_are_refused(redmine: Sandbox, world: Running) -> None:
    """Redmine itself would store any text, and find nothing."""
    field = {"name": "Silent", "type": "issue", "field_format": "string", "trackers": ["Bug"]}
    wrong = {"assigned_to": "nobody", "project": "nowhere", "assigned_to_role": "Nothing", "Silent": "x", "relatd": 1}
    lists = [{"name": n, "visibility": "public", "filters": {n: value}} for n, value in wrong.items()]
    text = json.dumps({"custom_fields": [field], "queries": lists})
    assert failures(apply_to(world, text, catalog=program(redmine, world))) == {
        "query Silent": ['custom field "Silent" is no filter; declare is_filter: true'],
        "query assigned_to": ['assigned_to: there is no "nobody"'],
        "query assigned_to_role": ['assigned_to_role: there is no "Nothing"'],
        "query project": ['project: there is no "nowhere"'],
        "query relatd": ["relatd: no such filter"],
    }
