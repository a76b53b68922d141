"""What others create while a plan is carried out: adopted, not doubled; and what exists twice all the same is not done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from canned import Canned
from engine import offline
from pydantic import SecretStr

from reconciler.apply.executor import Applier
from reconciler.apply.report import Report, Result
from reconciler.apply.run import carry_out
from reconciler.plan.planner import make
from reconciler.redmine.client import Client, Connection
from reconciler.render.words import happened
from reconciler.state.live import read

KEY = "Config key"


@pytest.fixture
def server(canned: Canned) -> Canned:
    """A Redmine with the project `shop`, all its modules, a key field and an issue."""
    modules = ["issue_tracking", "news", "files", "time_tracking", "wiki"]
    canned.set(canned.row("projects", "shop"), "projects", enabled_modules=modules)
    canned.add("custom_fields", name=KEY)
    canned.add("issues", project="shop", subject="old")
    return canned


def apply(
    server: Canned, text: str, meanwhile: Callable[[], object] = lambda: None, *, key: str | None = None, slots: int = 8
) -> Report:
    """Plans and applies; `meanwhile` happens in between."""

    async def main() -> Report:
        connection = Connection(server.url, api_key=SecretStr(server.api_key), concurrency=slots, retries=0)
        async with Client(connection, transport=server.transport) as client:
            wanted = offline(text, key_field=key)
            state = await read(client, wanted)
            plan = make(wanted, state, server.url)
            meanwhile()
            server.seen.clear()
            return await carry_out(Applier(client, state.names, plan))

    return asyncio.run(main())


def at(server: Canned, method: str, path: str, number: int, action: Callable[[], object]) -> None:
    """Does something just before a request is answered: the one of that number with this method and path."""
    seen = []

    def before(got: str, target: str) -> None:
        if got == method and target.partition("?")[0] == path:
            seen.append(target)
            if len(seen) == number:
                action()

    server.before = before


def inside(**lists: Any) -> str:
    """A manifest of the project with these lists."""
    return f"projects: [{{identifier: shop, {', '.join(f'{name}: {items}' for name, items in lists.items())}}}]"


def issues(*subjects: str) -> str:
    """A manifest of issues."""
    return inside(issues=f"[{', '.join(f'{{subject: {subject}}}' for subject in subjects)}]")


def subjects(server: Canned) -> list[str]:
    """The subjects of all issues."""
    return sorted(row["subject"] for row in server.rows("issues") if row["subject"] != "old")


def only(report: Report) -> Result:
    """The one result."""
    (result,) = report.results
    return result


ENTRY = "{user: admin, spent_on: 2026-11-02, activity: Design, comments: c, hours: 2}"
CREATED: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str | None]] = {
    # list: manifest, what somebody creates, what of it differs from what is declared, the key field
    "issue": (inside(issues="[{subject: a, done_ratio: 20}]"), "issues", {"subject": "a"}, {"done_ratio": 20}, None),
    "issue with a key": (
        inside(issues="[{key: k, subject: a}]"),
        "issues",
        {"subject": "other", "custom_fields": {KEY: "k"}},
        {"subject": "a"},
        KEY,
    ),
    "time entry": (inside(time_entries=f"[{ENTRY}]"), "time_entries", {"comments": "c"}, {"hours": 2.0}, None),
    "news": (inside(news="[{title: a, description: d}]"), "news", {"title": "a"}, {"description": "d"}, None),
}


@pytest.mark.parametrize("case", CREATED)
def test_what_somebody_created_since_the_plan_is_adopted(server: Canned, case: str) -> None:
    """Just before the POST it is found by its identity; only what differs is written, and there is one of it."""
    text, table, row, differing, key = CREATED[case]
    before = len(server.rows(table))
    result = only(apply(server, text, lambda: server.add(table, project="shop", **row), key=key))
    assert (result.outcome, result.notes) == ("done", ("created by someone else meanwhile; adopted",))
    assert happened([result]) == "1 adopted"
    assert len(server.rows(table)) == before + 1
    made = server.rows(table)[-1]
    assert {name: made[name] for name in differing} == differing
    assert [method for method, _ in server.seen if method != "GET"] == ["PUT"]


@pytest.mark.parametrize("others", [0, 150])
def test_what_is_equal_is_adopted_without_a_write(server: Canned, others: int) -> None:
    """Also if so many others were created meanwhile that the newest page does not show it."""

    def meanwhile() -> None:
        server.add("issues", project="shop", subject="a")
        for number in range(others):
            server.add("issues", project="shop", subject=f"other {number}")

    assert only(apply(server, issues("a"), meanwhile)).outcome == "done"
    assert all(method == "GET" for method, _ in server.seen)


HIDDEN = {
    "issues": ("[{subject: old, done_ratio: 40}, {subject: new}]", "issue_tracking", {"subject": "old"}),
    "news": ("[{title: old, description: text}, {title: new, description: text}]", "news", {"title": "old"}),
    "time_entries": (
        "[{spent_on: 2026-11-02, hours: 1, activity: Development, comments: old, user: admin},"
        " {spent_on: 2026-11-03, hours: 1, activity: Development, comments: new, user: admin}]",
        "time_tracking",
        {"comments": "old"},
    ),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_a_module_hid_until_this_run_is_adopted(server: Canned, name: str) -> None:
    """Redmine shows nothing of a module that is off: what is there already when a plan enables it is not doubled."""
    items, module, known = HIDDEN[name]
    if name == "news":
        server.add(name, project="shop", title="old", description="text")
    if name == "time_entries":
        entry = {"spent_on": "2026-11-02", "hours": 1.0, "activity": "Development", "comments": "old", "user": "admin"}
        server.add(name, project="shop", **entry)
    before = len(server.rows(name))
    server.set(server.row("projects", "shop"), "projects", enabled_modules=["wiki"])
    report = apply(server, inside(enabled_modules=f"[wiki, {module}]", **{name: items}))
    assert {result.outcome for result in report.results} == {"done"}
    assert len(server.rows(name)) == before + 1
    adopted = [result for result in report.results if result.notes]
    assert [result.notes for result in adopted] == [
        (f"already there, hidden while the module {module} was off; adopted",)
    ]
    (row,) = (row for row in server.rows(name) if known.items() <= row.items())
    assert adopted[0].id == row["id"]


def test_a_project_whose_module_was_on_is_read_as_before(server: Canned) -> None:
    """Only where something may have been hidden does an apply look for it: one list for each kind and project."""

    def lists(*modules: str) -> int:
        server.set(server.row("projects", "shop"), "projects", enabled_modules=list(modules))
        apply(
            server, inside(enabled_modules="[issue_tracking]", issues=f"[{{subject: {len(modules)}}}, {{subject: x}}]")
        )
        return sum(method == "GET" and path.startswith("/issues.json") for method, path in server.seen)

    assert lists("wiki") == lists("issue_tracking", "wiki") + 1


def test_another_issue_is_not_adopted(server: Canned) -> None:
    """Another subject, and the same one in another project, are other issues."""

    def meanwhile() -> None:
        server.add("projects", identifier="other")
        server.add("issues", project="other", subject="a")
        server.add("issues", project="shop", subject="A")

    result = only(apply(server, issues("a"), meanwhile))
    assert (result.outcome, result.notes) == ("done", ())
    assert subjects(server) == ["A", "a", "a"]


def test_what_another_run_creates_in_the_middle_is_adopted(server: Canned) -> None:
    """The ids of this run's own issues leave a gap, so the newest are read again before the next POST."""
    path = "/projects/shop/issues.json"
    at(server, "POST", path, 2, lambda: server.add("issues", project="shop", subject="c"))
    report = apply(server, issues("a", "b", "c", "d"), slots=1)
    assert {r.outcome for r in report.results} == {"done"}
    assert subjects(server) == ["a", "b", "c", "d"]
    assert [r.notes != () for r in report.results] == [False, False, True, False]


