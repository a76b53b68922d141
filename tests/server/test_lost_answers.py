"""A PUT whose answer is lost: what it did is looked for, it is not reported as failed, and nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import apply_to, plan_of, via
from proxy import BAD_GATEWAY, DROPPED, LOST_BEHIND_502, REFUSED, Exchange, Fault, FaultFunction, Proxy

from reconciler.apply.report import Report
from reconciler.sandbox import Running

HOME = "projects: [{identifier: shop, name: Shop, enabled_modules: [issue_tracking, news, wiki]}]\n"
OBJECTS = {
    "issue": ("issues: [{project: shop, subject: a%s}]", "attachments: [{file: note.txt}], priority: High"),
    "file field": ("issues: [{project: shop, subject: a%s}]", "custom_fields: {Issue attachment: {file: note.txt}}"),
    "news": ("news: [{project: shop, title: a, description: d%s}]", "attachments: [{file: note.txt}]"),
    "wiki page": ("wiki_pages: [{project: shop, title: A, text: t%s}]", "attachments: [{file: note.txt}]"),
}
FAULTS = {"dropped": DROPPED, "done, but 502": LOST_BEHIND_502, "refused": REFUSED, "not done, and 502": BAD_GATEWAY}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The manifests' folder, with a file."""
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text("first")
    return tmp_path


def first_put(fault: Fault) -> FaultFunction:
    """A fault of the first PUT alone."""
    left = [fault]
    return lambda exchange: left.pop() if left and exchange.method == "PUT" else None


def told(report: Report) -> list[str]:
    """How each change ended, and its errors."""
    return [f"{result.outcome}: {error.message}" for result in report.results for error in result.errors] or sorted(
        {result.outcome for result in report.results}
    )


def used(exchanges: list[Exchange]) -> list[str]:
    """The bodies of the PUTs that got to Redmine, each of which has a token."""
    return [e.body.decode() for e in exchanges if e.method == "PUT" and e.status is not None]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("declared, more", OBJECTS.values(), ids=OBJECTS)
def test_a_put_with_an_upload_is_looked_for_and_no_token_is_used_twice(
    world: Running, declared: str, more: str, fault: Fault
) -> None:
    """Whether it was executed or not, the file is there once in the end, the change is done, and so is what depends on
    it."""
    apply_to(world, HOME + declared % "")
    text = HOME + declared % f", {more}"
    with Proxy(world.url, first_put(fault)) as proxy:
        assert told(apply_to(via(world, proxy), text)) == ["done"]
        sent = used(proxy.writes)
    assert len(sent) == len(set(sent)) == 1
    assert plan_of(world, text).changes == ()


@pytest.mark.parametrize("fault", [DROPPED, LOST_BEHIND_502], ids=["dropped", "done, but 502"])
@pytest.mark.parametrize("changed", ["text: new", "text: t, renamed_from: A, title: B", "text: t, parent: Top"])
def test_a_put_that_is_refused_because_it_was_done_is_done(world: Running, changed: str, fault: Fault) -> None:
    """The version of a wiki page, or its title, is another one by then (409, 404): it was this very write."""
    top = "{project: shop, title: Top, text: x}"
    apply_to(world, HOME + f"wiki_pages: [{{project: shop, title: A, text: t}}, {top}]")
    page = {"title": "A"} | dict(item.split(": ") for item in changed.split(", "))
    text = HOME + f"wiki_pages: [{top}, {{project: shop, {', '.join(f'{k}: {v}' for k, v in page.items())}}}]"
    with Proxy(world.url, first_put(fault)) as proxy:
        assert told(apply_to(via(world, proxy), text)) == ["done"]
    assert plan_of(world, text).changes == ()


def test_a_put_that_is_refused_after_a_lost_answer_and_was_not_done_is_failed(world: Running) -> None:
    """What Redmine refuses is refused, however often its answer is lost on the way."""
    apply_to(world, HOME + "issues: [{project: shop, subject: a, start_date: 2030-01-02}]")
    text = HOME + "issues: [{project: shop, subject: a, due_date: 2030-01-01}]"
    with Proxy(world.url, first_put(BAD_GATEWAY)) as proxy:
        (said,) = told(apply_to(via(world, proxy), text))
    assert said == "failed: Due date must be greater than start date"
