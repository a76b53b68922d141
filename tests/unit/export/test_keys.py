"""Keys that an export gives to issues without one: made of subjects, the same each time, stored where that is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from canned import Canned
from exports import Exports, run

from reconciler.export.state_files import KEYS

KEY = "Config key"
ISSUES = "projects/shop/issues.yaml"


def keys(folder: str = "out", file: str = ISSUES) -> dict[str, str]:
    """Key of each exported issue → its description, or its subject where it has none."""
    listed = yaml.safe_load(Path(folder, file).read_text())["issues"]
    return {issue.get("key", ""): issue.get("description") or issue["subject"] for issue in listed}


def export(canned: Canned, folder: str = "out") -> None:
    """Export everything."""
    Exports(canned).write(Path(folder))


def add(canned: Canned, *subjects: str, **more: Any) -> list[int]:
    """The numbers of new issues of the project."""
    return [canned.add("issues", project="shop", subject=subject, **more) for subject in subjects]


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (["Login fails"], ["login-fails"]),
        (["Überall: Ärger!"], ["überall-ärger"]),
        (["???"], ["issue"]),
        (["x" * 60], ["x" * 48]),
        (["A b", "a-B", "a  b!"], ["a-b", "a-b-2", "a-b-3"]),
        (["a", "a", "a 2"], ["a", "a-2", "a-2-2"]),
    ],
)
def test_a_key_is_made_of_the_subject(canned: Canned, subjects: list[str], expected: list[str]) -> None:
    """Letters and digits in small letters, 48 at most; of several that are the same the later ones get numbers."""
    add(canned, *subjects)
    export(canned)
    assert sorted(keys()) == sorted(expected)


def test_numbers_of_keys_follow_what_issues_are(canned: Canned) -> None:
    """Issues of one subject get their keys in the order of what they have, so that another server's numbers make no
    difference; issues that are the same, in the order of their numbers."""
    for text in ("c", "a", "b"):
        add(canned, "Twin", description=text)
    export(canned)
    assert keys() == {"twin": "a", "twin-2": "b", "twin-3": "c"}


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("tracker", "Bug", "Feature"),
        ("status", "In Progress", "New"),
        ("description", "a" * 60 + "1", "a" * 60 + "2"),
        ("start_date", "2026-01-01", "2026-02-02"),
        ("custom_fields", {"Size": "1"}, {"Size": "2"}),
        ("parent", 2, 1),
        ("attachments", [{"id": 1, "filename": "a.txt", "filesize": 1, "description": "", "content_url": ""}], []),
    ],
)
def test_what_tells_issues_of_one_subject_apart(canned: Canned, field: str, low: Any, high: Any) -> None:
    """Each thing that an issue has decides which of two is first, whatever their numbers are."""
    canned.add("custom_fields", name="Size", field_format="int")
    canned.add("attachments", id=1, filename="a.txt", filesize=1)
    canned.files[1] = b"x"
    add(canned, "Top", "Other top")
    one, two = (add(canned, "Twin", **{field: value})[0] for value in (high, low))
    export(canned)
    remembered = json.loads(Path("out", KEYS).read_text())["keys"]
    named = {int(issue.split()[0]): key for key, issue in remembered.items()}
    named = {number: named[number] for number in (one, two)}
    # The digest of a long text orders it somehow, but always in the same way.
    if field != "description":
        assert named == {two: "shop/twin", one: "shop/twin-2"}
    assert set(named.values()) == {"shop/twin", "shop/twin-2"}


def test_keys_of_the_last_export_stay(canned: Canned) -> None:
    """What an issue was called by stays, though others of its subject come or its own subject changes."""
    (first,) = add(canned, "Login", description="b")
    export(canned)
    assert keys() == {"login": "b"}
    add(canned, "Login", description="a")
    canned.set(canned.row("issues", first), "issues", subject="Log in")
    export(canned)
    assert keys() == {"login": "b", "login-2": "a"}


def test_a_key_of_the_last_export_that_does_not_fit_is_not_used(canned: Canned) -> None:
    """An issue that was moved to another project gets a new key there."""
    canned.add("projects", identifier="other")
    (number,) = add(canned, "Login")
    export(canned)
    canned.set(canned.row("issues", number), "issues", project="other", subject="Log out")
    export(canned)
    assert keys(file="projects/other/issues.yaml") == {"log-out": "Log out"}


def test_a_server_that_was_built_anew(canned: Canned) -> None:
    """Under the same URL, its numbers mean other issues, as their dates show: each key goes with its subject."""
    for number, subject in enumerate(("Zeta", "Beta", "Alpha")):
        add(canned, subject, created_on=f"2026-01-0{number + 1}T00:00:00Z")
    export(canned)
    for number, subject in enumerate(("Alpha", "Beta", "Zeta"), start=1):
        changed = {"subject": subject, "created_on": f"2026-02-0{number}T00:00:00Z"}
        canned.set(canned.row("issues", number), "issues", **changed)
    export(canned)
    assert keys() == {"alpha": "Alpha", "beta": "Beta", "zeta": "Zeta"}


def test_what_the_first_releases_stored(canned: Canned) -> None:
    """A file of keys without dates counts as it did."""
    (number,) = add(canned, "Login")
    export(canned)
    stored = json.loads(Path("out", KEYS).read_text())
    Path("out", KEYS).write_text(json.dumps({**stored, "keys": {"shop/mine": number}}))
    export(canned)
    assert keys() == {"mine": "Login"}


# -- into the key field ------------------------------------------------------------------------------------------


@pytest.fixture
def keyed(canned: Canned) -> Canned:
    """A server with a key field, and a configuration that names it."""
    canned.add("custom_fields", name=KEY, max_length=12)
    Path("reconciler.yaml").write_text(f"issue_key_field: {KEY}\n")
    return canned


def stored(canned: Canned) -> dict[str, Any]:
    """Subject → what the key field has."""
    rows = canned.rows("issues")
    return {
        row["subject"]: next((f["value"] for f in row["custom_fields"] if f["name"] == KEY), "no field") for row in rows
    }


def written(canned: Canned) -> list[str]:
    """What was sent that is no GET."""
    return [f"{method} {re.sub('[.]json.*', '', path)}" for method, path in canned.seen if method != "GET"]


def test_keys_are_written(keyed: Canned) -> None:
    """An issue without a key gets one that the field has room for and nobody else has; the others are not touched."""
    add(keyed, "Login fails always")
    add(keyed, "Log out", custom_fields={KEY: "login-fails"})
    add(keyed, "Login fails sometimes")
    run("export", "-o", "out", "--write-keys", "--yes")
    found = stored(keyed)
    assert found["Log out"] == "login-fails"
    assert all(len(key) <= 12 for key in found.values())
    assert len(set(found.values())) == 3
    assert sorted(written(keyed)) == ["PUT /issues/1", "PUT /issues/3"]
    assert set(keys()) == set(found.values())
    keyed.seen.clear()
    run("export", "-o", "out", "--write-keys", "--yes")
    assert written(keyed) == []


def test_watchers_stay_as_they_are(keyed: Canned) -> None:
    """Whoever writes to an issue becomes its watcher, unless the write says who they are."""
    keyed.add("users", login="amy", mail="a@example.net")
    add(keyed, "One", watchers=["amy"])
    add(keyed, "Two", watchers=[{"id": 99, "name": "gone"}])
    run("export", "-o", "out", "--write-keys", "--yes")
    assert stored(keyed) == {"One": "one", "Two": "two"}
    assert [w["id"] for w in keyed.row("issues", "One")["watchers"]] == [keyed.row("users", "amy")["id"]]


def test_a_closed_project_is_opened_for_the_keys(keyed: Canned) -> None:
    """Redmine changes nothing in a closed project: it is opened, and closed when the keys are there."""
    add(keyed, "One")
    keyed.row("projects", "shop")["status"] = 5
    run("export", "-o", "out", "--write-keys", "--yes")
    assert written(keyed) == ["PUT /projects/shop/reopen", "PUT /issues/1", "PUT /projects/shop/close"]
    assert keyed.row("projects", "shop")["status"] == 5


def test_issues_that_cannot_have_a_key(keyed: Canned) -> None:
    """A tracker without the field leaves its issues without a key; they are named, and the rest is done."""
    keyed.set(keyed.row("custom_fields", KEY), "custom_fields", trackers=[{"id": 1}])
    add(keyed, "One")
    add(keyed, "Two", tracker="Feature")
    said = run("export", "-o", "out", "--write-keys", "--yes").stderr
    assert stored(keyed) == {"One": "one", "Two": "no field"}
    assert "issue shop/two." in said
    assert set(keys()) == {"one", ""}


def test_keys_of_some_projects(keyed: Canned) -> None:
    """Issues of projects that are not exported get no key."""
    keyed.add("projects", identifier="other")
    add(keyed, "One")
    keyed.add("issues", project="other", subject="Two")
    run("export", "-o", "out", "--project", "shop", "--write-keys", "--yes")
    assert stored(keyed) == {"One": "one", "Two": None}
