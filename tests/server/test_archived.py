"""Archived projects on real servers: what the API does not show is unarchived, compared, changed and archived again."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from engine import apply_to, plan_of, problems_of
from promises import Api, raw_issue, raw_shop, sql
from proxy import REFUSED, Exchange, Fault, Proxy

import reconciler
from reconciler.apply import writer
from reconciler.cli import main
from reconciler.sandbox import Running

STATUS = {1: "active", 5: "closed", 9: "archived"}
WORK = """
projects:
  - identifier: shop
    name: Web shop
    {status}
    versions: [{{name: "1.0"}}]
    issues: [{{subject: old, done_ratio: 40}}, {{subject: new, tracker: Bug, fixed_version: "1.0"}}]
"""
"""A manifest with a change of the project and of an issue, and new objects."""


@pytest.fixture
def api(world: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A project with an issue; the current folder is empty, and the environment names the server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDMINE_URL", world.url)
    monkeypatch.setenv("REDMINE_API_KEY", world.api_key)
    with Api(world) as api:
        raw_shop(api)
        raw_issue(api, "old", tracker_id=1)
        yield api


def act(api: Api, project: str, action: str) -> None:
    """Archives, closes …, past the tool."""
    assert api.send("PUT", f"/projects/{project}/{action}").status_code == 204


def run(command: str, text: str, *args: str) -> Result:
    """A command with a manifest; it does not crash."""
    Path("a.yaml").write_text(text)
    result = CliRunner().invoke(main, [command, *args, "a.yaml"])
    assert isinstance(result.exception, SystemExit | None), result.output
    return result


def applied(text: str, *args: str) -> list[dict[str, Any]]:
    """The results of an apply that ends well."""
    result = run("apply", text, "--yes", "--format", "json", *args)
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["results"])


def statuses(world: Running) -> dict[str, str]:
    """The status of every project, as the database has it."""
    with closing(sqlite3.connect(world.folder / "redmine.sqlite3", timeout=10)) as database:
        return {key: STATUS[n] for key, n in database.execute("SELECT identifier, status FROM projects")}


def done(world: Running, api: Api) -> None:
    """Checks that WORK is done, whatever the project's status (which it changes)."""
    act(api, "shop", "unarchive")
    act(api, "shop", "reopen")
    assert api.get("/projects/shop")["name"] == "Web shop"
    assert api.issue("old")["done_ratio"] == 40
    assert api.issue("new")["fixed_version"]["name"] == "1.0"


@pytest.mark.parametrize(
    "declared, flags, ends",
    [
        ("status: archived", ["--unarchive"], "archived"),
        ("description: null", ["--unarchive"], "archived"),
        ("status: active", [], "active"),
        ("status: closed", [], "closed"),
    ],
)
def test_one_apply_is_enough(world: Running, api: Api, declared: str, flags: list[str], ends: str) -> None:
    """What is inside an archived project is compared and changed, and the project ends as declared, else as it was."""
    act(api, "shop", "archive")
    text = WORK.format(status=declared)
    results = applied(text, *flags)
    assert statuses(world) == {"shop": ends}
    keys = sorted(f"{r['kind']} {r['key']}" for r in results)
    assert keys == ["issue shop/new", "issue shop/old", "project shop", "project shop", "version shop/1.0"]
    assert run("plan", text, "--detailed-exitcode").exit_code == 0 or declared == "description: null"
    done(world, api)


