"""Random manifests against random live state: promises 2 (convergence) and 4 (order does not matter).

The manifests are those that Redmine can fulfil: a closed parent has closed subtasks only, what Redmine derives for a
parent is not declared, a locked user is given no work, and nobody watches what only some may see.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from custom_fields import Again
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from promises import KEY, Tool, fields, tool, troubles
from proxy import Proxy

from reconciler.sandbox import Running

pytestmark = pytest.mark.custom_fields(
    *("Issue bool", "Issue enumeration", "Issue float", "Issue list multiple", "Issue text"),
    *("Project list", "TimeEntry string"),
)

LOGINS = ("amy", "bob", "cleo")
PROJECTS = ("one", "two")
ROLES = ["Manager", "Developer", "Reporter"]
STATUSES = ["New", "In Progress", "Resolved", "Feedback", "Closed", "Rejected"]
CLOSED = frozenset({"Closed", "Rejected"})
COLOURS = ["red", "green", "blue"]
texts = st.sampled_from([None, "", "plain", "two\nlines\n", "ünïcode ☃", " blanks ", "1"])
dates = st.sampled_from([None, "2030-01-01", "2030-02-28"])


def some(values: list[str], least: int = 0) -> st.SearchStrategy[list[str]]:
    """A few of these, in any order."""
    return st.lists(st.sampled_from(values), unique=True, min_size=least)


def optional(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these fields: what a manifest leaves out is left alone."""
    return st.fixed_dictionaries({}, optional=values)


issue_fields = optional(
    description=texts,
    estimated_hours=st.sampled_from([None, 0, 1.5, 40]),
    is_private=st.booleans(),
    category=st.sampled_from([None, "Backend"]),
    fixed_version=st.sampled_from([None, "1.0", "2.0"]),
    custom_fields=optional(
        **{
            "Issue bool": st.sampled_from([None, True, False]),
            "Issue list multiple": some(COLOURS),
            "Issue float": st.sampled_from([None, 0.5, 2]),
            "Issue enumeration": st.sampled_from([None, "small", "large"]),
            "Issue text": texts,
        }
    ),
)
leaf_fields = optional(
    priority=st.sampled_from(["Low", "Normal", "High"]),
    done_ratio=st.sampled_from([None, 0, 50, 100]),
)
project_fields = optional(
    description=texts,
    homepage=st.sampled_from([None, "http://example.net/"]),
    is_public=st.booleans(),
    default_version=st.sampled_from([None, "1.0"]),
    custom_fields=optional(**{"Project list": st.sampled_from([None, *COLOURS])}),
)
attachments = st.sampled_from(
    [
        [{"file": "note.txt"}],
        [{"file": "other.txt", "filename": "note.txt", "description": "text"}, {"file": "other.txt"}],
        [{"filename": "note.txt", "state": "absent"}],
    ]
)
LISTS: dict[str, tuple[str, st.SearchStrategy[list[dict[str, Any]]]]] = {
    "wiki": (
        "wiki_pages",
        st.tuples(
            st.fixed_dictionaries(
                {"title": st.just("Top"), "text": st.sampled_from(["one", "two\nlines\n"])},
                optional={"start_page": st.just(True), "attachments": attachments},
            ),
            st.fixed_dictionaries(
                {"title": st.just("Sub"), "text": st.just("sub"), "parent": st.sampled_from([None, "Top"])}
            ),
        ).map(list),
    ),
    "news": (
        "news",
        st.lists(
            st.fixed_dictionaries(
                {"title": st.just("Open"), "description": st.sampled_from(["one", "two\nlines\n"])},
                optional={"summary": st.sampled_from([None, "", "short"]), "attachments": attachments},
            ),
            max_size=1,
        ),
    ),
    "files": (
        "files",
        st.lists(
            st.fixed_dictionaries(
                {"filename": st.just("note.txt"), "path": st.sampled_from(["note.txt", "other.txt"])},
                optional={"description": st.sampled_from([None, "text"]), "version": st.just("1.0")},
            ),
            max_size=1,
        ),
    ),
    "time_tracking": (
        "time_entries",
        st.lists(
            st.fixed_dictionaries(
                {
                    "user": st.just("admin"),
                    "spent_on": st.sampled_from(["2026-11-02", "2026-11-03"]),
                    "activity": st.just("Design"),
                    "hours": st.sampled_from([0.25, 1, 7.5]),
                },
                optional={"issue": st.just("i2"), "custom_fields": optional(**{"TimeEntry string": texts})},
            ),
            max_size=1,
        ),
    ),
}
"""Module → the list that needs it, and what can be in that."""
version_fields = optional(due_date=dates, description=texts, status=st.sampled_from(["open", "locked", "closed"]))


