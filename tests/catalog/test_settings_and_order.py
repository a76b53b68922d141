"""Settings, LDAP, activities of a project and the order of lists, on a real Redmine: applied, and nothing left to do."""

from __future__ import annotations

import pytest
from engine import apply_to, plan_of, problems_of
from inside import query

from reconciler.catalog.session import Session
from reconciler.catalog.transport import Command
from reconciler.sandbox import Running, Sandbox

pytestmark = pytest.mark.custom_fields("Issue list")

TEXT = """
ordered: true
settings:
  allow: [twofa, host_name, self_registration]
  app_title: Our Redmine
  default_projects_public: false
  default_projects_modules: [wiki, issue_tracking]
  default_projects_tracker_ids: [Incident, Bug]
  new_project_user_role_id: Developer
  commit_logtime_activity_id: Design
  issue_list_default_columns: [tracker, subject, {custom_field: Issue list}]
  time_entry_list_defaults: {column_names: [spent_on, hours], totalable_names: [hours]}
  commit_update_keywords: [{keywords: "fixes, closes", status: Closed, if_tracker: Bug, done_ratio: 100}]
  non_working_week_days: [7, 6]
  per_page_options: "10, 20"
  self_registration: 0
  twofa: 2
  host_name: redmine.example.org
  emails_footer: "one\\ntwo\\n"
issue_statuses:
  - name: Waiting
  - name: In Progress
  - name: New
trackers:
  - {name: Incident, default_status: Waiting}
  - name: Support
  - name: Bug
roles:
  - name: Reporter
  - name: Non member
  - name: Manager
issue_priorities:
  - name: Urgent
  - name: Low
auth_sources:
  - {name: LDAP, host: ldap.example.net, port: 636, tls: true, account_password: hidden, attr_login: uid}
users:
  - {login: ldap-amy, firstname: Amy, lastname: Able, mail: ldap-amy@example.net, auth_source: LDAP}
projects:
  - identifier: own-activities
    name: Own activities
    enabled_modules: [time_tracking]
    time_entry_activities:
      - {name: Design, active: false}
"""
WRONG = """
settings:
  ap_title: x
  default_language: xx
  new_project_user_role_id: Nobody
  feeds_limit: many
"""


def test_a_catalog_of_settings_and_orders_converges(redmine: Sandbox, world: Running) -> None:
    """One apply writes all, and a second plan is empty."""
    session = Session(Command(redmine.runner()))
    report = apply_to(world, TEXT, catalog=session)
    assert [(str(r.change.address), r.outcome, r.errors) for r in report.results if r.outcome != "done"] == []
    statuses = [name for (name,) in query(redmine, "select name from issue_statuses order by position")]
    assert [name for name in statuses if name in ("Waiting", "In Progress", "New")] == ["Waiting", "In Progress", "New"]
    assert not plan_of(world, TEXT, catalog=session).changes


def test_wrong_settings_are_problems_at_their_lines(redmine: Sandbox, world: Running) -> None:
    """An unknown setting, and a value of another type, are told by the plan."""
    found = problems_of(world, WRONG, catalog=Session(Command(redmine.runner())))
    assert sorted((p.location.line, p.hint) for p in found) == [(3, 'did you mean "app_title"?'), (6, "")]
