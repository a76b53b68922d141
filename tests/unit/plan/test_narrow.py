"""A plan with `--target` reads what the chosen objects need, and selects what it would select among all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from canned import Canned, reached
from pydantic import SecretStr

from reconciler import pipeline
from reconciler.config import load
from reconciler.errors import ReconcilerError
from reconciler.plan.options import PlanOptions
from reconciler.redmine.client import Client, Connection

PEOPLE = [{"login": f"u{n}", "firstname": "A", "lastname": "B", "mail": f"u{n}@example.net"} for n in range(40)]
PROJECTS = [
    {
        "identifier": f"p{n}",
        "name": f"P{n}",
        "default_version": "1.0",
        "members": [{"user": f"u{m}", "roles": ["Manager"]} for m in range(3)],
        "versions": [{"name": "1.0"}, {"name": "2.0", "status": "locked"}],
        "issue_categories": [{"name": "Backend", "assigned_to": "u0"}],
        "wiki_pages": [{"title": "Wiki", "text": "text"}, {"title": "Below", "text": "text", "parent": "Wiki"}],
        "issues": [
            {"subject": "top", "watchers": ["u1"]},
            {"subject": "below", "parent": "top", "assigned_to": "u2", "fixed_version": "2.0", "notes": ["said"]},
            {"subject": "alone", "notes": ["said"]},
            {"subject": "twin", "key": "one"},
            {"subject": "twin", "key": "two", "description": "text"},
        ],
    }
    for n in range(10)
]
BIG = {"users": PEOPLE, "groups": [{"name": f"g{n}", "users": [f"u{n}"]} for n in range(10)], "projects": PROJECTS}


@pytest.fixture
def server() -> Canned:
    """A server with the projects and some of the people."""
    redmine = Canned()
    for person in PEOPLE[:30]:
        redmine.add("users", **person)
    modules = ["issue_tracking", "wiki"]
    for n in range(10):
        redmine.add("projects", identifier=f"p{n}", name=f"P{n}", enabled_modules=modules)
    return redmine


def planned(redmine: Canned, folder: Path, *targets: str, data: Any = BIG) -> tuple[Any, int]:
    """The plan of the targets as the commands make it, and the number of requests."""
    (folder / "redmine.yaml").write_text(json.dumps(data))
    config = load([folder], {"REDMINE_URL": redmine.url, "REDMINE_API_KEY": redmine.api_key})
    redmine.seen.clear()

    async def look() -> Any:
        connection = Connection(redmine.url, api_key=SecretStr(redmine.api_key))
        async with Client(connection) as client:
            manifests = pipeline.read(config, [folder / "redmine.yaml"])
            assert not manifests.problems, manifests.problems
            return (await pipeline.plan(client, manifests, PlanOptions(targets=targets))).plan

    with reached(redmine):
        plan = asyncio.run(look())
    return plan, len(redmine.seen)


BASE, CHANGES, FIELDS = 2, 1, 1
"""The account and the trackers; the account once more, as there are changes; the custom fields of something new."""
USERS = 3
"""A user's mail address may be one that another declared user gives up, and some of these are missing."""
HOME = 3 + USERS
"""The list of projects, and the page, roles and memberships of one with a default version, which members come before."""
TARGETS = {
    "a user": ("user/u3", BASE + USERS + FIELDS),
    "a user that is missing": ("user/u35", BASE + USERS + FIELDS + CHANGES),
    "a group": ("group/g3", BASE + USERS + 1 + FIELDS + CHANGES),
    "a version": ("version/p3/2.0", BASE + HOME + 2 + FIELDS + CHANGES),
    "a page of a wiki": ("wiki_page/p3/Wiki", BASE + HOME + 2 + 3 + FIELDS + CHANGES),
    "an issue": ("issue/p3/alone", BASE + HOME + 2 + 1 + FIELDS + CHANGES),
    "all issues of a project": ("issue/p3/*", BASE + HOME + 2 + 1 + 2 + FIELDS + CHANGES),
}


@pytest.mark.parametrize("case", TARGETS)
def test_a_target_reads_only_what_it_needs(server: Canned, tmp_path: Path, case: str) -> None:
    """Not the other projects, kinds and pages of the manifests, which take more than a hundred requests."""
    target, expected = TARGETS[case]
    plan, number = planned(server, tmp_path, target)
    assert number == plan.requests == expected, [path for _, path in server.seen]


