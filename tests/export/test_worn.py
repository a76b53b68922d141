"""Exports of what was allowed once and is no longer: left out with the reason, so that nothing else is held up."""

from __future__ import annotations

from pathlib import Path

import pytest
from custom_fields import Again, named_in
from exports import Exports
from paths import WORN
from promises import KEY, Api, fields, troubles

from reconciler.sandbox import Running, Sandbox

pytestmark = named_in(WORN.read_text())

RISK = """
Role.create!(name: 'Mute', permissions: %i[view_issues], assignable: false)
tracker = Tracker.create!(name: 'Risk', default_status: IssueStatus.first)
tracker.core_fields = Tracker::CORE_FIELDS - %w[fixed_version_id description]
tracker.custom_fields = IssueCustomField.where(name: 'Config key')
tracker.save!
"""
LEFT_OUT = """\
issue shop/Twin: several issues share this name; only their ids differ
issue shop/assigned to a silent one: assigned_to: new issues of the project can no longer be assigned to it
issue shop/assignee gone: assigned_to: new issues of the project can no longer be assigned to it
issue shop/blocked but closed: status: closed although open issues block it: shop/open blocker
issue shop/by a silent one: author: silent may no longer add issues to the project
issue shop/by a silent one: notes: 1 without the author, who has no account or may not add notes there
issue shop/closed over an open one: status: closed although subtasks are open: shop/still open
issue shop/risky: description: disabled in tracker "Risk"
issue shop/risky: fixed_version: disabled in tracker "Risk"
issue shop/second: due_date: starts before its predecessor ends: shop/first
issue shop/second: start_date: starts before its predecessor ends: shop/first
issue shop/tracker gone: tracker: "Support" is no longer enabled in the project; another server would use the default
issue shop/urgent once: priority: "Urgent" is no longer active
time_entry shop/2026-01-02 gone Design: user: gone may no longer log time in the project
time_entry shop/2026-01-02 member Design (twin): on a twin: issue: issue shop/Twin is left out
wiki_page shop/Empty: text: empty, but required to create the object
"""


@pytest.fixture
def worn(redmine: Sandbox, world: Running, tmp_path: Path) -> Path:
    """An export of such a world; the server is then another one, with the same trackers."""
    redmine.run(RISK)
    redmine.run(WORN)
    return tmp_path / "export"


def test_what_is_no_longer_allowed_holds_nothing_up(redmine: Sandbox, again: Again, world: Running, worn: Path) -> None:
    """The plan is empty at once; another server gets everything else in one apply, and has nothing left to do."""
    exports = Exports(world, KEY)
    left_out = [f"{address}: {said.split(': #')[0]}" for address, said in exports.write(worn).left_out]
    assert left_out == LEFT_OUT.splitlines()
    assert fields(exports.plan(worn)) == {}
    again()
    redmine.run(RISK)
    assert troubles(exports.apply(worn)) == {}
    assert fields(exports.plan(worn)) == {}
    with Api(world) as api:
        assert api.issue("blanks at the end of lines")["description"].splitlines()[2] == "* one "


def test_the_manifests_are_short_and_readable(world: Running, worn: Path) -> None:
    """The default priority and the tracker's default status are not written; a text is a block, whatever ends its lines."""
    Exports(world, KEY).write(worn)
    text = (worn / "projects" / "shop" / "issues.yaml").read_text()
    # Without its tracker, nothing tells the default.
    assert text.count("status: New") == 1
    assert "priority: Low" in text
    assert "priority: Normal" not in text
    assert "    description: |\n      Steps:  \n\n      * one \n      *\ttwo\t\n" in text


def test_what_a_save_will_clear_is_said_before(world: Running, worn: Path) -> None:
    """Redmine clears what the tracker has disabled whenever an issue is saved: the plan names it."""
    exports = Exports(world, KEY)
    exports.write(worn)
    path = worn / "projects" / "shop" / "issues.yaml"
    path.write_text(path.read_text().replace("subject: risky\n", "subject: risky\n    done_ratio: 10\n"))
    (change,) = exports.plan(worn).changes
    assert change.reason == "Redmine clears description, fixed_version, which the tracker disables"
