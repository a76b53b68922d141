"""Few requests, by a formula that the module `live` states, and lists that move while they are read: promise 11."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from promises import KEY, Api, Tool, fields, raw_user, sql, tool
from proxy import Exchange, Fault, Proxy

from reconciler.sandbox import Running

TRACKERS = ["Bug", "Feature", "Support"]
PROJECT = {"identifier": "shop", "name": "Shop", "enabled_modules": ["issue_tracking"], "trackers": TRACKERS}
PEOPLE = [
    {"login": login, "firstname": login, "lastname": "Test", "mail": f"{login}@example.net"} for login in ("amy", "bob")
]


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


@pytest.fixture
def proxy(world: Running) -> Iterator[Proxy]:
    with Proxy(world.url) as proxy:
        yield proxy


def pages(rows: int) -> int:
    """The requests for a list, by the formula of the documentation."""
    return max(1, ceil(rows / 99))


def fill(world: Running, number: int) -> None:
    """Puts that many issues into the project, named as `many` does, faster than the API can."""
    shop, now = "(SELECT id FROM projects WHERE identifier = 'shop')", "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    statement = f"""
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {number})
        INSERT INTO issues (project_id, tracker_id, status_id, priority_id, author_id, subject, root_id, lft, rgt,
                            created_on, updated_on)
        SELECT {shop}, (SELECT id FROM trackers WHERE name = 'Bug'), 1, (SELECT id FROM enumerations WHERE is_default),
               1, 'issue ' || n, (SELECT coalesce(max(id), 0) FROM issues) + n, 1, 2, {now}, {now} FROM numbers"""
    sql(world, statement)


def many(number: int) -> dict[str, Any]:
    """A manifest of issues, which declares their subject and tracker."""
    issues = [{"subject": f"issue {n}", "tracker": "Bug"} for n in range(1, number + 1)]
    return {"projects": [{**PROJECT, "issues": issues}]}


# -- the number of requests ------------------------------------------------------------------------------------

WHOAMI, PROJECTS, TRACKER, ROLES, STATUSES, FIELDS = 1, 1, 1, 1, 1, 1
FORMULA: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "nothing": ({}, {}, WHOAMI + TRACKER),
    "users that are there": ({"users": PEOPLE}, {"users": PEOPLE}, WHOAMI + TRACKER + 1),
    # Something new may lack a required custom field: their definitions are read.
    "a user that is missing": ({}, {"users": PEOPLE}, WHOAMI + TRACKER + 3 + FIELDS),
    "a locked user": (
        {"users": [{**PEOPLE[0], "status": "locked"}]},
        {"users": [{**PEOPLE[0], "status": "locked"}]},
        WHOAMI + TRACKER + 2,
    ),
    "a project that is there": ({"projects": [PROJECT]}, {"projects": [PROJECT]}, WHOAMI + TRACKER + PROJECTS),
    "two that are missing": (
        {},
        {"projects": [PROJECT, {**PROJECT, "identifier": "other"}]},
        WHOAMI + TRACKER + PROJECTS + 2 + FIELDS,
    ),
    "what is inside a project": (
        {"users": PEOPLE, "projects": [PROJECT]},
        {
            "projects": [
                {
                    **PROJECT,
                    "members": [{"user": "amy", "roles": ["Manager"]}],
                    "versions": [{"name": "1.0"}],
                    "issue_categories": [{"name": "Backend", "assigned_to": "bob"}],
                    "issues": [{"subject": "one", "status": "New", "custom_fields": {"Issue bool": True}}],
                }
            ]
        },
        # the users once; groups, because a category's assignee may be one; a list for each kind inside
        WHOAMI + TRACKER + ROLES + STATUSES + FIELDS + 1 + 1 + PROJECTS + 4,
    ),
    "two projects": (
        {"projects": [PROJECT, {**PROJECT, "identifier": "other"}]},
        {
            "projects": [
                {**PROJECT, "identifier": i, "versions": [{"name": "1.0"}], "issues": [{"subject": "one"}]}
                for i in ("shop", "other")
            ]
        },
        # a list of versions for each, one list of issues for both
        WHOAMI + TRACKER + PROJECTS + 2 + 1 + FIELDS,
    ),
}

ALL = {**PROJECT, "enabled_modules": ["issue_tracking", "wiki", "time_tracking", "news", "files"]}
BASE = WHOAMI + TRACKER + PROJECTS
USERS, GROUPS, ACTIVITIES, LIST, PAGE, DOWNLOAD = 1, 1, 1, 1, 1, 1
ATTACHED = [{"file": "note.txt"}, {"file": "note.txt", "filename": "other.txt"}]


def inside(**lists: Any) -> dict[str, Any]:
    """A manifest of the users, a group, and a project with these lists."""
    return {"users": PEOPLE, "projects": [{**ALL, **lists}]}


UNCHANGED: dict[str, tuple[dict[str, Any], int]] = {
    "groups with and without users": (
        {
            "users": PEOPLE,
            "groups": [{"name": "A", "users": ["amy", "bob"]}, {"name": "B", "users": []}, {"name": "C"}],
        },
        WHOAMI + TRACKER + USERS + GROUPS + 2 * PAGE,
    ),
    "issues with relations, watchers and notes": (
        inside(
            issues=[
                {"subject": "one", "relations": [{"relates": "two"}]},
                {"subject": "two", "watchers": ["amy"], "notes": ["said"]},
                {"subject": "three", "watchers": []},
            ]
        ),
        BASE + USERS + GROUPS + LIST + 2 * PAGE,
    ),
    "issues with attachments": (
        inside(issues=[{"subject": "one", "attachments": ATTACHED}, {"subject": "two"}]),
        BASE + USERS + LIST + 2 * DOWNLOAD,
    ),
    "wiki pages": (
        inside(
            wiki_pages=[{"title": "A", "text": "a", "start_page": True}, {"title": "B", "text": "b", "parent": "A"}]
        ),
        BASE + USERS + LIST + 2 * PAGE + PAGE,
    ),
    "a wiki page with attachments": (
        inside(wiki_pages=[{"title": "A", "text": "a", "attachments": ATTACHED}]),
        BASE + USERS + LIST + PAGE + 2 * DOWNLOAD,
    ),
    "time entries": (
        inside(
            members=[{"user": "amy", "roles": ["Manager"]}],
            issues=[{"subject": "one"}],
            time_entries=[
                {"user": "amy", "spent_on": "2026-11-02", "activity": "Design", "hours": 1},
                {"user": "amy", "spent_on": "2026-11-09", "activity": "Design", "hours": 1, "issue": "one"},
            ],
        ),
        BASE + USERS + ROLES + ACTIVITIES + 3 * LIST,
    ),
    "news": (
        inside(news=[{"title": n, "description": "text"} for n in "abc"]),
        BASE + USERS + LIST,
    ),
    "news with attachments": (
        inside(
            news=[{"title": "a", "description": "text", "attachments": ATTACHED}, {"title": "b", "description": "b"}]
        ),
        BASE + USERS + LIST + PAGE + 2 * DOWNLOAD,
    ),
    "files": (
        inside(versions=[{"name": "1.0"}], files=[{"path": "note.txt"}, {"path": "note.txt", "version": "1.0"}]),
        BASE + USERS + 2 * LIST,
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder, with a file to attach."""
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text("a note")


