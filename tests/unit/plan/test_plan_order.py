"""What a plan does in which order, without a server: what waits, which gates are opened, what a failure stops."""

from __future__ import annotations

from typing import Any

import pytest
from engine import offline
from plans import (
    PERSON,
    SHOP,
    after,
    comes_before,
    inside,
    issue,
    live_of,
    operation,
    plan,
    project,
    steps,
    the,
    user,
    version,
)

from reconciler.model.address import Address
from reconciler.model.name_index import CustomField
from reconciler.plan.operations import (
    Archive,
    Close,
    Create,
    Delete,
    Link,
    Lock,
    MilestoneId,
    Reopen,
    Transition,
    Unarchive,
    Update,
)
from reconciler.plan.planner import make

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


DEFAULTS = {
    "version": ('default_version: "1.0"', "project", "shop", "default_version"),
    "assignee": ("default_assigned_to: amy", "project", "shop", "default_assigned_to"),
    "category": ("issue_categories: [{name: Web, assigned_to: amy}]", "issue_category", "shop/Web", "assigned_to"),
}


@pytest.mark.parametrize("field, kind, key, name", DEFAULTS.values(), ids=DEFAULTS)
@pytest.mark.parametrize("live", [[], [SHOP, version(5, "shop", "1.0")]], ids=["new project", "live project"])
def test_what_redmine_fills_in_is_set_after_all_issues_are_created(
    field: str, kind: str, key: str, name: str, live: list[Any]
) -> None:
    """It must not depend on the order of requests which of the new issues get it; one that fails stops nothing."""
    issues = "issues: [{subject: a, category: Web}, {subject: b, parent: a}]"
    lines = [field, *([] if kind == "issue_category" else ["issue_categories: [{name: Web}]"])]
    made = plan(inside(*lines, 'versions: [{name: "1.0"}]', issues), user(5, "amy"), *live)
    first, last = steps(the(made, kind, key))
    assert list(last) == [name] and name not in first
    one, other = Address(kind, key), Address("issue", "shop/b")
    assert comes_before(made, (other, 0), (one, 1))
    (operation,) = the(made, kind, key).later
    assert all(required.address.kind != "issue" for required in operation.requires)


@pytest.mark.parametrize("given", ["assigned_to: amy, category: Web", "category: Other"])
def test_what_redmine_fills_in_waits_only_for_issues_that_would_get_it(given: str) -> None:
    """An assignee that a manifest gives, and another category, are not filled in: one POST makes the category."""
    lines = "issue_categories: [{name: Web, assigned_to: amy}, {name: Other}]", f"issues: [{{subject: a, {given}}}]"
    made = plan(inside(*lines), user(5, "amy"), SHOP)
    assert steps(the(made, "issue_category", "shop/Web")) == [{"name": "Web", "assigned_to": "amy"}]


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
        assert comes_before(made, (other.address, len(other.later)), (change.address, len(change.later)))


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
    assert comes_before(made, (b, 0), (a, len(the(made, "issue", "shop/a").later)))


def test_a_status_that_stays_open_does_not_wait() -> None:
    """Only closing waits for subtasks."""
    made = plan(inside("issues: [{subject: a, status: In Progress}, {subject: b, parent: a}]"), SHOP)
    assert the(made, "issue", "shop/a").later == ()


def test_custom_fields_of_a_project_that_name_what_is_inside_it() -> None:
    """A project whose custom field names its own version or member is created before, and gets the field after."""
    text = inside('versions: [{name: "1.0"}]', 'custom_fields: {Plan: "1.0", Note: text}')
    wanted = offline(text)
    live = live_of(wanted)
    fields = (CustomField(1, "Plan", "version"), CustomField(2, "Note", "string"))
    live.names.custom_fields["project"] = {f.name: f for f in fields}
    change = the(make(wanted, live, "u"), "project", "shop")
    assert "custom_fields.Plan" not in {f.path for f in change.fields}
    assert "version shop/1.0" in {str(a) for o in change.later for a in o.waits_for}


def test_members_come_before_what_may_name_them() -> None:
    """In a project memberships come before categories, versions and issues, which may have members as values."""
    text = inside("members: [{user: amy, roles: [Manager]}]", "versions: [{name: v}]", "issues: [{subject: s}]")
    made = plan(text + "\n    issue_categories: [{name: c, assigned_to: amy}]", SHOP, user(5, "amy"))
    member = Address("membership", "shop/user:amy")
    for address in (Address("version", "shop/v"), Address("issue", "shop/s"), Address("issue_category", "shop/c")):
        assert comes_before(made, (member, 0), (address, 0))


def test_members_of_a_parent_come_before_what_is_in_its_children() -> None:
    """A child may inherit its members."""
    text = inside("members: [{user: amy, roles: [Manager]}]")
    text += "\n  - {identifier: web, name: Web, parent: shop, inherit_members: true, issues: [{subject: s}]}"
    made = plan(text, SHOP, project(2, "web", parent={"id": 1}), user(5, "amy"))
    assert comes_before(made, (Address("membership", "shop/user:amy"), 0), (Address("issue", "web/s"), 0))


