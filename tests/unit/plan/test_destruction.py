"""A plan tells what its deletions destroy beyond what it compares."""

from __future__ import annotations

from pathlib import Path

from canned import Canned
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.plan import destruction


def reasons(canned: Canned, manifest: str) -> str:
    """The plan's text."""
    Path("a.yaml").write_text(manifest)
    result = CliRunner().invoke(main, ["plan", "--format", "markdown"])
    assert result.exit_code == 0, result.output
    return result.stdout


def fill(canned: Canned) -> None:
    """Two issues, a page and two time entries in the project `old`; one issue elsewhere."""
    canned.add("projects", identifier="old", enabled_modules=["wiki", "issue_tracking", "time_tracking"])
    one = canned.add("issues", project="old", subject="One")
    canned.add("issues", project="old", subject="Two")
    canned.add("issues", project="shop", subject="Other")
    canned.add("wiki_pages", inside="old", title="Start", text="x", version=1)
    for hours in (1.5, 3.0):
        canned.add("time_entries", project="old", issue=one, hours=hours, spent_on="2026-01-01", user=1)


def test_what_goes_with_a_project(canned: Canned) -> None:
    """Its issues, pages and logged hours are counted; those of other projects are not."""
    fill(canned)
    rendered = reasons(canned, "projects: [{identifier: old, state: absent}]")
    assert "destroys 2 issues, 1 wiki page, 2 time entries (4.5 hours)" in rendered.replace("\\(", "(").replace(
        "\\)", ")"
    )


def test_what_goes_with_an_issue(canned: Canned) -> None:
    """The logged hours; nothing is said of an issue without any."""
    fill(canned)
    manifest = "issues: [{project: old, subject: One, state: absent}, {project: old, subject: Two, state: absent}]"
    rendered = reasons(canned, manifest).replace("\\(", "(").replace("\\)", ")")
    assert rendered.count("destroys") == 1
    assert "destroys 2 time entries (4.5 hours)" in rendered


def test_an_account_that_may_not_see_it(canned: Canned) -> None:
    """What the account may not read is not counted, and is no error."""
    fill(canned)
    plain = canned._get
    canned._get = lambda parts, params: (403, b"") if parts[0] == "time_entries" else plain(parts, params)  # type: ignore[method-assign]
    rendered = reasons(canned, "projects: [{identifier: old, state: absent}]")
    assert "destroys 2 issues, 1 wiki page" in rendered
    assert "time" not in rendered


def test_many_deletions_are_not_counted(canned: Canned) -> None:
    """Beyond a number of deletions of a kind, no requests are made for them; a plan without deletions makes none."""
    for n in range(destruction.MANY + 1):
        canned.add("issues", project="shop", subject=f"S{n}")
    absent = ", ".join(f"{{project: shop, subject: S{n}, state: absent}}" for n in range(destruction.MANY + 1))
    reasons(canned, f"issues: [{absent}]")
    assert not [path for _, path in canned.seen if path.startswith("/time_entries")]
