"""Who watches which issues, and which ones have notes, told by a few lists instead of a page of each issue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engine import via
from exports import Exports, contents
from promises import KEY, Api, Tool, fields, raw_group, raw_user, sql, tool
from proxy import Proxy

from reconciler.export.inventory import Scope, take
from reconciler.kinds._queries import CHUNK
from reconciler.redmine.client import Client
from reconciler.sandbox import Running
from reconciler.state import fetch, needs

PROJECT = {"identifier": "shop", "name": "Shop", "enabled_modules": ["issue_tracking"]}
PEOPLE = [
    {"login": login, "firstname": login, "lastname": "Test", "mail": f"{login}@example.net"} for login in ("amy", "bob")
]
NUMBER = 24
WATCHED = [["amy"], ["bob", {"group": "Support"}], []]


def many(number: int = NUMBER, **more: Any) -> dict[str, Any]:
    """Issues that declare who watches them."""
    issues = [{"subject": f"issue {n}", "watchers": WATCHED[n % 3], **more} for n in range(number)]
    return {"users": PEOPLE, "groups": [{"name": "Support"}], "projects": [{**PROJECT, "issues": issues}]}


def by_pages(patch: pytest.MonkeyPatch) -> None:
    """From now on, no rolls are used."""
    for module in (needs, fetch):
        patch.setattr(module, "FEW", 10**9)


def pages_of_issues(proxy: Proxy) -> list[str]:
    """The requests for the page of one issue."""
    return [e.path for e in proxy.exchanges if e.method == "GET" and e.path.startswith("/issues/")]


def test_watchers_are_told_by_lists(world: Running) -> None:
    """A plan and an apply of many issues that declare watchers ask nobody's page: one list for each user and group."""
    with Proxy(world.url) as proxy:
        through = Tool(proxy.url, world.api_key)
        assert through.apply(many()).summary["done"] == 4 + NUMBER
        assert through.plan(many()).changes == ()
    assert pages_of_issues(proxy) == []


