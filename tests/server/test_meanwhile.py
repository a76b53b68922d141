"""What a person changes in the browser after the plan was read: what the plan does not change survives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from promises import KEY, Api, person, project, tool, troubles, values

from reconciler.sandbox import Running

pytestmark = pytest.mark.custom_fields("Issue bool", "Issue string", "TimeEntry string")

MODULES = ["issue_tracking", "wiki", "time_tracking", "news", "files"]
ENTRY = {"user": "admin", "spent_on": "2026-11-02", "activity": "Design"}


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder, with files to attach."""
    monkeypatch.chdir(tmp_path)
    Path("old.txt").write_text("old")
    Path("new.txt").write_text("new text")


def shop(**lists: Any) -> dict[str, Any]:
    """A manifest of people and a project with these lists."""
    return {"users": [person("amy"), person("bob")], "projects": [project(enabled_modules=MODULES, **lists)]}


def custom(api: Api, name: str) -> int:
    """The id of a custom field."""
    return api.id("/custom_fields", name)


Case = tuple[dict[str, Any], dict[str, Any], str, str, dict[str, Any]]
CASES: dict[str, Case] = {
    # kind: what is there, what is declared then, the object's list and page, and what a person changes
    "project": (
        shop(),
        {"projects": [{"identifier": "shop", "description": "declared"}]},
        "/projects?limit=100",
        "/projects/{id}?include=enabled_modules,trackers",
        {"name": "by hand", "homepage": "http://example.net/", "enabled_module_names": ["wiki", "news"]},
    ),
    "user": (
        shop(),
        {"users": [{"login": "bob", "firstname": "declared"}]},
        "/users?name=bob",
        "/users/{id}",
        {"lastname": "by hand", "mail": "hand@example.net", "admin": True},
    ),
    "version": (
        shop(versions=[{"name": "1.0"}]),
        {"versions": [{"project": "shop", "name": "1.0", "description": "declared"}]},
        "/projects/shop/versions",
        "/versions/{id}",
        {"due_date": "2030-01-01", "status": "locked", "sharing": "tree"},
    ),
    "issue_category": (
        shop(members=[{"user": "amy", "roles": ["Developer"]}], issue_categories=[{"name": "Backend"}]),
        {"issue_categories": [{"project": "shop", "name": "Frontend", "renamed_from": "Backend"}]},
        "/projects/shop/issue_categories",
        "/issue_categories/{id}",
        {"assigned_to_id": "amy"},
    ),
    "issue": (
        shop(issues=[{"subject": "a", "tracker": "Bug", "custom_fields": {"Issue string": "x"}}]),
        {
            "issues": [
                {"project": "shop", "subject": "a", "done_ratio": 20, "custom_fields": {"Issue string": "declared"}}
            ]
        },
        "/issues?status_id=*",
        "/issues/{id}",
        {"description": "by hand", "priority_id": 4, "due_date": "2030-01-01", "Issue bool": "1"},
    ),
    "time_entry": (
        shop(time_entries=[{**ENTRY, "hours": 1}]),
        {"time_entries": [{"project": "shop", **ENTRY, "hours": 2}]},
        "/time_entries",
        "/time_entries/{id}",
        {"TimeEntry string": "by hand"},
    ),
    "news": (
        shop(news=[{"title": "a", "description": "a"}]),
        {"news": [{"project": "shop", "title": "a", "description": "declared"}]},
        "/projects/shop/news",
        "/news/{id}",
        {"summary": "by hand"},
    ),
}


def edit(api: Api, kind: str, number: int, changes: dict[str, Any]) -> None:
    """What a person changes, through the API."""
    fields = {name: value for name, value in changes.items() if " " in name}
    body = {name: value for name, value in changes.items() if " " not in name}
    if fields:
        body["custom_fields"] = [{"id": custom(api, name), "value": value} for name, value in fields.items()]
    if body.get("assigned_to_id") == "amy":
        body["assigned_to_id"] = api.get("/users?name=amy")[0]["id"]
    plural = {"issue_category": "issue_categories", "time_entry": "time_entries", "news": "news"}.get(kind, f"{kind}s")
    answer = api.send("PUT", f"/{plural}/{number}", {kind: body})
    assert answer.is_success, answer.text


