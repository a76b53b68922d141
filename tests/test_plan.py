"""The plan without a server: what changes, in which steps, in which order. The live state is filled in by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine import Present, issue, live_of, offline, planned, project, user, version

from reconciler.change import Change
from reconciler.errors import ManifestError, Problem
from reconciler.graph import graph_of
from reconciler.names import Address, CustomField
from reconciler.plan import Plan, make
from reconciler.spec import Secret

SHOP = project(1, "shop")
CLOSED = {"issue_status": "Closed"}


def plan(text: str, *present: Present) -> Plan:
    """The plan for a manifest and a live state."""
    return planned(offline(text), present)


def problems(text: str, *present: Present) -> tuple[Problem, ...]:
    """What is wrong with a manifest, given a live state."""
    with pytest.raises(ManifestError) as caught:
        plan(text, *present)
    return caught.value.problems


def steps(change: Change) -> list[dict[str, Any]]:
    """What an object gets, in order of its steps."""
    return [{f.path: f.after for f in fields} for fields in (change.fields, *(step.fields for step in change.then))]


def the(made: Plan, kind: str, key: str) -> Change:
    """The change of one object."""
    (found,) = [c for c in made.changes if c.address == Address(kind, key)]
    return found


def after(change: Change, index: int = -1) -> set[str]:
    """What a step waits for."""
    return {str(a) for a in change.then[index].after}


def comes_before(made: Plan, first: tuple[Address, int], second: tuple[Address, int]) -> bool:
    """Whether the graph has a way from one step to another."""
    soft, todo, seen = graph_of(made.changes).soft, [second], set()
    while todo:
        for node in soft.get(todo.pop(), ()):
            if node not in seen:
                seen.add(node)
                todo.append(node)
    return first in seen


PERSON = "firstname: A, lastname: B, mail: c@example.net"
"""What every new user needs."""


def inside(*lines: str, name: str = "shop") -> str:
    """A manifest of project `shop`, with these lists in it (from line 3 on)."""
    return "\n".join(["projects:", "  - identifier: shop", *(f"    {line}" for line in lines), f"    name: {name}"])


# -- what changes ----------------------------------------------------------------------------------------------


def test_only_declared_fields_are_compared() -> None:
    """Of a live object only what the manifest names can change."""
    live = project(1, "shop", description="a text", is_public=True)
    assert plan("projects: [{identifier: shop, description: a text}]", live).changes == ()
    made = plan("projects: [{identifier: shop, is_public: false}]", live)
    assert steps(the(made, "project", "shop")) == [{"is_public": False}]
    assert made.summary == {"create": 0, "update": 1, "delete": 0, "unchanged": 0}


def test_null_clears() -> None:
    """An explicit null is a change where there is something, and none where there is nothing."""
    text = "projects: [{identifier: shop, description: null, homepage: null}]"
    made = plan(text, project(1, "shop", description="a text", homepage=""))
    (change,) = the(made, "project", "shop").fields
    assert (change.path, change.before, change.after) == ("description", "a text", None)


def test_create_only_fields_are_left_alone() -> None:
    """A field in `create_only` is part of a creation and never of a change."""
    text = inside('versions: [{name: "1", description: new, sharing: tree, create_only: [description]}]')
    made = plan(text, SHOP)
    assert steps(the(made, "version", "shop/1")) == [{"name": "1", "description": "new", "sharing": "tree"}]
    made = plan(text, SHOP, version(5, "shop", "1", description="old"))
    assert steps(the(made, "version", "shop/1")) == [{"sharing": "tree"}]


def test_passwords_are_for_creation_and_never_shown() -> None:
    """A password is sent when a user is created, is a secret in the plan, and is no change of a live user."""
    text = f"users: [{{login: amy, password: canary, must_change_passwd: true, {PERSON}}}]"
    made = plan(text)
    assert steps(the(made, "user", "amy"))[0]["password"] == Secret("canary")
    assert "canary" not in repr(made)
    assert plan(text, user(5, "amy", firstname="A", lastname="B", mail="c@example.net")).changes == ()


def test_a_secret_does_not_change_the_digest() -> None:
    """Two plans that differ by a password have one digest."""
    one, other = (plan(f"users: [{{login: amy, password: {word}, {PERSON}}}]") for word in ("canary", "another"))
    assert one.digest == other.digest


def test_the_digest_is_of_what_is_done() -> None:
    """Another value, another live state or another object is another digest; another place in a file is not."""
    base = plan(inside('versions: [{name: "1", sharing: tree}]'), SHOP)
    assert base.digest == plan("# a comment\n\n" + inside('versions: [{sharing: tree, name: "1"}]'), SHOP).digest
    versions = ('name: "1", sharing: none', 'name: "1"', 'name: "2", sharing: tree')
    others = [plan(inside(f"versions: [{{{fields}}}]"), SHOP) for fields in versions]
    others.append(plan(inside('versions: [{name: "1", sharing: tree}]'), SHOP, version(5, "shop", "1")))
    assert len({base.digest, *(other.digest for other in others)}) == 5


def test_renamed_in_place() -> None:
    """What is found under its earlier name is renamed, with everything else, and keeps its id."""
    text = inside('versions: [{name: "2.0", renamed_from: "1.0", sharing: tree}]')
    change = the(plan(text, SHOP, version(5, "shop", "1.0")), "version", "shop/2.0")
    assert (change.action, change.id, steps(change)) == ("update", 5, [{"name": "2.0", "sharing": "tree"}])
    assert change.reason is not None
    assert "renamed" in change.reason


def test_renamed_long_ago() -> None:
    """An earlier name that is gone, or that another object has by now, is of no matter."""
    text = inside('versions: [{name: "2.0", renamed_from: "1.0"}]')
    old, new = version(5, "shop", "1.0"), version(6, "shop", "2.0")
    assert [c.action for c in plan(text, SHOP).changes] == ["create"]
    assert plan(text, SHOP, new).changes == plan(text, SHOP, old, new).changes == ()


def test_absent() -> None:
    """What is declared absent is deleted if it is there, with nothing else to it, and is no work if it is not."""
    text = inside('versions: [{name: "1.0", state: absent, sharing: tree}, {name: "2.0", state: absent}]')
    (change,) = plan(text, SHOP, version(5, "shop", "1.0")).changes
    assert (change.action, change.id, change.all_fields) == ("delete", 5, ())


def test_protected() -> None:
    """What is protected and declared absent is a problem as long as it is there."""
    text = inside('versions: [{name: "1.0", state: absent, protect: true}]')
    (problem,) = problems(text, SHOP, version(5, "shop", "1.0"))
    assert (problem.subject, problem.location.line) == ("version shop/1.0", 3)
    assert "protected" in problem.message
    assert plan(text, SHOP).changes == ()


def test_what_is_absent_cannot_be_named() -> None:
    """A reference to an object that the manifests delete, and that is not there, is a problem."""
    text = inside('versions: [{name: "1.0", state: absent}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    assert any("1.0" in p.message for p in problems(text, SHOP))


def test_names_that_there_are_not() -> None:
    """Every unknown name is reported at once, at its place, with a near miss."""
    text = inside("trackers: [Bugs]", "issues:", "  - {subject: s, status: closed, assigned_to: ami}")
    found = [(p.location.line, p.hint) for p in problems(text, SHOP, user(5, "amy"))]
    assert found == [(3, 'did you mean "Bug"?'), (5, 'did you mean "Closed"?'), (5, 'did you mean "amy"?')]


def test_an_unknown_project() -> None:
    """What is inside a project that is nowhere is a problem with a near miss."""
    (problem,) = problems("versions:\n  - {project: shp, name: v}", SHOP)
    assert (problem.location.line, problem.location.column) == (2, 6)
    assert 'there is no project "shp"' in problem.message
    assert problem.hint == 'did you mean "shop"?'


def test_logins_are_compared_without_case() -> None:
    """A login in another case is the same user, live or declared, as an object and as a reference."""
    text = inside("members: [{user: AMY, roles: [Manager]}, {user: cid, roles: [Manager]}]")
    text += "\nusers: [{login: Amy, admin: true}, {login: Cid, " + PERSON + "}]"
    made = plan(text, SHOP, user(5, "aMy", admin=True))
    users = {c.address.key: c.action for c in made.changes if c.address.kind == "user"}
    assert users == {"Amy": "update", "Cid": "create"}
    assert the(made, "membership", "shop/user:cid").uses == (Address("user", "Cid"),)


def test_a_name_that_is_a_user_and_a_group() -> None:
    """`user:` and `group:` tell a name apart that both have; without them it is a problem."""
    live = (SHOP, user(5, "both"), ("group", "both", {"id": 6}))
    (problem,) = problems(inside("issues: [{subject: s, assigned_to: both}]"), *live)
    assert '"both" is both user both and group both' in problem.message
    for kind in ("user", "group"):
        made = plan(inside(f"issues: [{{subject: s, assigned_to: {{{kind}: both}}}}]"), *live)
        assert made.summary["create"] == 1


VERSIONS = (
    project(1, "shop", parent={"id": 2}),
    project(2, "hq"),
    version(5, "shop", "1.0"),
    version(6, "hq", "1.0", sharing="descendants"),
    version(7, "hq", "2.0", sharing="descendants"),
)


@pytest.mark.parametrize(
    "said, meant",
    [
        ('"1.0"', "1.0"),
        ('"2.0"', {"project": "hq", "name": "2.0"}),
        ('{project: hq, name: "1.0"}', {"project": "hq", "name": "1.0"}),
        ('{project: shop, name: "1.0"}', "1.0"),
    ],
)
def test_shared_versions(said: str, meant: Any) -> None:
    """A version is looked for in the issue's own project, then among those shared with it, or where `project:` says."""
    wanted = offline(inside(f"issues: [{{subject: s, fixed_version: {said}}}]"))
    live = live_of(wanted, VERSIONS)
    live.names.seen_from["version"] = {5: {"shop"}, 6: {"hq", "shop"}, 7: {"hq", "shop"}}
    assert steps(the(make(wanted, live, "u"), "issue", "shop/s"))[0]["fixed_version"] == meant


