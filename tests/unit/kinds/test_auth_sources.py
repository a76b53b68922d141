"""Authentication modes: written by the program, named by users, and their password never shown."""

from __future__ import annotations

import pytest
from canned import Canned
from catalog import MemorySession
from engine import apply_to, plan_of, problems_of

from reconciler.model.spec import Secret

LDAP = """
auth_sources:
  - name: LDAP
    host: ldap.example.net
    port: 636
    tls: true
    account: cn=redmine
    account_password: hidden
    attr_login: uid
"""
AMY = """
users:
  - {login: amy2, firstname: Amy, lastname: Ash, mail: amy2@example.net, auth_source: LDAP}
"""


@pytest.fixture
def program() -> MemorySession:
    """A Redmine without authentication modes."""
    return MemorySession(Canned())


def test_the_password_is_written_once_and_never_shown(program: MemorySession) -> None:
    """It is sent with a new mode; afterwards nothing tells whether it is still the same."""
    plan = plan_of(program.redmine, LDAP, catalog=program)
    (change,) = plan.changes
    shown = {field.path: field.after for field in change.fields}
    assert isinstance(shown["account_password"], Secret)
    assert "hidden" not in repr(shown)
    apply_to(program.redmine, LDAP, catalog=program)
    assert program.row("auth_source", "LDAP")["account_password"] == "hidden"
    assert not plan_of(program.redmine, LDAP.replace("hidden", "another"), catalog=program).changes


def test_a_user_can_have_a_mode_that_the_same_plan_creates(program: MemorySession) -> None:
    """The mode comes first; the API takes its number."""
    report = apply_to(program.redmine, LDAP + AMY, catalog=program)
    assert {result.outcome for result in report.results} == {"done"}
    (amy,) = [row for row in program.redmine.rows("users") if row["login"] == "amy2"]
    assert amy["auth_source"]["id"] == program.row("auth_source", "LDAP")["id"]


def test_a_user_can_have_a_mode_that_only_the_program_knows(program: MemorySession) -> None:
    """No user shows it yet, and no manifest declares it."""
    program.add("auth_source", name="LDAP", host="h", attr_login="uid")
    assert not problems_of(program.redmine, AMY, catalog=program)


def test_a_misspelled_mode_is_a_problem_with_the_nearest_name(program: MemorySession) -> None:
    """Those that the program shows are known."""
    program.add("auth_source", name="LDAP", host="h", attr_login="uid")
    (problem,) = problems_of(program.redmine, AMY.replace("LDAP", "LDPA"), catalog=program)
    assert problem.hint == 'did you mean "LDAP"?'


def test_a_mode_is_renamed_with_its_users(program: MemorySession) -> None:
    """It keeps its number."""
    number = program.add("auth_source", name="Old", host="ldap.example.net", attr_login="uid")
    text = "auth_sources: [{name: New, renamed_from: Old, host: ldap.example.net}]"
    report = apply_to(program.redmine, text, catalog=program)
    assert [(result.outcome, result.change.action) for result in report.results] == [("done", "update")]
    assert program.row("auth_source", "New")["id"] == number
    assert not plan_of(program.redmine, text, catalog=program).changes


def test_a_new_mode_needs_a_host_and_an_attribute(program: MemorySession) -> None:
    """Redmine refuses it otherwise."""
    (problem,) = problems_of(program.redmine, "auth_sources: [{name: LDAP}]", catalog=program)
    assert problem.message == "does not exist yet; to create it, host and attr_login must be set"
