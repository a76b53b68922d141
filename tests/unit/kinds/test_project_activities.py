"""Activities of a project: the shared ones, as far as a project has them different."""

from __future__ import annotations

import pytest
from canned import Canned
from catalog import MemorySession
from engine import apply_to, plan_of, problems_of

TEXT = """
projects:
  - identifier: new-shop
    name: New shop
    enabled_modules: [time_tracking]
    time_entry_activities:
      - {name: Design, active: false}
"""


@pytest.fixture
def program() -> MemorySession:
    """A Redmine with a shared activity."""
    made = MemorySession(Canned())
    if all(row["name"] != "Design" for row in made.rows("time_entry_activity")):
        made.add("time_entry_activity", name="Design")
    return made


def test_they_are_written_after_their_project(program: MemorySession) -> None:
    """The project is created by the API first; a second plan is empty."""
    report = apply_to(program.redmine, TEXT, catalog=program)
    assert [(str(result.change.address), result.outcome) for result in report.results] == [
        ("project new-shop", "done"),
        ("project_time_entry_activity new-shop/Design", "done"),
    ]
    (row,) = program.rows("project_time_entry_activity")
    assert (row["project"], row["name"], row["active"]) == ("new-shop", "Design", False)
    assert not plan_of(program.redmine, TEXT, catalog=program).changes


def test_the_shared_activity_can_be_created_in_the_same_plan(program: MemorySession) -> None:
    """It comes before the project's own."""
    text = TEXT.replace("Design", "Cooking") + "time_entry_activities: [{name: Cooking}]\n"
    report = apply_to(program.redmine, text, catalog=program)
    assert {result.outcome for result in report.results} == {"done"}


def test_an_unknown_activity_is_a_problem(program: MemorySession) -> None:
    """There must be a shared one of that name."""
    (problem,) = problems_of(program.redmine, TEXT.replace("Design", "Desing"), catalog=program)
    assert 'there is no time entry activity "Desing"' in problem.message
    assert 'did you mean "Design"?' in problem.hint


def test_without_it_a_project_has_the_shared_activity_again(program: MemorySession) -> None:
    """`state: absent` removes what the project has of its own."""
    apply_to(program.redmine, TEXT, catalog=program)
    text = TEXT.replace("active: false", "state: absent")
    report = apply_to(program.redmine, text, catalog=program)
    assert [(result.outcome, result.change.action) for result in report.results] == [("done", "delete")]
    assert not program.rows("project_time_entry_activity")


LOGGED = """
projects:
  - identifier: shop
    name: Shop
    time_entry_activities: [{name: Design, active: %s}]
    time_entries: [{user: admin, spent_on: 2026-11-02, activity: Design, hours: 1}]
"""


def test_time_is_logged_on_an_activity_that_the_same_plan_switches_on(program: MemorySession) -> None:
    """One apply: the program switches it on before the API gets the time, with the id of the project's own activity."""
    redmine = program.redmine
    redmine.add(
        "projects",
        identifier="shop",
        enabled_modules=["time_tracking"],
        name="Shop",
        time_entry_activities=[{"id": 9, "name": "Development"}],
    )
    number = program.add(
        "project_time_entry_activity", id=77, project="shop", name="Design", active=False, custom_fields={}
    )
    redmine.rows("time_entry_activities").append({"id": number, "name": "Design", "active": True})
    report = apply_to(redmine, LOGGED % "true", catalog=program)
    assert [(str(r.change.address).partition(" ")[0], r.outcome, r.errors) for r in report.results] == [
        ("project_time_entry_activity", "done", ()),
        ("time_entry", "done", ()),
    ]
    assert redmine.rows("time_entries")[0]["activity"]["id"] == number == 77


def test_time_on_an_activity_that_stays_switched_off_is_a_problem(program: MemorySession) -> None:
    """As before."""
    program.redmine.add(
        "projects",
        identifier="shop",
        enabled_modules=["time_tracking"],
        name="Shop",
        time_entry_activities=[{"id": 9, "name": "Development"}],
    )
    (problem,) = problems_of(program.redmine, LOGGED % "false", catalog=program)
    assert 'activity "Design" is not active in project "shop"' in problem.message
