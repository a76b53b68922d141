"""Custom fields as objects of manifests, with the program inside Redmine in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from canned import Canned
from catalog import MemorySession, exported
from engine import apply_to, offline, plan_of, problems_of

from reconciler.apply.report import Report
from reconciler.kinds import kinds
from reconciler.plan.planner import Plan


@pytest.fixture
def memory() -> Canned:
    """A Redmine with its default data."""
    return Canned()


@pytest.fixture
def program(memory: Canned) -> MemorySession:
    """The program inside it."""
    return MemorySession(memory)


def fields_of(plan: Plan) -> dict[str, dict[str, Any]]:
    """What a plan changes: object → field → the new value."""
    return {str(change.address): {f.path: f.after for f in change.fields} for change in plan.changes}


def failures(report: Report) -> dict[str, list[str]]:
    """What went wrong: object → messages."""
    found = {str(r.change.address): [e.message for e in r.errors] for r in report.results if r.outcome != "done"}
    return {name: messages or ["skipped"] for name, messages in found.items()}


def listed(*lines: str) -> str:
    """A manifest with these custom fields."""
    return "\n".join(["custom_fields:", *(f"- {{{line}}}" for line in lines)])


SIZE = "name: Size, type: issue, field_format: list, possible_values: [S, M, L], is_for_all: true, trackers: [Bug]"
SHOP = """
projects:
- {identifier: shop, name: Shop, trackers: [Bug], issues: [{subject: One, tracker: Bug, custom_fields: {Size: L}}]}
"""


def test_a_field_and_a_value_of_it_are_one_plan(memory: Canned, program: MemorySession) -> None:
    """An issue can have a value of a custom field that the same plan creates; the second plan is empty."""
    text = listed(SIZE) + SHOP
    assert failures(apply_to(memory, text, catalog=program)) == {}
    (issue,) = memory.rows("issues")
    number = program.row("custom_field", "Size")["id"]
    assert [(field["id"], field["value"]) for field in issue["custom_fields"]] == [(number, "L")]
    assert plan_of(memory, text, catalog=program).changes == ()


def test_a_value_of_a_field_that_is_planned_is_checked(memory: Canned, program: MemorySession) -> None:
    """The values that a list will have are those that an issue can get."""
    (found,) = problems_of(memory, listed(SIZE) + SHOP.replace("Size: L", "Size: XL"), catalog=program)
    assert 'Size: "XL" is not a value of this field' in found.message


def test_what_needs_a_field_that_failed_is_skipped(memory: Canned, program: MemorySession) -> None:
    """Without the custom field, the issue is not created without its value."""
    program.refusals["Size"] = ("possible_values", "no")
    said = failures(apply_to(memory, listed(SIZE) + SHOP, catalog=program))
    assert said == {"custom_field issue/Size": ["no"], "issue shop/One": ["skipped"]}
    assert memory.rows("issues") == []


def test_without_the_program_a_field_that_is_missing_is_reported(memory: Canned) -> None:
    """Nothing else can create a custom field; what needs it is skipped, all else goes on."""
    said = failures(apply_to(memory, listed(SIZE) + SHOP))
    assert list(said) == ["custom_field issue/Size", "issue shop/One"]
    assert [row["identifier"] for row in memory.rows("projects")] == ["shop"]


def test_without_the_program_what_the_api_shows_is_compared(memory: Canned) -> None:
    """Lists, flags and trackers are shown by the API; what it does not show is not compared."""
    values = [{"value": v, "label": v} for v in ("S", "M")]
    memory.add("custom_fields", name="Size", field_format="list", possible_values=values, is_required=False)
    text = listed(
        "name: Size, type: issue, possible_values: [S, M], trackers: [Bug, Feature, Support], is_required: false, "
        "user_role: []"
    )
    assert plan_of(memory, text).changes == ()
    changed = plan_of(memory, text.replace("[S, M]", "[S, L]").replace("is_required: false", "is_required: true"))
    assert fields_of(changed)["custom_field issue/Size"] == {"possible_values": ["S", "L"], "is_required": True}


RENAMED = "possible_values: [S, {value: Medium, renamed_from: M}, {value: Large, renamed_from: L}]"


def test_a_renamed_value_of_a_list_is_renamed_in_all_issues(memory: Canned, program: MemorySession) -> None:
    """The plan has the one change; issues that are declared with the new name do not differ."""
    before = listed(SIZE + ", default_value: L") + SHOP
    apply_to(memory, before, catalog=program)
    after = before.replace(": L", ": Large").replace("possible_values: [S, M, L]", RENAMED)
    (change,) = plan_of(memory, after, catalog=program).changes
    assert [field.path for field in change.fields] == ["possible_values"]
    assert failures(apply_to(memory, after, catalog=program)) == {}
    assert program.row("custom_field", "Size")["possible_values"] == ["S", "Medium", "Large"]
    assert memory.rows("issues")[0]["custom_fields"][0]["value"] == "Large"


def test_a_rename_that_is_done_stays_in_the_manifest(memory: Canned, program: MemorySession) -> None:
    """`renamed_from` needs not be removed: the second plan is empty."""
    apply_to(memory, listed(SIZE), catalog=program)
    after = listed(SIZE.replace("possible_values: [S, M, L]", RENAMED))
    apply_to(memory, after, catalog=program)
    assert plan_of(memory, after, catalog=program).changes == ()


CHANNEL = (
    "name: Channel, type: issue, field_format: enumeration, is_for_all: true, trackers: [Bug], "
    "options: [Web, {name: Fax, active: false}, Phone], default_value: Web"
)


def test_options_keep_their_numbers(memory: Canned, program: MemorySession) -> None:
    """An option that is renamed or moved is the same one, so that issues keep it."""
    before = listed(CHANNEL) + SHOP.replace("Size: L", "Channel: Phone")
    assert failures(apply_to(memory, before, catalog=program)) == {}
    numbers = {one["name"]: one["id"] for one in program.row("custom_field", "Channel")["options"]}
    assert memory.rows("issues")[0]["custom_fields"][0]["value"] == str(numbers["Phone"])
    changed = "options: [{name: Call, renamed_from: Phone}, Web, Fax]"
    after = before.replace("options: [Web, {name: Fax, active: false}, Phone]", changed)
    after = after.replace("Channel: Phone", "Channel: Call")
    (change,) = plan_of(memory, after, catalog=program).changes
    assert [field.path for field in change.fields] == ["options"]
    apply_to(memory, after, catalog=program)
    options = program.row("custom_field", "Channel")["options"]
    assert options[0] == {"id": numbers["Phone"], "name": "Call", "active": True}
    assert plan_of(memory, after, catalog=program).changes == ()


def test_an_option_that_is_no_longer_active_is_a_change(memory: Canned, program: MemorySession) -> None:
    """An option without `active` is active."""
    apply_to(memory, listed(CHANNEL), catalog=program)
    after = listed(CHANNEL.replace("[Web, {name: Fax, active: false}, Phone]", "[Web, Fax, Phone]"))
    plan = plan_of(memory, after, catalog=program)
    assert fields_of(plan) == {"custom_field issue/Channel": {"options": ["Web", "Fax", "Phone"]}}


def test_a_field_is_renamed_with_its_values(memory: Canned, program: MemorySession) -> None:
    """`renamed_from` is the earlier name, among the custom fields of the same type."""
    apply_to(memory, listed(SIZE) + SHOP, catalog=program)
    number = program.row("custom_field", "Size")["id"]
    after = listed(SIZE.replace("name: Size", "name: Extent, renamed_from: Size")) + SHOP.replace("Size:", "Extent:")
    (change,) = plan_of(memory, after, catalog=program).changes
    assert str(change.address) == "custom_field issue/Extent"
    assert failures(apply_to(memory, after, catalog=program)) == {}
    assert program.row("custom_field", "Extent")["id"] == number
    assert plan_of(memory, after, catalog=program).changes == ()


def test_another_format_is_a_problem_at_its_place(memory: Canned, program: MemorySession) -> None:
    """Redmine ignores another format without an error, so it is refused before anything is written."""
    apply_to(memory, listed(SIZE), catalog=program)
    (found,) = problems_of(memory, listed("name: Size, type: issue, field_format: string"), catalog=program)
    assert found.message == "field_format: cannot be changed: it is list"
    assert (found.location.line, found.location.column) == (2, 29)


@pytest.mark.parametrize(
    "line, said",
    [
        ("field_format: int, possible_values: [a]", "possible_values is not for the format int, only for list"),
        ("field_format: date, multiple: true", "multiple is not for the format date, only for list, enumeration, user"),
        ("field_format: link, searchable: true", "searchable is not for the format link"),
        ("field_format: list", ""),
        ("field_format: list, possible_values: []", "a custom field of this format needs possible_values"),
        ("field_format: list, possible_values: [a, b, a]", 'possible_values: "a" is listed twice'),
        (
            "field_format: list, possible_values: [a, {value: b, renamed_from: a}]",
            'possible_values: "a" is renamed, and listed as well',
        ),
        ("field_format: list, possible_values: [{text: b}]", "expected a text or {value: …, renamed_from: …}"),
        ("field_format: enumeration, options: [{name: b, active: maybe}]", "expected a text or {name: …, active: …"),
        ("field_format: string, min_length: 5, max_length: 3", "max_length 3 is less than min_length 5"),
        ("field_format: list, edit_tag_style: radio, possible_values: [a]", "radio is only for the format bool"),
        ("field_format: string, roles: [Manager], visible: true", "roles are only for `visible: false`"),
        ("field_format: string, min_length: -1", "min_length"),
        ("field_format: user, default_value: amy", "Redmine takes no default for the format user"),
        ("field_format: words", "field_format"),
    ],
)
def test_what_is_wrong_without_a_server(line: str, said: str) -> None:
    """What Redmine would drop or refuse is a problem on the manifest's line."""
    problems = offline(listed(f"name: X, type: issue, {line}")).problems
    assert [said in problem.message for problem in problems] == ([True] if said else [])
    assert all(problem.location.line == 2 for problem in problems)