def test_two_shared_versions_of_one_name() -> None:
    """Two shared versions of one name are a problem that says how to choose."""
    text = inside('issues: [{subject: s, fixed_version: "3.0"}]')
    text += '\n  - {identifier: one, name: One, versions: [{name: "3.0", sharing: system}]}'
    text += '\n  - {identifier: two, name: Two, versions: [{name: "3.0", sharing: system}]}'
    (problem,) = problems(text, SHOP)
    assert "version one/3.0 and version two/3.0" in problem.message
    assert problem.hint == "write {project: one, name: 3.0}"


# -- what waits ------------------------------------------------------------------------------------------------


def test_a_default_version_waits_for_the_version() -> None:
    """A project is created before its versions, and gets its default version after."""
    made = plan(inside('default_version: "1.0"', 'versions: [{name: "1.0"}]'))
    change = the(made, "project", "shop")
    assert steps(change)[1:] == [{"default_version": "1.0"}]
    assert "version shop/1.0" in after(change)
    shop, default = Address("project", "shop"), Address("version", "shop/1.0")
    assert comes_before(made, (shop, 0), (default, 0))
    assert comes_before(made, (default, 0), (shop, 1))


def test_a_default_version_that_is_there_waits_for_nothing() -> None:
    """What is live can be named at once: one step is enough."""
    made = plan(inside('default_version: "1.0"', 'versions: [{name: "1.0"}]'), SHOP, version(5, "shop", "1.0"))
    assert steps(the(made, "project", "shop")) == [{"default_version": "1.0"}]