LABELS = [
    *("user/u0", "user/u35", "group/g3", "project/p3", "version/p3/1.0", "version/p3/2.0", "membership/p3/user:u0"),
    *("issue_category/p3/Backend", "wiki_page/p3/Below", "issue/p3/top", "issue/p3/below", "issue/p3/one"),
    *("issue/p3/two", "issue/p*/alone", "user/*", "*/p3/*"),
]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("filled", [False, True])
def test_it_plans_the_same_as_if_everything_was_read(
    server: Canned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str, filled: bool
) -> None:
    """With what it depends on, among new objects and among those that are there."""
    if filled:
        fill(server)
    narrow_plan, fewer = planned(server, tmp_path, label)
    monkeypatch.setattr(pipeline, "narrowed", lambda desired, options: desired)
    whole_plan, all_of_it = planned(server, tmp_path, label)
    assert narrow_plan.changes == whole_plan.changes
    assert (narrow_plan.digest, narrow_plan.unchanged) == (whole_plan.digest, whole_plan.unchanged)
    assert fewer < all_of_it


def fill(redmine: Canned) -> None:
    """Half of what is declared is there, some of it other than declared."""
    for n in range(10):
        redmine.add("versions", project=f"p{n}", name="2.0", status="locked")
        redmine.add("memberships", project=f"p{n}", user="u0", roles=["Developer"])
        top = redmine.add("issues", project=f"p{n}", subject="top")
        redmine.add("issues", project=f"p{n}", subject="below", parent=top)
        redmine.add("issues", project=f"p{n}", subject="twin", description="text")
        redmine.add("issues", project=f"p{n}", subject="twin")


def test_what_was_not_read_is_not_said_to_be_in_no_manifest(server: Canned, tmp_path: Path) -> None:
    """Other declared issues of the project are there, and are not counted as undeclared."""
    fill(server)
    plan, _ = planned(server, tmp_path, "issue/p3/top")
    assert plan.unmanaged.objects == ()


SWAPPED = {
    "users": [
        {**PEOPLE[0], "mail": "u1@example.net"},
        {**PEOPLE[1], "mail": "another@example.net"},
        {**PEOPLE[2], "login": "new", "renamed_from": "u2"},
    ]
}


@pytest.mark.parametrize("label", ["user/u0", "user/new"])
def test_values_that_others_give_up_are_known(
    server: Canned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    """A mail address can only be taken once another declared user has given it up."""
    found, _ = planned(server, tmp_path, label, data=SWAPPED)
    monkeypatch.setattr(pipeline, "narrowed", lambda desired, options: desired)
    assert found.changes == planned(server, tmp_path, label, data=SWAPPED)[0].changes != ()


GONE, STAYS = {"subject": "A", "state": "absent"}, {"subject": "C"}
BELOW: dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = {
    "a subtask that is declared without its parent": ("issue/p/A", [GONE, {"subject": "B"}], []),
    "a protected subtask": ("issue/p/A", [GONE, {"subject": "B", "protect": True}], []),
    "a subtask that moves below another issue": ("issue/p/A", [GONE, STAYS, {"subject": "B", "parent": "C"}], []),
    "a subproject that is declared without its parent": (
        "project/gone",
        [],
        [{"identifier": "gone", "state": "absent"}, {"identifier": "sub", "name": "Sub"}],
    ),
    "what is inside a subproject": (
        "project/gone",
        [],
        [{"identifier": "gone", "state": "absent"}, {"identifier": "sub", "versions": [{"name": "1.0"}]}],
    ),
}
"""The target, the issues of a project, and other projects. On the server, B is below A and sub below gone."""


@pytest.mark.parametrize("case", BELOW)
def test_a_deletion_takes_no_declared_object_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """What is deleted with the target is known from the server: it is refused, or moved before, as without --target."""
    label, issues, others = BELOW[case]
    data = {"projects": [{"identifier": "p", "name": "P", "issues": issues}, *others]}

    def outcome() -> Any:
        redmine = Canned()
        for project, above in (("p", {}), ("gone", {}), ("sub", {"parent": "gone"})):
            redmine.add(
                "projects", identifier=project, name=project.title(), enabled_modules=["issue_tracking"], **above
            )
        top = redmine.add("issues", project="p", subject="A")
        redmine.add("issues", project="p", subject="B", parent=top)
        redmine.add("issues", project="p", subject="C")
        try:
            return [
                (change.action, str(change.address))
                for change in planned(redmine, tmp_path, label, data=data)[0].changes
            ]
        except ReconcilerError as error:
            return str(error)

    found = outcome()
    monkeypatch.setattr(pipeline, "narrowed", lambda desired, options: desired)
    assert found == outcome()
    assert ("deletes it together with" in found) is ("moves" not in case), found


def test_a_target_that_matches_nothing_takes_no_request(server: Canned, tmp_path: Path) -> None:
    """It is told from the manifests."""
    with pytest.raises(ReconcilerError, match="matches no declared object"):
        planned(server, tmp_path, "user/nobody")
    assert server.seen == []