@pytest.mark.parametrize(
    "line, said",
    [
        ("type: project, trackers: [Bug]", "trackers is only for custom fields of issue, not of project"),
        ("type: user, roles: [Manager]", "roles is only for custom fields of issue, project, time_entry or version"),
        ("type: user, field_format: version", "the format version is only for issue, project"),
        ("type: issues", "type"),
    ],
)
def test_what_is_wrong_for_a_type(line: str, said: str) -> None:
    """Not every custom field has every field."""
    (problem,) = offline(listed(f"name: X, {line}")).problems
    assert said in problem.message


@pytest.mark.parametrize("value, stored", [("true", "1"), ("'no'", "0")])
def test_a_default_is_stored_as_the_format_has_it(
    memory: Canned, program: MemorySession, value: str, stored: str
) -> None:
    """A Boolean is 1 or 0 for Redmine; the second plan is empty."""
    text = listed(f"name: Paid, type: project, field_format: bool, default_value: {value}")
    apply_to(memory, text, catalog=program)
    assert program.row("custom_field", "Paid")["default_value"] == stored
    assert plan_of(memory, text, catalog=program).changes == ()


def test_a_default_must_be_a_value(memory: Canned, program: MemorySession) -> None:
    """The default of a list is one of its values, also of those that are only planned."""
    (found,) = problems_of(memory, listed(SIZE + ", default_value: XL"), catalog=program)
    assert found.message == 'default_value: "XL" is not a value of this field'