@pytest.mark.parametrize("status", ["locked", "closed"])
def test_a_version_is_shut_after_its_issues(status: str) -> None:
    """A version is locked or closed after the issues that move into it, in whatever project they are."""
    text = inside(f'versions: [{{name: "1.0", status: {status}, sharing: system}}]')
    text += '\n  - {identifier: sub, name: Sub, issues: [{subject: s, fixed_version: "1.0"}]}'
    change = the(plan(text), "version", "shop/1.0")
    assert steps(change)[1:] == [{"status": status}]
    assert "issue sub/s" in after(change)


def test_a_version_without_new_issues_is_shut_at_once() -> None:
    """Where nothing moves into a version, one request does all."""
    text = inside('versions: [{name: "1.0", status: locked, description: d}]')
    made = plan(text, SHOP, version(5, "shop", "1.0"))
    assert steps(the(made, "version", "shop/1.0")) == [{"status": "locked", "description": "d"}]


@pytest.mark.parametrize("status", ["closed", "archived"])
def test_a_project_is_shut_after_all_work_inside(status: str) -> None:
    """A project is closed or archived after everything inside it, to its last step, and what names it."""
    text = inside(
        f"status: {status}",
        "members: [{user: amy, roles: [Manager]}]",
        'versions: [{name: "1.0", status: locked}]',
        "issue_categories: [{name: c}]",
        'issues: [{subject: s, fixed_version: "1.0"}, {subject: t, parent: s}]',
    )
    made = plan(text, user(5, "amy"))
    change = the(made, "project", "shop")
    assert steps(change)[-1] == {"status": status}
    inner = [c for c in made.changes if c.address.project == "shop" and c.address != change.address]
    assert len(inner) == 5
    for other in inner:
        assert comes_before(made, (other.address, len(other.then)), (change.address, len(change.then)))