@pytest.mark.parametrize("home", ["web", "shop"])
def test_work_waits_for_no_members_that_wait_for_it(home: str) -> None:
    """Where a member's roles wait for a group to go, and the group for an issue that it is assigned to, the issue comes
    first, whichever project it is in."""
    text = f"""
      groups: [{{name: G, state: absent}}]
      users: [{{login: bob, firstname: b, lastname: b, mail: b@example.net}}]
      projects:
        - {{identifier: shop, name: Shop, members: [{{user: bob, roles: [Developer]}}]}}
        - {{identifier: web, name: Web}}
      issues: [{{project: {home}, subject: X, assigned_to: bob}}]
    """
    group = ("group", "G", {"id": 7, "name": "G", "users": [{"id": 5}]})
    person = user(5, "bob", firstname="b", lastname="b", mail="b@example.net")
    assigned = issue(9, home, "X", assigned_to={"id": 7, "name": "G"})
    wanted = offline(text)
    live = live_of(wanted, [SHOP, project(2, "web", name="Web"), person, group, assigned])
    inherited = {"id": 11, "project": {"id": 1}, "user": {"id": 5, "name": "b"}, "roles": [], "is_deleted": True}
    live.names.add("membership", "shop/user:bob", {**inherited, "given_by": (Address("group", "G"),)})
    made = make(wanted, live, "http://redmine.test")
    order = [str(change.address) for change in made.changes]
    assert order.index(f"issue {home}/X") < order.index("group G") < order.index("membership shop/user:bob")


# -- gates -----------------------------------------------------------------------------------------------------


