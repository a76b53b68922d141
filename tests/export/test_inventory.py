"""What an export reads on a real Redmine: what a change disturbs elsewhere, ranges of numbers."""

from __future__ import annotations

from engine import apply_to, plan_of, rows, via
from promises import Api, raw_issue, raw_shop
from proxy import Proxy

from reconciler.kinds import kinds
from reconciler.model.address import Address
from reconciler.model.capabilities import Streamed
from reconciler.sandbox import Running


def test_ranges_of_numbers_show_each_issue_once(world: Running) -> None:
    """The lists of an export together are all issues of the projects, and of no other project."""
    with Api(world) as api:
        raw_shop(api)
        raw_shop(api, "other")
        wanted = {raw_issue(api, f"issue {n}") for n in range(7)}
        api.make("/projects/other/issues", subject="foreign")
        project = api.get("/projects/shop")["id"]
        issues = kinds()["issue"]
        stream = issues.capability(Streamed)
        (last,) = stream.last([project])
        (newest, *_) = api.get(f"/issues?{'&'.join(f'{n}={v}' for n, v in last.params)}")
        assert newest["id"] == max(wanted)
        seen: list[int] = []
        for window in stream.windows(issues, [project], frozenset(), newest["id"]):
            query = "&".join(f"{name}={value}" for name, value in window.params).replace("><", "%3E%3C")
            seen += [row["id"] for row in api.get(f"/issues?{query}&limit=100")]
    assert sorted(seen) == sorted(wanted)


def test_what_a_change_disturbs_elsewhere_is_looked_at_again(world: Running) -> None:
    """A new subtask or relation makes the account a watcher of the other issue too; its declared watchers stay so."""
    base = "projects: [{identifier: shop, name: Shop}]\nissues:\n  - {project: shop, subject: top, watchers: []}\n"
    apply_to(world, base)
    more = base + "  - {project: shop, subject: leaf, parent: top, relations: [{relates: far}]}\n"
    more += "  - {project: shop, subject: far, watchers: null}\n"
    with Proxy(world.url) as proxy:
        report = apply_to(via(world, proxy), more)
    assert {str(c.address) for c in report.plan.affected} == {"issue shop/top"}
    assert report.summary["done"] == 2
    assert plan_of(world, more).changes == ()
    assert rows(world, "/issues/1.json?include=watchers", "issue")["watchers"] == []
    assert Address("issue", "shop/top") not in {r.change.address for r in report.results}
