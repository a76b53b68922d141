"""What a plan changes, without a server: the live state is filled in by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine import offline
from plans import PERSON, SHOP, Present, inside, live_of, plan, planned, project, steps, the, user, version

from reconciler.errors import ManifestError, Problem, RefusedError
from reconciler.model.address import Address
from reconciler.model.spec import Secret
from reconciler.plan.operations import OperationId
from reconciler.plan.planner import make


def problems(text: str, *present: Present) -> tuple[Problem, ...]:
    """What is wrong with a manifest, given a live state."""
    with pytest.raises(ManifestError) as caught:
        plan(text, *present)
    return caught.value.problems


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


def test_what_goes_with_what_is_absent() -> None:
    """What is inside a project that is absent, or below it, cannot be declared present; what only has its name can."""
    live = (SHOP, project(2, "below", parent={"id": 1}), user(5, "below"), version(7, "shop", "1.0"))
    projects = "projects: [{identifier: shop, state: absent}, {identifier: below, name: Below}]"
    found = {p.subject: p.message for p in problems(f"{projects}\nversions: [{{project: below, name: '1.0'}}]", *live)}
    said = "Redmine deletes it together with project shop, which is declared absent"
    assert found == {"project below": said, "version below/1.0": said}
    text = "users: [{login: below, state: absent}]\nversions: [{project: below, name: '1.0'}]"
    assert [str(c.address) for c in plan(text, *live).changes] == ["user below", "version below/1.0"]


def test_protected() -> None:
    """What is protected and declared absent is refused, with its name, as long as it is there."""
    text = inside('versions: [{name: "1.0", state: absent, protect: true}]')
    with pytest.raises(RefusedError, match=r"version shop/1\.0"):
        plan(text, SHOP, version(5, "shop", "1.0"))
    assert plan(text, SHOP).changes == ()


def test_what_is_absent_cannot_be_named() -> None:
    """A reference to an object that the manifests delete, and that is not there, is a problem."""
    text = inside('versions: [{name: "1.0", state: absent}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    assert any("1.0" in p.message for p in problems(text, SHOP))


def test_names_that_there_are_not() -> None:
    """Every unknown name is reported at once, at its place, with a near miss."""
    text = inside("trackers: [Bugs]", "issues:", "  - {subject: s, status: closed, assigned_to: ami}")
    found = [(p.location.line, p.hint.partition("; ")[0]) for p in problems(text, SHOP, user(5, "amy"))]
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
    assert the(made, "membership", "shop/user:cid").operations[0].requires == (OperationId(Address("user", "Cid")),)


def test_a_name_that_is_a_user_and_a_group() -> None:
    """`user:` and `group:` tell a name apart that both have; without them it is a problem."""
    live = (SHOP, user(5, "both"), ("group", "both", {"id": 6}))
    (problem,) = problems(inside("issues: [{subject: s, assigned_to: both}]"), *live)
    assert '"both" is ambiguous: user both and group both' in problem.message
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
    for number, projects in {5: {"shop"}, 6: {"hq", "shop"}, 7: {"hq", "shop"}}.items():
        for shop in sorted(projects):
            live.names.live("version").note_seen(number, shop)
    assert steps(the(make(wanted, live, "u"), "issue", "shop/s"))[0]["fixed_version"] == meant


def test_two_shared_versions_of_one_name() -> None:
    """Two shared versions of one name are a problem that says how to choose."""
    text = inside('issues: [{subject: s, fixed_version: "3.0"}]')
    text += '\n  - {identifier: one, name: One, versions: [{name: "3.0", sharing: system}]}'
    text += '\n  - {identifier: two, name: Two, versions: [{name: "3.0", sharing: system}]}'
    (problem,) = problems(text, SHOP)
    assert "version one/3.0 and version two/3.0" in problem.message
    assert problem.hint == "write {project: one, name: 3.0}"


def test_files_in_any_order(tmp_path: Path) -> None:
    """What is in one file or in several, given in whatever order, makes the same plan."""
    lists = "versions: [{name: v}]", "members: [{user: amy, roles: [Developer]}]"
    parts = {"a.yaml": inside(*lists), "b.yaml": "users: [{login: amy, " + PERSON + "}]"}
    parts["c.json"] = '{"issues": [{"project": "shop", "subject": "s", "fixed_version": "v", "assigned_to": "amy"}]}'
    for name, text in parts.items():
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in parts]
    made = [planned(offline(given)) for given in (paths, paths[::-1], [tmp_path], [paths[1], tmp_path])]
    assert len({m.digest for m in made}) == 1
    assert made[0].digest == plan("\n---\n".join(parts.values())).digest
    assert made[0].summary["create"] == 5


def test_chosen_objects_only() -> None:
    """A selection leaves out the other objects, and counts only its own."""
    wanted = offline(inside("issues: [{subject: a}, {subject: b}]"))
    made = make(wanted, live_of(wanted, [SHOP]), "u", lambda address: address.key == "shop/a")
    assert [str(c.address) for c in made.changes] == ["issue shop/a"]
    assert made.unchanged == 0