@pytest.mark.parametrize("world_name", UNCHANGED)
def test_11_what_is_unchanged_takes_as_many_requests_as_the_formula_says(
    world: Running, proxy: Proxy, world_name: str
) -> None:
    """Of each kind: its lists, the pages of those objects whose lists do not show all, and files to be compared."""
    data, expected = UNCHANGED[world_name]
    tool(world).settle(data)
    plan = Tool(proxy.url, world.api_key).plan(data)
    assert plan.changes == ()
    assert len(proxy.answered) == expected, [e.path for e in proxy.answered]
    assert len(proxy.exchanges) == plan.requests


def test_11_files_of_another_size_are_not_downloaded(world: Running, proxy: Proxy) -> None:
    """Only a file of equal name and size has to be downloaded to be compared."""
    data = inside(issues=[{"subject": "one", "attachments": ATTACHED}])
    tool(world).settle(data)
    Path("note.txt").write_text("another note")
    assert list(fields(Tool(proxy.url, world.api_key).plan(data))) == ["issue shop/one"]
    assert len(proxy.answered) == BASE + USERS + LIST


@pytest.mark.custom_fields("Issue bool")
@pytest.mark.parametrize("world_name", FORMULA)
def test_11_a_plan_takes_as_many_requests_as_the_formula_says(world: Running, proxy: Proxy, world_name: str) -> None:
    """The number of requests is what `live` documents, what the plan reports, and what the server sees."""
    before, wanted, expected = FORMULA[world_name]
    tool(world).settle(before)
    plan = Tool(proxy.url, world.api_key).plan(wanted)
    assert len(proxy.answered) == expected
    assert len(proxy.exchanges) == plan.requests


