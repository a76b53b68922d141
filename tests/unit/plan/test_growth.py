"""How the work of planning grows with the manifests: twice as many objects are twice the work, not four times.

What is counted are the bytecode instructions of the engine, which are the same in every run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest
from calls import call
from engine import offline
from plans import PERSON, SHOP, Present, inside, issue, live_of, project, user
from pruning import folder

import reconciler
from reconciler.apply.executor import Applier
from reconciler.apply.report import Report
from reconciler.apply.run import carry_out
from reconciler.plan.archived_projects import stay_open, to_archive_again, visible
from reconciler.plan.narrow import narrowed
from reconciler.plan.options import PlanOptions
from reconciler.plan.planner import Plan, make
from reconciler.plan.prune import Pruned, look
from reconciler.plan.targets import needing, select
from reconciler.redmine.client import Client

pytestmark = pytest.mark.slow

ENGINE = str(Path(reconciler.__file__).parent)
FEW = 100
DOUBLE = 2.1
"""Twice, and a little for sorting."""
ACTIVE = {"status": 1}


def instructions(action: Callable[[], object]) -> int:
    """How many bytecode instructions of the engine an action takes."""
    count = 0

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        return step

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(ENGINE):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


State = tuple[Sequence[str], Sequence[Present]]
"""The issues of a manifest, each a line, and those that are live."""


def chain(kind: str, count: int) -> list[str]:
    """New issues, each of which has a relation with the next one."""
    linked = [f"{{subject: i{n}, relations: [{{{kind}: i{n + 1}}}]}}" for n in range(count - 1)]
    return [*linked, f"{{subject: i{count - 1}}}"]


def changed_parents(count: int) -> State:
    """Issues with a subtask each, whose derived fields are declared otherwise."""
    values: dict[str, Any] = {"done_ratio": 20, "priority": {"id": 2, "name": "Normal"}}
    parents = [issue(10 + n, "shop", f"i{n}", **values) for n in range(count)]
    below = [issue(1000 + n, "shop", f"sub{n}", parent={"id": 10 + n}, **values) for n in range(count)]
    return [f"{{subject: i{n}, done_ratio: 50, priority: High}}" for n in range(count)], [*parents, *below]


def closed_blockers(count: int) -> State:
    """Live issues, each of which blocks the next one, that are all closed."""
    links = [{"id": n, "issue_id": 10 + n, "issue_to_id": 11 + n, "relation_type": "blocks"} for n in range(count - 1)]
    rows = [issue(10 + n, "shop", f"i{n}", relations=links[max(n - 1, 0) : n + 1]) for n in range(count)]
    return [line.replace("{", "{status: Closed, ", 1) for line in chain("blocks", count)], rows


def levels(count: int) -> State:
    """New issues, each of which is the parent of the next one and has a relation with one that is not."""
    above = [f"{{subject: i{n}, parent: i{n - 1}, relations: [{{relates: o{n}}}]}}" for n in range(1, count)]
    return ["{subject: i0}", *above, *(f"{{subject: o{n}}}" for n in range(count))], []


def subtasks(count: int) -> State:
    """One new issue with all the others below it, that are all closed."""
    return ["{subject: top, status: Closed}", *(f"{{subject: i{n}, parent: top}}" for n in range(count))], []


def absent(count: int) -> State:
    """Live issues that are declared absent."""
    rows = [issue(10 + n, "shop", f"i{n}") for n in range(count)]
    return [f"{{subject: i{n}, state: absent}}" for n in range(count)], rows


STATES: dict[str, Callable[[int], State]] = {
    "parents whose derived fields are declared": changed_parents,
    "a chain of blocks": lambda count: (chain("blocks", count), []),
    "a chain of blocks, said from the other side": lambda count: (chain("blocked", count), []),
    "a chain of precedes": lambda count: (chain("precedes", count), []),
    "a chain of follows": lambda count: (chain("follows", count), []),
    "a chain of live blockers that are closed": closed_blockers,
    "levels of parents, with relations": levels,
    "many subtasks of one issue": subtasks,
    "issues that are deleted": absent,
}


def planning(state: State) -> Callable[[], Plan]:
    """What makes the plan for a state."""
    lines, present = state
    wanted = offline(inside("issues:", *(f"  - {line}" for line in lines)))
    live = live_of(wanted, [SHOP, *present])
    return lambda: make(wanted, live, "http://redmine.test")


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_planning_is_linear(state: Callable[[int], State]) -> None:
    """The plan for twice as many issues takes twice the work."""
    less, more = (instructions(planning(state(count))) for count in (FEW, 2 * FEW))
    assert more / less < DOUBLE


def closed_levels(count: int) -> tuple[str, Sequence[Present]]:
    """Closed projects, each below the one before, that are changed and stay closed."""
    above = ({"parent": {"id": n}} if n else {} for n in range(count))
    rows = [project(n + 1, f"p-{n}", status=5, **more) for n, more in enumerate(above)]
    return "projects:\n" + "".join(f"  - {{identifier: p-{n}, name: N, status: closed}}\n" for n in range(count)), rows


def shut_levels(count: int) -> tuple[str, Sequence[Present]]:
    """Projects, each below the one before, that are all archived."""
    text, rows = closed_levels(count)
    return text.replace("status: closed", "status: archived"), [(*one, {**row, "status": 1}) for *one, row in rows]


def opened_levels(count: int) -> tuple[str, Sequence[Present]]:
    """Closed projects that are opened, with closed ones below that no manifest declares."""
    text, rows = closed_levels(count)
    below = [project(count + n + 1, f"q-{n}", status=5, parent={"id": n + 1}) for n in range(count)]
    return text.replace("status: closed", "status: active"), [*rows, *below]


def inherited_members(count: int) -> tuple[str, Sequence[Present]]:
    """New projects, each below the one before and with its members, to whom issues are assigned."""
    issues = "issues: [{subject: s, tracker: Bug, priority: Low, assigned_to: amy}]"
    first = "  - {identifier: p-0, name: P0, members: [{user: amy, roles: [Developer]}]}\n"
    parents = (f"identifier: p-{n}, name: P{n}, parent: p-{n - 1}, inherit_members: true" for n in range(1, count))
    lines = [first, *(f"  - {{{parent}, {issues}}}\n" for parent in parents)]
    return "projects:\n" + "".join(lines), [user(9, "amy")]


def turned_wiki(count: int) -> tuple[str, Sequence[Present]]:
    """Wiki pages of which each was below the one before, and is to be below the next one."""
    wiki = {**SHOP[2], "enabled_modules": [{"id": 1, "name": "wiki"}]}
    pages = ({"id": f"shop/P{n}", "title": f"P{n}", "version": 1, "text": "a"} for n in range(count))
    above = ({"parent": {"title": f"P{n - 1}"}} if n else {} for n in range(count))
    rows = [("wiki_page", str(p["id"]), {**p, **more}) for p, more in zip(pages, above, strict=True)]
    lines = (f"  - {{title: P{n}, parent: {f'P{n + 1}' if n + 1 < count else 'null'}}}" for n in range(count))
    return inside("wiki_pages:", *lines), [("project", "shop", wiki), *rows]


def deleted_projects(count: int) -> tuple[str, Sequence[Present]]:
    """Projects, each below the one before, that are all deleted."""
    _, rows = closed_levels(count)
    return "projects:\n" + "".join(f"  - {{identifier: p-{n}, state: absent}}\n" for n in range(count)), rows


def deleted_issues(count: int) -> tuple[str, Sequence[Present]]:
    """Issues, each below the one before, that are all deleted."""
    above = ({"parent": {"id": 9 + n}} if n else {} for n in range(count))
    rows = [issue(10 + n, "shop", f"i{n}", **more) for n, more in enumerate(above)]
    return inside("issues:", *(f"  - {{subject: i{n}, state: absent}}" for n in range(count))), [SHOP, *rows]


TREES: dict[str, Callable[[int], tuple[str, Sequence[Present]]]] = {
    made.__name__: made
    for made in (
        closed_levels,
        shut_levels,
        opened_levels,
        inherited_members,
        turned_wiki,
        deleted_projects,
        deleted_issues,
    )
}


@pytest.mark.parametrize("state", TREES.values(), ids=TREES)
def test_planning_trees_is_linear(state: Callable[[int], tuple[str, Sequence[Present]]]) -> None:
    """The plan for twice as many levels takes twice the work."""

    def work(count: int) -> int:
        text, present = state(count)
        wanted = offline(text)
        live = live_of(wanted, present)
        return instructions(lambda: made.append(make(wanted, live, "http://redmine.test")))

    made: list[Plan] = []
    less, more = work(FEW), work(2 * FEW)
    assert len(made[1].changes) > 2 * FEW - 2
    assert more / less < DOUBLE


def archived_levels(count: int) -> tuple[str, Sequence[Present]]:
    """Archived projects, each below the one before, with an issue in each."""
    above = ({"parent": {"id": n}} if n else {} for n in range(count))
    rows = [project(n + 1, f"p-{n}", status=9, **more) for n, more in enumerate(above)]
    issues = "issues: [{subject: s, tracker: Bug, priority: Low}]"
    return "projects:\n" + "".join(f"  - {{identifier: p-{n}, {issues}}}\n" for n in range(count)), rows


def opened_leaf(count: int) -> tuple[str, Sequence[Present]]:
    """A project that is declared active, with an issue, below archived ones that no manifest declares."""
    text, rows = archived_levels(count + 1)
    return "projects:\n" + text.splitlines()[-1].replace("issues:", "status: active, issues:"), rows


LEVELS = {made.__name__: made for made in (archived_levels, opened_leaf)}


@pytest.mark.parametrize("state", LEVELS.values(), ids=LEVELS)
def test_archiving_again_is_linear(state: Callable[[int], tuple[str, Sequence[Present]]]) -> None:
    """To find which of twice as many levels are archived again, and which stay open, takes twice the work."""

    def work(count: int) -> int:
        text, rows = state(count)
        wanted = offline(text)
        live, opened = (live_of(wanted, [(k, key, {**row, **more}) for k, key, row in rows]) for more in ({}, ACTIVE))
        first, before = make(wanted, live, "http://redmine.test", unarchive=True), visible(live.names)

        def find() -> None:
            again = to_archive_again(first, before, wanted, opened.names)
            found.append(len(again) + len(list(stay_open(first, before, opened.names))))

        return instructions(find)

    found: list[int] = []
    less, more = work(FEW), work(2 * FEW)
    assert found == [FEW, 2 * FEW]
    assert more / less < DOUBLE


def postponed_chain(count: int) -> tuple[str, Sequence[Present]]:
    """New issues, each below the one before, and the first one below an issue in an archived project."""
    text, rows = archived_levels(1)
    chained = (f"{{subject: i{n}, parent: i{n - 1}}}" for n in range(2, count))
    below = ["{subject: i1, parent: {project: p-0, key: s}}", *chained]
    shop = inside("issues:", *(f"  - {line}" for line in below))
    return text.rstrip() + shop.removeprefix("projects:"), [project(2, "shop"), *rows]


REVEALED = {made.__name__: made for made in (archived_levels, postponed_chain)}


@pytest.mark.parametrize("state", REVEALED.values(), ids=REVEALED)
def test_planning_to_unarchive_is_linear(state: Callable[[int], tuple[str, Sequence[Present]]]) -> None:
    """To find twice as many objects that are compared once projects are unarchived takes twice the work."""

    def work(count: int) -> int:
        text, present = state(count)
        wanted = offline(text)
        live = live_of(wanted, present)
        return instructions(lambda: made.append(make(wanted, live, "http://redmine.test", unarchive=True)))

    made: list[Plan] = []
    less, more = work(FEW), work(2 * FEW)
    assert [len(plan.revealed) for plan in made] == [FEW, 2 * FEW]
    assert more / less < DOUBLE


def test_choosing_is_linear() -> None:
    """To choose all of twice as many levels, or to find what needs any of them, takes twice the work."""

    def work(count: int) -> int:
        made = planning(levels(count))()
        known = [change.address for change in made.changes]
        return instructions(lambda: (select(made, known, ["issue/*"]), needing(made, known)))

    assert work(2 * FEW) / work(FEW) < DOUBLE


def people(count: int) -> str:
    """Users: any of them can have the mail address that another one is to get."""
    named = "firstname: A, lastname: B"
    return "users:\n" + "".join(f"  - {{login: u{n}, {named}, mail: u{n}@example.net}}\n" for n in range(count))


def hours(count: int) -> str:
    """Time entries of one project, which have no names of their own."""
    entry = "user: amy, activity: Design, hours: 1, spent_on: 2026-01-01"
    return inside("time_entries:", *(f"  - {{{entry}, comments: c{n}}}" for n in range(count)))


def assigned(count: int) -> str:
    """Issues of one member, whose membership comes before each of them."""
    lines = (f"  - {{subject: i{n}, assigned_to: amy}}" for n in range(count))
    amy = f"users: [{{login: amy, {PERSON}}}]\n"
    return amy + inside("members: [{user: amy, roles: [Developer]}]", "issues:", *lines)


TARGETS = {"user/u1": people, "time_entry/*": hours, "issue/*": assigned}


@pytest.mark.parametrize("target", TARGETS)
def test_finding_what_targets_need_is_linear(target: str) -> None:
    """To find what can matter to a target takes twice the work if all of twice as many objects can."""

    def work(count: int) -> int:
        wanted = offline(TARGETS[target](count))
        assert not wanted.problems
        return instructions(lambda: found.append(len(narrowed(wanted, PlanOptions((target,))).objects)))

    found: list[int] = []
    less, more = work(FEW), work(2 * FEW)
    assert found[0] >= FEW and found[1] - found[0] == FEW
    assert more / less < DOUBLE


class Redmine:
    """As much of a Redmine as is needed to create issues with relations in the project `shop`, and to list them."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.links = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/sub").removesuffix(".json")
        if request.method == "GET":
            return self._list(request.url.params)
        body = json.loads(request.content)
        return self._create(body["issue"]) if path == "/projects/shop/issues" else self._relate(path, body["relation"])

    def _list(self, query: httpx.QueryParams) -> httpx.Response:
        # Without the filter, the newest: what others may have created meanwhile.
        numbers = query["v[issue_id][]"].split(",") if "v[issue_id][]" in query else sorted(self.rows)[::-1]
        wanted = [self.rows[int(number)] for number in numbers]
        start, limit = int(query.get("offset", 0)), int(query["limit"])
        rows = wanted[start : start + limit]
        return httpx.Response(200, json={"issues": rows, "total_count": len(wanted), "offset": start, "limit": limit})

    def _create(self, fields: dict[str, Any]) -> httpx.Response:
        _, _, row = issue(len(self.rows) + 1, "shop", fields["subject"])
        self.rows[row["id"]] = {**row, "priority": {"id": 2, "name": "Normal"}, "relations": []}
        return httpx.Response(201, json={"issue": row})

    def _relate(self, path: str, body: dict[str, Any]) -> httpx.Response:
        self.links += 1
        link = {"id": self.links, "issue_id": int(path.split("/")[2]), **body}
        for end in ("issue_id", "issue_to_id"):
            self.rows[link[end]]["relations"].append(link)
        return httpx.Response(201, json={"relation": link})


