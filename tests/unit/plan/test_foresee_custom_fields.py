"""Custom fields of every kind: what Redmine would refuse or drop is told by the plan, at its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from canned import Canned
from engine import plan_of, problems_of

NEED = "is required and has no value"
KINDS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    # kind: its list and one object in a manifest, without a bracket at the end; the row of a live one
    "user": ("users", "users: [{login: amy, firstname: A, lastname: B, mail: a@b.c", {"login": "amy", "mail": "a@b.c"}),
    "group": ("groups", "groups: [{name: Ops", {"name": "Ops"}),
    "project": ("projects", "projects: [{identifier: web, name: Web", {"identifier": "web", "name": "Web"}),
    "version": ("versions", "versions: [{project: shop, name: a", {"project": "shop", "name": "a"}),
    "issue": ("issues", "issues: [{project: shop, subject: a, tracker: Bug", {"project": "shop", "subject": "a"}),
    "time_entry": (
        "time_entries",
        "time_entries: [{project: shop, user: admin, spent_on: 2026-11-02, activity: Design, hours: 1",
        {"project": "shop"},
    ),
}


def server(**field: Any) -> Canned:
    """A Redmine with a project, and one custom field `F`."""
    redmine = Canned()
    redmine.add("custom_fields", name="F", description=None, **field)
    modules = ["issue_tracking", "time_tracking"]
    redmine.add("projects", identifier="shop", enabled_modules=modules, issue_custom_fields=["F"])
    return redmine


def manifest(kind: str, said: str) -> str:
    """One object of a kind, with these custom fields."""
    return f"{KINDS[kind][1]}{f', custom_fields: {said}' if said else ''}}}]"


def found(redmine: Canned, kind: str, said: str) -> list[str]:
    """The problems of a manifest, without what all begin with."""
    problems = problems_of(redmine, manifest(kind, said))
    assert all(problem.message.startswith("custom_fields: F: ") for problem in problems), problems
    return [problem.message.removeprefix("custom_fields: F: ") for problem in problems]


def warned(redmine: Canned, kind: str, said: str) -> list[str]:
    """What a plan warns of."""
    return [warning.message for warning in plan_of(redmine, manifest(kind, said)).warnings]


# -- required --------------------------------------------------------------------------------------------------

REQUIRED = [
    # custom fields of the manifest, whether the field has a default, whether Redmine refuses a new object
    ("", False, True),
    ("", True, False),
    ("{F: null}", False, True),
    ("{F: null}", True, True),
    ('{F: ""}', True, True),
    ('{F: "\\u00a0 \\u3000"}', False, True),
    ("{F: x}", False, False),
    ("{F: 0}", False, False),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said, default, refused", REQUIRED)
def test_a_new_object_needs_its_required_fields(kind: str, said: str, default: bool, refused: bool) -> None:
    """A default is taken where nothing is declared; null, and a text of blanks, are no value."""
    redmine = server(customized_type=kind, is_required=True, default_value="d" if default else "")
    assert found(redmine, kind, said) == ([NEED] if refused else [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "said, live, refused",
    [
        ("", "x", False),
        # No field is sent, and then Redmine checks none.
        ("", None, False),
        ("{F: null}", None, False),
        ("{F: null}", "x", True),
        ('{F: " "}', "x", True),
        ("{F: y}", None, False),
    ],
)
def test_a_required_field_of_a_live_object_keeps_a_value(kind: str, said: str, live: Any, refused: bool) -> None:
    """It cannot be cleared; one that is empty can stay so."""
    redmine = server(customized_type=kind, is_required=True)
    redmine.add(KINDS[kind][0], **KINDS[kind][2], custom_fields={"F": live})
    assert found(redmine, kind, said) == ([NEED] if refused else [])


@pytest.mark.parametrize("kind", KINDS)
def test_with_one_field_all_are_checked(kind: str) -> None:
    """A change of another custom field is refused while a required one is empty, or a live value is not allowed."""
    redmine = server(customized_type=kind, is_required=True)
    redmine.add("custom_fields", name="G", customized_type=kind)
    redmine.row("projects", "shop")["issue_custom_fields"].append({"id": 2, "name": "G"})
    number = redmine.add(KINDS[kind][0], **KINDS[kind][2], custom_fields={"F": None, "G": "old"})
    assert found(redmine, kind, "{G: old}") == []
    assert found(redmine, kind, "{G: new}") == [NEED]
    assert found(redmine, kind, "{G: new, F: x}") == []
    redmine.set(redmine.row(KINDS[kind][0], number), KINDS[kind][0], custom_fields={"F": "too long"})
    redmine.row("custom_fields", "F")["max_length"] = 3
    assert found(redmine, kind, "{G: old}") == []
    (said,) = found(redmine, kind, "{G: new}")
    assert (
        said == 'the live value does not fit: "too long" is too long: the field takes at most 3 characters, this has 8'
    )
    assert found(redmine, kind, "{G: new, F: ok}") == []


@pytest.mark.parametrize(
    "form, live, wrong",
    [
        ("int", "many", 'expected a whole number, found "many"'),
        ("float", "1,5", 'expected a number, found "1,5"'),
        ("date", "soon", 'expected a date (YYYY-MM-DD), found "soon"'),
        ("progressbar", "200", 'expected a number from 0 to 100, found "200"'),
        ("list", "gone", ""),
        ("bool", "yes", ""),
        ("int", " 7", ""),
    ],
)
def test_live_values_are_checked_again(form: str, live: str, wrong: str) -> None:
    """Numbers and days are; an option that is gone may stay, and any text is a truth value."""
    redmine = server(customized_type="version", field_format=form, possible_values=[{"value": "red"}])
    redmine.add("custom_fields", name="G", customized_type="version")
    redmine.add("versions", project="shop", name="a", custom_fields={"F": live, "G": None})
    assert found(redmine, "version", "{G: new}") == ([f"the live value does not fit: {wrong}"] if wrong else [])


# -- values ----------------------------------------------------------------------------------------------------

VALUES: list[tuple[dict[str, Any], str, str]] = [
    # the field, a value, what is wrong with it
    (
        {"regexp": r"\A[A-Z]+-\d+\z"},
        "a-1",
        r'"a-1" does not match the field\'s pattern \A[A-Z]+-\d+\z'.replace("\\'", "'"),
    ),
    ({"regexp": r"\A[A-Z]+-\d+\z"}, "A-1", ""),
    ({"regexp": "^(?~a)$"}, "a", ""),
    ({"field_format": "text", "regexp": "^a$"}, "b", '"b" does not match the field\'s pattern ^a$'),
    ({"field_format": "link", "regexp": "^https:"}, "x", '"x" does not match the field\'s pattern ^https:'),
    ({"field_format": "int", "regexp": "^[1-9]"}, "0", '"0" does not match the field\'s pattern ^[1-9]'),
    ({"min_length": 2}, "a", '"a" is too short: the field takes 2 characters or more'),
    ({"min_length": 2}, "äö", ""),
    ({"max_length": 2}, "abc", '"abc" is too long: the field takes at most 2 characters, this has 3'),
    ({"max_length": 0}, "abc", ""),
    (
        {"field_format": "int", "max_length": 2},
        "100",
        '"100" is too long: the field takes at most 2 characters, this has 3',
    ),
    ({"field_format": "float", "min_length": 4}, "1.5", '"1.5" is too short: the field takes 4 characters or more'),
    ({"field_format": "float"}, "1e400", 'expected a number, found "inf"'),
    ({"field_format": "progressbar"}, "101", 'expected a number from 0 to 100, found "101"'),
    ({"field_format": "progressbar"}, "-1", 'expected a number from 0 to 100, found "-1"'),
    ({"field_format": "progressbar"}, "100", ""),
    # Redmine applies neither to these.
    ({"field_format": "bool", "regexp": "^x$", "min_length": 9}, "true", ""),
    ({"field_format": "date", "regexp": "^x$", "min_length": 99}, "2026-11-02", ""),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field, value, wrong", VALUES)
def test_a_value_must_fit(kind: str, field: dict[str, Any], value: str, wrong: str) -> None:
    """For a new object, and where the value is another one than the live one: that one may stay."""
    redmine = server(customized_type=kind, **field)
    said = f'{{F: "{value}"}}'
    assert found(redmine, kind, said) == ([wrong] if wrong else [])
    number = redmine.add(KINDS[kind][0], **KINDS[kind][2], custom_fields={"F": None})
    assert found(redmine, kind, said) == ([wrong] if wrong else [])
    live = {"true": "1"}.get(value, value)
    redmine.set(redmine.row(KINDS[kind][0], number), KINDS[kind][0], custom_fields={"F": live})
    assert found(redmine, kind, said) == []


def test_the_place_is_that_of_the_value() -> None:
    """Or of the object, where nothing is declared."""
    redmine = server(customized_type="version", is_required=True)
    text = "versions:\n  - {project: shop, name: a, custom_fields: {F: null}}\n  - {project: shop, name: b}\n"
    places = [(p.location.line, p.location.column, p.subject, p.hint) for p in problems_of(redmine, text)]
    assert places == [(2, 46, "version shop/a", "declare a value"), (3, 5, "version shop/b", "declare a value")]


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"user", "group"}))
def test_nothing_is_claimed_without_the_definitions(kind: str) -> None:
    """Only administrators see them; others know the field from the objects that have it (of users and groups, none)."""
    redmine = server(customized_type=kind, is_required=True, max_length=1)
    redmine.add(KINDS[kind][0], **KINDS[kind][2], custom_fields={"F": "x"})
    redmine.row("users", "admin")["admin"] = False
    redmine.rows("custom_fields").clear()
    assert found(redmine, kind, "{F: too long}") == []
    assert found(redmine, kind, "{F: null}") == []


@pytest.mark.parametrize("kind", ["user", "group"])
def test_values_that_the_api_never_shows(kind: str) -> None:
    """Of people, even administrators are not shown fields that are not visible: that is said, not refused."""
    redmine = server(customized_type=kind, visible=False)
    (said,) = warned(redmine, kind, "{F: x}")
    assert said.startswith("custom_fields: F: the field is not visible, so the API never shows its values")
    assert warned(redmine, kind, "{F: null}") == []


# -- requests --------------------------------------------------------------------------------------------------


def lists(redmine: Canned) -> int:
    """How often the definitions were read."""
    return sum(path.startswith("/custom_fields") for _, path in redmine.seen)


@pytest.mark.parametrize("kind", KINDS)
def test_the_definitions_are_read_once_and_for_new_objects_only(kind: str) -> None:
    """One more list where something new could lack a required field; none where all is there."""
    redmine = server(customized_type=kind)
    plan_of(redmine, manifest(kind, ""))
    plan_of(redmine, manifest(kind, "{F: x}"))
    assert lists(redmine) == 2
    redmine.seen.clear()
    redmine.add(KINDS[kind][0], **KINDS[kind][2])
    plan_of(redmine, manifest(kind, "").replace(", tracker: Bug", ""))
    assert lists(redmine) == 0
