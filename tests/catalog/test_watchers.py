"""Watchers of wiki pages and news on a real Redmine: applied, read back, exported, and Redmine's own rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from catalog import exported
from engine import apply_to, plan_of
from inside import call, dump, numbered, query

from reconciler.catalog.session import Session
from reconciler.catalog.transport import Command
from reconciler.sandbox import Running, Sandbox

TEXT = """
users:
  - {login: wa-amy, firstname: Amy, lastname: Able, mail: wa-amy@example.net}
  - {login: wa-bob, firstname: Bob, lastname: Bee, mail: wa-bob@example.net}
  - {login: wa-out, firstname: Out, lastname: Sider, mail: wa-out@example.net}
  - {login: wa-shut, firstname: Shut, lastname: Out, mail: wa-shut@example.net, status: locked}
groups: [{name: "Wa's \\"group\\"", users: [wa-bob]}]
projects:
  - identifier: wa-shop
    name: Watched shop
    is_public: false
    enabled_modules: [wiki, news]
    members:
      - {user: wa-amy, roles: [Manager]}
      - {group: "Wa's \\"group\\"", roles: [Developer]}
    wiki_pages:
      - {title: Handbook, text: h1. Hi, watchers: [wa-amy, {group: "Wa's \\"group\\""}]}
      - {title: "Käse & `id` 'x'", text: Odd, watchers: [wa-bob]}
      - {title: Quiet, text: Nobody}
    news:
      - {title: Out, description: It is out, watchers: [wa-bob]}
      - {title: Alone, description: Nobody, watchers: []}
      - {title: Free, description: Whoever}
