"""`--prune` and `--unmanaged` on a real Redmine: what no manifest declares is found, and goes only where it may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from engine import apply_to, rows
from promises import Api

from reconciler.cli import main
from reconciler.sandbox import Running

PEOPLE = """
users:
  - {login: amy, firstname: A, lastname: B, mail: amy@example.net}
  - {login: bob, firstname: B, lastname: B, mail: bob@example.net}
  - {login: eve, firstname: E, lastname: B, mail: eve@example.net}
groups: [{name: Staff, users: [eve]}, {name: Past}]
"""
PROJECT = """
  - identifier: IDENTIFIER
    name: IDENTIFIER
    enabled_modules: [issue_tracking, news, wiki, files, time_tracking]
    trackers: [Bug]
    members:
      - {user: amy, roles: [Developer]}
      - {user: bob, roles: [Developer]}
      - {group: Staff, roles: [Reporter]}
      - {user: eve, roles: [Developer]}
    versions: [{name: "1.0"}, {name: "0.9"}, {name: "0.8"}]
    issue_categories: [{name: UI}, {name: DB, assigned_to: bob}]
    wiki_pages: [{title: Wiki, text: Hello}, {title: Old, text: x}, {title: Child, text: y, parent: Old}]
    news: [{title: Start, description: x}, {title: Past, description: y}]
    files: [{path: a.txt}, {path: old.txt}]
    issues:
      - {key: login, subject: Login, fixed_version: "1.0"}
      - {key: stray, subject: Stray, category: DB}
      - {key: sub, subject: Sub, parent: stray}
      - {key: late, subject: Late, fixed_version: "0.8"}
    time_entries:
      - {user: amy, spent_on: 2026-01-01, activity: Design, hours: 1}
      - {user: bob, spent_on: 2026-01-02, activity: Design, hours: 2, issue: stray}
"""
EVERYTHING = PEOPLE + "projects:\n" + "".join(PROJECT.replace("IDENTIFIER", name) for name in ("shop", "other"))
DECLARED = """
users: [{login: amy}]
groups: [{name: Staff}]
projects:
  - identifier: shop
    members: [{user: amy, roles: [Developer]}]
    versions: [{name: "1.0"}]
    issue_categories: [{name: UI}]
    wiki_pages: [{title: Wiki}]
    news: [{title: Start}]
    files: [{path: a.txt}]
    issues: [{key: login, subject: Login}]
    time_entries: [{user: amy, spent_on: 2026-01-01, activity: Design, hours: 1}]