def test_values_of_enumerations(memory: Canned, program: MemorySession) -> None:
    """Priorities, activities and categories have custom fields, too."""
    text = listed("name: Billable, type: time_entry_activity, field_format: bool")
    text += "\ntime_entry_activities: [{name: Design, custom_fields: {Billable: true}}]"
    assert failures(apply_to(memory, text, catalog=program)) == {}
    assert program.row("time_entry_activity", "Design")["custom_fields"] == {"Billable": "1"}
    assert plan_of(memory, text, catalog=program).changes == ()


def test_the_same_name_for_two_types(memory: Canned, program: MemorySession) -> None:
    """Names are unique for each type alone."""
    text = listed("name: X, type: issue, field_format: int", "name: X, type: project, field_format: date")
    assert failures(apply_to(memory, text, catalog=program)) == {}
    assert plan_of(memory, text, catalog=program).changes == ()


def test_a_field_that_is_deleted(memory: Canned, program: MemorySession) -> None:
    """`state: absent` deletes it; what it is called by then is not known any more."""
    apply_to(memory, listed(SIZE), catalog=program)
    apply_to(memory, listed("name: Size, type: issue, state: absent"), catalog=program)
    assert program.rows("custom_field") == []


def test_every_format_says_what_it_takes() -> None:
    """Each field that is for some formats only is a field of the spec."""
    from reconciler.kinds._custom_field_spec import FORMATS, TYPES

    assert {*FORMATS, *TYPES} <= kinds()["custom_field"].fields.keys()


def test_what_is_exported_plans_empty(memory: Canned, program: MemorySession) -> None:
    """Only what differs from a new custom field is written, by names, and reading it back changes nothing."""
    text = listed(
        SIZE + ", default_value: M, is_filter: true",
        CHANNEL,
        "name: Owner, type: issue, field_format: user, user_role: [Manager], visible: false, roles: [Manager]",
        "name: Paid, type: time_entry_activity, field_format: bool, default_value: false",
        "name: Ref, type: user, field_format: string, regexp: '^[A-Z]+$', min_length: 2, max_length: 5",
    )
    apply_to(memory, text, catalog=program)
    found = exported(memory, program, "custom_field")
    assert found["issue/Owner"] == {
        "name": "Owner",
        "type": "issue",
        "field_format": "user",
        "user_role": ["Manager"],
        "visible": False,
        "roles": ["Manager"],
    }
    assert found["issue/Channel"]["options"] == ["Web", {"name": "Fax", "active": False}, "Phone"]
    again = plan_of(memory, json.dumps({"custom_fields": list(found.values())}), catalog=program)
    assert (again.changes, again.unchanged) == ((), 5)