def test_a_user_is_locked_after_all_that_names_it() -> None:
    """A user who shall be locked can still become a member and get issues in the same run."""
    text = inside("members: [{user: amy, roles: [Manager]}]", "issues: [{subject: s, assigned_to: amy}]")
    text += "\nusers: [{login: amy, status: locked, " + PERSON + "}]"
    change = the(plan(text), "user", "amy")
    assert steps(change)[1:] == [{"status": "locked"}]
    assert after(change) == {"membership shop/user:amy", "issue shop/s"}


def test_a_parent_is_closed_after_its_children() -> None:
    """Issues are created from the top and closed from the bottom, also those that are live and not linked anew."""
    above = {"a": "null", "b": "a", "c": "b"}
    lines = [f"  - {{subject: {name}, status: Closed, parent: {parent}}}" for name, parent in above.items()]
    made = plan(inside("issues:", *lines), SHOP, issue(9, "shop", "c"))
    for name, child in ("a", "issue shop/b"), ("b", "issue shop/c"):
        assert steps(the(made, "issue", f"shop/{name}"))[-1] == {"status": "Closed"}
        assert after(the(made, "issue", f"shop/{name}")) == {child}

    live = [issue(7, "shop", "a"), issue(8, "shop", "b", parent={"id": 7})]
    made = plan(inside("issues: [{subject: a, status: Closed}, {subject: b, status: Closed}]"), SHOP, *live)
    (a, b) = (Address("issue", "shop/a"), Address("issue", "shop/b"))
    assert comes_before(made, (b, 0), (a, len(the(made, "issue", "shop/a").then)))


def test_a_status_that_stays_open_does_not_wait() -> None:
    """Only closing waits for subtasks."""
    made = plan(inside("issues: [{subject: a, status: In Progress}, {subject: b, parent: a}]"), SHOP)
    assert the(made, "issue", "shop/a").then == ()