"""
UNDECLARED = {
    "memberships": ["membership shop/group:Staff", "membership shop/user:bob", "membership shop/user:eve"],
    "versions": ["version shop/0.9"],
    "issue_categories": ["issue_category shop/DB"],
    "wiki_pages": ["wiki_page shop/Child", "wiki_page shop/Old"],
    "news": ["news shop/Past"],
    "files": ["file shop/old.txt"],
    "issues": ["issue shop/late", "issue shop/stray", "issue shop/sub"],
    "time_entries": ["time_entry shop/2026-01-02 bob Design (stray)"],
    "groups": ["group Past"],
    "users": ["user bob", "user eve"],
}
"""By collection: what is removed from the server, compared with DECLARED. Version 0.8 has an issue."""
KEPT = {"user admin", "version shop/0.8"}


def run(*args: str, authoritative: list[str], **settings: Any) -> Result:
    """One command with the manifests and settings of the current folder."""
    content = {"authoritative": authoritative, "issue_key_field": "Config key", **settings}
    Path("reconciler.yaml").write_text(json.dumps(content))
    return CliRunner().invoke(main, args)


def changes(result: Result) -> dict[str, dict[str, Any]]:
    """The changes of a plan as JSON, or what an apply did, by object."""
    content = json.loads(result.stdout)
    return {f"{c['kind']} {c['key']}": c for c in content.get("changes", content.get("results"))}


@pytest.fixture
def shop(there: Path, world: Running) -> Iterator[Running]:
    """The server with everything, and a folder whose manifests declare a part of it."""
    for name in ("a.txt", "old.txt"):
        (there / name).write_text(name)
    (there / "everything.yaml").write_text(EVERYTHING)
    report = apply_to(world, [there / "everything.yaml"], key_field="Config key", concurrency=1)
    assert report.summary["done"] == len(report.results)
    (there / "everything.yaml").unlink()
    (there / "a.yaml").write_text(DECLARED)
    yield world


def test_exactly_what_is_not_declared(shop: Running) -> None:
    """Each collection by itself, then all of them in one saved plan: what is not declared goes, all else stays."""
    for name, expected in UNDECLARED.items():
        planned = run("plan", "--prune", "--format", "json", authoritative=[name])
        assert sorted(changes(planned)) == expected, planned.output
        assert all(change["undeclared"] for change in changes(planned).values())
    everything = {address for addresses in UNDECLARED.values() for address in addresses}
    saved = run("plan", "--prune", "--out", "saved.plan", "--format", "json", authoritative=list(UNDECLARED))
    assert changes(saved).keys() == everything
    assert run("apply", "--plan", "saved.plan", "--yes", authoritative=[]).exit_code == 5
    done = run("apply", "--plan", "saved.plan", "--yes", "--max-deletes", "20", authoritative=[])
    assert done.exit_code == 0, done.output
    left = run("plan", "--prune", "--unmanaged", "--format", "json", authoritative=list(UNDECLARED))
    assert changes(left).keys() == {"version shop/0.8"}
    unmanaged = {f"{o['kind']} {o['key']}" for o in json.loads(left.stdout)["unmanaged"]["objects"]}
    assert unmanaged == {"user admin", "user bob", "user eve"}
    assert len(rows(shop, "/projects/other/memberships.json", "memberships")) == 4
    assert len(rows(shop, "/projects/other/issues.json?status_id=*", "issues")) == 4


def test_what_changed_meanwhile(shop: Running, world: Running) -> None:
    """Whoever edits an undeclared object after the plan was saved keeps it: the whole plan is refused."""
    edits = {
        "versions": ("/versions/{id}", {"version": {"name": "2.0"}}),
        "issue_categories": ("/issue_categories/{id}", {"issue_category": {"name": "Database"}}),
        "news": ("/news/{id}", {"news": {"description": "precious"}}),
        "wiki_pages": ("/projects/shop/wiki/Old", {"wiki_page": {"text": "precious"}}),
        "issues": ("/issues/{id}", {"issue": {"notes": "precious"}}),
        "time_entries": ("/time_entries/{id}", {"time_entry": {"hours": 5}}),
        "memberships": ("/memberships/{id}", {"membership": {"role_ids": [3]}}),
        "files": ("/attachments/{id}", {"attachment": {"description": "precious"}}),
        "groups": ("/groups/{id}", {"group": {"name": "Present"}}),
    }
    with Api(world) as api:
        for name, (path, body) in edits.items():
            planned = run("plan", "--prune", "--out", "saved.plan", "--format", "json", authoritative=[name])
            number = next(change["id"] for change in changes(planned).values())
            assert api.send("PUT", path.format(id=number), body).status_code == 204
            refused = run("apply", "--plan", "saved.plan", "--yes", "--max-deletes", "20", authoritative=[])
            assert refused.exit_code == 5, (name, refused.output)
            assert "has changed, and no manifest declares it" in refused.output


def test_an_id_that_another_object_has_now(shop: Running, world: Running) -> None:
    """An id that was given to a new object meanwhile does not make that one undeclared."""
    planned = run("plan", "--prune", "--out", "saved.plan", "--format", "json", authoritative=["versions"])
    number = changes(planned)["version shop/0.9"]["id"]
    with Api(world) as api:
        for one in rows(world, "/projects/shop/versions.json", "versions"):
            if one["name"] in ("0.9",):
                api.send("DELETE", f"/versions/{one['id']}")
        made = api.send("POST", "/projects/shop/versions", {"version": {"name": "3.0"}}).json()["version"]["id"]
    refused = run("apply", "--plan", "saved.plan", "--yes", authoritative=[])
    assert refused.exit_code == 5
    assert made in {one["id"] for one in rows(world, "/projects/shop/versions.json", "versions")}
    assert number


def test_members_of_the_parent_project(there: Path, world: Running) -> None:
    """Members that a project inherits from its parent, or through a group, are not undeclared."""
    text = (
        PEOPLE
        + """
projects:
  - {identifier: top, name: Top, members: [{user: bob, roles: [Developer]}, {group: Staff, roles: [Reporter]}]}
  - identifier: sub
    name: Sub
    parent: top
    inherit_members: true
    authoritative: [memberships]
    members: [{user: amy, roles: [Developer]}]
"""
    )
    (there / "a.yaml").write_text(text)
    report = apply_to(world, text)
    assert report.summary["done"] == len(report.results)
    planned = run("plan", "--prune", "--unmanaged", "--format", "json", authoritative=[])
    assert changes(planned) == {}
    assert json.loads(planned.stdout)["unmanaged"] == {"count": 0, "objects": [], "complete": True}


def test_only_an_administrator_prunes(shop: Running, world: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another account is refused, and may still list what it sees."""
    with Api(world) as api:
        number = next(u["id"] for u in rows(world, "/users.json", "users") if u["login"] == "amy")
        api.send("PUT", f"/users/{number}", {"user": {"password": "a-long-password-1"}})
    monkeypatch.delenv("REDMINE_API_KEY")
    monkeypatch.setenv("REDMINE_USERNAME", "amy")
    monkeypatch.setenv("REDMINE_PASSWORD", "a-long-password-1")
    Path("a.yaml").write_text('projects: [{identifier: shop, versions: [{name: "1.0"}]}]')
    refused = run("plan", "--prune", authoritative=["versions"])
    assert refused.exit_code == 5
    assert "use an administrator's API key" in refused.output
    listed = run("plan", "--unmanaged", authoritative=["versions"])
    assert listed.exit_code == 0, listed.output
    assert "This account is no administrator's, so there may be more." in listed.output
    assert "version shop/0.9" in listed.output


def test_the_line_without_the_option(shop: Running) -> None:
    """Without --unmanaged, the plan counts what it has read anyway, with no request more."""
    counted = run("plan", "--format", "json", authoritative=[])
    listed = run("plan", "--unmanaged", "--format", "json", authoritative=[])
    plain, full = json.loads(counted.stdout), json.loads(listed.stdout)
    assert 0 < plain["unmanaged"]["count"] <= full["unmanaged"]["count"]
    assert plain["requests"] <= full["requests"]
    assert "in no manifest (--unmanaged lists them)" in run("plan", authoritative=[]).output
