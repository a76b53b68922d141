"""One value that the server does not allow: it is that object's problem, and does not stop the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine import apply_to, plan_of, rows
from exports import run
from proxy import Proxy

from reconciler.sandbox import Running, Sandbox
from schemas import conform

pytestmark = pytest.mark.custom_fields("Issue list", "Issue list multiple")

STAGES = {"Issue list": "red", "Issue list multiple": "[red, green]"}
REMOVED = "CustomField.where(field_format: 'list').each { |f| f.update!(possible_values: %w[green blue]) }"


def manifest(given: str, *more: str) -> str:
    """A project with an issue that has these custom fields, and other issues."""
    issues = "".join(f"\n      - {line}" for line in (f"{{subject: a, custom_fields: {{{given}}}}}", *more))
    return f"projects:\n  - identifier: shop\n    name: Shop\n    issues:{issues}\n"


@pytest.mark.parametrize("field, value", STAGES.items(), ids=["one", "several"])
def test_a_live_value_that_was_removed_from_its_field_stays(
    world: Running, redmine: Sandbox, field: str, value: str
) -> None:
    """It is no change; other fields of the issue are changed, and Redmine keeps the value."""
    text = manifest(f"{field}: {value}")
    apply_to(world, text)
    redmine.run(REMOVED)
    assert plan_of(world, text).changes == ()
    more = text.replace("subject: a", "subject: a, done_ratio: 10")
    assert [result.outcome for result in apply_to(world, more).results] == ["done"]
    (issue,) = rows(world, "/issues.json", "issues")
    (kept,) = [f["value"] for f in issue["custom_fields"] if f["name"] == field]
    assert "red" in kept and issue["done_ratio"] == 10
    assert plan_of(world, more).changes == ()


BAD = manifest("Issue list: purple", "{subject: below, parent: a}", "{subject: other}")


def test_plan_shows_the_problem_and_apply_stops(there: Path) -> None:
    """Without the option, nothing is written, and the exit code is 3."""
    Path("a.yaml").write_text(BAD)
    assert '"purple" is not a value of this field' in run("plan", "a.yaml", code=3).output
    assert '"purple" is not a value of this field' in run("apply", "--yes", "a.yaml", code=3).output


def test_with_keep_going_all_that_does_not_depend_on_it_is_applied(there: Path, world: Running) -> None:
    """The object is failed at its place, what needs it is skipped, the exit code is 4; the next run does the rest."""
    Path("a.yaml").write_text(BAD)
    done = run("apply", "--yes", "--keep-going", "--format", "json", "a.yaml", code=4)
    report: dict[str, Any] = json.loads(done.stdout)
    conform(report, "results")
    ended = {f"{result['kind']} {result['key']}": result["outcome"] for result in report["results"]}
    assert [(p["file"], p["line"]) for result in report["results"] for p in result["problems"]] == [("a.yaml", 5)]
    assert ended == {
        "project shop": "done",
        "issue shop/a": "failed",
        "issue shop/below": "skipped",
        "issue shop/other": "done",
    }
    assert "Left out, because of problems: issue shop/a\n" in done.stderr
    assert "Left out, because they depend on these: issue shop/below\n" in done.stderr
    assert [row["subject"] for row in rows(world, "/issues.json", "issues")] == ["other"]
    Path("a.yaml").write_text(BAD.replace("purple", "blue"))
    run("apply", "--yes", "--keep-going", "a.yaml")
    assert len(rows(world, "/issues.json", "issues")) == 3


def test_if_nothing_else_is_to_be_done_nothing_is_written(
    there: Path, world: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The problem is still reported, and the exit code is 4."""
    apply_to(world, manifest("Issue list: red"))
    Path("a.yaml").write_text(manifest("Issue list: purple"))
    with Proxy(world.url) as proxy:
        monkeypatch.setenv("REDMINE_URL", proxy.url)
        said = run("apply", "--yes", "--keep-going", "a.yaml", code=4).output
        assert proxy.writes == []
    assert '"purple" is not a value of this field' in said
