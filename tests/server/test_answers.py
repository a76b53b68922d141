"""What the answer to a POST shows is what a GET shows right after, kind by kind and field by field.

`apply.answered` relies on that: it reads back what an answer does not show, or what may have changed since.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from custom_fields import EVERY
from promises import Tool, fields, tool, troubles
from proxy import Proxy

from reconciler.apply import verify
from reconciler.apply.answered import unconfirmed
from reconciler.apply.executor import Applier
from reconciler.apply.progress import Progress
from reconciler.kinds import kinds
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import PartialRows
from reconciler.model.name_index import Context, Names
from reconciler.redmine.client import Client
from reconciler.sandbox import Running
from reconciler.state import live

pytestmark = pytest.mark.custom_fields(EVERY)

MODULES = ["issue_tracking", "wiki", "time_tracking", "news", "files"]
AMY = {"login": "Amy.A", "firstname": "Ämy", "lastname": "O'Able", "mail": "Amy@Example.net"}
PEOPLE = [
    {**AMY, "admin": True, "language": "de", "password": "correct horse battery"},
    {"login": "bob", "firstname": "Bob", "lastname": "日本 <b>", "mail": "bob@example.net", "status": "registered"},
]
TEXT = "one\r\ntwo\rthree\nfour  \n\n"
WORLD: dict[str, Any] = {
    "users": PEOPLE,
    "groups": [{"name": "Support & Ops", "custom_fields": {"Group string": " x "}}, {"name": "Empty"}],
    "projects": [
        {
            "identifier": "shop",
            "name": "Shop",
            "description": TEXT,
            "homepage": "http://example.net/?a=b&c",
            "is_public": False,
            "inherit_members": False,
            "custom_fields": {"Project list": "red"},
        },
        {"identifier": "below", "name": "Below", "parent": "shop", "inherit_members": True, "is_public": True},
    ],
    "memberships": [
        {"project": "shop", "user": "Amy.A", "roles": ["Manager", "Developer"]},
        {"project": "shop", "group": "Empty", "roles": ["Reporter"]},
    ],
    "versions": [
        {"project": "shop", "name": "1.0", "description": "first", "due_date": "2030-02-28", "sharing": "tree"},
        {"project": "shop", "name": "2.0 β", "sharing": "none", "status": "open"},
        {"project": "below", "name": "3.0", "wiki_page_title": "Start"},
    ],
    "issue_categories": [
        {"project": "shop", "name": "Backend", "assigned_to": "Amy.A"},
        {"project": "shop", "name": "Front & <End>"},
    ],
    "issues": [
        {
            "project": "shop",
            "subject": "All fields",
            "tracker": "Bug",
            "status": "New",
            "priority": "High",
            "category": "Backend",
            "fixed_version": "1.0",
            "assigned_to": "Amy.A",
            "description": TEXT,
            "start_date": "2026-12-01",
            "due_date": "2027-01-31",
            "estimated_hours": 1.23,
            "done_ratio": 30,
            "is_private": True,
            "custom_fields": {
                "Issue bool": True,
                "Issue list": "red",
                "Issue user": "Amy.A",
                "Issue version": "1.0",
                "Bugs only": "x <y> & z",
            },
        },
        {"project": "shop", "subject": "  Few   fields  ", "start_date": None, "description": ""},
        {"project": "shop", "subject": "In a third of an hour", "estimated_hours": 0.33, "category": None},
        {"project": "below", "subject": "Below", "fixed_version": {"project": "shop", "name": "1.0"}},
    ],
    "time_entries": [
        {
            "project": "shop",
            "user": "Amy.A",
            "spent_on": f"2026-11-{day:02}",
            "activity": "Design",
            "hours": hours,
            "comments": "ünder <way> & more",
            "custom_fields": {"TimeEntry string": "x"},
        }
        for day, hours in enumerate((0.01, 0.33, 1.01, 1.5, 7.99, 24), 1)
    ],
}
PLAIN = {"issue", "version", "issue_category", "user", "group", "project", "membership", "time_entry"}


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Progress, Row]]:
    """What is not read back, with the row that its answer showed."""
    found: list[tuple[Progress, Row]] = []

    def watched(applier: Applier, written: Iterable[Progress]) -> list[Progress]:
        every = list(written)
        left = unconfirmed(applier, every)
        found.extend((s, dict(applier.names.row(s.change.address) or {})) for s in every if s not in left)
        return left

    monkeypatch.setattr(verify, "unconfirmed", watched)
    return found


def read(world: Running, data: dict[str, Any]) -> Names:
    """The live state."""

    async def look() -> Names:
        used = tool(world)
        async with Client(used.connection) as client:
            return (await live.read(client, used.desired(data))).names

    return asyncio.run(look())


def shown(names: Names, address: Address, row: Row) -> dict[str, Any]:
    """The fields that an answer to a POST is believed for, as a row shows them."""
    kind = kinds()[address.kind]
    context = Context(names, address.project if kind.inside or kind.name == "project" else "", address)
    read = {name: api for name, api in kind.fields.items() if api.read is not None and api.shown_on_create}
    visible = (name for name in read if kind.capability(PartialRows).shows(kind, row, name, {}))
    return {name: kind.live(row, name, context) for name in visible}


def test_an_answer_shows_what_a_get_shows(world: Running, believed: list[tuple[Progress, Row]]) -> None:
    """Of each kind whose POST answers, each declared field has the same value in the answer and in a list."""
    report = tool(world).apply(WORLD)
    assert troubles(report) == {}
    names = read(world, WORLD)
    kinds_seen = Counter(state.change.address.kind for state, _ in believed)
    assert set(kinds_seen) == PLAIN
    for state, row in believed:
        address = state.change.address
        now = names.row(address)
        assert now is not None and now["id"] == row["id"]
        then, after = shown(names, address, row), shown(names, address, now)
        written = {field.path.partition(".")[0] for field in state.change.fields}
        for name in written & then.keys() & after.keys():
            codec = kinds()[address.kind].fields[name].codec
            assert then[name] == after[name] or not codec.differences(after[name], then[name]), (
                address,
                name,
                then[name],
                after[name],
            )
    assert fields(tool(world).plan(WORLD)) == {}


def test_plain_issues_are_not_read_back(world: Running) -> None:
    """Forty new issues take forty POSTs, and two looks at the newest ones."""
    base = {"projects": [{"identifier": "shop", "name": "Shop", "enabled_modules": ["issue_tracking"]}]}
    tool(world).settle(base)
    issues = [{"subject": f"issue {n}", "tracker": "Bug", "description": "text"} for n in range(40)]
    with Proxy(world.url) as proxy:
        report = Tool(proxy.url, world.api_key, concurrency=1).apply(
            {"projects": [{**base["projects"][0], "issues": issues}]}
        )
        assert report.summary["done"] == 40
        begun = next(e.number for e in proxy.exchanges if e.method != "GET")
        reads = [e.path for e in proxy.exchanges if e.method == "GET" and e.number >= begun - 1]
    assert len(reads) == 2 and all("sort=id%3Adesc" in path for path in reads)


DISTURBED: dict[str, tuple[dict[str, Any], str]] = {
    "by a subtask": (
        {"issues": [{"subject": "a", "due_date": "2027-01-01"}, {"subject": "b", "parent": "a"}]},
        "issue shop/a",
    ),
    "by a relation": (
        {
            "issues": [
                {"subject": "a", "due_date": "2027-03-01"},
                {"subject": "b", "relations": [{"follows": "a"}]},
            ]
        },
        "issue shop/b",
    ),
    "by a lock": (
        {
            "versions": [{"name": "1", "status": "locked"}],
            "issues": [{"subject": "a", "fixed_version": "1"}],
        },
        "issue shop/a",
    ),
}


@pytest.mark.parametrize("case", DISTURBED)
def test_what_a_later_write_can_change_is_read_back(
    world: Running, believed: list[tuple[Progress, Row]], case: str
) -> None:
    """A subtask passes its dates on to its parent, and a relation to its end."""
    inside, address = DISTURBED[case]
    project = {"identifier": "shop", "name": "Shop", "enabled_modules": ["issue_tracking"]}
    tool(world).apply({"projects": [{**project, **inside}]})
    assert address not in {str(state.change.address) for state, _ in believed}
