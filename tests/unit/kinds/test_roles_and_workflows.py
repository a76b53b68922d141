"""Roles and workflows as objects of manifests, with the program inside Redmine in memory."""

from __future__ import annotations

import pytest
from canned import Canned
from catalog import MemorySession
from engine import apply_to, plan_of


@pytest.fixture
def program() -> MemorySession:
    """A Redmine with its usual lists."""
    return MemorySession(Canned())


RULES = """
workflows:
- {tracker: Bug, role: Manager, fields: {New: {Checked by: required, due_date: readonly}}}
custom_fields:
- {type: issue, name: Checked by, field_format: string, trackers: [Bug]}
"""
MANAGED = """
roles:
- {name: Head, permissions: [], all_roles_managed: false, managed_roles: [Helper, Reporter]}
- {name: Helper, permissions: []}
"""


def test_a_rule_waits_for_its_custom_field(program: MemorySession) -> None:
    """If the custom field of a workflow's rule cannot be created, the workflow is not tried."""
    report = apply_to(program.redmine, RULES, catalog=program)
    assert [result.outcome for result in report.results] == ["done", "done"]
    assert {item.kind: item.needs for item in program.items} == {"custom_field": (), "workflow": (0,)}
    assert plan_of(program.redmine, RULES, catalog=program).changes == ()


def test_a_role_manages_one_of_the_same_plan(program: MemorySession) -> None:
    """A new role can manage another new one, which may come after it."""
    report = apply_to(program.redmine, MANAGED, catalog=program)
    assert {result.outcome for result in report.results} == {"done"}
    head = next(row for row in program.rows("role") if row["name"] == "Head")
    assert sorted(head["managed_roles"]) == ["Helper", "Reporter"]
    assert plan_of(program.redmine, MANAGED, catalog=program).changes == ()


KEYED = """
custom_fields: [{name: Key, type: issue, field_format: string, is_filter: true, is_for_all: true, trackers: [Bug]}]
projects: [{identifier: shop, name: Shop, trackers: [Bug], issues: [{key: one, subject: One, tracker: Bug}]}]
"""


def test_the_field_of_issues_keys_is_of_the_same_plan(program: MemorySession) -> None:
    """Until it exists, no list of issues is filtered by it."""
    report = apply_to(program.redmine, KEYED, key_field="Key", catalog=program)
    assert {result.outcome for result in report.results} == {"done"}
    assert plan_of(program.redmine, KEYED, key_field="Key", catalog=program).changes == ()
    assert not [path for _, path in program.redmine.seen if "cf_-" in path]