def test_two_declared_objects_of_one_identity_are_not_taken_for_each_other(server: Canned) -> None:
    """Two issues with one subject, declared with keys, are both created, although the first one is seen by then."""
    text = inside(issues="[{key: a, subject: same}, {key: b, subject: same}, {key: c, subject: same}]")
    report = apply(server, text)
    assert [(r.outcome, r.notes) for r in report.results] == [("done", ())] * 3
    assert subjects(server) == ["same"] * 3


def test_a_thousand_new_issues_take_hardly_more_requests(server: Canned) -> None:
    """While nobody else creates any, the ids show it: two requests are added to an apply of 1,000 issues."""
    report = apply(server, issues(*(f"i{n}" for n in range(1000))))
    assert report.summary["done"] == 1000
    reads = [path for method, path in server.seen if method == "GET" and path.startswith("/issues")]
    # Before the first POST and at the end the newest are read. The answers show what was created.
    assert len(reads) == 2
    assert len(server.seen) <= 1000 + 2 + 1


def test_ids_with_gaps_do_not_multiply_the_requests(server: Canned) -> None:
    """A database that gives out every second id looks as if somebody created something each time; that is noticed."""
    number = iter(range(100, 10_000, 2))
    server._next = lambda table: next(number)  # type: ignore[method-assign]
    report = apply(server, issues(*(f"i{n}" for n in range(300))))
    assert report.summary["done"] == 300
    looks = [path for _, path in server.seen if "sort=id%3Adesc" in path or "%3E%3D" in path]
    assert len(looks) <= 0.1 * 300


