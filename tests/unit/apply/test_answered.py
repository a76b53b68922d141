"""What the answer to a POST shows is not read back; what it does not show, or may have changed since, is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from canned import Canned
from engine import apply_to

from reconciler.model.codecs import Number, exact


def server() -> Canned:
    """A server with a user, a project, a version and a category."""
    redmine = Canned()
    redmine.add("users", login="amy", firstname="A", lastname="B", mail="amy@example.net")
    redmine.add("projects", identifier="shop", name="Shop")
    redmine.add("versions", project="shop", name="1.0")
    return redmine


def reads_after(redmine: Canned, text: str) -> list[str]:
    """The lists and pages that an apply reads after its last write, without the look for doubles."""
    report = apply_to(redmine, text, concurrency=1)
    assert report.summary["done"] == len(report.results) > 0, [str(e) for r in report.results for e in r.errors]
    writes = [n for n, (method, _) in enumerate(redmine.seen) if method != "GET"]
    return [path for _, path in redmine.seen[writes[-1] :] if path.startswith("/") and "id%3Adesc" not in path][1:]


SHOP = "projects: [{identifier: shop, name: Shop, %s}]"
SHOWN = {
    "an issue": SHOP % "issues: [{subject: a, description: text, estimated_hours: 1.5, fixed_version: '1.0'}]",
    "a hundred issues": SHOP % f"issues: [{', '.join(f'{{subject: s{n}}}' for n in range(100))}]",
    "a version": SHOP % "versions: [{name: '2.0', due_date: 2030-01-01, sharing: none}]",
    "a category": SHOP % "issue_categories: [{name: Backend, assigned_to: amy}]",
    "a user": "users: [{login: bob, firstname: B, lastname: B, mail: bob@example.net, password: long enough}]",
    "a group without users": "groups: [{name: Support}]",
    "a version and its issues": SHOP % "versions: [{name: '2.0'}], issues: [{subject: a, fixed_version: '2.0'}]",
}


@pytest.mark.parametrize("case", SHOWN)
def test_what_the_answer_shows_is_not_read_back(case: str) -> None:
    """Each field is in it, and nothing was written since that could change it."""
    assert reads_after(server(), SHOWN[case]) == []


NOT_SHOWN = {
    "watchers": (SHOP % "issues: [{subject: a, watchers: [amy]}]", "/issues"),
    "notes": (SHOP % "issues: [{subject: a, notes: [said]}]", "/issues"),
    "relations": (SHOP % "issues: [{subject: a}, {subject: b, relations: [{relates: a}]}]", "/issues"),
    "the users of a group": ("groups: [{name: Support, users: [amy]}]", "/groups"),
    "the trackers of a project": ("projects: [{identifier: other, name: Other, trackers: [Bug]}]", "/projects"),
    "a number that MySQL shortens": (SHOP % "issues: [{subject: a, estimated_hours: 12345.67}]", "/issues"),
}


@pytest.mark.parametrize("case", NOT_SHOWN)
def test_what_the_answer_does_not_show_is_read_back(case: str) -> None:
    """And then the object with all its fields."""
    text, path = NOT_SHOWN[case]
    found = reads_after(server(), text)
    assert found and all(one.startswith(path) for one in found)


CHANGED_SINCE = {
    "a parent": SHOP % "issues: [{subject: a}, {subject: b, parent: a}]",
    "an issue of a version that is locked": SHOP
    % "versions: [{name: '2.0', status: locked}], issues: [{subject: a, fixed_version: '2.0'}]",
    "an issue below another, while dates change": SHOP
    % "issues: [{subject: old, due_date: 2030-01-01}, {subject: top}, {subject: b, parent: top}]",
}


@pytest.mark.parametrize("case", CHANGED_SINCE)
def test_what_may_have_changed_since_is_read_back(case: str) -> None:
    """By subtasks, by a change of what it names, or by issues that pass their dates on."""
    redmine = server()
    redmine.add("issues", project="shop", subject="old")
    found = reads_after(redmine, CHANGED_SINCE[case])
    assert any(path.startswith("/issues") for path in found)


def answering(redmine: Canned, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let the answers to POSTs show something else."""
    real = redmine._create

    def create(table: str, values: Any, params: Any) -> tuple[int, bytes]:
        status, body = real(table, values, params)
        return status, json.dumps({root: change(row) for root, row in json.loads(body).items()}).encode()

    redmine._create = create  # type: ignore[method-assign]


def test_an_answer_with_another_value_is_written_again_and_read_back() -> None:
    """A value that the POST did not keep is sent by itself, and looked at again."""
    redmine = server()
    answering(redmine, lambda row: {**row, "priority": {"id": 99, "name": "None"}})
    found = reads_after(redmine, SHOP % "issues: [{subject: a, priority: High}]")
    assert any(path.startswith("/issues") for path in found)
    assert [method for method, _ in redmine.seen if method != "GET"] == ["POST", "PUT"]


@pytest.mark.parametrize(("number", "kept"), [(None, True), (0, True), (1.5, True), (0.33, True), (100000, True)])
def test_six_digits_are_kept_by_every_database(number: float | None, kept: bool) -> None:
    """Redmine's columns for hours are single-precision on MySQL."""
    assert exact(number) is kept is Number().is_exact(number)


@pytest.mark.parametrize("number", [1234567, 12345.67, 1 / 3])
def test_more_digits_may_be_rounded(number: float) -> None:
    """Only a GET shows what became of them."""
    assert not exact(number)
