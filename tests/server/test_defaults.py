"""What Redmine fills in by itself: the same whatever the order of the requests."""

from __future__ import annotations

import itertools

import pytest
from engine import apply_to, plan_of, problems_of, rows, via
from promises import setting, troubles
from proxy import BAD_GATEWAY, Exchange, Fault, Proxy

from reconciler.sandbox import Running

MANIFEST = """
users: [{login: amy, firstname: Amy, lastname: Able, mail: amy@example.net}]
projects:
  - identifier: shop
    name: Shop
    default_version: "1.0"
    default_assigned_to: amy
    members: [{user: amy, roles: [Manager]}]
    versions: [{name: "1.0"}]
    issue_categories: [{name: Web, assigned_to: amy}]
    issues:
      - {subject: a}
      - {subject: b, parent: a}
      - {subject: c, parent: b, category: Web}
      - {subject: d, parent: c}
"""


@pytest.mark.parametrize("spoiled", [None, "/versions", "/issue_categories", "/issues", "/projects/shop.json"])
def test_no_issue_that_is_created_with_them_gets_the_defaults(world: Running, spoiled: str | None) -> None:
    """A request that has to be repeated delays what depends on it, and changes nothing in the end."""
    count = itertools.count()

    def fault(exchange: Exchange) -> Fault | None:
        hit = spoiled and exchange.method in ("POST", "PUT") and spoiled in exchange.path and next(count) == 0
        return BAD_GATEWAY if hit else None

    with Proxy(world.url, fault) as proxy:
        report = apply_to(via(world, proxy), MANIFEST)
    assert {result.outcome for result in report.results} == {"done"}
    for issue in rows(world, "/issues.json?status_id=*", "issues"):
        assert "fixed_version" not in issue and "assigned_to" not in issue
    assert rows(world, "/projects/shop.json", "project")["default_version"]["name"] == "1.0"
    assert plan_of(world, MANIFEST).changes == ()
    apply_to(
        world, MANIFEST.replace("      - {subject: a}", "      - {subject: later, category: Web}\n      - {subject: a}")
    )
    (later,) = [row for row in rows(world, "/issues.json", "issues") if row["subject"] == "later"]
    assert (later["fixed_version"]["name"], later["assigned_to"]["name"]) == ("1.0", "Amy Able")


BARE = """
projects:
  - identifier: bare
    name: Bare
    wiki_pages: [{title: Start, text: t}]
    versions: [{name: "1.0"}]
    issues: [{subject: one, fixed_version: "1.0"}]
    news: [{title: n, description: d}]
"""


def test_modules_that_a_new_project_does_not_get(world: Running) -> None:
    """What needs a module that the server has not enabled in a new project is not sent, and the reason is said; the
    next plan has it as a problem."""
    setting(world, "default_projects_modules", "--- \n- wiki\n")
    (warned,) = plan_of(world, BARE).warnings
    assert "needs issue_tracking, news, wiki" in warned.message
    with Proxy(world.url) as proxy:
        report = apply_to(via(world, proxy), BARE)
        written = [f"{e.method} {e.path.partition('.json')[0]}" for e in proxy.writes]
    assert written == ["POST /projects", "PUT /projects/bare/wiki/%2C"]
    assert {address: why[:50] for address, (_, why) in troubles(report).items()} == {
        "version bare/1.0": "requires the module issue_tracking, which the server"[:50],
        "issue bare/one": "version bare/1.0 failed",
        "news bare/n": "requires the module news, which the server has not enabled"[:50],
    }
    assert {problem.subject for problem in problems_of(world, BARE)} == troubles(report).keys()
