"""What an export reads and writes: everything, some projects, some kinds; and which requests that takes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from canned import Canned
from exports import Exports, contents, run
from promises import fields

import reconciler
from reconciler.errors import Denied, ReconcilerError


@pytest.fixture
def company(canned: Canned) -> Canned:
    """Two projects, one below the first, and people of whom some are in neither."""
    for login in ("amy", "bob", "eve"):
        canned.add("users", login=login, mail=f"{login}@example.net")
    canned.add("groups", name="Support", users=["bob"])
    canned.add("groups", name="Sales", users=[])
    canned.add("projects", identifier="below", parent="shop")
    canned.add("projects", identifier="other")
    canned.add("memberships", project="shop", user="amy", roles=["Manager"])
    canned.add("memberships", project="shop", group="Support", roles=["Developer"])
    canned.add("versions", project="shop", name="1.0", sharing="descendants")
    canned.add("issue_categories", project="shop", name="Back", assigned_to="amy")
    canned.add("issues", project="shop", subject="One", fixed_version="1.0", category="Back")
    canned.add("issues", project="below", subject="Deep", fixed_version="1.0", parent=1)
    return canned


def counts(canned: Canned, **scope: Any) -> dict[str, int]:
    """How many objects of each kind an export has; a plan of it is empty."""
    exports = Exports(canned)
    made = exports.write(Path("out"), **scope)
    assert fields(exports.plan(Path("out"))) == {}
    return dict(made.counts)


ALL = {"user": 4, "group": 2, "project": 3, "membership": 2, "version": 1, "issue_category": 1, "issue": 2}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, ALL),
        ({"projects": "other"}, {"project": 1}),
        (
            {"projects": "shop"},
            {"user": 3, "group": 1, "project": 1, "membership": 2, "version": 1, "issue_category": 1, "issue": 1},
        ),
        (
            {"projects": ["shop"], "subprojects": True},
            {"user": 3, "group": 1, "project": 2, "membership": 2, "version": 1, "issue_category": 1, "issue": 2},
        ),
        ({"kinds": "issues"}, {"issue": 2}),
        ({"kinds": ["issue", "groups"]}, {"group": 2, "issue": 2}),
        ({"kinds": ["issue"], "projects": ["below"]}, {"issue": 1}),
    ],
)
def test_what_is_chosen(company: Canned, scope: dict[str, Any], expected: dict[str, int]) -> None:
    """Everything, some projects with whom they name, some kinds: that much is written, and a plan of it is empty."""
    assert counts(company, **scope) == expected


def test_what_names_an_issue_that_is_not_chosen(company: Canned) -> None:
    """Without the issues, a time entry names its issue by the number, which is right on the same server."""
    company.add("projects", identifier="hours", enabled_modules=["issue_tracking", "time_tracking"])
    number = company.add("issues", project="hours", subject="Work")
    company.add("memberships", project="hours", user="amy", roles=["Manager"])
    entry = {"user": "amy", "spent_on": "2026-01-05", "activity": "Design", "hours": 1.0}
    company.add("time_entries", project="hours", issue=number, **entry)
    assert counts(company, kinds="time_entries") == {"time_entry": 1}
    assert f"issue: '#{number}'" in "".join(path.read_text() for path in Path("out").rglob("*.yaml"))


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ({"projects": "shp"}, '"shop"'),
        ({"projects": "nothing-like-it"}, "nothing-like-it"),
        ({"projects": "gone"}, "archived"),
        ({"kinds": "isue"}, '"issue"'),
        ({"kinds": "tracker"}, "tracker"),
    ],
)
def test_what_cannot_be_chosen(company: Canned, scope: dict[str, Any], said: str) -> None:
    """A project or kind that is not there is named, with what was perhaps meant; an archived project, with the reason."""
    company.add("projects", identifier="gone", status=9)
    with pytest.raises(ReconcilerError, match=said):
        Exports(company).write(Path("out"), **scope)
    assert not Path("out").exists()


def test_an_account_that_is_no_administrators(company: Canned) -> None:
    """Others are not shown everything: nothing is exported for them."""
    company.row("users", "admin")["admin"] = False
    with pytest.raises(Denied, match="administrator"):
        Exports(company).write(Path("out"))


def test_a_key_field_that_is_not_there(company: Canned) -> None:
    """A configuration that names a field which does not exist is a problem before anything else is read."""
    with pytest.raises(ReconcilerError, match="Key"):
        Exports(company, "Key").write(Path("out"))
    assert not any(path.startswith("/projects") for _, path in company.seen)


def test_ranges_of_numbers_show_each_issue_once(company: Canned) -> None:
    """Issues are read by ranges of a thousand numbers, however many projects there are."""
    for number in (999, 1000, 1001, 2500):
        company.add("issues", id=number, project="shop", subject=f"Number {number}")
    assert counts(company, kinds="issue") == {"issue": 6}
    company.seen.clear()
    Exports(company).write(Path("out"), kinds="issue")
    lists = [
        path
        for _, path in company.seen
        if path.startswith("/issues.json") and "issue_id" in path and "watcher" not in path
    ]
    assert len(lists) == 3


def test_watchers_and_notes_of_many_issues(company: Canned) -> None:
    """Who watches more than twenty issues is told by a list for each account, not by a page of each issue."""
    for number in range(30):
        journals = [
            {
                "id": 1,
                "user": {"id": 1, "name": "Redmine Admin"},
                "notes": "hello",
                "private_notes": False,
                "details": [],
            }
        ]
        company.add(
            "issues",
            project="shop",
            subject=f"Number {number}",
            watchers=["amy"],
            journals=journals if number == 7 else [],
        )
    assert counts(company)["issue"] == 32
    pages = {path.partition(".")[0] for _, path in company.seen if path.startswith("/issues/")}
    assert pages == {f"/issues/{company.row('issues', 'Number 7')['id']}"}
    text = contents(Path("out"))["projects/shop/issues.yaml"].decode()
    assert (text.count("watchers: [amy]"), text.count("hello")) == (30, 1)


def test_an_issue_that_goes_while_it_is_read(company: Canned) -> None:
    """What was listed and is gone when its page is asked for is not written."""

    def delete(method: str, path: str) -> None:
        if path.startswith("/issues/2.json"):
            company.tables["issues"] = [row for row in company.rows("issues") if row["id"] != 2]

    company.before = delete
    made = Exports(company).write(Path("out"))
    assert made.counts["issue"] == 1
    assert made.left_out == ()


def test_files_in_custom_fields(company: Canned) -> None:
    """A file in a custom field is written beside the manifest; one that the server has lost is told."""
    company.add("custom_fields", name="Plan", field_format="attachment")
    company.add("attachments", id=1, filename="a.txt", filesize=1)
    company.files[1] = b"x"
    company.set(company.row("issues", "One"), "issues", custom_fields={"Plan": "1"})
    company.set(company.row("issues", "Deep"), "issues", custom_fields={"Plan": "77"})
    made = Exports(company).write(Path("out"))
    assert [str(address) for address, _ in made.left_out] == ["issue below/deep"]
    assert [name for name in contents(Path("out")) if name.endswith("a.txt")] != []


def test_progress_is_told(company: Canned) -> None:
    """Whoever exports is told on stderr how far it is."""
    company.add("issues", project="shop", subject="Two", watchers=["amy"])
    assert "Reading" in run("export", "-o", "out").stderr


def test_an_export_in_an_event_loop(company: Canned) -> None:
    """The same as a coroutine."""
    made = asyncio.run(reconciler.export_to_async(Path("out"), kinds="project"))
    assert made.counts == {"project": 3}


def test_edited_files_are_named(canned: Canned) -> None:
    """What somebody has changed in an exported file is replaced by what the server has, and that is said."""
    canned.add("users", login="amy", firstname="Amy", mail="amy@example.net")
    run("export", "-o", "out")
    users = Path("out/users.yaml")
    users.write_text(users.read_text().replace("firstname: Amy", "firstname: Amelia"))
    said = "Edited since the earlier export, and replaced by what the server has: users.yaml.\n"
    assert said in run("export", "-o", "out").stdout
    assert "Edited" not in run("export", "-o", "out").stdout
