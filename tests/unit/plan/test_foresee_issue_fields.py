"""Custom and core fields that an issue does not have: the plan says whether its tracker or its project lacks them."""

from __future__ import annotations

from typing import Any

import pytest
from canned import Canned
from engine import apply_to, plan_of, problems_of

from reconciler.kinds import kinds
from reconciler.kinds.issues.workflow import IssueKeptValues
from reconciler.model.name_index import Context, CustomField, Names

LACKS = 'custom_fields: F: project "shop" does not have this custom field'
MAYBE = 'custom_fields: F: project "shop" may not have this custom field: only other projects list it'
NEED = "custom_fields: F: is required and has no value"
ISSUE = "issues: [{project: shop, subject: new, tracker: Bug, custom_fields: {F: x}}]"
WITHOUT = "issues: [{project: shop, subject: new, tracker: Bug}]"


def server(old: bool = False, **field: Any) -> Canned:
    """A Redmine with two projects and two custom fields, `F` and `G`; an `old` one lists only each project's own."""
    redmine = Canned()
    for name, more in {"F": field, "G": {}}.items():
        redmine.add("custom_fields", name=name, **({} if old else {"description": None}), **more)
    for identifier in ("shop", "hq"):
        redmine.add("projects", identifier=identifier, issue_custom_fields=[])
    return redmine


def gives(redmine: Canned, project: str, *fields: str) -> None:
    """Let a project list these custom fields."""
    redmine.set(redmine.row("projects", project), "projects", issue_custom_fields=list(fields))


def says(redmine: Canned, text: str) -> list[str]:
    """The problems of a manifest, or `?` and the warnings of its plan."""
    problems = [problem.message for problem in problems_of(redmine, text)]
    return problems or [f"?{warning.message}" for warning in plan_of(redmine, text).warnings]


def shows(redmine: Canned, project: str, *fields: str, tracker: str = "Bug") -> None:
    """Add an issue that shows exactly these custom fields."""
    number = redmine.add("issues", project=project, subject=f"of {project} {tracker}", tracker=tracker)
    row = redmine.row("issues", number)
    row["custom_fields"] = [item for item in row["custom_fields"] if item["name"] in fields]


# -- trackers --------------------------------------------------------------------------------------------------

BUG, FEATURE = {"id": 1}, {"id": 2}


@pytest.mark.parametrize(
    "trackers, issue, expected",
    [
        ([FEATURE], "tracker: Bug", ['custom_fields: F: tracker "Bug" does not have this custom field']),
        ([BUG], "tracker: Bug", []),
        ([FEATURE], "tracker: Feature", []),
        ([], "tracker: Bug", ['custom_fields: F: tracker "Bug" does not have this custom field']),
        # Of a new issue without a tracker nothing is known but the trackers of its project.
        ([FEATURE], "key: new", []),
        ([], "key: new", ["custom_fields: F: the project's trackers do not have this custom field"]),
    ],
)
def test_a_tracker_must_have_the_field(trackers: list[dict[str, int]], issue: str, expected: list[str]) -> None:
    """Redmine answers 201 and drops the value."""
    redmine = server(trackers=trackers)
    gives(redmine, "shop", "F")
    text = f"issues: [{{project: shop, subject: new, {issue}, custom_fields: {{F: x}}}}]"
    assert says(redmine, text) == expected


def test_the_tracker_of_a_live_issue_counts_where_none_is_declared() -> None:
    """It stays what it is."""
    redmine = server(trackers=[FEATURE])
    gives(redmine, "shop", "F")
    redmine.add("issues", project="shop", subject="new", tracker="Bug")
    assert says(redmine, ISSUE.replace(", tracker: Bug", "")) == [
        'custom_fields: F: tracker "Bug" does not have this custom field'
    ]
    assert says(redmine, ISSUE.replace("Bug", "Feature")) == []


