"""The small Redmine in memory (`helpers/canned.py`) answers what the tool asks as a real one does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from canned import Canned
from custom_fields import EVERY
from engine import apply_to, plan_of, problems_of, via
from exports import Exports, contents, past_the_tool
from limited import Limited
from promises import Api, fields, tool, troubles
from proxy import Proxy

from reconciler.sandbox import Running

pytestmark = pytest.mark.custom_fields(EVERY)

PLAIN = """
users:
  - {login: amy, firstname: Amy, lastname: Able, mail: amy@example.net}
  - {login: bob, firstname: Bob, lastname: Berg, mail: bob@example.net, status: locked}
groups:
  - {name: Support, users: [bob]}
projects:
  - identifier: shop
    name: Shop
    description: A shop.
    trackers: [Bug, Feature]
    enabled_modules: [issue_tracking, wiki, news, time_tracking, files]
    members:
      - {user: amy, roles: [Manager]}
      - {group: Support, roles: [Developer]}
    versions: [{name: "1.0", due_date: 2026-12-01}, {name: "2.0", status: locked}]
    issue_categories: [{name: Backend, assigned_to: amy}, {name: Frontend}]
    issues:
      - key: one
        subject: One
        category: Backend
        fixed_version: "1.0"
        assigned_to: amy
        estimated_hours: 2.5
        watchers: []
        custom_fields: {Issue string: x, Issue list: red}
      - {key: two, subject: Two, parent: one, watchers: [amy]}
      - {key: three, subject: Three, tracker: Feature, status: In Progress, is_private: true, start_date: null, watchers: []}
      - {key: four, subject: Four, description: "closed", status: Closed, priority: High, due_date: 2026-12-24, watchers: []}
    time_entries: [{user: admin, spent_on: 2026-11-02, hours: 1, activity: Design, issue: one, comments: done}]
  - {identifier: other, name: Other, enabled_modules: [issue_tracking], issues: [{subject: Deep, watchers: []}]}
"""
"""What the one in memory can be told to make, with each reference and each thing that only some have."""
WORLD = f"""{PLAIN}
---
wiki_pages:
  - {{project: shop, title: Wiki, text: Hello., start_page: true}}
  - {{project: shop, title: Below, text: More., parent: Wiki}}
news: [{{project: shop, title: Open, description: At last., summary: Short}}]
issues: [{{project: shop, key: five, subject: Five, notes: [hello], relations: [{{blocks: three}}]}}]
"""
"""The same, and what it only shows."""

LATER = {"status", "homepage", "auth_source"}
"""What lists show from 5.1 or 6.0 on."""


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    """The bare API of a server with `WORLD`."""
    assert troubles(apply_to(world, WORLD)) == {}
    with past_the_tool(world) as api:
        yield api


INSIDE = ("memberships", "versions", "issue_categories", "files")


def copied(api: Api) -> Canned:
    """The same rows in memory: those of lists, with what else their own pages show."""

    def pages(table: str, include: str, query: str = "") -> list[dict[str, Any]]:
        listed = api.get(f"/{table}?limit=100{query}")
        return [{**row, **api.get(f"/{table}/{row['id']}?include={include}")} for row in listed]

    canned, shown = Canned(), "trackers,enabled_modules,issue_custom_fields,time_entry_activities"
    lists = ("trackers", "issue_statuses", "queries", "custom_fields")
    enumerations = ("issue_priorities", "time_entry_activities", "document_categories")
    paths = (*lists, *(f"enumerations/{name}" for name in enumerations))
    canned.tables = {path.rpartition("/")[2]: api.get(f"/{path}") for path in paths}
    canned.tables |= {"roles": pages("roles", ""), "groups": pages("groups", "users", "&builtin=1")}
    canned.tables["users"] = [row for status in (1, 2, 3) for row in pages("users", "", f"&status={status}")]
    canned.tables["projects"] = pages("projects", shown, "&status=1%7C5")
    homes = [row["identifier"] for row in canned.rows("projects")]
    for table in INSIDE:
        canned.tables[table] = [row for home in homes for row in api.get(f"/projects/{home}/{table}")]
    canned.tables["news"] = pages("news", "attachments")
    canned.tables["issues"] = pages("issues", "watchers,relations,attachments,journals", "&status_id=*")
    canned.tables["time_entries"] = api.get("/time_entries")
    canned.tables["wiki_pages"] = [page for home in homes for page in wiki(api, home)]
    return canned


def wiki(api: Api, home: str) -> Iterator[dict[str, Any]]:
    """The pages of a project's wiki."""
    response = api.send("GET", f"/projects/{home}/wiki/index")
    start = api.send("GET", f"/projects/{home}/wiki")
    for row in response.json()["wiki_pages"] if response.status_code == 200 else ():
        page = api.get(f"/projects/{home}/wiki/{row['title']}?include=attachments")
        first = {"start_page": True} if start.json()["wiki_page"]["title"] == row["title"] else {}
        yield {"id": f"{home}/{row['title']}", "inside": home, **row, **page, **first}