def test_pruning_is_linear(tmp_path: Path) -> None:
    """To find what no manifest declares in twice as many projects takes twice the work."""

    def work(count: int) -> int:
        lines = (f"  - {{identifier: p-{n}, name: P, news: [{{title: a, description: x}}]}}\n" for n in range(count))
        manifests = folder(tmp_path, "projects:\n" + "".join(lines), authoritative=["news"])
        told = [(f"p-{n}/{title}", title) for n in range(count) for title in ("a", "b")]
        rows = [project(n + 1, f"p-{n}") for n in range(count)]
        news = [("news", key, {"id": n, "title": title, "description": "x"}) for n, (key, title) in enumerate(told)]
        live = live_of(manifests.desired, [*rows, *news])

        async def search(client: Client) -> Pruned:
            return await look(client, manifests.config, manifests.desired, live, PlanOptions(prune=True))

        return instructions(lambda: found.append(call(Redmine(), search)))

    found: list[Pruned] = []
    less, more = work(FEW), work(2 * FEW)
    assert [len(pruned.objects) for pruned in found] == [FEW, 2 * FEW]
    assert more / less < DOUBLE


def applying(state: State) -> Callable[[], Report]:
    """What carries out the plan for a state."""
    lines, present = state
    wanted = offline(inside("issues:", *(f"  - {line}" for line in lines)))
    live = live_of(wanted, [SHOP, *present])
    plan = make(wanted, live, "http://redmine.test")

    async def carry(client: Client) -> Report:
        return await carry_out(Applier(client, live.names, plan))

    return lambda: call(Redmine(), carry)


def test_applying_is_linear() -> None:
    """To create twice as many issues, each of which blocks the next one, takes twice the work."""
    works = [applying((chain("blocks", count), [])) for count in (FEW // 2, FEW)]
    reports: list[Report] = []
    less, more = (instructions(lambda work=work: reports.append(work())) for work in works)
    assert all(r.outcome == "done" for report in reports for r in report.results)
    assert more / less < DOUBLE