def test_lists_tell_what_pages_tell(world: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchers who came, left or were locked since make the same plan as when the page of each issue is read."""
    tool(world).settle(many())
    with Api(world) as api:
        amy, bob = (user["id"] for user in api.get("/users") if user["login"] in ("amy", "bob"))
        issues = [api.issue(f"issue {n}")["id"] for n in range(6)]
        api.send("POST", f"/issues/{issues[2]}/watchers", {"user_id": amy})
        api.delete(f"/issues/{issues[1]}/watchers/{bob}")
        stranger = raw_user(api, "zoe")
        api.send("POST", f"/issues/{issues[5]}/watchers", {"user_id": stranger})
        api.change(f"/users/{stranger}", status=3)
    with Proxy(world.url) as proxy:
        told = Tool(proxy.url, world.api_key).plan(many())
    assert pages_of_issues(proxy) == []
    assert set(fields(told)) == {"issue shop/issue 1", "issue shop/issue 2", "issue shop/issue 5"}
    (last,) = (change for change in told.changes if change.address.key == "shop/issue 5")
    assert [(f.path, f.before, f.after) for f in last.all_fields] == [("watchers", ["zoe"], [])]
    by_pages(monkeypatch)
    paged = tool(world).plan(many())
    assert fields(paged) == fields(told)
    # By its page, a locked user is known by the number alone, as only the lists of all users tell the login.
    assert paged.changes[:2] == told.changes[:2]


def test_of_a_few_issues_the_pages_are_read(world: Running) -> None:
    """Where there are as many users as issues, the lists would cost more."""
    tool(world).settle(many(6))
    with Proxy(world.url) as proxy:
        assert Tool(proxy.url, world.api_key).plan(many(6)).changes == ()
    assert len(pages_of_issues(proxy)) == 6


def test_some_of_many_issues_are_asked_for_by_number(world: Running) -> None:
    """In a project with many more issues than the declared ones, the lists are of the declared ones alone."""
    everything = many(3 * NUMBER)
    tool(world).settle(everything)
    some = {**everything, "projects": [{**PROJECT, "issues": everything["projects"][0]["issues"][:NUMBER]}]}
    with Proxy(world.url) as proxy:
        assert Tool(proxy.url, world.api_key).plan(some).changes == ()
    asked = [e.path for e in proxy.exchanges if "watcher_id" in e.path]
    assert asked and all("issue_id" in path for path in asked)


def test_with_a_key_field_those_without_a_key_are_told_too(world: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter on the keys would hide issues that have none: they are asked for by number."""
    declared = many()
    for n, issue in enumerate(declared["projects"][0]["issues"]):
        issue |= {"key": f"k-{n}"} if n else {}
    tool(world, key_field=KEY).settle(declared)
    with Proxy(world.url) as proxy:
        told = Tool(proxy.url, world.api_key, key_field=KEY).plan(declared)
    assert told.changes == ()
    assert pages_of_issues(proxy) == []
    keyed = {**declared, "projects": [{**PROJECT, "issues": declared["projects"][0]["issues"][1:]}]}
    assert tool(world, key_field=KEY).plan(keyed).changes == ()


def test_an_export_reads_the_pages_of_issues_with_notes_alone(
    world: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which issues have notes is told by one list (on 5.0: which have a history); the export is the same as by pages."""
    tool(world).settle(many(author="admin"))
    with Api(world) as api:
        (first, second, *_) = (row["id"] for row in api.get("/issues?sort=id&limit=100"))
        api.change(f"/issues/{first}", notes="said", private_notes=True)
        api.change(f"/issues/{second}", notes="said to all")
        raw_group(api, raw_user(api, "zoe"), name="Others")
    with Proxy(world.url) as proxy:
        Exports(via(world, proxy)).write(tmp_path / "told")
    shown = sorted(path.partition(".json")[0] for path in pages_of_issues(proxy))
    assert shown == sorted([f"/issues/{first}", f"/issues/{second}"])
    by_pages(monkeypatch)
    Exports(world).write(tmp_path / "paged")
    assert contents(tmp_path / "told") == contents(tmp_path / "paged")


def test_an_export_tells_how_far_it_is_with_these_lists(world: Running) -> None:
    """One list for each user and group can be much: they are counted like everything else that takes time."""
    tool(world).settle(many())
    told = list[tuple[str, int, int]]()

    async def read() -> None:
        async with Client(tool(world).connection) as client:
            await take(client, {}, Scope(), lambda *said: told.append(said))

    asyncio.run(read())
    counts = [(done, total) for what, done, total in told if what == "lists of watchers of issues"]
    assert len(counts) > 3
    assert counts == [(n, len(counts)) for n in range(1, len(counts) + 1)]


def test_an_export_of_many_projects_asks_for_some_at_a_time(world: Running, tmp_path: Path) -> None:
    """The filter on projects has a limit: more than 100 of them take two lists of each sort."""
    with Api(world) as api:
        api.make("/projects", name="Shop", identifier="shop")
        for n in range(2):
            api.make("/projects/shop/issues", subject=f"issue {n}", watcher_user_ids=[1])
    copies = (
        f"INSERT INTO projects (name, identifier, status, is_public, lft, rgt, created_on, updated_on) "
        f"SELECT 'P{n}', 'p{n}', 1, 1, {10 * n + 100}, {10 * n + 101}, created_on, created_on FROM projects "
        "WHERE identifier = 'shop'"
        for n in range(105)
    )
    sql(world, *copies)
    with Proxy(world.url) as proxy:
        done = Exports(via(world, proxy)).write(tmp_path / "export", kinds=["project", "issue"])
    assert (done.counts["project"], done.counts["issue"]) == (106, 2)
    assert max(e.path.count("v%5Bproject_id%5D%5B%5D") for e in proxy.exchanges) == CHUNK
