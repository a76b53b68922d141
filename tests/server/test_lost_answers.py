"""A PUT whose answer is lost: what it did is looked for, it is not reported as failed, and nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from engine import apply_to, plan_of, via
from promises import Api, Tool, sql, troubles
from proxy import BAD_GATEWAY, DROPPED, LOST_BEHIND_502, REFUSED, Exchange, Fault, FaultFunction, Proxy

from reconciler.apply import found_late, writer
from reconciler.apply.report import Outcome, Report
from reconciler.model.address import Address
from reconciler.sandbox import Running

pytestmark = pytest.mark.custom_fields("Issue attachment")

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


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for seconds: what these servers execute, they execute at once, or when they are told to."""
    monkeypatch.setattr(writer, "PAUSES", (0.0, 0.1, 0.2))


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


@pytest.mark.custom_fields("Issue text")
def test_a_put_that_is_refused_after_a_lost_answer_and_was_not_done_is_failed(world: Running) -> None:
    """What Redmine refuses is refused, however often its answer is lost on the way."""
    apply_to(world, HOME + "issues: [{project: shop, subject: a}]")
    # The plan leaves texts of several lines to the server.
    sql(world, "UPDATE custom_fields SET regexp = '^ok$' WHERE name = 'Issue text'")
    text = HOME + 'issues: [{project: shop, subject: a, custom_fields: {Issue text: "not\\nfine"}}]'
    with Proxy(world.url, first_put(BAD_GATEWAY)) as proxy:
        (said,) = told(apply_to(via(world, proxy), text))
    assert said == "failed: Issue text is invalid"


HELD = "{users: [{login: amy, firstname: A, lastname: B, mail: amy@example.net}], issues: [{project: shop, subject: other}]}"
LATE = {
    "issue": (
        "issue shop/late",
        "issues: [{project: shop, subject: late, notes: [one, two], relations: [{relates: other}]}]",
    ),
    "version": ("version shop/late", "versions: [{project: shop, name: late, status: locked}]"),
    "user": ("user late", "users: [{login: late, firstname: L, lastname: T, mail: late@example.net, status: locked}]"),
    "project": ("project late", "projects: [{identifier: late, name: Late, status: closed}]"),
}


@pytest.mark.parametrize(("address", "text"), LATE.values(), ids=LATE)
def test_what_is_created_late_is_completed_and_compared(
    world: Running, address: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A POST that Redmine executes when nobody waits any more: the object gets what comes after the POST, too."""
    monkeypatch.setattr(writer, "PAUSES", (0.0,))
    for given in (HOME, f"{HOME}---\n{HELD}"):
        apply_to(world, given)
    posts: list[Exchange] = []

    def hold(exchange: Exchange) -> Fault | None:
        # The first POST is the creation; where Redmine allows a name once, it is sent a second time.
        if exchange.method != "POST" or arrived:
            return None
        posts.append(exchange)
        return Fault(forward=False, delay=3)

    def arrive(who: Address, outcome: Outcome) -> None:
        if outcome == "unknown":
            arrived.append(str(who))
            with Api(world) as api:
                api.send("POST", posts[0].path.partition(".json")[0], json.loads(posts[0].body))

    arrived: list[str] = []
    wanted = yaml.safe_load(text)
    if "relations" in text:
        wanted["issues"].append({"project": "shop", "subject": "other"})
    with Proxy(world.url, hold) as proxy:
        tool = Tool(proxy.url, world.api_key, timeout=2, retries=0)
        report = tool.apply(wanted, lambda applier: setattr(applier, "listener", arrive))
    assert arrived == [address]
    assert troubles(report) == {}
    (result,) = (r for r in report.results if str(r.change.address) == address)
    assert result.notes == (found_late.NOTE,)
    assert plan_of(world, json.dumps(wanted)).changes == ()
