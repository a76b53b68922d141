"""Random worlds, made without the tool → export → a plan is empty → applied to an empty server → the same export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from custom_fields import Again
from exports import Exports, contents
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from promises import Api, fields, troubles

from reconciler.sandbox import Running

texts = st.sampled_from(
    [
        *("plain", "yes", "1e3", "~", "2026-01-02", "${X}", "$${x}", "#x", "- x", ": x", "a: b", '"q" \\ /', "'x'"),
        *("🚀 שלום", " x ", "'", "!file x", "*a", "x\u2028y", "\ufeffx", "none", "null", "%", "@x", "[a]", "{a}", "|"),
        *("a #b", "<<", "=", "0x1f", "---", "...", "no", "012", "e\u0301"),
    ]
)
"""Names that YAML, manifests or file systems could take for something else."""
long_texts = st.one_of(
    texts,
    st.lists(st.sampled_from(["line", "", "  in", "\tx", "end  ", "---", "# no", "\u0085"]), max_size=30).map(
        "\r\n".join
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
)
LOGINS, PROJECTS = ("amy", "no"), ("one", "two-2")
STATUSES = {"New": 1, "In Progress": 2, "Closed": 5}


def optional(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these fields."""
    return st.fixed_dictionaries({}, optional=values)


issues = st.lists(
    st.tuples(
        st.one_of(texts, st.just("Same")),
        optional(
            description=long_texts,
            tracker_id=st.sampled_from([1, 2, 3]),
            priority_id=st.sampled_from([1, 2, 3]),
            start_date=st.sampled_from(["", "2026-01-02"]),
            estimated_hours=st.sampled_from([0, 0.5, 33.33]),
            done_ratio=st.sampled_from([0, 30, 37]),
            is_private=st.booleans(),
            assigned_to_id=st.sampled_from(LOGINS),
            status_id=st.sampled_from([1, 2, 5]),
            notes=long_texts,
        ),
    ),
    max_size=5,
)


@st.composite
def projects(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Two projects with what is in them."""
    return [
        {
            "name": draw(texts),
            "description": draw(long_texts),
            "is_public": draw(st.booleans()),
            "parent": number and draw(st.booleans()),
            "versions": draw(st.lists(texts, unique=True, max_size=2)),
            "categories": draw(st.lists(texts, unique=True, max_size=2)),
            "issues": draw(issues),
            "news": draw(st.lists(st.tuples(texts, long_texts), unique_by=lambda pair: pair[0], max_size=2)),
            "pages": draw(st.lists(long_texts, max_size=2)),
            "closed": draw(st.booleans()),
        }
        for number, _ in enumerate(PROJECTS)
    ]


def make(api: Api, world: list[dict[str, Any]]) -> None:
    """Make a world. What Redmine refuses (a name of blanks, a tracker's field) is not in it."""
    people = {
        login: api.make("/users", login=login, firstname=login, lastname="Test", mail=f"{login}@example.net")["id"]
        for login in LOGINS
    }
    made: dict[str, int] = {}
    for identifier, wanted in zip(PROJECTS, world, strict=True):
        named = {name: wanted[name] for name in ("name", "description", "is_public")}
        modules = ["issue_tracking", "news", "wiki"]
        parent = {"parent_id": made["one"]} if wanted["parent"] else {}
        body = {**named, **parent, "identifier": identifier, "enabled_module_names": modules, "tracker_ids": [1, 2, 3]}
        made[identifier] = api.send("POST", "/projects", {"project": body}).json()["project"]["id"]
        for number in people.values():
            body = {"user_id": number, "role_ids": [3]}
            api.send("POST", f"/projects/{identifier}/memberships", {"membership": body})
        fill(api, identifier, wanted, people)
    for identifier, wanted in zip(PROJECTS, world, strict=True):
        if wanted["closed"]:
            api.send("PUT", f"/projects/{identifier}/close")


def fill(api: Api, project: str, wanted: dict[str, Any], people: dict[str, int]) -> None:
    """Make what is in a project."""
    for name in wanted["versions"]:
        api.send("POST", f"/projects/{project}/versions", {"version": {"name": name}})
    for name in wanted["categories"]:
        api.send("POST", f"/projects/{project}/issue_categories", {"issue_category": {"name": name}})
    for title, text in wanted["news"]:
        api.send("POST", f"/projects/{project}/news", {"news": {"title": title, "description": text}})
    for number, text in enumerate(wanted["pages"]):
        api.send("PUT", f"/projects/{project}/wiki/Page{number}", {"wiki_page": {"text": text}})
    for subject, more in wanted["issues"]:
        later = {name: more[name] for name in ("notes",) if name in more}
        sent = {n: people.get(v, v) if isinstance(v, str) else v for n, v in more.items() if n not in later}
        answer = api.send("POST", f"/projects/{project}/issues", {"issue": {"subject": subject, **sent}})
        if later and answer.status_code == 201:
            api.send("PUT", f"/issues/{answer.json()['issue']['id']}", {"issue": later})


@pytest.mark.prove_only
@settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # to shrink an example would take an hour
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(wanted=projects(), number=st.uuids())
def test_a_random_world_is_copied(
    again: Again, world: Running, tmp_path: Path, wanted: list[dict[str, Any]], number: Any
) -> None:
    """A plan of what was exported is empty at once; applied to an empty server it makes a world of which the export is
    the same to the byte."""
    again()
    with Api(world) as api:
        make(api, wanted)
    exports, first, second = Exports(world), tmp_path / str(number) / "first", tmp_path / str(number) / "second"
    first.parent.mkdir()
    exports.write(first)
    assert exports.read(first).problems == ()
    assert fields(exports.plan(first)) == {}
    again()
    assert troubles(exports.apply(first)) == {}
    assert fields(exports.plan(first)) == {}
    exports.write(second)
    assert contents(second) == contents(first)