def test_custom_fields_of_a_project_that_name_what_is_inside_it() -> None:
    """A project whose custom field names its own version or member is created before, and gets the field after."""
    text = inside('versions: [{name: "1.0"}]', 'custom_fields: {Plan: "1.0", Note: text}')
    wanted = offline(text)
    live = live_of(wanted)
    fields = (CustomField(1, "Plan", "version"), CustomField(2, "Note", "string"))
    live.names.custom_fields["project"] = {f.name: f for f in fields}
    change = the(make(wanted, live, "u"), "project", "shop")
    assert "custom_fields.Plan" not in {f.path for f in change.fields}
    assert "version shop/1.0" in {str(a) for s in change.then for a in s.after}


def test_members_come_before_what_may_name_them() -> None:
    """In a project memberships come before categories, versions and issues, which may have members as values."""
    text = inside("members: [{user: amy, roles: [Manager]}]", "versions: [{name: v}]", "issues: [{subject: s}]")
    made = plan(text + "\n    issue_categories: [{name: c, assigned_to: amy}]", SHOP, user(5, "amy"))
    member = Address("membership", "shop/user:amy")
    for address in (Address("version", "shop/v"), Address("issue", "shop/s"), Address("issue_category", "shop/c")):
        assert comes_before(made, (member, 0), (address, 0))


# -- doors -----------------------------------------------------------------------------------------------------


