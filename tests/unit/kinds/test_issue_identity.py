"""Which live issue a declared one is: by number, by key, by subject, and of several that share one, by likeness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from canned import Canned
from engine import plan_of, problems_of

KEY = "Config key"
Live = list[dict[str, Any]]


def live(canned: Canned, rows: Live) -> None:
    """Put issues there, numbered from 1; `key` is what the key field has."""
    canned.add("custom_fields", name=KEY)
    canned.add("projects", identifier="other")
    for row in rows:
        key = {"custom_fields": {KEY: row["key"]}} if "key" in row else {}
        canned.add("issues", **{"project": "shop", **{n: v for n, v in row.items() if n != "key"}, **key})


def manifest(*issues: str) -> str:
    """Issues of the project, each with something that has to be written, so that the plan shows which one it is."""
    listed = "".join(f"\n      - {{done_ratio: 50, {issue}}}" for issue in issues)
    return f"projects:\n  - identifier: shop\n    name: shop\n    issues:{listed}"


def matched(canned: Canned, *issues: str, key_field: str = "") -> dict[str, int | None]:
    """Key of each declared issue → number of the live one that it is, None for a new one."""
    plan = plan_of(canned, manifest(*issues), key_field=key_field or None)
    return {c.address.key: c.id for c in plan.changes if c.address.kind == "issue"}  # type: ignore[misc]


ONE, TWO = {"subject": "One"}, {"subject": "Two"}

BY_SUBJECT: list[tuple[str, Live, list[str], dict[str, int | None]]] = [
    ("the one of that subject", [ONE, TWO], ["subject: Two"], {"shop/Two": 2}),
    ("a new one where there is none", [ONE], ["subject: New"], {"shop/New": None}),
    ("not one of another project", [{"project": "other", **ONE}], ["subject: One"], {"shop/One": None}),
    ("by number, whatever it is called", [ONE, TWO], ["id: 1, key: a, subject: Two"], {"shop/a": 1}),
    ("the one that it was called before", [ONE], ["subject: New, renamed_from: One"], {"shop/New": 1}),
    ("the new name first, if both are there", [ONE, TWO], ["subject: Two, renamed_from: One"], {"shop/Two": 2}),
    (
        "a chain of renames",
        [ONE, TWO],
        ["subject: Three, renamed_from: Two", "subject: Two, renamed_from: One"],
        {"shop/Three": 2, "shop/Two": 1},
    ),
    (
        "a chain of renames that is done is not done backwards",
        [TWO, {"subject": "Three"}],
        ["subject: Three, renamed_from: Two", "subject: Two, renamed_from: One"],
        {"shop/Three": 2, "shop/Two": 1},
    ),
    (
        "a new one of the subject that another had",
        [ONE],
        ["subject: Two, renamed_from: One", "subject: One"],
        {"shop/Two": 1, "shop/One": None},
    ),
    (
        "two that exchange their subjects",
        [{**ONE, "description": "a"}, {**TWO, "description": "b"}],
        ["subject: Two, renamed_from: One, description: a", "subject: One, renamed_from: Two, description: b"],
        {"shop/Two": 1, "shop/One": 2},
    ),
    (
        "of two, the one with the declared tracker",
        [{**ONE, "tracker": "Bug"}, {**ONE, "tracker": "Feature"}],
        ["subject: One, tracker: Feature"],
        {"shop/One": 2},
    ),
    (
        "what one has by number is not given to another",
        [ONE, ONE],
        ["id: 1, key: a, subject: One", "key: b, subject: One"],
        {"shop/a": 1, "shop/b": 2},
    ),
    (
        "where another has it by number, a new one",
        [ONE],
        ["id: 1, key: a, subject: A", "key: b, subject: One"],
        {"shop/a": 1, "shop/b": None},
    ),
    (
        "of equals, by number: twin-2 comes before twin-10",
        [ONE] * 3,
        ["key: twin-10, subject: One", "key: twin, subject: One", "key: twin-2, subject: One"],
        {"shop/twin": 1, "shop/twin-2": 2, "shop/twin-10": 3},
    ),
    (
        "one declared more than there are is new",
        [{**ONE, "description": "b"}],
        ["key: a, subject: One, description: a", "key: b, subject: One, description: b"],
        {"shop/a": None, "shop/b": 1},
    ),
    (
        "the pair with fewer differences goes first",
        [{**ONE, "description": "x", "priority": "High"}, {**ONE, "description": "y"}],
        [
            "key: a, subject: One, description: x, is_private: true",
            "key: b, subject: One, description: x, priority: High",
        ],
        {"shop/a": 2, "shop/b": 1},
    ),
    (
        "of two declared ones, what was renamed is not new",
        [ONE],
        ["key: a, subject: Two, renamed_from: One", "key: b, subject: Three"],
        {"shop/a": 1, "shop/b": None},
    ),
]


@pytest.mark.parametrize(
    ("rows", "declared", "expected"), [case[1:] for case in BY_SUBJECT], ids=[c[0] for c in BY_SUBJECT]
)
def test_which_issue_it_is(canned: Canned, rows: Live, declared: list[str], expected: dict[str, int | None]) -> None:
    """Without a key field an issue is known by its number, its subject, and what else it has."""
    live(canned, rows)
    assert matched(canned, *declared) == expected


BY_KEY: list[tuple[str, Live, list[str], dict[str, int | None]]] = [
    ("the one with the key", [{**ONE, "key": "a"}, {**ONE, "key": "b"}], ["key: b, subject: One"], {"shop/b": 2}),
    ("whatever its subject is", [{**TWO, "key": "a"}], ["key: a, subject: One"], {"shop/a": 1}),
    ("one of the subject that has no key yet", [{**ONE, "key": "b"}, ONE], ["key: a, subject: One"], {"shop/a": 2}),
    (
        "keys that are passed on in a chain",
        [{**ONE, "key": "a"}, {**TWO, "key": "b"}],
        ["key: c, subject: Two, renamed_from: b", "key: b, subject: One, renamed_from: a"],
        {"shop/c": 2, "shop/b": 1},
    ),
    ("not one that has another key", [{**ONE, "key": "b"}], ["key: a, subject: One"], {"shop/a": None}),
    (
        "without a declared key, one without a key",
        [{**ONE, "key": "b"}, ONE],
        ["key: b, subject: One", "subject: One"],
        {"shop/b": 1, "shop/One": 2},
    ),
    (
        "without a declared key, one without a key, if nothing else is declared",
        [{**ONE, "key": "b"}, ONE],
        ["subject: One"],
        {"shop/One": 2},
    ),
    ("one with a key only where there is no other", [{**ONE, "key": "b"}], ["subject: One"], {"shop/One": 1}),
    ("the key that it had", [{**ONE, "key": "b"}], ["key: a, subject: One, renamed_from: b"], {"shop/a": 1}),
    (
        "the key in another project: moved here",
        [{**ONE, "key": "a", "project": "other"}],
        ["key: a, subject: One"],
        {"shop/a": 1},
    ),
    ("nothing else of another project", [{**ONE, "project": "other"}], ["key: a, subject: One"], {"shop/a": None}),
]


@pytest.mark.parametrize(("rows", "declared", "expected"), [case[1:] for case in BY_KEY], ids=[c[0] for c in BY_KEY])
def test_which_issue_it_is_with_keys(
    canned: Canned, rows: Live, declared: list[str], expected: dict[str, int | None]
) -> None:
    """With a key field the key tells first, then, among issues without one, the subject."""
    live(canned, rows)
    assert matched(canned, *declared, key_field=KEY) == expected


def test_a_key_in_a_project_where_it_is_declared_is_not_taken_from_there(canned: Canned) -> None:
    """Two projects can each declare an issue of one key: the live one stays where it is."""
    live(canned, [{**ONE, "key": "a", "project": "other"}])
    here = "issues: [{key: a, subject: One, done_ratio: 50}]"
    both = "".join(f"\n  - {{identifier: {p}, name: {p}, {here}}}" for p in ("shop", "other"))
    plan = plan_of(canned, f"projects:{both}", key_field=KEY)
    assert {c.address.key: c.id for c in plan.changes} == {"shop/a": None, "other/a": 1}


@pytest.mark.parametrize(
    ("rows", "declared", "said"),
    [
        ([ONE, ONE], ["subject: One"], "several issues match: #1, #2"),
        ([ONE, ONE, ONE], ["key: a, subject: One", "key: b, subject: One"], "several issues match: #1, #2, #3"),
        ([ONE], ["id: 9, subject: One"], "there is no issue #9"),
        ([ONE], ["id: 1, key: a, subject: A", "id: 1, key: b, subject: B"], "matches issue #1, as does"),
    ],
)
def test_what_cannot_be_told_is_a_problem(canned: Canned, rows: Live, declared: list[str], said: str) -> None:
    """More live issues than declared ones of a subject, a number that is not there, and one that two declare."""
    live(canned, rows)
    problems = problems_of(canned, manifest(*declared))
    assert problems
    assert all(said in problem.message and problem.hint for problem in problems)


FIELDS: list[tuple[str, Any, Any, str, str]] = [
    ("tracker", "Bug", "Feature", "tracker: Bug", "tracker: Feature"),
    ("status", "New", "In Progress", "status: New", "status: In Progress"),
    ("priority", "Normal", "High", "priority: Normal", "priority: High"),
    ("category", "Front", "Back", "category: Front", "category: Back"),
    ("fixed_version", "1.0", "2.0", 'fixed_version: "1.0"', 'fixed_version: "2.0"'),
    ("assigned_to", "amy", "Support", "assigned_to: amy", "assigned_to: {group: Support}"),
    ("author", "admin", "amy", "author: admin", "author: amy"),
    ("parent", None, 1, "key: a", "parent: Top"),
    ("parent", 2, 1, "parent: Other top", "parent: Top"),
    ("description", "a\r\nb", "c", r'description: "a\nb"', "description: c"),
    ("description", None, "c", "description: null", "description: c"),
    ("start_date", "2026-01-01", "2026-02-02", "start_date: 2026-01-01", "start_date: 2026-02-02"),
    ("due_date", None, "2026-02-02", "due_date: null", "due_date: 2026-02-02"),
    ("estimated_hours", 1.0, 2.5, "estimated_hours: 1", "estimated_hours: 2.5"),
    ("is_private", False, True, "is_private: false", "is_private: true"),
    ("custom_fields", {"Size": "1"}, {"Size": "2"}, "custom_fields: {Size: 1}", "custom_fields: {Size: 2}"),
    ("custom_fields", {}, {"Size": "2"}, "custom_fields: {Size: null}", "custom_fields: {Size: 2}"),
    ("attachments", [], [{"id": 1, "filename": "a.txt", "filesize": 1}], "key: a", "attachments: [{file: a.txt}]"),
]


@pytest.mark.parametrize(("field", "first", "second", "one", "other"), FIELDS, ids=[f"{f[0]}-{f[2]}" for f in FIELDS])
@pytest.mark.parametrize("turned", [False, True])
def test_each_field_tells_twins_apart(
    canned: Canned, field: str, first: Any, second: Any, one: str, other: str, turned: bool
) -> None:
    """Of two issues of one subject that differ in one field, each declared one is the one like it, in any order."""
    Path("a.txt").write_text("x")
    canned.files[1] = b"x"
    canned.add("attachments", id=1, filename="a.txt", filesize=1)
    canned.add("users", login="amy")
    canned.add("groups", name="Support")
    canned.add("custom_fields", name="Size", field_format="int")
    for name in ("Front", "Back"):
        canned.add("issue_categories", project="shop", name=name)
    for name in ("1.0", "2.0"):
        canned.add("versions", project="shop", name=name)
    canned.add("issues", project="shop", subject="Top")
    canned.add("issues", project="shop", subject="Other top")
    values = [first, second][:: -1 if turned else 1]
    numbers = [canned.add("issues", project="shop", subject="Twin", **{field: value}) for value in values]
    declared = [f"subject: Twin, {one}".replace("key: a", "is_private: false"), f"subject: Twin, {other}"]
    found = matched(
        canned, "subject: Top", "subject: Other top", *(f"key: {k}, {d}" for k, d in zip("xy", declared, strict=True))
    )
    assert [found["shop/x"], found["shop/y"]] == numbers[:: -1 if turned else 1]


def test_undeclared_issues_of_one_key_are_all_there(canned: Canned) -> None:
    """A copied issue has the key of its original: a deletion names both, and what is below them."""
    twin = {"subject": "Twin", "key": "k"}
    live(canned, [ONE, {**twin, "parent": 1}, {**twin, "parent": 2}, {**TWO, "parent": 3}])
    plan = plan_of(canned, manifest("subject: One, state: absent").replace("done_ratio: 50, ", ""), key_field=KEY)
    assert [change.reason for change in plan.changes if change.address.kind == "issue"] == [
        "also deletes issue shop/k #2, issue shop/k, issue shop/#4"
    ]


def test_a_key_that_looks_like_one_with_a_suffix(canned: Canned) -> None:
    """Whatever the keys are, no issue takes the place of another one."""
    below = ({"subject": "Twin", "key": key, "parent": 1} for key in ("k #3", "k", "k"))
    live(canned, [ONE, *below])
    plan = plan_of(canned, manifest("subject: One, state: absent").replace("done_ratio: 50, ", ""), key_field=KEY)
    assert [change.reason for change in plan.changes if change.address.kind == "issue"] == [
        "also deletes issue shop/k #3, issue shop/k #3 #3, issue shop/k"
    ]


def test_an_undeclared_issue_of_a_declared_key_is_there(canned: Canned) -> None:
    """Also if the declared one is found by its number."""
    live(canned, [ONE, {"subject": "Twin", "key": "k", "parent": 1}, {"subject": "Kept", "key": "k"}])
    both = manifest("subject: One, state: absent", "key: k, id: 3").replace("done_ratio: 50, subject", "subject")
    plan = plan_of(canned, both, key_field=KEY)
    assert {change.reason for change in plan.changes if change.id == 1} == {"also deletes issue shop/k #2"}
