"""Settings: one mapping in a manifest, the values as Redmine has them, and what is never written."""

from __future__ import annotations

import pytest
from canned import Canned
from catalog import MemorySession
from engine import apply_to, offline, plan_of, problems_of

from reconciler.model.address import Address


@pytest.fixture
def program() -> MemorySession:
    """A Redmine with one setting of each format."""
    made = MemorySession(Canned())
    made.add("setting", name="app_title", value="Redmine", format="text")
    made.add("setting", name="login_required", value=False, format="boolean")
    made.add("setting", name="feeds_limit", value=15, format="integer")
    made.add("setting", name="notified_events", value=["issue_updated", "issue_added"], format="set")
    made.add("setting", name="issue_list_default_columns", value=["subject", "status"], format="list")
    made.add("setting", name="time_entry_list_defaults", value={"column_names": ["hours"]}, format="mapping")
    made.add("setting", name="default_projects_tracker_ids", value=["Bug"], format="set")
    made.add("setting", name="commit_update_keywords", value=[], format="list")
    return made


ALL = """
settings:
  allow: [login_required]
  app_title: Our Redmine
  login_required: yes
  feeds_limit: 20
  notified_events: [issue_added]
  issue_list_default_columns: [status, subject, {custom_field: Size}]
  time_entry_list_defaults: {column_names: [hours, user]}
"""


def test_values_of_every_format_are_written_and_a_second_plan_is_empty(program: MemorySession) -> None:
    """Texts, numbers, yes and no, sets, lists and mappings: what is declared is written, in Redmine's own types."""
    report = apply_to(program.redmine, ALL, catalog=program)
    assert {result.outcome for result in report.results} == {"done"}
    values = {row["name"]: row["value"] for row in program.rows("setting")}
    assert values["app_title"] == "Our Redmine"
    assert values["login_required"] is True
    assert values["feeds_limit"] == 20
    assert values["issue_list_default_columns"] == ["status", "subject", {"custom_field": "Size"}]
    assert values["time_entry_list_defaults"] == {"column_names": ["hours", "user"]}
    assert values["default_projects_tracker_ids"] == ["Bug"]
    assert not plan_of(program.redmine, ALL, catalog=program).changes


@pytest.mark.parametrize(
    "same",
    [
        "app_title: Redmine",
        "feeds_limit: '15'",
        "notified_events: [issue_added, issue_updated]",
        "{allow: [login_required], login_required: off}",
    ],
)
def test_another_spelling_of_the_same_value_is_no_change(program: MemorySession, same: str) -> None:
    """`off` is false, and the order of a set means nothing."""
    assert not plan_of(program.redmine, f"settings:\n  {same}", catalog=program).changes


def test_the_order_of_columns_counts(program: MemorySession) -> None:
    """A list whose order is seen is compared with its order."""
    plan = plan_of(program.redmine, "settings: {issue_list_default_columns: [status, subject]}", catalog=program)
    assert [change.address for change in plan.changes] == [Address("setting", "issue_list_default_columns")]


@pytest.mark.parametrize(
    ("entry", "message", "hint"),
    [
        ("ap_title: x", 'value: this Redmine has no setting "ap_title"', 'did you mean "app_title"?'),
        ("feeds_limit: many", "value: expected a whole number", ""),
        ("notified_events: all", "value: expected a list", ""),
        ("app_title: [a]", "value: expected a text", ""),
        ("time_entry_list_defaults: [a]", "value: expected a mapping of lists", ""),
    ],
)
def test_what_a_setting_cannot_be_is_a_problem_at_its_line(
    program: MemorySession, entry: str, message: str, hint: str
) -> None:
    """The program tells which settings there are, and what each is made of."""
    (problem,) = problems_of(program.redmine, f"settings:\n  {entry}", catalog=program)
    assert (problem.location.line, problem.message, problem.hint) == (2, message, hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("settings: [a]", "expected a mapping, found a list"),
        (
            "settings: {app_title: {a: b}}",
            "value: expected true, false, a number, a text, a list, or a mapping of lists, found a mapping",
        ),
        ("settings: {plugin_x: {a: [b]}}", "settings of plugins are not managed: only the plugin knows what is valid"),
        ("settings: {sys_api_key: x}", "keys are not managed: Redmine generates them, and they belong in no manifest"),
        ("settings: {rest_api_enabled: false}", "without the REST API, nothing could be planned or applied again"),
        ("settings: {allow: twofa}", "allow: expected a list"),
        ("settings: {allow: [twofa]}", "allow: twofa is not declared here"),
    ],
)
def test_what_is_refused_without_a_server(text: str, message: str) -> None:
    """What belongs to plugins, keys, and what would end all access is never written."""
    assert [problem.message for problem in offline(text).problems] == [message]


@pytest.mark.parametrize("name", ["login_required", "self_registration", "host_name", "protocol", "twofa"])
def test_what_can_lock_everybody_out_must_be_allowed(name: str) -> None:
    """A mistake in these is worse than in others, so the manifest says twice that it means them."""
    (problem,) = offline(f"settings: {{{name}: x}}").problems
    assert f"add `allow: [{name}]` here" in problem.message
    assert not offline(f"settings: {{allow: [{name}], {name}: x}}").problems


def test_a_setting_in_two_files_is_declared_twice() -> None:
    """Both places are told."""
    (problem,) = offline("settings: {app_title: a}\n---\nsettings: {app_title: b}").problems
    assert (problem.message, problem.location.line, problem.also[0].line) == ("declared twice", 3, 1)


def test_what_a_value_names_is_created_first(program: MemorySession) -> None:
    """A tracker of the same manifests is there when the setting is written, whatever the order of the lists."""
    text = """
settings:
  default_projects_tracker_ids: [Incident]
  commit_update_keywords: [{keywords: fixes, status: Fixed, if_tracker: Incident}]
trackers: [{name: Incident, default_status: Fixed}]
issue_statuses: [{name: Fixed}]
"""
    report = apply_to(program.redmine, text, catalog=program)
    assert {result.outcome for result in report.results} == {"done"}
    written = [item.key["name"] for item in program.items]
    assert written.index("Fixed") < written.index("Incident") < written.index("default_projects_tracker_ids")
    assert written.index("Incident") < written.index("commit_update_keywords")


def test_a_setting_that_is_taken_out_stays(program: MemorySession) -> None:
    """Only the declared names are compared."""
    apply_to(program.redmine, "settings: {app_title: Ours}", catalog=program)
    assert not plan_of(program.redmine, "settings: {feeds_limit: 15}", catalog=program).changes
    assert program.row("setting", "app_title")["value"] == "Ours"