def test_another_tracker_brings_required_fields_along() -> None:
    """Redmine refuses the change of the tracker then, whatever else is sent."""
    redmine = server(trackers=[FEATURE], is_required=True)
    gives(redmine, "shop", "F")
    redmine.add("issues", project="shop", subject="new", tracker="Bug")
    assert says(redmine, WITHOUT) == []
    assert says(redmine, WITHOUT.replace("Bug", "Feature")) == [NEED]
    assert says(redmine, ISSUE.replace("Bug", "Feature")) == []
    redmine.row("custom_fields", "F")["default_value"] = "d"
    assert says(redmine, WITHOUT.replace("Bug", "Feature")) == []


# -- projects --------------------------------------------------------------------------------------------------


def test_a_project_must_have_the_field() -> None:
    """From 5.1 on a project lists all custom fields of its issues, also those that are for all projects."""
    redmine = server()
    assert says(redmine, ISSUE) == [LACKS]
    (problem,) = problems_of(redmine, ISSUE)
    assert problem.hint == "add it to the project's issue_custom_fields"
    assert (problem.location.line, problem.location.column) == (1, 70)
    gives(redmine, "shop", "F")
    assert says(redmine, ISSUE) == []


def test_a_live_value_may_stay() -> None:
    """What is there is not sent."""
    redmine = server()
    redmine.add("issues", project="shop", subject="new", custom_fields={"F": "x"})
    assert says(redmine, ISSUE) == []


def test_the_project_may_be_declared_with_the_field() -> None:
    """In the same manifests: then the project is changed first."""
    redmine = server()
    declared = f"projects: [{{identifier: shop, issue_custom_fields: [F]}}]\n{ISSUE}"
    assert says(redmine, declared) == []
    apply_to(redmine, declared)
    writes = [path for method, path in redmine.seen if method != "GET"]
    assert writes == ["/projects/shop.json", "/projects/shop/issues.json"]


def test_a_project_that_is_to_lose_the_field() -> None:
    """What is declared counts, not what is live, unless it is never changed again."""
    redmine = server()
    gives(redmine, "shop", "F", "G")
    declared = f"projects: [{{identifier: shop, issue_custom_fields: [G]}}]\n{ISSUE}"
    assert says(redmine, declared) == [LACKS]
    assert says(redmine, declared.replace("[G]}", "[G], create_only: [issue_custom_fields]}")) == []


@pytest.mark.parametrize("said, expected", [("", [LACKS]), (", issue_custom_fields: [F]", [])])
def test_a_new_project_has_what_it_declares(said: str, expected: list[str]) -> None:
    """And what is for all projects, which a field is not that one of them lacks."""
    redmine = server()
    text = f"projects: [{{identifier: web, name: Web, enabled_modules: [issue_tracking]{said}}}]\n{ISSUE}".replace(
        "project: shop", "project: web"
    )
    assert says(redmine, text) == [line.replace("shop", "web") for line in expected]


def test_a_new_project_may_have_what_all_have() -> None:
    """That a required field is missing is only a warning then: each may have it of its own."""
    redmine = server(is_required=True)
    gives(redmine, "shop", "F")
    gives(redmine, "hq", "F")
    text = "projects: [{identifier: web, name: Web, enabled_modules: [issue_tracking], issues: [{subject: new, tracker: Bug}]}]"
    assert says(redmine, text) == [f"?{NEED}: refused if the object has the field, which the API does not show"]
    assert says(redmine, text.replace("Bug", "Bug, custom_fields: {F: x}")) == []


def test_required_fields_count_where_the_issue_has_them() -> None:
    """Of other trackers and projects they are not required."""
    redmine = server(is_required=True, trackers=[BUG])
    assert says(redmine, WITHOUT) == []
    gives(redmine, "shop", "F")
    assert says(redmine, WITHOUT) == [NEED]
    assert says(redmine, WITHOUT.replace("Bug", "Feature")) == []


