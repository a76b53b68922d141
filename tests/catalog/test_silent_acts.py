"""What Redmine does without a word: the program refuses it with counts, or tells it; and writes nothing to find out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from custom_fields import EVERY
from inside import call, dump, item, numbered, query
from paths import HELPERS

from reconciler.sandbox import Sandbox

pytestmark = pytest.mark.custom_fields(EVERY)

PASSWORD = "hunter2-of-the-request"
MANAGER = {"tracker": "Bug", "role": "Manager", "builtin": None}
ITSELF = {"from": "New", "to": "New", "for": "always"}
CLOSE = {"from": "New", "to": "Closed", "for": "always"}

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    # An item, the field of its error, and the error.
    "a custom field with values": (item("delete", "custom_field", "Issue list"), "", "it is in use: 1 value"),
    "one value instead of several": (
        item("update", "custom_field", "Issue list multiple", {"multiple": False}),
        "multiple",
        "1 object would lose values",
    ),
    "an option in use": (
        item("update", "custom_field", "Issue enumeration", {"options": [{"name": "medium"}, {"name": "large"}]}),
        "options",
        "in use: small (1)",
    ),
    "an option in use, whose name goes to another": (
        item("update", "custom_field", "Issue enumeration", {"options": [{"name": "x", "renamed_from": "medium"}]}),
        "options",
        "in use: small (1)",
    ),
    "a list value in use": (
        item("update", "custom_field", "Issue list", {"possible_values": ["green", "blue"]}),
        "possible_values",
        "in use: red (1)",
    ),
    "a list value in use, renamed to one that exists": (
        item("update", "custom_field", "Issue list", {"possible_values": [{"value": "blue", "renamed_from": "red"}]}),
        "possible_values",
        "in use: red (1)",
    ),
    "list values that look the same": (
        item("update", "custom_field", "Issue list", {"possible_values": ["red", "green", "Green", "blue"]}),
        "possible_values",
        "more than once: green",
    ),
    "a list value of two lines": (
        item("update", "custom_field", "Issue list", {"possible_values": ["red", "a\nb"]}),
        "possible_values",
        'not a line of text: "a\\nb"',
    ),
    "another format": (
        item("update", "custom_field", "Issue string", {"field_format": "text"}),
        "field_format",
        "it cannot be changed, and is string",
    ),
    "several values of a format that has one": (
        item("create", "custom_field", "Several", {"field_format": "string", "multiple": True}),
        "multiple",
        "Redmine does not take it, and keeps false",
    ),
    "a search in a format that has none": (
        item("create", "custom_field", "Sought", {"field_format": "bool", "searchable": True}),
        "searchable",
        "Redmine does not take it, and keeps false",
    ),
    "a hidden field for nobody": (
        item("update", "custom_field", "Bugs only", {"visible": False}),
        "",
        "Roles cannot be blank",
    ),
    "a permission that a role cannot have": (
        item("update", "role", None, {"permissions": ["manage_members"]}, builtin="anonymous"),
        "permissions",
        "manage_members: this role cannot have it",
    ),
    "a permission that nobody can have for some trackers": (
        item("update", "role", "Manager", {"permissions_trackers": {"manage_wiki": ["Bug"]}}),
        "permissions_trackers",
        "manage_wiki: only for all trackers",
    ),
    "a twin of a tracker": (
        item("create", "tracker", "bug ", {"default_status": "New"}),
        "",
        'there is "Bug" already',
    ),
    "a twin of a status": (item("create", "issue_status", "\u00a0NEW"), "", 'there is "New" already'),
    "a twin of a role": (item("create", "role", "ＭＡＮＡＧＥＲ"), "", 'there is "Manager" already'),
    "a twin of a priority": (item("create", "issue_priority", "low"), "", 'there is "Low" already'),
    "a twin of a custom field": (
        item("create", "custom_field", "issue  LIST", {"field_format": "string"}),
        "",
        'there is "issue / Issue list" already',
    ),
    "a transition to itself": (
        item("update", "workflow", None, {"transitions": [ITSELF]}, **MANAGER),
        "transitions",
        'a transition from "New" to itself',
    ),
    "a status in use": (
        item("delete", "issue_status", "New"),
        "",
        "it is in use: 1 issue, 3 trackers that start with it",
    ),
    "a tracker in use": (item("delete", "tracker", "Bug"), "", "it is in use: 1 issue, 1 project"),
    "a tracker of a project": (item("delete", "tracker", "Support"), "", "it is in use: 1 project"),
    "a role in use": (item("delete", "role", "Developer"), "", "it is in use: 1 member"),
    "a role that alone sees a field": (
        item("delete", "role", "Reporter"),
        "",
        "it is the only role that sees 1 custom field: Config key",
    ),
    "a role of every Redmine": (item("delete", "role", None, builtin="anonymous"), "", "every Redmine has this role"),
    "a priority in use": (item("delete", "issue_priority", "Normal"), "", "it is in use: 1 issue"),
    "an activity that a project overrides": (
        item("delete", "time_entry_activity", "Design"),
        "",
        "it is in use: 1 project that overrides it",
    ),
    "a negative size": (
        item("update", "setting", "attachment_max_size", {"value": -1}),
        "value",
        "expected a number from 0 on",
    ),
    "a size that is no number": (
        item("update", "setting", "attachment_max_size", {"value": "many"}),
        "value",
        "expected a whole number",
    ),
    "a field that this version lacks": (
        item("update", "issue_status", "Closed", {"no_such": 1}),
        "no_such",
        "has no such field",
    ),
    "a password in a message": (
        item("create", "auth_source", "DIRECTORY", {"host": "h", "attr_login": "uid", "account_password": "Directory"}),
        "",
        'there is "***" already',
    ),
}
TOLD: dict[str, tuple[dict[str, Any], str]] = {
    "a status that closes its issues": (
        item("update", "issue_status", "New", {"is_closed": True}),
        "1 issue with this status count as closed from when they got it",
    ),
    "a field that everybody sees": (
        item("update", "custom_field", "Config key", {"visible": True}),
        "everybody sees it from now on; its roles are cleared: Reporter",
    ),
    "a tracker without a field in use": (
        item("update", "tracker", "Bug", {"core_fields": ["description"]}),
        "1 issue will lose due_date when next saved",
    ),
    "a field without a tracker in use": (
        item("update", "custom_field", "Issue string", {"trackers": ["Support"]}),
        "1 issue will lose the value when next saved",
    ),
    "another default": (
        item("update", "issue_priority", "High", {"is_default": True}),
        "no longer the default: Normal",
    ),
    "no second factor any more": (
        item("update", "setting", "twofa", {"value": "0"}),
        "1 user will lose the second factor",
    ),
    "a status with its rules": (item("delete", "issue_status", "Feedback"), " workflow rules"),
    "a tracker with its places": (item("delete", "tracker", "Feature"), "1 place in an archived project"),
    "a custom field with its rules": (
        item("delete", "custom_field", "Issue float"),
        "deleted with it: 1 workflow rule",
    ),
    "a workflow": (item("delete", "workflow", None, tracker="Bug", role="Reporter", builtin=None), "deleted: "),
}
RENAMED = {**item("update", "time_entry_activity", "Drawing"), "was": {"name": "Design"}}
"""Its number is found out."""
SECRET = item("update", "auth_source", "Directory", {"account_password": PASSWORD})


@dataclass(frozen=True)
class Said:
    """What the program said to all of this, and the database before and after it."""

    answer: dict[str, Any]
    rows: dict[str, Any]
    before: str
    after_check: str
    after_read: str

    def to(self, name: str) -> dict[str, Any]:
        """What it said to one of the items."""
        found: dict[str, Any] = self.answer["items"][[*REFUSED, *TOLD, "renamed"].index(name)]
        return found


@pytest.fixture(scope="module")
def said(redmine: Sandbox) -> Iterator[Said]:
    """One check of all items, in a Redmine in use."""
    redmine.reset()
    redmine.run(HELPERS / "acts.rb")
    before = dump(redmine)
    number = {"id": _design(redmine)}
    items = [*(one[0] for one in REFUSED.values()), *(one[0] for one in TOLD.values()), {**RENAMED, **number}, SECRET]
    answer = call(redmine, "check", items=numbered(items))
    after_check = dump(redmine)
    rows = call(redmine, "read", kinds=None)
    yield Said(answer, rows, before, after_check, dump(redmine))
    redmine.reset()


def _design(sandbox: Sandbox) -> int:
    return int(query(sandbox, "SELECT id FROM enumerations WHERE name = 'Design' AND project_id IS NULL")[0][0])


@pytest.mark.parametrize("name", REFUSED)
def test_what_destroys_data_is_refused(said: Said, name: str) -> None:
    """What Redmine does in silence, or refuses without counts, is an error at its field, with counts."""
    _, field, message = REFUSED[name]
    outcome = said.to(name)
    (error,) = outcome["errors"]
    assert not outcome["ok"] and error["field"] == field and message in error["message"]


@pytest.mark.parametrize("name", TOLD)
def test_what_redmine_does_besides_is_told(said: Said, name: str) -> None:
    """What follows from a change without being declared is a note, with counts."""
    outcome = said.to(name)
    assert outcome["ok"], outcome
    assert any(TOLD[name][1] in note for note in outcome["notes"]), outcome["notes"]


def test_renaming_an_activity_renames_its_overrides(said: Said) -> None:
    """The projects that override an activity are told."""
    assert said.to("renamed")["notes"] == ["also renames it in 1 project"]


def test_a_check_and_a_read_write_nothing(said: Said) -> None:
    """After a check of all kinds of writes, and after a read, the database is what it was."""
    assert said.before == said.after_check == said.after_read
    assert said.answer["committed"] is False


def test_what_means_nothing_is_not_shown(said: Said) -> None:
    """A transition twice is one; a transition to itself, and a rule about a deleted field, are none."""
    rows = said.rows["state"]["workflow"]
    (pair,) = [row for row in rows if {name: row[name] for name in MANAGER} == MANAGER]
    assert pair["transitions"].count(CLOSE) == 1 and ITSELF not in pair["transitions"]
    assert pair["fields"] == [{"status": "New", "custom_field": "Issue float", "rule": "required"}]


def test_no_answer_has_a_secret(said: Said) -> None:
    """Passwords and keys, of the database and of the request, are in no answer, not even in a message."""
    assert said.answer["items"][-1]["ok"]
    for answer in (said.answer, said.rows):
        text = json.dumps(answer)
        assert not any(secret in text for secret in (PASSWORD, "of-the-database", "account_password"))
        assert not any(name in text for name in ("mail_handler_api_key", "sys_api_key"))
    assert "password_min_length" in json.dumps(said.rows)