def test_a_locked_version_is_opened_for_an_issue() -> None:
    """A locked version into which an issue moves is opened, and locked again after; the plan says why."""
    text = inside('versions: [{name: "1.0"}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    made = plan(text, SHOP, version(5, "shop", "1.0", status="locked"))
    change = the(made, "version", "shop/1.0")
    assert steps(change) == [{"status": "open"}, {"status": "locked"}]
    assert (change.opens, after(change)) == (True, {"issue shop/s"})
    assert change.reason is not None
    assert "locked" in change.reason
    door, through = change.address, Address("issue", "shop/s")
    assert comes_before(made, (door, 0), (through, 0))
    assert comes_before(made, (through, 0), (door, 1))
    graph = graph_of(made.changes)
    assert (door, 0) in graph.hard[(through, 0)], "without the door there is no way"
    assert (through, 0) not in graph.hard[(door, 1)], "the door is shut whatever becomes of the issue"


@pytest.mark.parametrize("wanted, last", [("open", []), ("closed", [{"status": "closed"}])])
def test_a_door_ends_as_declared(wanted: str, last: list[dict[str, str]]) -> None:
    """A door that was opened is brought to what the manifest says, not to what it was."""
    text = inside(f'versions: [{{name: "1.0", status: {wanted}}}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    change = the(plan(text, SHOP, version(5, "shop", "1.0", status="locked")), "version", "shop/1.0")
    assert steps(change) == [{"status": "open"}, *last]


def test_a_door_stays_shut_without_work_behind_it() -> None:
    """An issue that is in a locked version already can change without opening it."""
    text = inside('versions: [{name: "1.0"}]', 'issues: [{subject: s, fixed_version: "1.0", done_ratio: 10}]')
    live = issue(9, "shop", "s", fixed_version={"id": 5, "name": "1.0"}, done_ratio=0)
    made = plan(text, SHOP, version(5, "shop", "1.0", status="locked"), live)
    assert [str(c.address) for c in made.changes] == ["issue shop/s"]


def test_a_closed_project_is_opened_for_work_inside() -> None:
    """Work inside a closed project is: reopen, change, close; its own fields can be changed between."""
    closed = project(1, "shop", status=5)
    made = plan(inside("issues: [{subject: s}]", name="Web shop"), closed)
    change = the(made, "project", "shop")
    assert (change.opens, change.fields[0].path, change.fields[0].after) == (True, "status", "active")
    assert steps(change)[-1] == {"status": "closed"}
    assert plan(inside("issues: []"), closed).changes == ()


def test_an_archived_project_is_left_where_it_is() -> None:
    """An archived project that is declared so is no work."""
    archived = ("project", "shop", {"id": "shop", "identifier": "shop", "status": 9})
    assert plan("projects: [{identifier: shop, status: archived}]", archived).changes == ()


# -- order -----------------------------------------------------------------------------------------------------


def test_failures_stop_only_what_needs_them() -> None:
    """An object that is created is needed by what names it; one that only changes is not."""
    issues = 'issues: [{subject: s, fixed_version: "1.0"}, {subject: t}]'
    text = inside('versions: [{name: "1.0", description: d}]', issues)
    s, t, v = Address("issue", "shop/s"), Address("issue", "shop/t"), Address("version", "shop/1.0")
    graph = graph_of(plan(text, SHOP).changes)
    assert (v, 0) in graph.hard[(s, 0)]
    assert not graph.hard[(t, 0)]
    graph = graph_of(plan(text, SHOP, version(5, "shop", "1.0")).changes)
    assert (v, 0) in graph.soft[(s, 0)]
    assert not graph.hard[(s, 0)]


def test_a_deletion_comes_after_the_work_that_leaves_it() -> None:
    """An issue leaves a version before the version is deleted."""
    text = inside('versions: [{name: "1.0", state: absent}]', "issues: [{subject: s, fixed_version: null}]")
    live = issue(9, "shop", "s", fixed_version={"id": 5, "name": "1.0"})
    made = plan(text, SHOP, version(5, "shop", "1.0"), live)
    assert comes_before(made, (Address("issue", "shop/s"), 0), (Address("version", "shop/1.0"), 0))


def test_a_deleted_project_goes_last() -> None:
    """A project is deleted after the issues that are deleted inside it."""
    text = "projects: [{identifier: shop, state: absent}]\nissues: [{project: shop, subject: s, state: absent}]"
    made = plan(text, SHOP, issue(9, "shop", "s"))
    assert comes_before(made, (Address("issue", "shop/s"), 0), (Address("project", "shop"), 0))


def test_changes_are_listed_by_kind_where_the_graph_leaves_it_open() -> None:
    """The order of a plan is that of the work: users, projects, members, versions, categories, issues; then by name."""
    text = inside(
        "issues: [{subject: b}, {subject: a}]",
        "versions: [{name: v}]",
        "members: [{user: zoe, roles: [Manager]}]",
    )
    text += "\nusers: [{login: zoe, " + PERSON + "}, {login: amy, " + PERSON + "}]"
    made = plan(text)
    order = [str(c.address) for c in made.changes]
    assert order[:3] == ["user amy", "user zoe", "project shop"]
    assert order[3:] == ["membership shop/user:zoe", "version shop/v", "issue shop/a", "issue shop/b"]


def test_files_in_any_order(tmp_path: Path) -> None:
    """What is in one file or in several, given in whatever order, makes the same plan."""
    parts = {"a.yaml": inside("versions: [{name: v}]"), "b.yaml": "users: [{login: amy, " + PERSON + "}]"}
    parts["c.json"] = '{"issues": [{"project": "shop", "subject": "s", "fixed_version": "v", "assigned_to": "amy"}]}'
    for name, text in parts.items():
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in parts]
    made = [planned(offline(given)) for given in (paths, paths[::-1], [tmp_path], [paths[1], tmp_path])]
    assert len({m.digest for m in made}) == 1
    assert made[0].digest == plan("\n---\n".join(parts.values())).digest
    assert made[0].summary["create"] == 4


def test_chosen_objects_only() -> None:
    """A selection leaves out the other objects, and counts only its own."""
    wanted = offline(inside("issues: [{subject: a}, {subject: b}]"))
    made = make(wanted, live_of(wanted, [SHOP]), "u", lambda address: address.key == "shop/a")
    assert [str(c.address) for c in made.changes] == ["issue shop/a"]
    assert made.unchanged == 0