@pytest.mark.parametrize("said", ["", ", trackers: [Bug, Feature]"])
def test_a_tracker_that_is_not_known_may_lack_the_field(said: str) -> None:
    """An issue without one gets the first of its project, whichever that is: no more than a warning."""
    redmine = server(is_required=True, is_for_all=True, trackers=[FEATURE])
    text = f"projects: [{{identifier: web, name: Web, enabled_modules: [issue_tracking]{said}, issues: [{{subject: new}}]}}]"
    assert says(redmine, text) == [f"?{NEED}: refused if the object has the field, which the API does not show"]


def test_the_definition_of_7_0_says_whether_a_field_is_for_all_projects() -> None:
    """Then the lists of projects are not asked."""
    redmine = server(is_for_all=True, is_required=True)
    assert says(redmine, WITHOUT) == [NEED]
    assert says(redmine, ISSUE) == []


# -- Redmine 5.0, whose projects list only their own -----------------------------------------------------------


def test_5_0_claims_nothing_that_it_does_not_show() -> None:
    """The field may be for all projects."""
    redmine = server(old=True)
    assert says(redmine, ISSUE) == []
    redmine.row("custom_fields", "F")["is_required"] = True
    (said,) = says(redmine, WITHOUT)
    assert said.startswith(f"?{NEED}: refused if the object has the field")


def test_5_0_a_list_of_another_project_is_a_hint() -> None:
    """A field that is for all projects is listed by none, as a rule."""
    redmine = server(old=True)
    gives(redmine, "hq", "F")
    assert says(redmine, ISSUE) == [f"?{MAYBE}"]


@pytest.mark.parametrize(
    "project, fields, expected",
    [
        # An issue of the same project shows what the project has.
        ("shop", ["G"], [LACKS]),
        ("shop", ["F", "G"], []),
        # An issue of another one that lacks the field: it is not for all projects.
        ("hq", ["G"], [LACKS]),
    ],
)
def test_5_0_issues_show_what_there_is(project: str, fields: list[str], expected: list[str]) -> None:
    """Each shows exactly the custom fields that it has."""
    redmine = server(old=True)
    shows(redmine, project, *fields)
    also = f"{ISSUE[:-1]}, {{project: hq, subject: of hq Bug}}]"
    assert [line for line in says(redmine, also) if "F" in line] == expected


def test_5_0_a_field_that_no_list_has_and_an_issue_shows_is_for_all_projects() -> None:
    """So it is required everywhere."""
    redmine = server(old=True, is_required=True)
    shows(redmine, "hq", "F")
    redmine.row("issues", "of hq Bug")["custom_fields"][0]["value"] = "x"
    also = f"{WITHOUT[:-1]}, {{project: hq, subject: of hq Bug}}]"
    assert says(redmine, also) == [NEED]


def test_5_0_issues_of_trackers_without_the_field_show_nothing_of_it() -> None:
    """They would not show it anyway."""
    redmine = server(old=True, trackers=[BUG])
    shows(redmine, "shop", "G", tracker="Feature")
    assert says(redmine, ISSUE) == []


@pytest.mark.parametrize(
    "shown, trackers, admin, expected",
    [
        ([2], [BUG], True, 'project "shop" does not have the custom field'),
        ([], [BUG], True, 'project "shop" does not have the custom field'),
        ([1, 2], [BUG], True, ""),
        ([2], [FEATURE], True, 'tracker "Bug" does not have the custom field'),
        # Others may just not be shown the field.
        ([2], [BUG], False, ""),
    ],
)
def test_why_a_value_was_dropped_after_all(
    shown: list[int], trackers: list[dict[str, int]], admin: bool, expected: str
) -> None:
    """What could not be foreseen is explained by what the issue shows when it is read back."""
    names = Names(sees_definitions=admin)
    numbers = frozenset(tracker["id"] for tracker in trackers)
    names.custom_fields["issue"] = {"F": CustomField(1, "F", "string", trackers=numbers)}
    row = {"id": 9, "tracker": {"id": 1, "name": "Bug"}, "custom_fields": [{"id": n, "value": ""} for n in shown]}
    context = Context(names, "shop")
    why = IssueKeptValues().why_kept(kinds()["issue"], "custom_fields.F", "x", row, context)
    assert why == expected
    assert IssueKeptValues().suspected("custom_fields.F").startswith("the workflow may make the field read-only")
    assert IssueKeptValues().suspected("subject") == ""