@st.composite
def users(draw: st.DrawFn) -> list[dict[str, Any]]:
    """All logins, each with a status."""
    return [
        {
            "login": login,
            "firstname": draw(st.sampled_from(["A", "Ünï"])),
            "lastname": "Test",
            "mail": f"{login}@example.net",
            "status": draw(st.sampled_from(["active", "active", "locked"])),
        }
        for login in LOGINS
    ]


@st.composite
def issues(draw: st.DrawFn, members: list[str]) -> list[dict[str, Any]]:
    """Three issues, the second perhaps below the first."""
    statuses = [draw(st.sampled_from(STATUSES)) for _ in range(3)]
    below = draw(st.booleans())
    if below and statuses[0] in CLOSED:
        statuses[1] = draw(st.sampled_from(sorted(CLOSED)))
    found = []
    for number, status in enumerate(statuses):
        issue: dict[str, Any] = {
            "key": f"i{number}",
            "subject": draw(st.sampled_from(["Same", f"Issue {number}"])),
            "status": status,
        }
        issue |= draw(issue_fields) | {"assigned_to": draw(st.sampled_from([None, *members]))}
        issue |= draw(leaf_fields) if number else {}
        if draw(st.booleans()):  # whoever may not see an issue cannot watch it
            issue |= {"is_private": False, "watchers": draw(some(members)) if members else []}
        issue |= draw(optional(notes=st.just(["a note"]), attachments=attachments))
        if number == 2:
            issue |= draw(optional(relations=st.sampled_from([[], [{"relates": "i0"}], [{"copied_to": "i1"}]])))
        found.append(issue | {"parent": "i0" if number == 1 and below else None})
    return found


@st.composite
def projects(draw: st.DrawFn, active: list[str]) -> list[dict[str, Any]]:
    """Two projects, the second perhaps inside the first."""
    found = []
    inside = draw(st.booleans())
    for number, identifier in enumerate(PROJECTS):
        members = draw(some(active)) if active else []
        modules = draw(some(sorted(LISTS)))
        open_only = inside and not number  # closing a project closes those inside it as well
        found.append(
            {
                "identifier": identifier,
                "name": draw(st.sampled_from(["Same name", identifier])),
                "parent": PROJECTS[0] if inside and number else None,
                "status": "active" if open_only else draw(st.sampled_from(["active", "closed"])),
                "trackers": ["Bug", "Feature", "Support"],
                "enabled_modules": ["issue_tracking", *modules],
                **{name: draw(content) for name, content in (LISTS[module] for module in modules)},
                **draw(project_fields),
                "members": [{"user": login, "roles": draw(some(ROLES, 1))} for login in members],
                "versions": [{"name": name, **draw(version_fields)} for name in ("1.0", "2.0")],
                "issue_categories": [{"name": "Backend", "assigned_to": draw(st.sampled_from([None, *members]))}],
                "issues": draw(issues(members)),
            }
        )
    return found


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """A manifest of all kinds."""
    people = draw(users())
    active = [p["login"] for p in people if p["status"] == "active"]
    crew = [{"name": "Crew", **draw(optional(users=some(list(LOGINS))))}]
    return {"users": people, "groups": crew, "projects": draw(projects(active))}


def shuffled(value: Any, seed: random.Random) -> Any:
    """The same with all lists and mappings in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], seed) for key in seed.sample(list(value), len(value))}
    return [shuffled(item, seed) for item in seed.sample(value, len(value))] if isinstance(value, list) else value


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder, with two files of equal size."""
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text("a note")
    Path("other.txt").write_text("others")


@pytest.fixture
def proxy(world: Running) -> Iterator[Proxy]:
    with Proxy(world.url) as proxy:
        yield proxy


@pytest.mark.prove_only
@settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # to shrink an example would take an hour
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=manifests(), wanted=manifests(), seed=st.randoms(use_true_random=False))
def test_2_and_4_random_manifests_converge(
    again: Again, world: Running, proxy: Proxy, before: dict[str, Any], wanted: dict[str, Any], seed: random.Random
) -> None:
    """From any state, one apply of any manifest leaves nothing to plan and a second apply writes nothing; the manifest
    in any order gives the same plan."""
    again()
    tool(world, key_field=KEY).settle(before)
    tool_here = Tool(proxy.url, world.api_key, key_field=KEY)
    plan = tool_here.plan(wanted)
    assert tool_here.plan(shuffled(wanted, seed)).digest == plan.digest
    report = tool_here.apply(wanted)
    assert troubles(report) == {}
    assert fields(tool_here.plan(wanted)) == {}
    proxy.clear()
    assert tool_here.apply(wanted).results == ()
    assert proxy.writes == []