def shown(row: dict[str, Any], name: str) -> Any:
    """A value as its page shows it, by the name that it is sent under."""
    if " " in name:
        return values(row)[name]
    if name == "enabled_module_names":
        return sorted(module["name"] for module in row["enabled_modules"])
    return (row.get(name.removesuffix("_id")) or {}).get("id") if name.endswith("_id") else row.get(name)


@pytest.mark.parametrize("kind", CASES)
def test_what_a_person_changed_and_the_plan_does_not_survives(world: Running, api: Api, kind: str) -> None:
    """Of each kind: an update that was planned before somebody changed other fields sends none of them."""
    before, wanted, listed, page, changes = CASES[kind]
    tool(world).settle(before)
    rows = api.get(listed)
    number = next(r["id"] for r in rows if kind != "project" or r["identifier"] == "shop")
    report = tool(world).apply(wanted, lambda applier: edit(api, kind, number, changes))
    assert troubles(report) == {} and len(report.results) == 1
    row = api.get(page.format(id=number)) if kind != "news" else api.get(listed)[0]
    for name, value in changes.items():
        expected = api.get("/users?name=amy")[0]["id"] if value == "amy" else value
        assert shown(row, name) == (sorted(expected) if isinstance(expected, list) else expected), name
    assert "declared" in str(row) or kind in ("time_entry", "issue_category")


def test_a_text_that_a_person_changed_is_not_overwritten(world: Running, api: Api) -> None:
    """A change of the parent sends the text of a wiki page along: the page's version turns it into a failure."""
    tool(world).settle(shop(wiki_pages=[{"title": "A", "text": "a"}, {"title": "B", "text": "b"}]))
    wanted = {"wiki_pages": [{"project": "shop", "title": "B", "parent": "A"}]}

    def change(applier: object) -> None:
        api.send("PUT", "/projects/shop/wiki/B", {"wiki_page": {"text": "by hand"}})

    report = tool(world).apply(wanted, change)
    assert "changed by someone else meanwhile" in str(troubles(report))
    assert api.get("/projects/shop/wiki/B")["text"] == "by hand"


def test_what_a_module_hid_is_not_created_twice(world: Running, api: Api) -> None:
    """Somebody switches all modules off, and Redmine hides what they have: the apply that puts that right adopts it."""
    wanted = shop(
        issues=[{"subject": "a"}, {"subject": "b", "parent": "a"}],
        versions=[{"name": "1.0"}],
        news=[{"title": "a", "description": "a"}],
        files=[{"path": "old.txt"}],
        time_entries=[{**ENTRY, "hours": 1}],
        wiki_pages=[{"title": "A", "text": "a"}],
    )
    tool(world).settle(wanted)
    lists = ("/issues?status_id=*", "/projects/shop/versions", "/news", "/projects/shop/files", "/time_entries")
    before = [[row["id"] for row in api.get(listed)] for listed in lists]
    edit(api, "project", api.get("/projects/shop")["id"], {"enabled_module_names": ["calendar"]})
    report = tool(world).apply(wanted)
    assert [[row["id"] for row in api.get(listed)] for listed in lists] == before
    assert {note for result in report.results for note in result.notes} <= {
        f"already there, hidden while the module {module} was off; adopted" for module in MODULES
    }
    tool(world).settle(wanted)


def test_watchers_and_members_of_groups_go_one_by_one(world: Running, api: Api) -> None:
    """Somebody who is added meanwhile is no reason to take the others away, and is not doubled either."""
    group = {"groups": [{"name": "Crew", "users": ["amy"]}]}
    tool(world).settle({**shop(), **group})
    bob = api.get("/users?name=bob")[0]["id"]
    number = api.get("/groups")[0]["id"]
    wanted = {"groups": [{"name": "Crew", "users": ["amy", "bob"]}]}

    def change(applier: object) -> None:
        api.send("POST", f"/groups/{number}/users", {"user_ids": [bob]})

    tool(world).apply(wanted, change)
    assert len(api.get(f"/groups/{number}?include=users")["users"]) == 2


