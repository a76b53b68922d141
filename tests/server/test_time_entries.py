"""Time entries on a real Redmine: what the cases in `cases/time_entries.yaml` cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from promises import Api, Tool, project, raw_issue, raw_shop, raw_user, sql, tool, troubles
from proxy import DROPPED, REFUSED, Fault, Proxy

from reconciler.errors import RefusedError
from reconciler.sandbox import Running

MODULES = ["issue_tracking", "time_tracking"]
DAY = "2026-11-02"


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    """The bare API, and a project in which time can be logged."""
    with Api(world) as api:
        raw_shop(api, enabled_module_names=MODULES)
        yield api


def entry(**more: Any) -> dict[str, Any]:
    """The declaration of an hour that the administrator spent."""
    return {"user": "admin", "spent_on": DAY, "activity": "Design", "hours": 1, **more}


def shop(*entries: dict[str, Any], identifier: str = "shop", **more: Any) -> dict[str, Any]:
    """A manifest of the project and its time entries."""
    return {"projects": [project(identifier, enabled_modules=MODULES, time_entries=list(entries), **more)]}


def raw_entry(api: Api, **more: Any) -> int:
    """The id of the same hour, logged without the tool."""
    values = {"user_id": 1, "spent_on": DAY, "activity_id": activity(api, "Design"), "hours": 1, **more}
    return int(api.make("/projects/shop/time_entries", **values)["id"])


def activity(api: Api, name: str) -> int:
    """The id of an activity of all projects."""
    return api.id("/enumerations/time_entry_activities", name)


def own_activity(world: Running, api: Api, active: bool = True) -> None:
    """Gives the project an activity of its own in the place of Design, as an administrator does in its settings."""
    columns = "name, position, is_default, type, active, project_id, parent_id"
    number = api.get("/projects/shop")["id"]
    values = f"'Design', 1, 0, 'TimeEntryActivity', {int(active)}, {number}, {activity(api, 'Design')}"
    sql(world, f"INSERT INTO enumerations ({columns}) VALUES ({values})")


# -- activities ------------------------------------------------------------------------------------------------


def test_trap_38_a_project_has_activities_of_its_own(world: Running, api: Api) -> None:
    """Where a project overrides an activity, the id that all others use is refused. The tool takes the project's, and
    an entry from before the override stays what it was."""
    raw_entry(api, spent_on="2026-11-01")
    own_activity(world, api)
    refused = {"user_id": 1, "spent_on": DAY, "activity_id": activity(api, "Design"), "hours": 1}
    assert api.send("POST", "/projects/shop/time_entries", {"time_entry": refused}).status_code == 422

    tool(world).settle(shop(entry(), entry(spent_on="2026-11-01")))
    (new,) = api.get(f"/time_entries?spent_on={DAY}")
    usable = api.get("/projects/shop?include=time_entry_activities")["time_entry_activities"]
    assert new["activity"]["id"] in [a["id"] for a in usable if a["name"] == "Design"]
    assert new["activity"]["id"] != activity(api, "Design")


def test_an_activity_that_is_not_there(world: Running, api: Api) -> None:
    """An unknown activity is a problem with a near miss and where an administrator can create it, by reading alone."""
    with Proxy(world.url) as proxy:
        (problem,) = Tool(proxy.url, world.api_key).problems(shop(entry(activity="Desing")))
        assert proxy.writes == []
    assert 'there is no activity "Desing" in project "shop"' in problem
    assert 'did you mean "Design"?' in problem
    assert "Administration → Enumerations" in problem
    (problem,) = tool(world).problems(shop(entry(activity="Sleep"), identifier="fresh"))
    assert 'there is no activity "Sleep" on the server' in problem


def test_an_activity_that_is_no_longer_active(world: Running, api: Api) -> None:
    """What has an inactive activity keeps it; nothing new can get it."""
    raw_entry(api)
    own_activity(world, api, active=False)
    assert tool(world).plan(shop(entry())).changes == ()
    (problem,) = tool(world).problems(shop(entry(comments="new")))
    assert 'activity "Design" is not active in project "shop"' in problem


# -- which entry it is -----------------------------------------------------------------------------------------


def test_trap_30_a_lost_answer_makes_no_second_entry(world: Running, api: Api) -> None:
    """The answer to the POST of a time entry is lost: it is looked for, found, and not logged twice."""
    with Proxy(world.url, lambda e: DROPPED if e.write == 1 else None) as proxy:
        report = Tool(proxy.url, world.api_key).apply(shop(entry()))
        assert [e.method for e in proxy.writes] == ["POST"]
    assert troubles(report) == {}
    assert len(api.get("/time_entries")) == 1
    with Proxy(world.url, lambda e: REFUSED if e.write == 1 else None) as proxy:
        report = Tool(proxy.url, world.api_key).apply(shop(entry(comments="b")))
    assert troubles(report) == {}
    assert len(api.get("/time_entries")) == 2


def test_entries_that_are_alike_are_a_problem(world: Running, api: Api) -> None:
    """Two live entries that match are a problem with both ids; so is an id that is nobody's or another project's."""
    first, second = raw_entry(api), raw_entry(api, hours=2)
    (problem,) = tool(world).problems(shop(entry()))
    assert f"several time entries match: #{first}, #{second}" in problem
    assert f"set `id: {first}` to choose one" in problem
    assert [c.id for c in tool(world).plan(shop(entry(id=first, hours=3))).changes] == [first]
    (problem,) = tool(world).problems(shop(entry(id=999)))
    assert "there is no time entry #999" in problem
    (problem,) = tool(world).problems(shop(entry(id=first), identifier="else"))
    assert f'time entry #{first} is in project "shop"' in problem
    twins = shop(entry(id=first), entry(id=first, comments="b"))
    assert any(f"has the same id {first}" in problem for problem in tool(world).problems(twins))


def test_an_entry_that_is_gone_already(world: Running, api: Api) -> None:
    """An entry that is declared absent and is not there, by what it is or by its id, is as it should be."""
    gone = shop(entry(state="absent"), entry(id=999, state="absent"))
    assert tool(world).plan(gone).changes == ()


def test_the_issue_is_known_before_its_entries_are(world: Running, api: Api) -> None:
    """However late the list of issues comes, the time that was spent on one is found again and not logged twice."""
    manifest = shop(entry(issue="it"), issues=[{"key": "it", "subject": "it"}])
    tool(world).settle(manifest)
    slow = Fault(delay=1)
    with Proxy(world.url, lambda e: slow if e.path.startswith("/issues.json") else None) as proxy:
        assert Tool(proxy.url, world.api_key).plan(manifest).changes == ()


def test_the_issue_and_the_user_can_be_renamed(world: Running, api: Api) -> None:
    """A new subject of the issue and a new login of the user make no other entry."""
    amy = {"login": "amy", "firstname": "A", "lastname": "A", "mail": "amy@example.net"}
    member = [{"user": "amy", "roles": ["Manager"]}]
    before = shop(entry(issue="old", user="amy"), members=member, issues=[{"subject": "old"}])
    tool(world).settle({"users": [amy], **before})
    after = shop(entry(issue="new", user="eve"), issues=[{"subject": "new", "renamed_from": "old"}])
    tool(world).settle({"users": [{**amy, "login": "eve", "renamed_from": "amy"}], **after})
    assert len(api.get("/time_entries")) == 1


def test_an_issue_that_is_found_by_its_number(world: Running, api: Api) -> None:
    """Without such a field, an issue that no manifest declares is named by its number."""
    issue = raw_issue(api, "it")
    tool(world).settle(shop(entry(issue=f"#{issue}")))
    assert [row["issue"]["id"] for row in api.get("/time_entries")] == [issue]


def test_an_issue_that_is_found_by_its_key(world: Running, api: Api) -> None:
    """With a field that holds the issues' keys, time can be spent on an issue that no manifest declares."""
    (field,) = [f["id"] for f in api.get("/custom_fields") if f["name"] == "Config key"]
    issue = raw_issue(api, "it", custom_fields=[{"id": field, "value": "key"}])
    tool(world, key_field="Config key").settle(shop(entry(issue="key")))
    assert [row["issue"]["id"] for row in api.get("/time_entries")] == [issue]