def test_it_answers_as_a_real_one(world: Running, api: Api, tmp_path: Path) -> None:
    """Each GET of an export and of a plan gets the same rows from both, with the same fields, in the order asked for."""
    with Proxy(world.url) as proxy:
        Exports(via(world, proxy)).write(tmp_path / "out")
        plan_of(via(world, proxy), WORLD)
    canned, compared = copied(api), 0
    for path in dict.fromkeys(exchange.path for exchange in proxy.exchanges):
        real = httpx.get(world.url + path, headers={"X-Redmine-API-Key": world.api_key}, trust_env=False)
        status, content = canned.answer("GET", path)
        assert (path, status) == (path, real.status_code)
        if status == 200 and "/users/current" not in path:
            assert_same(*(ordered(path, answer) for answer in (json.loads(content), real.json())), path)
            compared += 1
    assert compared > 30


def test_it_answers_others_as_a_real_one(world: Running, api: Api) -> None:
    """An account that is no administrator's is refused the same, and shown the same rows with the same fields."""
    key = api.get(f"/users/{api.get('/users?name=amy')[0]['id']}")["api_key"]
    with Proxy(world.url) as proxy:
        problems_of(replace(via(world, proxy), api_key=key), WORLD)
    redmine, compared = Limited.view(copied(api)), 0
    redmine.mail, redmine.api_key = False, key
    for path in dict.fromkeys(exchange.path for exchange in proxy.exchanges):
        real = httpx.get(world.url + path, headers={"X-Redmine-API-Key": key}, trust_env=False)
        status, content = redmine.answer("GET", path)
        assert (path, status) == (path, real.status_code)
        if status == 200 and path != "/users/current.json":
            made, shown = (json.loads(text) for text in (content, real.content))
            wanted = made["user"].keys() if "user" in made else None
            pair = ({"user": {n: found["user"].get(n) for n in wanted}} if wanted else found for found in (made, shown))
            assert_same(*(ordered(path, answer) for answer in pair), path)
            compared += 1
    assert compared > 15


def ordered(path: str, answer: dict[str, Any]) -> dict[str, Any]:
    """An answer with its rows by number, where the request leaves the order open."""
    rows = {name: part for name, part in answer.items() if isinstance(part, list) and "sort=" not in path}
    return {
        **answer,
        **{name: sorted(part, key=lambda row: row.get("id", row.get("title"))) for name, part in rows.items()},
    }


def assert_same(made: Any, real: Any, where: str) -> None:
    """Plain data is the same, but for nothing in the place of nothing, and for what later versions show."""
    if not made and not real:
        return
    if isinstance(real, list) and isinstance(made, list):
        assert len(made) == len(real), where
        for number, pair in enumerate(zip(made, real, strict=True)):
            assert_same(*pair, f"{where}[{number}]")
    elif isinstance(real, dict) and isinstance(made, dict):
        for name in {*made, *real} - LATER:
            assert_same(made.get(name), real.get(name), f"{where}.{name}")
    else:
        assert made == real, where


def test_writes_do_what_a_real_one_does(world: Running, api: Api, tmp_path: Path) -> None:
    """The same manifests, applied to both, make the same export."""
    canned = Canned()
    canned.tables["custom_fields"] = api.get("/custom_fields")
    for identifier in ("shop", "other"):
        api.delete(f"/projects/{identifier}")
    assert troubles(apply_to(canned, PLAIN)) == {}
    assert troubles(apply_to(world, PLAIN)) == {}
    for server, folder in ((canned, "canned"), (world, "real")):
        assert fields(plan_of(server, PLAIN)) == {}
        (tmp_path / folder).mkdir()
        Exports(server).write(tmp_path / folder / "out")
    made, real = (contents(tmp_path / folder / "out") for folder in ("canned", "real"))
    assert made.keys() == real.keys()
    assert [text.decode().splitlines() for text in made.values()] == [
        text.decode().splitlines() for text in real.values()
    ]
    assert tool(world).plan({}).changes == ()