REPLACED = {
    "file": ({"files": [{"path": "{}", "filename": "f.txt"}]}, "/projects/shop/files"),
    "issue": ({"issues": [{"subject": "a", "attachments": [{"file": "{}", "filename": "f.txt"}]}]}, "/issues/1"),
    "news": (
        {"news": [{"title": "a", "description": "a", "attachments": [{"file": "{}", "filename": "f.txt"}]}]},
        "/news/1",
    ),
    "wiki page": (
        {"wiki_pages": [{"title": "A", "text": "a", "attachments": [{"file": "{}", "filename": "f.txt"}]}]},
        "/projects/shop/wiki/A",
    ),
}


def files(api: Api, path: str) -> list[dict[str, Any]]:
    """The files of an object."""
    return list(api.get(path) if path.endswith("/files") else api.get(f"{path}?include=attachments")["attachments"])


@pytest.mark.parametrize("case", REPLACED)
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_the_description_of_a_file_survives_its_replacement(world: Running, api: Api, case: str, when: str) -> None:
    """A new content is another attachment in Redmine. It gets the description that the old one has by then, whether a
    person wrote that before the plan was read or after."""
    lists, path = REPLACED[case]
    tool(world).settle(shop(**named(lists, "old.txt")))
    (old,) = files(api, path)

    def describe(applier: object = None) -> None:
        assert api.send("PUT", f"/attachments/{old['id']}", {"attachment": {"description": "by hand"}}).is_success

    if when == "before":
        describe()
    watch = (lambda applier: None) if when == "before" else describe
    report = tool(world).apply(shop(**named(lists, "new.txt")), watch)
    assert troubles(report) == {}
    (new,) = files(api, path)
    assert (new["description"], new["filesize"]) == ("by hand", len("new text")) and new["id"] != old["id"]


def named(lists: Any, file: str) -> Any:
    """The lists with the name of a file put in."""
    if isinstance(lists, dict):
        return {name: named(value, file) for name, value in lists.items()}
    return [named(item, file) for item in lists] if isinstance(lists, list) else file if lists == "{}" else lists


def create(api: Api, kind: str) -> None:
    """Makes what is declared, as another run would; files are uploaded first."""
    upload = {"description": "by hand"}
    if kind == "file":
        headers = {"Content-Type": "application/octet-stream"}
        token = api.send("POST", "/uploads?filename=old.txt", None, content=b"old", headers=headers).json()["upload"]
        assert api.send("POST", "/projects/shop/files", {"file": {"token": token["token"], **upload}}).is_success
    elif kind == "time_entry":
        user = api.get("/users/current")["id"]
        activity = api.id("/enumerations/time_entry_activities", "Design")
        body = {"user_id": user, "activity_id": activity, "spent_on": "2026-11-02", "hours": 1}
        assert api.send("POST", "/projects/shop/time_entries", {"time_entry": body}).is_success
    elif kind == "news":
        assert api.send("POST", "/projects/shop/news", {"news": {"title": "a", "description": "a"}}).is_success
    else:
        fields = [{"id": custom(api, KEY), "value": "a"}] if kind == "issue with a key" else []
        issue = {"subject": "a", "tracker_id": 1, "custom_fields": fields}
        assert api.send("POST", "/projects/shop/issues", {"issue": issue}).is_success


NEW = {
    "file": ({"files": [{"path": "old.txt"}]}, "/projects/shop/files", ""),
    "time_entry": ({"time_entries": [{**ENTRY, "hours": 1}]}, "/time_entries", ""),
    "news": ({"news": [{"title": "a", "description": "a"}]}, "/projects/shop/news", ""),
    "issue": ({"issues": [{"subject": "a", "tracker": "Bug"}]}, "/issues", ""),
    "issue with a key": ({"issues": [{"key": "a", "subject": "a", "tracker": "Bug"}]}, "/issues", KEY),
}


@pytest.mark.parametrize("kind", NEW)
def test_what_somebody_creates_after_the_plan_is_adopted(world: Running, api: Api, kind: str) -> None:
    """What Redmine does not keep unique is looked for once more before it is created: it is there once, and done."""
    lists, path, key = NEW[kind]
    tool(world).settle(shop())
    engine = tool(world, key_field=key)
    report = engine.apply(shop(**lists), lambda applier: create(api, kind))
    assert troubles(report) == {}
    assert len(api.get(path)) == 1
    assert report.results[0].notes == ("created by someone else meanwhile; adopted",)
