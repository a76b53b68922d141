"""Queries as objects of manifests, with the program inside Redmine in memory."""

from __future__ import annotations

import json

import pytest
from canned import Canned
from catalog import MemorySession, exported
from engine import apply_to, offline, plan_of, problems_of


@pytest.fixture
def memory() -> Canned:
    """A Redmine with its default data."""
    return Canned()


@pytest.fixture
def program(memory: Canned) -> MemorySession:
    """The program inside it."""
    return MemorySession(memory)


ALL = """
custom_fields: [{name: Size, type: issue, field_format: list, possible_values: [S, L], trackers: [Bug]}]
projects: [{identifier: shop, name: Shop, default_issue_query: Urgent}]
queries:
- name: Urgent
  visibility: public
  filters: {status: {operator: open}, tracker: Bug, priority: [High, Low], assigned_to: me, is_private: false, Size: L}
  columns: [id, status, Size]
  sort: [{priority: desc}, Size]
  group_by: Size
  totals: [estimated_hours]
- {name: Urgent, project: shop, visibility: roles, roles: [Manager], filters: {due_date: {operator: '<t+', values: 7}}}
- {name: By week, type: time_entry, visibility: public, filters: {spent_on: {operator: w}}}
"""
URGENT = {
    "filters": {
        "status_id": {"operator": "o", "values": []},
        "tracker_id": {"operator": "=", "values": ["Bug"]},
        "priority_id": {"operator": "=", "values": ["High", "Low"]},
        "assigned_to_id": {"operator": "=", "values": ["me"]},
        "is_private": {"operator": "=", "values": ["0"]},
        "[Size]": {"operator": "=", "values": ["L"]},
    },
    "columns": ["id", "status", ["Size"]],
    "sort": [["priority", "desc"], [["Size"], "asc"]],
    "group_by": ["Size"],
    "totals": ["estimated_hours"],
}


def test_what_the_program_is_given(memory: Canned, program: MemorySession) -> None:
    """Filters and columns have Redmine's names, custom fields are marked; the second plan is empty."""
    report = apply_to(memory, ALL, catalog=program)
    assert [result.outcome for result in report.results] == ["done"] * 5
    row = next(row for row in program.rows("query") if row["name"] == "Urgent" and row["project"] is None)
    assert {name: row[name] for name in URGENT} == URGENT
    assert plan_of(memory, ALL, catalog=program).changes == ()


def test_queries_of_a_project_come_after_it(memory: Canned, program: MemorySession) -> None:
    """Everything else of the catalog is written before: two calls in all."""
    apply_to(memory, ALL, catalog=program)
    keys = [item.key for item in program.items if item.kind == "query"]
    assert keys[-1] == {"type": "issue", "project": "shop", "name": "Urgent"}
    # One call reads.
    assert program.calls == 3


def test_queries_of_one_name_are_different_ones(memory: Canned, program: MemorySession) -> None:
    """The project and what is listed are parts of the identity."""
    changes = plan_of(memory, ALL, catalog=program).changes
    assert [change.address.key for change in changes if change.address.kind == "query"] == [
        "time_entry@/By week",
        "Urgent",
        "issue@shop/Urgent",
    ]


def test_a_name_that_looks_like_a_key(memory: Canned, program: MemorySession) -> None:
    """Whatever a query is called, its address means it alone."""
    text = "queries: [{name: issue@shop/X, visibility: public}, {name: a/b, visibility: public}]"
    apply_to(memory, text, catalog=program)
    assert sorted(row["name"] for row in program.rows("query")) == ["a/b", "issue@shop/X"]
    assert plan_of(memory, text, catalog=program).changes == ()


def test_a_custom_field_that_is_called_like_a_field(memory: Canned, program: MemorySession) -> None:
    """In brackets, a name is that of a custom field."""
    text = "custom_fields: [{name: status, type: issue, field_format: int}]\n"
    text += (
        "queries: [{name: Q, visibility: public, columns: [status, '[status]'], filters: {'[status]': 5, status: New}}]"
    )
    apply_to(memory, text, catalog=program)
    row = program.row("query", "Q")
    assert row["columns"] == ["status", ["status"]]
    assert set(row["filters"]) == {"[status]", "status_id"}
    assert plan_of(memory, text, catalog=program).changes == ()


def test_the_status_of_projects(memory: Canned, program: MemorySession) -> None:
    """In a query of projects, the status is no issue status, and Redmine calls it otherwise."""
    text = "queries: [{name: Ours, type: project, visibility: public, filters: {status: active}}]"
    apply_to(memory, text, catalog=program)
    assert program.row("query", "Ours")["filters"] == {"status": {"operator": "=", "values": ["active"]}}
    assert plan_of(memory, text, catalog=program).changes == ()


