"""Exports of a part, and of a world in which something is called the same, or goes while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine import via
from exports import Exports
from promises import Api, fields, raw_issue, raw_shop, shop, sql, tool
from proxy import Exchange, Proxy

from reconciler.sandbox import Running


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    with Api(world) as api:
        yield api


def left_out(exports: Exports, folder: Path, **scope: object) -> list[str]:
    """What an export lists as left out; a plan of it is empty and has no problems."""
    said = [f"{address}: {text}" for address, text in exports.write(folder, **scope).left_out]
    assert exports.read(folder).problems == ()
    assert fields(exports.plan(folder)) == {}
    return said


def test_what_names_an_issue_that_is_not_exported(world: Running, api: Api, tmp_path: Path) -> None:
    """Without a key field only manifests give issues names: of a kind that is not exported, the number names one; one in
    a project that is not exported is left out."""
    raw_shop(api, enabled_module_names=["issue_tracking", "time_tracking"])
    raw_shop(api, "web", parent_id=api.get("/projects/shop")["id"])
    top = raw_issue(api, "Top")
    api.make("/time_entries", issue_id=top, hours=1, spent_on="2026-01-02", activity_id=8)
    api.make("/time_entries", project_id=api.get("/projects/shop")["id"], hours=2, spent_on="2026-01-02", activity_id=8)
    below = api.make("/projects/web/issues", subject="Below")["id"]
    sql(world, f"UPDATE issues SET parent_id = {top}, root_id = {top} WHERE id = {below}")
    exports = Exports(world)
    assert left_out(exports, tmp_path / "times", kinds=["time_entry"]) == []
    (said,) = left_out(exports, tmp_path / "web", projects=["web"])
    assert said.startswith("issue web/below: parent: ")
    assert left_out(exports, tmp_path / "all") == []


def test_of_several_of_one_name_none_is_exported(world: Running, api: Api, tmp_path: Path) -> None:
    """Redmine refuses a second version of a name, but two requests at once make both: they are left out with what names
    them."""
    # One after the other: the first of two that are created at once can have either id.
    tool(world).settle(shop(versions=[{"name": "1.0"}], issues=[{"subject": "a", "fixed_version": "1.0"}]))
    api.make("/projects/shop/versions", name="2.0")
    sql(world, "UPDATE versions SET name = '1.0'")
    versions, issue = left_out(Exports(world), tmp_path / "export")[::-1]
    assert versions.startswith("version shop/1.0: several versions share this name")
    assert issue == "issue shop/a: fixed_version: version shop/1.0 #1 is left out"


@pytest.mark.parametrize("what", ["issue", "news"])
def test_what_goes_while_it_is_read_is_not_there(world: Running, api: Api, tmp_path: Path, what: str) -> None:
    """An object that is deleted between its list and its page is as if it had been deleted before."""
    raw_shop(api, enabled_module_names=["issue_tracking", "news"])
    kept, gone = raw_issue(api, "kept"), raw_issue(api, "gone")
    for number in (kept, gone):
        api.change(f"/issues/{number}", notes="said")
    titles = [
        api.send("POST", "/projects/shop/news", {"news": {"title": n, "description": n}}) for n in ("kept", "gone")
    ]
    assert [answer.status_code for answer in titles] == [204, 204]
    path = f"/issues/{gone}" if what == "issue" else f"/news/{max(row['id'] for row in api.get('/news'))}"

    deleted: list[str] = []

    def delete(exchange: Exchange) -> None:
        # Once: a page that is gone is asked for once more before that is believed.
        if exchange.path.startswith(f"{path}.") and not deleted:
            deleted.append(path)
            api.delete(path)

    with Proxy(world.url) as proxy:
        proxy.fault = delete
        done = Exports(via(world, proxy)).write(tmp_path / "export")
    assert (done.counts["issue"], done.counts["news"]) == ((1, 2) if what == "issue" else (2, 1))
    assert done.left_out == ()