# -- requests --------------------------------------------------------------------------------------------------


def test_lists_are_bounded_by_what_is_declared(world: Running, api: Api) -> None:
    """One list for all projects, from the first declared day to the last, of the declared users only; closed issues'
    too, and not the subprojects'."""
    closed = raw_issue(api, "closed")
    api.change(f"/issues/{closed}", status_id=5)
    raw_shop(api, "sub", enabled_module_names=MODULES, parent_id=api.get("/projects/shop")["id"])
    other = raw_user(api)
    api.make("/projects/shop/memberships", user_id=other, role_ids=[3])
    for day in ("2026-10-31", "2026-11-01", "2026-11-09"):
        raw_entry(api, spent_on=day)
    raw_entry(api, spent_on="2026-11-02", issue_id=closed)
    raw_entry(api, spent_on="2026-11-02", user_id=other)
    api.make("/projects/sub/time_entries", user_id=1, spent_on=DAY, activity_id=activity(api, "Design"), hours=1)
    issues = [{"subject": "closed"}]
    wanted = shop(entry(issue="closed", hours=5), entry(spent_on="2026-11-01", hours=5), issues=issues)
    with Proxy(world.url) as proxy:
        plan = Tool(proxy.url, world.api_key).plan(wanted)
        (listed,) = [e.path for e in proxy.exchanges if e.path.startswith("/time_entries")]
    assert [(c.action, len(c.fields)) for c in plan.changes] == [("update", 1)] * 2
    assert "2026-11-01" in listed
    assert len(api.get(listed.replace(".json", "", 1))) == 2


# -- problems --------------------------------------------------------------------------------------------------


def test_an_entry_needs_hours_and_the_module(world: Running, api: Api) -> None:
    """A new entry without hours, and one in a project without time tracking, are problems before anything is written."""
    hourless = {name: value for name, value in entry().items() if name != "hours"}
    assert "to create it, hours must be set" in tool(world).problems(shop(hourless))[0]
    off = {"projects": [project(time_entries=[entry()])]}
    assert "requires the module time_tracking" in tool(world).problems(off)[0]


def test_a_protected_entry_is_not_deleted(world: Running, api: Api) -> None:
    """An entry that is declared absent and protected stops the whole run."""
    raw_entry(api)
    with pytest.raises(RefusedError, match="time_entry shop/2026-11-02 admin Design"):
        tool(world).plan(shop(entry(state="absent", protect=True)))