def test_a_plan_shows_it_and_writes_nothing(world: Running, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan has the project's change with its reason and what comes after, and only reads."""
    act(api, "shop", "archive")
    text = WORK.format(status="status: archived")
    assert "Use --unarchive to compare them" in run("plan", text).stdout
    with Proxy(world.url) as proxy:
        monkeypatch.setenv("REDMINE_URL", proxy.url)
        shown = run("plan", text, "--unarchive").stdout
        assert proxy.writes == []
    assert re.search(r"status: +archived → active|status +archived → active", shown)
    assert "to compare its fields and 3 objects inside; archived again afterwards" in shown
    assert "Compared later: 4 objects, after unarchiving shop." in shown
    assert "Plan: 0 to create, 1 to change, 0 to delete, 0 unchanged." in shown
    monkeypatch.setenv("REDMINE_URL", world.url)
    data = json.loads(run("plan", text, "--unarchive", "--format", "json").stdout)
    assert data["revealed"] == ["issue shop/new", "issue shop/old", "project shop", "version shop/1.0"]


def test_without_a_status_it_is_said_how(world: Running, api: Api) -> None:
    """Contents of an archived project whose status is not declared are a problem that names both ways."""
    act(api, "shop", "archive")
    (problem,) = problems_of(world, "issues: [{project: shop, subject: old, done_ratio: 10}]")
    assert "is archived, so its contents cannot be read" in problem.message
    assert problem.hint == "declare its status, or use --unarchive"


def test_a_project_that_no_manifest_declares(world: Running, api: Api) -> None:
    """Contents at the top level open their project, too, and it is archived again; a target brings it along."""
    raw_shop(api, "other")
    act(api, "shop", "archive")
    text = "issues: [{project: shop, subject: old, done_ratio: 10}]\nversions: [{project: other, name: v}]"
    applied(text, "--unarchive", "--target", "issue/shop/*")
    assert statuses(world) == {"shop": "archived", "other": "active"}
    act(api, "shop", "unarchive")
    assert api.issue("old")["done_ratio"] == 10
    assert api.get("/projects/other/versions") == []


def test_what_redmine_unarchives_along(world: Running, api: Api) -> None:
    """Projects above are unarchived by Redmine and archived again, and so is what was archived below them."""
    raw_shop(api, "sub", parent_id=1)
    raw_shop(api, "leaf", parent_id=2)
    raw_shop(api, "twig", parent_id=2)
    act(api, "shop", "archive")
    text = "projects: [{identifier: leaf, description: new, versions: [{name: v}]}]"
    applied(text, "--unarchive")
    assert set(statuses(world).values()) == {"archived"}
    results = run("apply", "projects: [{identifier: leaf, name: Leaf, status: active}]", "--yes")
    assert results.exit_code == 0
    assert (
        "project sub: no longer archived: Redmine unarchived it together with project leaf below it" in results.output
    )
    assert statuses(world) == {"shop": "active", "sub": "active", "leaf": "active", "twig": "archived"}
    act(api, "leaf", "reopen")
    assert api.get("/projects/leaf/versions")[0]["name"] == "v"


@pytest.mark.parametrize("above", ["archived", "closed"])
def test_an_active_project_below_one_that_is_shut(world: Running, api: Api, above: str) -> None:
    """What Redmine does to all projects below cannot be declared otherwise for one of them in the same apply."""
    text = f"{{identifier: shop, status: {above}}}, {{identifier: sub, name: S, parent: shop, status: active}}"
    (problem,) = problems_of(world, f"projects: [{text}]")
    assert f'the parent project "shop" is declared {above}' in problem.message
    assert problem.hint == f"declare this project {above} as well"


def test_an_active_project_below_a_closed_one(world: Running, api: Api) -> None:
    """What Redmine has is no problem: a project below a closed one that was reopened by itself."""
    raw_shop(api, "sub", parent_id=1)
    act(api, "shop", "close")
    act(api, "sub", "reopen")
    text = "projects: [{identifier: shop, status: closed}, {identifier: sub, status: active}]"
    assert plan_of(world, text).changes == ()


def test_what_needs_an_archived_project_waits(world: Running, api: Api) -> None:
    """What names an archived project, or something inside, is a problem, and with --unarchive it is done later."""
    act(api, "shop", "archive")
    text = """
    projects:
      - {identifier: shop, trackers: [Bug], versions: [{name: "1.0"}]}
      - {identifier: sub, name: Sub, parent: shop, versions: [{name: "2.0"}]}
      - {identifier: other, name: Other, versions: [{name: "3.0"}]}
    """
    stays = text.replace("trackers: [Bug]", "status: archived")
    assert {p.subject: p.message for p in problems_of(world, stays)} == {
        "project sub": "depends on project shop, which is archived or in an archived project"
    }
    first = json.loads(run("plan", text, "--unarchive", "--format", "json").stdout)
    assert [c["key"] for c in first["changes"]] == ["other", "shop", "other/3.0"]
    assert first["revealed"] == ["project shop", "project sub", "version shop/1.0", "version sub/2.0"]
    applied(text.replace("trackers: [Bug]", "status: active"))
    assert statuses(world) == {"shop": "active", "sub": "active", "other": "active"}
    assert run("plan", text.replace("trackers: [Bug], ", ""), "--detailed-exitcode").exit_code == 0


@pytest.mark.parametrize(
    "inside, args, code, said",
    [
        ("versions: [{name: 1.0}, {name: x, state: absent}]", ["--max-deletes", "0"], 5, "delet"),
        ("issues: [{subject: old, assigned_to: nobody}]", [], 3, 'there is no user or group "nobody"'),
    ],
)
def test_what_cannot_be_planned_then(
    world: Running, api: Api, inside: str, args: list[str], code: int, said: str
) -> None:
    """If the second plan is refused or has problems, what was unarchived is archived again, and it is said why."""
    api.make("/projects/shop/versions", name="x")
    act(api, "shop", "archive")
    text = f"projects: [{{identifier: shop, {inside}}}]"
    result = run("apply", text, "--yes", "--unarchive", "--format", "json", *args)
    assert (result.exit_code, statuses(world)) == (code, {"shop": "archived"})
    assert said in result.stderr
    assert [r["outcome"] for r in json.loads(result.stdout)["results"]] == ["done", "done"]


def test_the_second_plan_is_confirmed_too(world: Running, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever declines the second plan gets the archive back as it was."""
    answers = iter([True, False])
    monkeypatch.setattr("reconciler.cli.apply.confirmed", lambda *given: next(answers))
    act(api, "shop", "archive")
    result = run("apply", WORK.format(status="status: archived"), "--unarchive")
    assert (result.exit_code, statuses(world)) == (1, {"shop": "archived"})
    assert "No further changes were made." in result.stderr


def test_the_same_from_python(world: Running, api: Api) -> None:
    """`Manifests.apply` does both phases, and puts back what it opened if the second cannot be."""
    act(api, "shop", "archive")
    Path("a.yaml").write_text(WORK.format(status="status: archived"))
    manifests = reconciler.load("a.yaml")
    assert {str(a) for a in manifests.plan(unarchive=True).revealed} >= {"issue shop/old", "project shop"}
    report = manifests.apply(unarchive=True)
    assert (len(report.results), report.summary["done"]) == (5, 5)
    assert statuses(world) == {"shop": "archived"}
    Path("a.yaml").write_text("issues: [{project: shop, subject: old, category: no}]")
    with pytest.raises(reconciler.ManifestError):
        reconciler.load("a.yaml").apply(unarchive=True)
    assert statuses(world) == {"shop": "archived"}
    done(world, api)


@pytest.mark.custom_fields("Version text")
def test_a_failure_inside_leaves_the_archive_shut(world: Running, api: Api) -> None:
    """Work that fails inside an opened project does not keep it open; the exit code is that of both phases."""
    act(api, "shop", "archive")
    # Whether a text of several lines matches a pattern is left to Redmine.
    sql(world, "UPDATE custom_fields SET regexp = '^ok$' WHERE name = 'Version text'")
    bad = '{name: bad, custom_fields: {Version text: "not\\nfine"}}'
    text = f'projects: [{{identifier: shop, status: archived, versions: [{{name: "1.0"}}, {bad}]}}]'
    assert run("apply", text, "--yes", "--unarchive").exit_code == 4
    assert statuses(world) == {"shop": "archived"}


def test_cut_off_at_any_write(world: Running, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that loses the server at any write, and is done again, ends like one that was not disturbed."""
    monkeypatch.setenv("REDMINE_RETRIES", "0")
    monkeypatch.setattr(writer, "PAUSES", (0,))
    for number in range(6):
        name = f"shop{number}"
        raw_shop(api, name)
        api.make(f"/projects/{name}/issues", subject=f"old {name}", tracker_id=1)
        act(api, name, "archive")
        text = WORK.format(status="status: archived").replace("shop", name).replace("old", f"old {name}")
        writes = count()

        def cut(exchange: Exchange, last: int = number, writes: Iterator[int] = writes) -> Fault | None:
            reached = exchange.method != "GET" and next(writes) >= last
            return REFUSED if reached else None

        with Proxy(world.url, cut) as proxy:
            monkeypatch.setenv("REDMINE_URL", proxy.url)
            assert run("apply", text, "--yes", "--unarchive").exit_code != 0
            assert len(proxy.writes) > number
        monkeypatch.setenv("REDMINE_URL", world.url)
        applied(text, "--unarchive")
        assert statuses(world)[name] == "archived"
        act(api, name, "unarchive")
        assert api.get(f"/projects/{name}")["name"] == "Web shop".replace("shop", name)
        assert api.issue(f"old {name}")["done_ratio"] == 40
        assert len(api.get(f"/issues?project_id={name}&status_id=*")) == 2


def test_a_saved_plan_says_what_is_left(world: Running, api: Api) -> None:
    """A saved plan unarchives, as it says, and then names what a new plan has to do."""
    act(api, "shop", "archive")
    text = WORK.format(status="status: archived")
    assert run("plan", text, "--unarchive", "--out", "it.plan").exit_code == 0
    result = CliRunner().invoke(main, ["apply", "--plan", "it.plan", "--yes"])
    assert result.exit_code == 0, result.output
    assert "Remaining: 4 objects in unarchived projects, not compared yet. Plan and apply again" in result.stderr
    assert statuses(world) == {"shop": "active"}
    applied(text)
    assert statuses(world) == {"shop": "archived"}
    done(world, api)


# -- closed ones -------------------------------------------------------------------------------------------------


def test_a_closed_project_that_is_not_declared_is_closed_again(world: Running, api: Api) -> None:
    """Who reopens a project reopens all below; what is not declared is closed again, and the plan says so."""
    raw_shop(api, "sub", parent_id=1)
    act(api, "shop", "close")
    text = "projects: [{identifier: shop, status: active}]"
    changes = {str(c.address): c for c in plan_of(world, text).changes}
    assert changes["project sub"].reason == "reopened together with project shop"
    assert apply_to(world, text).summary["done"] == 2
    assert statuses(world) == {"shop": "active", "sub": "closed"}


def test_closing_says_what_it_closes_along(world: Running, api: Api) -> None:
    """Redmine closes and archives what is below a project; the reason names what is not declared."""
    raw_shop(api, "sub", parent_id=1)
    (change,) = plan_of(world, "projects: [{identifier: shop, status: closed}]").changes
    assert change.reason == "also closes its subprojects sub"
    apply_to(world, "projects: [{identifier: shop, status: archived}]")
    assert statuses(world) == {"shop": "archived", "sub": "archived"}