DOUBLED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "issue": (issues("a"), "issues", {"subject": "a"}, "exists twice: #2 (this run) and #3"),
    "time entry": (
        inside(time_entries=f"[{ENTRY}]"),
        "time_entries",
        {"comments": "c"},
        "exists twice: #1 (this run) and #2",
    ),
    "news": (inside(news="[{title: a, description: d}]"), "news", {"title": "a"}, "exists twice: #2 and #1"),
}


@pytest.mark.parametrize("case", DOUBLED)
def test_what_another_run_created_in_the_same_instant_is_not_done(server: Canned, case: str) -> None:
    """If both POSTs were under way at once, both objects exist: the change is failed, and says which to choose from."""
    text, table, row, said = DOUBLED[case]
    table_path = f"/projects/shop/{table}.json"
    twin = {**row, "project": "shop", "author": "admin"} if table != "time_entries" else {**row, "project": "shop"}

    def answer(method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        found = real(method, target, body)
        if method == "POST" and target == table_path:
            server.add(table, created_on="2026-11-29T05:20:00Z", **twin)
        return found

    real, server.answer = server.answer, answer  # type: ignore[method-assign]
    result = only(apply(server, text))
    assert result.outcome == "failed"
    (error,) = result.errors
    assert error.message.startswith(said) and error.message.endswith("; delete one of them")
    if table != "news":
        assert "created by Redmine Admin at 2026-11-29 05:20:00 UTC" in error.message


@pytest.mark.parametrize(
    ("count", "other", "waits", "looks"),
    [(1, False, [3.0], 1), (20, False, [], 1), (20, True, [3.0], 2)],
    ids=["a short run", "a long run", "a long run beside somebody else"],
)
def test_a_run_waits_for_a_rival_only_if_there_can_be_one(
    server: Canned, monkeypatch: pytest.MonkeyPatch, count: int, other: bool, waits: list[float], looks: int
) -> None:
    """Before its last look, a run waits for POSTs that it could not see yet; a long one has seen that there are none.

    If its last look shows a new object of somebody else, it waits after that and looks again.
    """
    now, slept, tool = [0.0], list[float](), "reconciler.apply.doubles"

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    def before(method: str, target: str) -> None:
        now[0] += method == "POST"
        if other and method == "POST" and now[0] == count:
            server.add("issues", project="shop", subject="other")

    monkeypatch.setattr(f"{tool}.SETTLING", 0.5)
    monkeypatch.setattr(f"{tool}.asyncio.sleep", sleep)
    for module in (tool, "reconciler.apply.meanwhile"):
        monkeypatch.setattr(f"{module}.elapsed", lambda: now[0])
    server.before = before
    report = apply(server, issues(*(f"i{n}" for n in range(count))), slots=1)
    assert report.summary["done"] == count
    newest = [path for method, path in server.seen if method == "GET" and "sort=id%3Adesc" in path]
    assert [one for one in slept if one > 0] == waits
    assert len(newest) == 1 + looks


def test_what_exists_three_times_says_so(server: Canned) -> None:
    """All but one of them have to go."""

    def answer(method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        found = real(method, target, body)
        if method == "POST":
            server.add("issues", project="shop", subject="a")
            server.add("issues", project="shop", subject="a")
        return found

    real, server.answer = server.answer, answer  # type: ignore[method-assign]
    (error,) = only(apply(server, issues("a"))).errors
    assert error.message.startswith("exists 3 times: #2 (this run), #3") and error.message.endswith(
        "all but one of them"
    )


def test_a_project_is_not_closed_around_what_exists_twice(server: Canned) -> None:
    """Nothing inside could be deleted then: closing it is skipped."""

    def answer(method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        found = real(method, target, body)
        if method == "POST":
            server.add("issues", project="shop", subject="a")
        return found

    real, server.answer = server.answer, answer  # type: ignore[method-assign]
    report = apply(server, inside(status="closed", issues="[{subject: a}]"))
    assert {str(r.change.address): r.outcome for r in report.results}["issue shop/a"] == "failed"
    assert server.row("projects", "shop")["status"] == 1


def test_if_it_cannot_be_read_whether_something_exists_twice_it_is_unknown(server: Canned) -> None:
    """What was written and read back may exist twice: it is not called done."""
    real = server.answer

    def answer(method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        if "sort=id%3Adesc" in target and subjects(server):
            return 500, b""
        return real(method, target, body)

    server.answer = answer  # type: ignore[method-assign]
    result = only(apply(server, issues("a")))
    assert result.outcome == "unknown"
    assert "could not be read whether it exists twice" in result.errors[0].message


ROWS: dict[str, tuple[str, dict[str, Any], str]] = {
    "issues": ("{subject: a}", {"subject": "a"}, "subject"),
    "news": ("{title: a, description: d}", {"title": "a", "description": "d"}, "title"),
    "time_entries": (
        "{spent_on: 2026-11-02, hours: 1, activity: Development, comments: a, user: admin}",
        {"spent_on": "2026-11-02", "hours": 1.0, "activity": "Development", "comments": "a", "user": "admin"},
        "comments",
    ),
}
"""Table → a declared object, its row, and the field that tells it from others."""


@pytest.mark.parametrize("odd", ["a page of 25", "a row that cannot be read", "dates in the future"])
@pytest.mark.parametrize("table", ROWS)
def test_the_first_page_is_only_believed_if_it_shows_all_that_is_new(server: Canned, table: str, odd: str) -> None:
    """It may be shorter than 100 rows, have one that is left out, or begin with older objects: nothing is doubled."""
    item, row, name = ROWS[table]
    ahead = odd == "dates in the future"
    server.most = 25 if odd == "a page of 25" else 100
    for number in range(100 if ahead else 0):
        server.add(table, project="shop", **{**row, name: f"old {number}", "created_on": "2099-01-01T00:00:00Z"})

    def meanwhile() -> None:
        server.add(table, project="shop", **row)
        for number in range(0 if ahead else 120):
            server.add(table, project="shop", **{**row, name: f"other {number}"})
        if odd == "a row that cannot be read":
            server.rows(table)[-1][name] = {"no": "text"}

    result = only(apply(server, inside(**{table: f"[{item}]"}), meanwhile))
    assert (result.outcome, happened([result])) == ("done", "1 adopted")
    assert [found[name] for found in server.rows(table)].count("a") == 1


def test_a_news_list_in_another_order_is_read_whole(server: Canned) -> None:
    """Where the newest items are not on the first page, each one is still found, and what somebody created is adopted."""
    for number in range(150):
        server.add(
            "news", project="shop", title=f"old {number}", description="d", created_on=f"2026-01-01T00:00:{number:03}Z"
        )
    server.news_by_age = True
    declared = ", ".join(f"{{title: new {number}, description: d}}" for number in range(3))
    report = apply(server, inside(news=f"[{declared}]"), lambda: server.add("news", project="shop", title="new 1"))
    assert [(r.outcome, bool(r.notes)) for r in report.results] == [("done", False), ("done", True), ("done", False)]
    assert len({row["title"] for row in server.rows("news")}) == len(server.rows("news")) == 153