@pytest.mark.parametrize("number", [100, 101, 1000])
def test_11_a_thousand_unchanged_issues_take_few_requests(world: Running, proxy: Proxy, number: int) -> None:
    """Issues are read by full pages: an unchanged world of 1,000 takes 15 requests, and one of 101 a page more than 100.
    (Whoever declares trackers has the custom fields read: another tracker would destroy values.)"""
    tool(world).settle({"projects": [PROJECT]})
    fill(world, number)
    plan = Tool(proxy.url, world.api_key).plan(many(number))
    assert plan.summary == {"create": 0, "update": 0, "delete": 0, "unchanged": number + 1}
    assert len(proxy.answered) == WHOAMI + TRACKER + PROJECTS + FIELDS + pages(number) <= 20


@pytest.mark.custom_fields("Issue bool", "Issue list")
def test_11_one_post_per_new_object_and_one_put_per_changed(world: Running, proxy: Proxy) -> None:
    """However many fields they have, what is created takes one POST, what is changed one PUT, and no write is sent for
    what is as it should be."""
    before = {"users": PEOPLE, "projects": [{**PROJECT, "issues": [{"subject": f"i{n}"} for n in range(4)]}]}
    tool(world).settle(before)
    changed = {"description": "text", "estimated_hours": 2, "done_ratio": 10, "priority": "High", "is_private": True}
    wanted = {
        "users": [{**PEOPLE[0], "lastname": "Other", "mail": "other@example.net"}, PEOPLE[1]],
        "projects": [
            {
                **PROJECT,
                "description": "text",
                "homepage": "http://example.net/",
                "members": [{"user": "amy", "roles": ["Manager", "Developer"]}],
                "versions": [{"name": "1.0", "due_date": "2030-01-01", "description": "text"}],
                "issue_categories": [{"name": "Backend", "assigned_to": "amy"}],
                "issues": [
                    *({"subject": f"i{n}", **changed} for n in range(2)),
                    *({"subject": f"i{n}"} for n in range(2, 4)),
                    {"subject": "new", **changed, "custom_fields": {"Issue bool": True, "Issue list": "red"}},
                ],
            }
        ],
    }
    report = Tool(proxy.url, world.api_key).apply(wanted)
    assert report.summary == {"done": 8, "failed": 0, "skipped": 0, "unknown": 0, "left": 0}
    assert Counter(exchange.method for exchange in proxy.writes) == {"POST": 4, "PUT": 4}
    assert len({exchange.path for exchange in proxy.writes}) == 8


def test_11_the_second_apply_writes_nothing(world: Running, proxy: Proxy) -> None:
    """An apply of what is there already sends GET only."""
    data = {"users": PEOPLE, "projects": [{**PROJECT, "issues": [{"subject": "one"}], "versions": [{"name": "1.0"}]}]}
    tool(world).settle(data)
    assert Tool(proxy.url, world.api_key).apply(data).results == ()
    assert proxy.writes == []


def after_the_last_write(proxy: Proxy) -> list[str]:
    """The reads at the end of an apply."""
    last = max(exchange.number for exchange in proxy.writes)
    return [e.path for e in proxy.answered if e.number > last]


def test_11_the_answer_to_a_post_is_its_read_back(world: Running, proxy: Proxy) -> None:
    """Twenty new issues are not read again; one request shows whether somebody created the same meanwhile."""
    tool(world).settle({"projects": [PROJECT]})
    Tool(proxy.url, world.api_key, concurrency=1).apply(many(20))
    after = after_the_last_write(proxy)
    assert len(after) == 1 and after[0].startswith("/issues.json?") and "sort=id%3Adesc&limit=100" in after[0], after


def test_11_reading_back_is_done_in_bulk(world: Running, proxy: Proxy) -> None:
    """Twenty changed issues are verified by one request."""
    tool(world).settle(many(20))
    changed = many(20)
    for issue in changed["projects"][0]["issues"]:
        issue["description"] = "text"
    Tool(proxy.url, world.api_key).apply(changed)
    assert len(after_the_last_write(proxy)) == 1