def test_a_filter_that_is_gone_is_a_change(memory: Canned, program: MemorySession) -> None:
    """The declared filters are all filters."""
    apply_to(memory, ALL, catalog=program)
    (change,) = plan_of(memory, ALL.replace("is_private: false, ", ""), catalog=program).changes
    assert [field.path for field in change.fields] == ["filters"]


def test_values_that_do_not_exist(memory: Canned, program: MemorySession) -> None:
    """The values of a filter are checked at plan time, where it is known what they name."""
    (found,) = problems_of(memory, ALL.replace("tracker: Bug", "tracker: Bgu"), catalog=program)
    assert 'filters: there is no tracker "Bgu"' in found.message
    assert 'did you mean "Bug"?' in found.hint


@pytest.mark.parametrize(
    "line, said",
    [
        ("visibility: private", "visibility"),
        ("visibility: roles, roles: []", "at least one role must be given"),
        ("visibility: public, roles: [Manager]", "roles are only for `visibility: roles`"),
        ("type: project, project: shop", "a query that lists projects is in none"),
        ("filters: {status: {values: [New]}}", "expected a value, a list of values, or {operator: …, values: …}"),
        ("filters: {status: {operator: o, value: New}}", "expected a value, a list of values"),
        ("sort: [{status: down}]", "expected a column, or {COLUMN: desc}"),
        ("filters: [status]", "filters"),
    ],
)
def test_what_is_wrong_without_a_server(line: str, said: str) -> None:
    """Each mistake is a problem on its line."""
    (problem,) = offline(f"queries:\n- {{name: Q, {line}}}").problems
    assert said in problem.message
    assert problem.location.line == 2


def test_a_query_of_one_person_is_left_alone(memory: Canned, program: MemorySession) -> None:
    """A query that only one person sees is not that of a manifest, whatever it is called."""
    memory.rows("queries").append({"id": 9, "name": "Urgent", "is_public": False, "project_id": None})
    plan = plan_of(memory, "queries: [{name: Urgent, visibility: public}]", catalog=program)
    assert [change.action for change in plan.changes] == ["create"]


def test_what_is_exported_plans_empty(memory: Canned, program: MemorySession) -> None:
    """Filters are written in their short form, and reading them back changes nothing."""
    apply_to(memory, ALL, catalog=program)
    found = exported(memory, program, "query")
    assert found["time_entry@/By week"]["filters"] == {"spent_on": {"operator": "w"}}
    assert found["Urgent"]["filters"]["status"] == {"operator": "open"}
    assert found["Urgent"]["filters"]["priority"] == ["High", "Low"]
    assert found["issue@shop/Urgent"]["project"] == "shop"
    again = plan_of(memory, json.dumps({"queries": list(found.values())}), catalog=program)
    assert (again.changes, again.unchanged) == ((), 3)


OWNED = """
custom_fields:
  - {name: Size, type: issue, field_format: list, possible_values: [S, L], trackers: [Bug]}
  - {name: issue.Odd, type: time_entry, field_format: string}
queries:
- name: Hours by size
  type: time_entry
  visibility: public
  filters: {issue.Size: L, "[issue.Odd]": x}
  columns: [spent_on, issue.Size, "[issue.Odd]"]
  sort: [issue.Size]
  group_by: issue.Size
"""


def test_custom_fields_of_other_objects(memory: Canned, program: MemorySession) -> None:
    """Redmine's `issue.cf_3` is written as `issue.Size`, as the number is another one elsewhere; exported the same."""
    report = apply_to(memory, OWNED, catalog=program)
    assert {result.outcome for result in report.results} == {"done"}
    row = next(row for row in program.rows("query") if row["name"] == "Hours by size")
    assert row["columns"] == ["spent_on", ["Size", "issue"], ["issue.Odd"]]
    assert set(row["filters"]) == {"issue.[Size]", "[issue.Odd]"}
    assert (row["sort"], row["group_by"]) == ([[["Size", "issue"], "asc"]], ["Size", "issue"])
    assert not plan_of(memory, OWNED, catalog=program).changes
    (body,) = exported(memory, program, "query").values()
    assert body["columns"] == ["spent_on", "issue.Size", "[issue.Odd]"]
    assert body["filters"] == {"[issue.Odd]": ["x"], "issue.Size": ["L"]}