"""
GROUP = 'Wa\'s "group"'


@pytest.fixture(scope="module")
def server(redmine: Sandbox) -> Running:
    """The server of all tests here."""
    redmine.reset()
    running = redmine.status()
    assert running is not None
    return running


@pytest.fixture(scope="module")
def watched(redmine: Sandbox, server: Running) -> Iterator[Session]:
    """The program inside a Redmine with watched pages and news; that is as it was before, afterwards."""
    session = Session(Command(redmine.runner()))
    report = apply_to(server, TEXT, catalog=session)
    assert [(str(r.change.address), r.errors) for r in report.results if r.outcome != "done"] == []
    assert session.calls == 1
    yield session
    redmine.reset()


def people(sandbox: Sandbox) -> dict[str, set[str]]:
    """Title → who watches, as the database has it."""
    names = "SELECT w.watchable_type, w.watchable_id, COALESCE(NULLIF(u.login, ''), u.lastname) FROM watchers w"
    rows = query(sandbox, f"{names} JOIN users u ON u.id = w.user_id WHERE w.watchable_type IN ('WikiPage', 'News')")
    titles = {
        **{("WikiPage", n): t for n, t in query(sandbox, "SELECT id, title FROM wiki_pages")},
        **{("News", n): t for n, t in query(sandbox, "SELECT id, title FROM news")},
    }
    found: dict[str, set[str]] = {title: set() for title in titles.values()}
    for kind, number, name in rows:
        found[titles[kind, number]].add(name)
    return found


def item(title: str, *watchers: dict[str, Any], op: str = "update", kind: str = "wiki_page") -> dict[str, Any]:
    """An item that says who watches."""
    key = {"project": "wa-shop", "name": title}
    return {"op": op, "kind": kind, "key": key, "set": {"watchers": list(watchers)}}


def test_who_is_declared_watches(redmine: Sandbox, server: Running, watched: Session) -> None:
    """In one call after the pages, their people and members; a second plan is empty; the author of news goes."""
    found = people(redmine)
    assert found["Handbook"] == {"wa-amy", GROUP} and found["Quiet"] == set() and found["Alone"] == set()
    assert found["Käse_&_`id`_'x'"] == found["Out"] == {"wa-bob"}
    assert found["Free"] == {"admin"}
    assert not plan_of(server, TEXT, catalog=watched).changes


def test_drift_is_seen_and_put_right(redmine: Sandbox, server: Running, watched: Session) -> None:
    """Somebody unwatches, somebody else watches: the plan has both, by login, and nothing is left after an apply."""
    call(redmine, "write", items=numbered([item("Handbook", {"user": "wa-bob"})]))
    (change,) = plan_of(server, TEXT, catalog=watched).changes
    assert [(f.path, f.before, f.after) for f in change.all_fields] == [
        ("watchers", ["wa-bob"], ["wa-amy", {"group": GROUP}])
    ]
    (result,) = apply_to(server, TEXT, catalog=watched).results
    assert result.outcome == "done" and people(redmine)["Handbook"] == {"wa-amy", GROUP}


def test_an_export_has_them(server: Running, watched: Session) -> None:
    """As they are declared; that nobody watches is said of news alone, whose author would."""
    pages, news = (exported(server, watched, kind) for kind in ("wiki_page", "news"))
    assert pages["wa-shop/Handbook"]["watchers"] == ["wa-amy", {"group": GROUP}]
    assert "watchers" not in pages["wa-shop/Quiet"]
    assert {title: body["watchers"] for title, body in news.items()} == {
        "wa-shop/Out": ["wa-bob"],
        "wa-shop/Alone": [],
        "wa-shop/Free": ["admin"],
    }


REFUSED = {
    "a locked user": (item("Quiet", {"user": "wa-shut"}), "wa-shut is not active"),
    "nobody": (item("Quiet", {"user": "wa-none"}), 'user "wa-none" does not exist'),
    "a group that is built in": (item("Quiet", {"group": "Anonymous users"}), "does not exist"),
    "a number of nobody": (item("Quiet", {"user": "wa-amy", "id": 99999}), "does not exist"),
    "a page that is gone": (item("Gone", {"user": "wa-amy"}), "it is gone meanwhile"),
    "a page to come": (item("Gone", {"user": "wa-amy"}, op="ensure"), "it does not exist yet"),
    "news of another project": ({**item("Out", {"user": "wa-amy"}, kind="news"), "id": 99999}, "it is gone meanwhile"),
    "to delete": (item("Quiet", op="delete"), "the API deletes it"),
    "another field": ({**item("Quiet"), "set": {"text": "x"}}, "has no such field"),
}


WATCHES = """
Watcher.new(watchable: News.find_by(title: 'Alone'), user: User.find_by_login('wa-shut')).save(validate: false)
"""


def test_what_redmine_would_not_do_is_refused(redmine: Sandbox, watched: Session) -> None:
    """Each item alone, at its field; the others are written, and who watches already may be locked by now."""
    kept = item("Alone", {"user": "wa-shut"}, {"user": "wa-amy"}, kind="news")
    items = numbered([*(one for one, _ in REFUSED.values()), kept, item("Quiet", {"user": "wa-out"})])
    answer = call(redmine, "check", ruby=WATCHES, items=items)
    said = {name: one["errors"] for name, one in zip(REFUSED, answer["items"], strict=False)}
    for name, (_, why) in REFUSED.items():
        assert len(said[name]) == 1 and why in said[name][0]["message"], (name, said[name])
    assert said["a locked user"][0]["field"] == said["nobody"][0]["field"] == "watchers"
    *_, locked, outsider = answer["items"]
    assert locked["ok"], locked
    # 5.0 takes watchers who may not see the page, as its own form does.
    assert outsider["ok"] == answer["redmine"].startswith("5.0"), outsider


def test_a_read_and_a_check_leave_nothing_behind(redmine: Sandbox, watched: Session) -> None:
    """The database is the same afterwards, byte for byte; only the projects that are asked for are shown."""
    before = dump(redmine)
    items = numbered([item("Quiet", {"user": "wa-amy"}), item("Out", kind="news")])
    assert [one["ok"] for one in call(redmine, "check", items=items)["items"]] == [True, True]
    shown = call(redmine, "read", kinds=["wiki_page", "news"], projects=["wa-shop"])["state"]
    assert {"Handbook", "Käse_&_`id`_'x'"} == {row["name"] for row in shown["wiki_page"]}
    other = call(redmine, "read", kinds=["wiki_page", "news"], projects=["elsewhere"])["state"]
    assert other == {"wiki_page": [], "news": []}
    assert dump(redmine) == before


def test_nobody_is_mailed(redmine: Sandbox, watched: Session) -> None:
    """Neither by a queue of jobs."""
    ruby = "ActionMailer::Base.register_interceptor(Class.new { def self.delivering_email(_); raise 'a mail'; end })"
    answer = call(redmine, "check", ruby=ruby, items=numbered([item("Quiet", {"user": "wa-amy"})]))
    assert answer["items"][0]["ok"], answer