def test_11_few_issues_of_a_large_project_are_looked_up(world: Running, proxy: Proxy) -> None:
    """The first page tells that there are 2,000; fifty of them, and a new one, take five requests."""
    tool(world).settle({"projects": [PROJECT]})
    fill(world, 2_000)
    issues = [{"subject": f"issue {n}", "tracker": "Bug"} for n in (*range(1, 2_000, 40), 2_001)]
    planned = Tool(proxy.url, world.api_key).plan({"projects": [{**PROJECT, "issues": issues}]})
    assert planned.summary == {"create": 1, "update": 0, "delete": 0, "unchanged": 51}
    # the first page, the newest, the subjects, what is below them
    assert len([e for e in proxy.answered if e.path.startswith("/issues")]) <= 5


def test_11_an_account_that_is_no_administrators_looks_up_keys_too(world: Running, api: Api, proxy: Proxy) -> None:
    """It does not see whether the key field is a filter: one request shows it. If it is none, the list is read."""
    tool(world).settle({"projects": [PROJECT]})
    fill(world, 1_500)
    field, user = api.id("/custom_fields", KEY), raw_user(api)
    keys = f"SELECT 'Issue', id, {field}, 'key-' || id FROM issues"
    sql(
        world,
        f"INSERT INTO custom_values (customized_type, customized_id, custom_field_id, value) {keys}",
        # 5.0 does not show the fields of all projects to others than administrators.
        f"UPDATE custom_fields SET is_for_all = 0 WHERE id = {field}",
        f"INSERT INTO custom_fields_projects (custom_field_id, project_id) SELECT {field}, id FROM projects",
    )
    api.make("/projects/shop/memberships", user_id=user, role_ids=[3])
    data = {"projects": [{"identifier": "shop", "issues": [{"key": "key-7", "subject": "issue 7"}]}]}
    theirs = Tool(proxy.url, api.get(f"/users/{user}")["api_key"], key_field=KEY)

    def asked() -> list[Exchange]:
        proxy.clear()
        assert theirs.plan(data).changes == ()
        return [e for e in proxy.answered if e.path.startswith("/issues")]

    # the first page, the proof, the newest, the key and the subject, what is below it
    assert len(asked()) <= 6
    sql(world, f"UPDATE custom_fields SET is_filter = 0 WHERE id = {field}")
    assert {e.path.rpartition("=")[2] for e in asked()} >= {str(99 * n) for n in range(pages(1_500))}


# -- a list that moves -----------------------------------------------------------------------------------------


def moving(api: Api, change: Callable[[], None]) -> Callable[[Exchange], Fault | None]:
    """Does `change` once, when a page beyond the first of the issues is asked for."""
    left = [change]

    def choose(exchange: Exchange) -> None:
        if exchange.path.startswith("/issues.json") and "offset=0" not in exchange.path and left:
            left.pop()()

    return choose


def insert(api: Api) -> None:
    """Somebody adds an issue."""
    api.make("/projects/shop/issues", subject="from outside")


def delete(api: Api) -> None:
    """Somebody deletes the first issue, which moves all others."""
    api.delete("/issues/1")


def both(api: Api) -> None:
    """Somebody does both, so that the length of the list stays what it was."""
    insert(api)
    delete(api)


@pytest.mark.parametrize("change", [insert, delete, both])
def test_11_a_list_that_moves_while_it_is_read_loses_and_doubles_nothing(
    world: Running, api: Api, proxy: Proxy, change: Callable[[Api], None]
) -> None:
    """An issue that is added or deleted between two pages makes the plan neither create nor lose another one."""
    tool(world).settle({"projects": [PROJECT]})
    fill(world, 250)
    proxy.fault = moving(api, lambda: change(api))
    planned = fields(Tool(proxy.url, world.api_key, concurrency=1).plan(many(250)))
    assert set(planned) <= {"issue shop/issue 1"}
    assert len([e for e in proxy.answered if e.path.startswith("/issues")]) >= pages(250)
    assert (len(api.get("/issues?subject=from%20outside")) == 1) == (change is not delete)


def test_11_a_key_field_reads_only_what_is_managed(world: Running, proxy: Proxy) -> None:
    """While every key has its issue, those without a key are not read: 250 of them cost nothing."""
    data = {"projects": [{**PROJECT, "issues": [{"key": "mine", "subject": "one of many"}]}]}
    tool(world, key_field=KEY).settle(data)
    fill(world, 250)
    assert Tool(proxy.url, world.api_key, key_field=KEY).plan(data).changes == ()
    assert len([e for e in proxy.answered if e.path.startswith("/issues")]) == 1