# -- authors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("admin, expected", [(False, True), (True, False)])
def test_what_an_author_may_not_see_is_not_required_of_it(admin: bool, expected: bool) -> None:
    """The issue is created as its author: whether that one has a role for the field is not known."""
    redmine = server(is_required=True, visible=False)
    gives(redmine, "shop", "F")
    redmine.add("users", login="amy", admin=admin, mail="a@b.c")
    text = WITHOUT.replace("Bug", "Bug, author: amy")
    assert says(redmine, text)[0].startswith("?") == expected


# -- core fields -----------------------------------------------------------------------------------------------

CORE = {
    "assigned_to": ("assigned_to_id", "admin"),
    "start_date": ("start_date", "2026-11-02"),
    "due_date": ("due_date", "2026-11-02"),
    "estimated_hours": ("estimated_hours", "3"),
    "done_ratio": ("done_ratio", "30"),
    "description": ("description", "x"),
    "priority": ("priority_id", "High"),
}


@pytest.mark.parametrize("name", CORE)
def test_a_field_that_the_tracker_has_disabled(name: str) -> None:
    """Redmine clears it whenever the issue is saved: nothing new can be stored."""
    redmine, (write, value) = Canned(), CORE[name]
    redmine.add("projects", identifier="shop")
    redmine.row("trackers", "Bug")["enabled_standard_fields"] = [
        field for field in redmine.row("trackers", "Bug")["enabled_standard_fields"] if field != write
    ]
    text = f"issues: [{{project: shop, subject: new, tracker: Bug, {name}: {value}}}]"
    said = f'{name}: tracker "Bug" has this field disabled, so Redmine drops the value'
    assert says(redmine, text) == [said]
    assert says(redmine, text.replace("Bug", "Feature")) == []
    # The default tracker of the project may be another one.
    assert says(redmine, text.replace(", tracker: Bug", "")) == []
    redmine.set(redmine.row("projects", "shop"), "projects", trackers=["Bug"])
    assert says(redmine, text.replace(", tracker: Bug", "")) == [said]


@pytest.mark.parametrize("value", ["null", '""'])
def test_nothing_is_dropped_of_an_empty_value(value: str) -> None:
    """It is what Redmine makes of the field anyway."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    redmine.row("trackers", "Bug")["enabled_standard_fields"] = []
    text = f"issues: [{{project: shop, subject: new, tracker: Bug, description: {value}, done_ratio: 0}}]"
    assert says(redmine, text) == []


def test_a_live_value_of_a_disabled_field_may_stay() -> None:
    """It was stored before the field was disabled, and is not sent."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    redmine.add("issues", project="shop", subject="new", due_date="2026-11-02")
    redmine.row("trackers", "Bug")["enabled_standard_fields"] = []
    text = "issues: [{project: shop, subject: new, due_date: 2026-11-02}]"
    assert says(redmine, text) == []
    assert len(says(redmine, text.replace("-02", "-03"))) == 1


def test_5_0_no_tracker_can_disable_the_priority() -> None:
    """There, none of them lists it."""
    redmine = Canned()
    redmine.add("projects", identifier="shop")
    for tracker in redmine.rows("trackers"):
        tracker["enabled_standard_fields"] = ["description"]
    assert says(redmine, "issues: [{project: shop, subject: new, tracker: Bug, priority: High}]") == []
