"""How many round trips one after the other a plan takes: what a run costs where the server is far away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs

import pytest
from canned import Canned, Params
from engine import plan_of
from limited import Limited
from rounds import counted

from reconciler.errors import AuthenticationFailed, ManifestError
from reconciler.state.early import Early

PROJECTS = [f"p{n}" for n in range(20)]


def shop(issues: int = 250) -> Canned:
    """A project of issues that have a version and an assignee."""
    redmine = Canned()
    redmine.add("users", login="amy", firstname="A", lastname="B", mail="amy@example.net")
    redmine.add("projects", identifier="shop", name="Shop", enabled_modules=["issue_tracking", "time_tracking"])
    redmine.add("versions", project="shop", name="1.0")
    for n in range(issues):
        redmine.add("issues", project="shop", subject=f"item {n}", tracker="Bug", fixed_version="1.0")
    return redmine


def items(number: int = 250) -> str:
    """The manifest of `shop`."""
    issues = [f"    - {{subject: item {n}, tracker: Bug, fixed_version: '1.0'}}" for n in range(number)]
    return "\n".join(["projects:", "- identifier: shop", "  versions: [{name: '1.0'}]", "  issues:", *issues])


def many() -> Canned:
    """Twenty projects with something of most kinds."""
    redmine = Canned()
    redmine.add("users", login="amy", firstname="A", lastname="B", mail="amy@example.net")
    for name in PROJECTS:
        modules = ["issue_tracking", "wiki", "news", "files", "time_tracking"]
        redmine.add("projects", identifier=name, name=name, enabled_modules=modules)
        redmine.add("versions", project=name, name="1.0")
        redmine.add("issue_categories", project=name, name="Backend")
        redmine.add("memberships", project=name, user="amy", roles=["Developer"])
        redmine.add("issues", project=name, subject="One")
        redmine.add("wiki_pages", inside=name, title="Home", text="text", version=1)
    return redmine


INSIDE = (
    "versions: [{name: '1.0'}], issue_categories: [{name: Backend}], members: [{user: amy, roles: [Developer]}], "
    "wiki_pages: [{title: Home, text: text}], issues: [{subject: One}]"
)
EVERY = "projects:\n" + "\n".join(f"- {{identifier: {name}, {INSIDE}}}" for name in PROJECTS)


SHOP = "projects: [{identifier: shop"


def grouped() -> Canned:
    """A group and a project with fields that only their own pages show."""
    redmine = shop(50)
    redmine.add("groups", name="Support", users=["amy"])
    redmine.set(redmine.row("projects", "Shop"), "projects", default_version={"id": 1, "name": "1.0"})
    return redmine


def logged() -> Canned:
    """Time that was spent on an issue."""
    redmine = shop(1)
    spent = {"user": "amy", "spent_on": "2026-01-02", "hours": 1.0, "activity": "Development", "comments": ""}
    redmine.add("time_entries", project="shop", issue={"id": 1}, **spent)
    return redmine


Case = tuple[Callable[[], Canned], str]
CASES: dict[str, tuple[Case, int]] = {
    # the account; definitions and projects; the first page of the issues, and versions; all other pages
    "issues of several pages": ((shop, items()), 4),
    "issues of one page": ((lambda: shop(50), items(50)), 3),
    # own pages of groups and projects in the round of what is inside projects
    "own pages of groups and projects": (
        (
            grouped,
            "groups: [{name: Support, users: [amy]}]\n"
            + items(50).replace("  versions", "  default_version: '1.0'\n  versions"),
        ),
        3,
    ),
    # wiki pages: the lists of titles, then their texts
    "twenty projects": ((many, EVERY), 4),
    # time entries wait for the users, not for the issues that they name
    "time entries": (
        (
            logged,
            f"{SHOP}, time_entries: [{{user: amy, spent_on: 2026-01-02, hours: 1, activity: Development, issue: item 0}}], issues: [{{subject: item 0}}]}}]",
        ),
        3,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_plan_takes_few_round_trips(case: str) -> None:
    """What does not need an answer does not wait for it."""
    (server, text), most = CASES[case]
    with counted(server()) as rounds:
        assert plan_of(server(), text).changes == ()
    assert rounds[0] == [("GET", "/users/current.json")]
    assert len(rounds) == most, "\n".join(map(str, rounds))


@pytest.mark.parametrize(
    ("declared", "live", "pages"),
    [(250, 250, [["0", "99"], ["198"]]), (100, 3, [["0", "99"]]), (99, 250, [["0"], ["198", "99"]])],
)
def test_a_second_page_that_is_likely_is_asked_for_with_the_first(
    declared: int, live: int, pages: list[list[str]]
) -> None:
    """No worker of the server waits for the first page of a list of which a hundred objects or more are declared."""
    server = shop(live)
    with counted(server) as rounds:
        plan_of(server, items(declared))
    offsets = [
        [parse_qs(target)["offset"][0] for _, target in asked if target.startswith("/issues.")] for asked in rounds
    ]
    assert [sorted(asked) for asked in offsets if asked] == pages


NEW = "{subject: new, assigned_to: amy, tracker: Bug}"


def limited() -> Limited:
    """A server with an account that is no administrator's, a member and an issue."""
    redmine = Limited()
    redmine.person("bob", "Developer")
    redmine.add("issues", project="shop", subject="item 0", author="bob")
    return redmine


MORE: dict[str, Case] = {
    **{case: scenario for case, (scenario, _) in CASES.items()},
    "new projects": (Canned, "projects: [{identifier: a, name: A, versions: [{name: v}]}, {identifier: b, name: B}]"),
    "new issues": (lambda: shop(3), f"{SHOP}, issues: [{NEW}]}}]"),
    "users that are missing": (Canned, "users: [{login: x, firstname: X, lastname: Y, mail: x@example.net}]"),
    "an account that is no administrator's": (
        limited,
        f"{SHOP}, members: [{{user: bob, roles: [Developer]}}], issues: [{{subject: item 0, assigned_to: bob}}]}}]",
    ),
    "its time entries": (
        limited,
        f"{SHOP}, time_entries: [{{user: bob, spent_on: 2026-01-02, hours: 1, activity: Design}}]}}]",
    ),
    "its custom fields": (limited, f"{SHOP}, issues: [{{subject: item 0, custom_fields: {{Some: a}}}}]}}]"),
}


@pytest.mark.parametrize("case", MORE)
def test_what_is_asked_for_early_adds_no_request(case: str) -> None:
    """The plan and its requests are those of one that asks for nothing before its turn."""
    server, text = MORE[case]
    redmine, other = server(), server()
    said = outcome(redmine, text)
    with patch.object(Early, "begin", lambda *ignored: None):
        assert outcome(other, text) == said
    assert sorted(redmine.seen) == sorted(other.seen)


def outcome(redmine: Canned, text: str) -> Any:
    """What a plan says, or what is wrong with it."""
    try:
        return plan_of(redmine, text).changes
    except ManifestError as error:
        return [problem.message for problem in error.problems]


class Stranger(Canned):
    """A server that does not know the key."""

    def _get(self, parts: list[str], params: Params) -> Any:
        return (401, b"") if parts[0] == "users" else super()._get(parts, params)


def test_a_wrong_key_is_told_of_before_anything_else_is_asked_for() -> None:
    """Lists are 200 with a wrong key, and have just the public objects."""
    redmine = Stranger()
    with pytest.raises(AuthenticationFailed):
        plan_of(redmine, EVERY)
    assert redmine.seen == [("GET", "/users/current.json")]
