"""How a plan is carried out: over its edges, without a server that has an opinion."""

from __future__ import annotations

from typing import Any

import httpx
from answers import applied
from plans import SHOP, inside, issue, project, user, version

from reconciler.apply.report import Report

OUTGOING = inside("issues: [{subject: a, state: absent}, {subject: b, parent: null}]")
LOCKED = version(5, "shop", "1.0", status="locked")
GATED = inside('versions: [{name: "1.0"}]', 'issues: [{subject: s, fixed_version: "1.0"}, {subject: t}]')


def outcomes(report: Report) -> dict[str, str]:
    """How each change ended."""
    return {str(r.change.address): r.outcome for r in report.results}


def test_a_failure_skips_what_requires_it() -> None:
    """An issue whose version is not made is skipped, with the reason; another one is done."""
    report, server = applied(GATED, SHOP, refuse={"/projects/shop/versions": ["Name is invalid"]})
    assert outcomes(report) == {"version shop/1.0": "failed", "issue shop/s": "skipped", "issue shop/t": "done"}
    assert [r.because for r in report.results if r.outcome == "skipped"] == ["version shop/1.0 failed"]
    assert ("POST", "/projects/shop/issues") in server.writes


def test_a_server_that_goes_away_ends_the_run() -> None:
    """What was under way has failed; what was not started is left, and not tried one by one."""

    def gone(row: dict[str, Any]) -> dict[str, Any]:
        raise httpx.ConnectError("refused")

    names = ", ".join(f'{{name: "{number}"}}' for number in range(12))
    report, _ = applied(inside(f"versions: [{names}]"), SHOP, keep=gone)
    assert report.summary["failed"] >= 1
    assert report.summary["left"] >= 4
    assert report.summary["failed"] + report.summary["left"] == 12
    assert report.ended == "The run ended early, because the server could not be reached."
    assert not report.interrupted


def test_a_failure_only_delays_what_comes_after_it() -> None:
    """A version that exists and is not changed as wanted stops no issue that names it: that comes after it."""
    text = inside('versions: [{name: "1.0", sharing: tree}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    report, server = applied(text, SHOP, version(5, "shop", "1.0"), refuse={"/versions/5": ["Sharing is invalid"]})
    assert outcomes(report) == {"version shop/1.0": "failed", "issue shop/s": "done"}
    assert server.writes[:2] == [("PUT", "/versions/5"), ("POST", "/projects/shop/issues")]


def test_a_skip_is_handed_on_with_its_first_reason() -> None:
    """What requires something skipped is skipped because of what failed."""
    text = inside('versions: [{name: "1.0"}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    report, server = applied(text, refuse={"/projects": ["Name is invalid"]})
    assert {r.because for r in report.results if r.outcome == "skipped"} == {"project shop failed"}
    assert server.writes == [("POST", "/projects")]


def test_a_gate_is_shut_again_after_a_failure() -> None:
    """A version that was reopened for an issue is locked again although the issue is refused."""
    report, server = applied(GATED, SHOP, LOCKED, refuse={"/projects/shop/issues": ["Subject is invalid"]})
    assert outcomes(report)["version shop/1.0"] == "done"
    assert [w for w in server.writes if w[1] == "/versions/5"] == [("PUT", "/versions/5")] * 2


def test_a_gate_that_stays_shut_skips_the_work_behind_it() -> None:
    """An issue is not sent to a version that could not be reopened."""
    report, server = applied(GATED, SHOP, LOCKED, refuse={"/versions/5": ["Status is invalid"]})
    assert outcomes(report) == {"version shop/1.0": "failed", "issue shop/s": "skipped", "issue shop/t": "done"}
    assert server.writes.count(("PUT", "/versions/5")) == 1, "it is not locked again either"


def test_a_project_is_closed_after_everything_else() -> None:
    """The operation that holds until all is verified is the last write."""
    closed = project(1, "shop", status=5)
    report, server = applied(inside("issues: [{subject: s}]", name="shop"), closed)
    assert set(outcomes(report).values()) == {"done"}
    assert server.writes == [
        ("PUT", "/projects/shop/reopen"),
        ("POST", "/projects/shop/issues"),
        ("PUT", "/projects/shop/close"),
    ]


def test_a_deletion_requires_that_what_must_leave_has_left() -> None:
    """A parent issue is not deleted if a subtask that moves away could not: Redmine would delete it along."""
    live = SHOP, issue(9, "shop", "a"), issue(10, "shop", "b", parent={"id": 9})
    report, server = applied(OUTGOING, *live, refuse={"/issues/10": ["Subject is invalid"]})
    assert outcomes(report) == {"issue shop/a": "skipped", "issue shop/b": "failed"}
    assert server.writes == [("PUT", "/issues/10")]
    report, server = applied(OUTGOING, *live)
    assert server.writes == [("PUT", "/issues/10"), ("DELETE", "/issues/9")]


def test_a_project_is_not_deleted_while_a_subproject_could_not_leave() -> None:
    """The same for projects: Redmine deletes what is below a project with it."""
    text = "projects: [{identifier: old, state: absent}, {identifier: sub, parent: null}]"
    live = project(1, "old"), project(2, "sub", parent={"id": 1})
    report, server = applied(text, *live, refuse={"/projects/sub": ["Name is invalid"]})
    assert outcomes(report) == {"project old": "skipped", "project sub": "failed"}
    assert ("DELETE", "/projects/old") not in server.writes


def test_members_are_sent_after_the_projects_that_inherit_them() -> None:
    """A Redmine with several processes passes a member on only to the projects that are there when it is added."""
    below = ", ".join(f"{{identifier: p{n}, name: P, parent: top, inherit_members: true}}" for n in range(9))
    top = "identifier: top, name: Top, members: [{user: amy, roles: [Manager]}, {user: bob, roles: [Manager]}]"

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        roles, member = row.get("role_ids", ()), {"id": row.get("user_id"), "name": "A B"}
        more = {"user": member, "project": {"id": 100, "name": "Top"}, "roles": [{"id": r, "name": "R"} for r in roles]}
        return row | (more if roles else {})

    report, server = applied(f"projects: [{{{top}}}, {below}]", user(5, "amy"), user(6, "bob"), keep=shown)
    assert report.summary["done"] == 12
    assert server.writes.count(("POST", "/projects")) == 10
    assert server.writes[-2:] == [("POST", "/projects/top/memberships")] * 2