def test_a_locked_version_is_opened_for_an_issue() -> None:
    """A locked version into which an issue moves is opened, and locked again after; the plan says why."""
    text = inside('versions: [{name: "1.0"}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    made = plan(text, SHOP, version(5, "shop", "1.0", status="locked"))
    change = the(made, "version", "shop/1.0")
    assert steps(change) == [{"status": "open"}, {"status": "locked"}]
    assert isinstance(change.operations[0], Reopen)
    assert after(change) == {"issue shop/s"}
    assert change.reason is not None
    assert "locked" in change.reason
    gate, through = change.address, Address("issue", "shop/s")
    assert comes_before(made, (gate, 0), (through, 0))
    assert comes_before(made, (through, 0), (gate, 1))
    assert (gate, 0) in operation(made, through).requires, "a gate that stays shut skips the issue"
    assert (through, 0) in operation(made, gate, 1).after, "the gate is shut whatever becomes of the issue"
    assert (through, 0) not in operation(made, gate, 1).requires


@pytest.mark.parametrize("wanted, last", [("open", []), ("closed", [{"status": "closed"}])])
def test_a_gate_ends_as_declared(wanted: str, last: list[dict[str, str]]) -> None:
    """A gate that was opened is brought to what the manifest says, not to what it was."""
    text = inside(f'versions: [{{name: "1.0", status: {wanted}}}]', 'issues: [{subject: s, fixed_version: "1.0"}]')
    change = the(plan(text, SHOP, version(5, "shop", "1.0", status="locked")), "version", "shop/1.0")
    assert steps(change) == [{"status": "open"}, *last]


def test_a_gate_stays_shut_without_work_behind_it() -> None:
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
    assert isinstance(change.operations[0], Reopen)
    assert (change.fields[0].path, change.fields[0].after) == ("status", "active")
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
    made = plan(text, SHOP)
    assert (v, 0) in operation(made, s).requires
    assert not operation(made, t).requires
    made = plan(text, SHOP, version(5, "shop", "1.0"))
    assert (v, 0) in operation(made, s).after
    assert not operation(made, s).requires


def test_a_deletion_comes_after_the_work_that_leaves_it() -> None:
    """An issue leaves a version before the version is deleted."""
    text = inside('versions: [{name: "1.0", state: absent}]', "issues: [{subject: s, fixed_version: null}]")
    live = issue(9, "shop", "s", fixed_version={"id": 5, "name": "1.0"})
    made = plan(text, SHOP, version(5, "shop", "1.0"), live)
    assert comes_before(made, (Address("issue", "shop/s"), 0), (Address("version", "shop/1.0"), 0))


def test_a_deletion_comes_after_the_custom_field_that_leaves_it() -> None:
    """Redmine deletes no version that a custom field names, also if that is its own project's, which is written last."""
    fields = 'custom_fields: {Plan: "2.0"}'
    wanted = offline(inside(fields, 'versions: [{name: "1.0", state: absent}, {name: "2.0"}]'))
    shop = project(1, "shop", custom_fields=[{"id": 1, "name": "Plan", "value": "5"}])
    live = live_of(wanted, [shop, version(5, "shop", "1.0")])
    live.names.custom_fields["project"] = {"Plan": CustomField(1, "Plan", "version")}
    made = make(wanted, live, "u")
    assert steps(the(made, "project", "shop"))[-1] == {"custom_fields.Plan": "2.0"}
    last = len(the(made, "project", "shop").operations) - 1
    assert comes_before(made, (Address("project", "shop"), last), (Address("version", "shop/1.0"), 0))


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
    text += "\nusers: [{login: zoe, " + PERSON + "}, {login: amy, " + PERSON.replace("c@", "d@") + "}]"
    made = plan(text)
    order = [str(c.address) for c in made.changes]
    assert order[:3] == ["user amy", "user zoe", "project shop"]
    assert order[3:] == ["membership shop/user:zoe", "version shop/v", "issue shop/a", "issue shop/b"]


# -- operations ------------------------------------------------------------------------------------------------

ARCHIVED = ("project", "shop", {"id": 1, "identifier": "shop", "status": 9, "partial": True})
CLOSED = project(1, "shop", status=5)
LIVE_VERSION = version(5, "shop", "1.0")
LOCKED_VERSION = version(5, "shop", "1.0", status="locked")


@pytest.mark.parametrize(
    "text, present, address, types",
    [
        (inside(), [], ("project", "shop"), [Create]),
        (inside("status: closed"), [], ("project", "shop"), [Create, Close]),
        (inside("status: archived"), [], ("project", "shop"), [Create, Archive]),
        (inside("status: closed"), [SHOP], ("project", "shop"), [Close]),
        (inside("status: active"), [CLOSED], ("project", "shop"), [Reopen]),
        (inside("issues: [{subject: s}]"), [CLOSED], ("project", "shop"), [Reopen, Close]),
        ("projects: [{identifier: shop, status: active}]", [ARCHIVED], ("project", "shop"), [Unarchive]),
        ("projects: [{identifier: shop, state: absent}]", [SHOP], ("project", "shop"), [Delete]),
        (inside('default_version: "1.0"', 'versions: [{name: "1.0"}]'), [SHOP], ("project", "shop"), [Update, Link]),
        (inside('versions: [{name: "1.0", status: locked}]'), [SHOP, LIVE_VERSION], ("version", "shop/1.0"), [Lock]),
        (inside('versions: [{name: "1.0", sharing: tree}]'), [SHOP, LIVE_VERSION], ("version", "shop/1.0"), [Update]),
        (
            inside('versions: [{name: "1.0"}]', 'issues: [{subject: s, fixed_version: "1.0"}]'),
            [SHOP, LOCKED_VERSION],
            ("version", "shop/1.0"),
            [Reopen, Lock],
        ),
        (
            inside("issues: [{subject: a, status: Closed}, {subject: b, parent: a}]"),
            [SHOP, issue(9, "shop", "a")],
            ("issue", "shop/a"),
            [Update, Transition],
        ),
        (
            inside("issues: [{subject: a, relations: [{blocks: b}]}, {subject: b}]"),
            [SHOP],
            ("issue", "shop/a"),
            [Create, Link],
        ),
    ],
)
def test_operations_have_types(text: str, present: list[Any], address: tuple[str, str], types: list[type]) -> None:
    """What each operation on an object is: its type says what it does to gates and what has to be verified before."""
    change = the(plan(text, *present), *address)
    assert [type(o) for o in change.operations] == types
    assert [o.id for o in change.operations] == [(change.address, number) for number in range(len(types))]
    assert [o.holds_until_verified for o in change.operations] == [t in (Close, Archive) for t in types]


def test_the_reason_is_that_of_the_operation() -> None:
    """Why a gate is opened is said of the operation that opens it; the object has the first reason."""
    made = plan(inside("issues: [{subject: s}]"), CLOSED)
    first, last = the(made, "project", "shop").operations
    assert first.reason == the(made, "project", "shop").reason == "status closed prevents the planned changes"
    assert last.reason is None


def test_milestones_keep_edges_linear() -> None:
    """Many issues that come after many members have an edge each to one milestone, and not to every member."""
    members = [f"  - {{user: u{n}, roles: [Manager]}}" for n in range(20)]
    issues = [f"  - {{subject: s{n}}}" for n in range(30)]
    made = plan(inside("members:", *members, "issues:", *issues), SHOP, *(user(n, f"u{n}") for n in range(20)))
    edges = sum(len(o.predecessors) for o in made.operations) + sum(len(m.after) for m in made.milestones)
    assert len(made.changes) == 50
    assert edges == 2 * 30 + 2 * 20
    assert {m.id for m in made.milestones} == {
        MilestoneId("membership", "shop", deletions=True),
        MilestoneId("membership", "", deletions=False),
    }


def test_fields_know_their_place() -> None:
    """Each field of an operation, and each declared one that matches, has the line that declares it."""
    text = inside("versions:", '  - name: "1.0"', "    sharing: tree", "    description: d")
    change = the(plan(text, SHOP, version(5, "shop", "1.0", description="d")), "version", "shop/1.0")
    assert {f.path: f.location and f.location.line for f in change.all_fields} == {"sharing": 5}
    assert {f.path: f.location and f.location.line for f in change.unchanged} == {"name": 4, "description": 6}
    assert [change.place(path).line for path in ("sharing", "description", "due_date", "")] == [5, 6, 4, 4]
