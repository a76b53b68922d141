"""What an account that is no administrator's does not see is never taken for absent: for every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import apply_to, offline, plan_of, problems_of
from limited import RIGHTS, SEES_ALL, Limited

from reconciler.errors import ManifestError
from reconciler.kinds import declarable
from reconciler.model.catalog import Catalog
from reconciler.model.kind import nested_name
from reconciler.plan.planner import Plan

LISTS = {
    "version": ("versions", '{name: "1.0"%s}'),
    "issue_category": ("issue_categories", "{name: Backend%s}"),
    "membership": ("members", "{user: amy, roles: [Manager]%s}"),
    "news": ("news", "{title: Hi, description: there%s}"),
    "wiki_page": ("wiki_pages", "{title: Start, text: hello%s}"),
    "file": ("files", "{filename: a.txt, path: a.txt%s}"),
    "issue": ("issues", "{subject: s%s}"),
    "time_entry": ("time_entries", "{user: amy, spent_on: 2026-01-02, activity: Design, hours: 1%s}"),
}
"""kind → its list in a project, and an item of it."""
PATHS = {"membership": "memberships", "wiki_page": "wiki/index"}
STATES = ["", ", state: absent"]


def shop(*inside: str) -> str:
    """A manifest of the project with these lists."""
    return f"projects: [{{identifier: shop, name: shop, {', '.join(inside)}}}]"


def declared(kind: str, more: str) -> str:
    """A manifest with one object of a kind."""
    name, item = LISTS[kind]
    return shop(f"{name}: [{item % more}]")


def warnings(plan: Plan) -> list[str]:
    """What a plan warns of."""
    return [f"{warning.address}: {warning.message}" for warning in plan.warnings]


@pytest.fixture(autouse=True)
def local_file(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for those who declare one."""
    monkeypatch.chdir(str(tmp_path))
    Path("a.txt").write_text("a")


def test_every_kind_is_tested() -> None:
    """Each kind inside projects that REST shows is in the table."""
    inside = {k.name: nested_name(k) for k in declarable().values() if k.inside and not k.has(Catalog)}
    assert {kind: name for kind, (name, _) in LISTS.items()} == inside


# -- lists -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES, ids=["present", "absent"])
@pytest.mark.parametrize("kind", sorted(set(LISTS) - {"issue", "time_entry", "issue_category"}))
def test_a_list_that_is_refused_is_not_empty(kind: str, state: str) -> None:
    """403 for the list of a project is a problem of what is declared there, present or absent."""
    redmine = Limited()
    redmine.deny("shop", PATHS.get(kind, LISTS[kind][0]))
    (problem,) = problems_of(redmine, declared(kind, state))
    assert problem.subject.startswith(f"{kind} shop/")
    assert "may not read the" in problem.message
    assert 'of project "shop"' in problem.message
    assert problem.hint == "it needs a role there that shows them; or use an administrator's API key"


@pytest.mark.parametrize("kind", sorted(set(LISTS) - {"issue", "time_entry", "membership"}))
def test_a_refused_list_of_a_module_that_is_off_hides_nothing(kind: str) -> None:
    """Without the module the list is 403 to everybody, and what is declared absent is absent."""
    redmine = Limited()
    redmine.set(redmine.row("projects", "shop"), "projects", enabled_modules=["boards"])
    redmine.deny("shop", PATHS.get(kind, LISTS[kind][0]))
    plan = plan_of(redmine, declared(kind, ", state: absent"))
    assert (plan.changes, plan.warnings) == ((), ())


@pytest.mark.parametrize("state", STATES, ids=["present", "absent"])
@pytest.mark.parametrize("kind", ["issue", "time_entry"])
def test_without_the_right_to_view_them_nothing_is_known(kind: str, state: str) -> None:
    """Lists over all projects leave out those where the role shows nothing, without a 403."""
    redmine = Limited(permissions=[])
    (problem,) = problems_of(redmine, declared(kind, state))
    assert "cannot tell whether it exists: this account may not see the" in problem.message


def test_others_are_planned_in_spite_of_a_refused_list() -> None:
    """The problem is of the objects of that list alone, and names in other objects are resolved."""
    redmine = Limited()
    redmine.deny("shop", "news")
    both = shop("news: [{title: Hi, description: x}]", 'versions: [{name: "1.0"}]', "issues: [{subject: s}]")
    assert [problem.subject for problem in problems_of(redmine, both)] == ["news shop/Hi"]


def test_a_name_in_a_refused_list_may_exist() -> None:
    """A version that is named and cannot be read is not said to be missing."""
    redmine = Limited()
    redmine.deny("shop", "versions")
    (problem,) = problems_of(redmine, shop('issues: [{subject: s, fixed_version: "1.0"}]'))
    assert problem.subject == "issue shop/s"
    assert (
        'cannot tell whether there is a version "1.0" in project "shop": this account may not read' in problem.message
    )


def test_categories_are_known_by_name_from_the_project() -> None:
    """Redmine 5.0 shows the list to those who manage categories, and the names to all: the assignee is not compared."""
    redmine = Limited()
    redmine.add("issue_categories", project="shop", name="Backend")
    redmine.row("projects", "shop")["issue_categories"] = [{"id": 1, "name": "Backend"}]
    redmine.deny("shop", "issue_categories")
    text = shop("issue_categories: [{name: Backend, assigned_to: amy}]", "issues: [{subject: s, category: Backend}]")
    plan = plan_of(redmine, text)
    assert [str(change.address) for change in plan.changes] == ["issue shop/s"]
    said = "issue_category shop/Backend: assigned_to: not compared, as this account is not shown it"
    assert warnings(plan) == [said]


# -- projects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", ", status: active", ", status: closed", ", state: absent"])
@pytest.mark.parametrize("hidden", [{"is_public": False}, {"status": 9}], ids=["private", "archived"])
def test_a_hidden_project_is_neither_created_nor_deleted(hidden: dict[str, object], more: str) -> None:
    """Its page is 403, as that of an archived one is: it exists, and nothing more is known."""
    redmine = Limited()
    redmine.add("projects", identifier="secret", **hidden)
    (problem,) = problems_of(redmine, f"projects: [{{identifier: secret, name: Secret{more}}}]")
    assert problem.message == 'project "secret" is archived, or hidden from this account'


@pytest.mark.parametrize("hidden", [{"is_public": False}, {"status": 9}], ids=["private", "archived"])
def test_a_project_that_is_declared_archived_is_not_compared(hidden: dict[str, object]) -> None:
    """It is as declared or hidden: neither it nor what is inside it is a change or counts as unchanged."""
    redmine = Limited()
    redmine.add("projects", identifier="old", **hidden)
    inside = "issues: [{subject: s}, {subject: gone, state: absent}]"
    plan = plan_of(redmine, f"projects: [{{identifier: old, name: Old, status: archived, {inside}}}]")
    assert (plan.changes, plan.unchanged, plan.warnings) == ((), 0, ())
    assert sorted(map(str, plan.uncompared)) == ["issue old/gone", "issue old/s", "project old"]


def test_a_project_that_does_not_exist_is_created() -> None:
    """404 is certain: there is no such project."""
    (change,) = plan_of(Limited(), "projects: [{identifier: fresh, name: Fresh}]").changes
    assert (str(change.address), change.action) == ("project fresh", "create")


def test_what_is_inside_a_hidden_project_is_not_known() -> None:
    """Nothing inside it is planned, and what names it is a problem too."""
    redmine = Limited()
    redmine.add("projects", identifier="secret", is_public=False)
    text = """
      projects:
        - {identifier: secret, versions: [{name: "1.0"}], issues: [{subject: s, state: absent}]}
        - {identifier: below, name: Below, parent: secret}
    """
    problems = {problem.subject: problem.message for problem in problems_of(redmine, text)}
    hidden = 'project "secret" is archived, or hidden from this account'
    assert problems == {
        "project secret": hidden,
        "version secret/1.0": hidden,
        "issue secret/s": hidden,
        "project below": "depends on project secret, which this account does not see",
    }


# -- rows ------------------------------------------------------------------------------------------------------

PRIVATE = 'private issues of others in project "shop" are hidden from this account'


def test_a_private_issue_of_others_may_exist() -> None:
    """It is in no list: a creation says so, and so does what is declared absent; neither is silent."""
    redmine = Limited(issues_visibility="default")
    redmine.add("issues", project="shop", subject="private", is_private=True)
    redmine.add("issues", project="shop", subject="seen")
    text = shop("issues: [{subject: private}, {subject: seen}, {subject: gone, state: absent}]")
    plan = plan_of(redmine, text)
    assert [str(change.address) for change in plan.changes] == ["issue shop/private"]
    assert warnings(plan) == [
        f"issue shop/gone: not seen with this account, but may exist: {PRIVATE}",
        f"issue shop/private: created, but may exist already: {PRIVATE}",
    ]


def test_the_own_private_issue_is_seen() -> None:
    """What the account has created itself is no doubt afterwards."""
    redmine = Limited(issues_visibility="default")
    redmine.add("issues", project="shop", subject="private", is_private=True, author="amy")
    plan = plan_of(redmine, shop("issues: [{subject: private, is_private: true}]"))
    assert (plan.changes, plan.warnings) == ((), ())


def test_a_role_that_sees_all_issues_has_no_doubts() -> None:
    """A manager's plan is as an administrator's."""
    plan = plan_of(Limited(), shop("issues: [{subject: new}, {subject: gone, state: absent}]"))
    assert [str(change.address) for change in plan.changes] == ["issue shop/new"]
    assert plan.warnings == ()


def test_one_role_of_several_is_enough() -> None:
    """The widest view of all roles counts."""
    redmine = Limited(issues_visibility="own")
    wide = {"id": 7, "name": "Auditor", "permissions": ["view_issues"], **SEES_ALL}
    redmine.rows("roles").append(wide)
    redmine.rows("memberships")[0]["roles"].append({"id": 7, "name": "Auditor"})
    assert plan_of(redmine, shop("issues: [{subject: new}]")).warnings == ()


def test_the_roles_take_one_request_each() -> None:
    """One for the memberships, one for each role in the projects of the manifests; none where nothing depends on it."""
    redmine = Limited()
    plan_of(redmine, shop("issues: [{subject: s}]"))
    assert redmine.reads.count("/users/current") == 2
    assert [path for path in redmine.reads if path.startswith("/roles")] == ["/roles/3"]
    other = Limited()
    plan_of(other, shop('versions: [{name: "1.0"}]'))
    assert other.reads.count("/users/current") == 1


def test_a_new_project_hides_nothing() -> None:
    """In a project that is about to be created, nothing can exist."""
    redmine = Limited(issues_visibility="default")
    plan = plan_of(
        redmine,
        "projects: [{identifier: fresh, name: Fresh, enabled_modules: [issue_tracking], issues: [{subject: s}]}]",
    )
    assert (len(plan.changes), plan.warnings) == (2, ())


@pytest.mark.parametrize("kind", ["issue", "time_entry"])
def test_who_is_no_member_sees_what_is_public(kind: str) -> None:
    """In a public project the account sees what non-members see, which no list says."""
    redmine = Limited()
    redmine.rows("memberships").clear()
    (said, *_) = warnings(plan_of(redmine, declared(kind, ", state: absent")))
    assert "not seen with this account, but may exist" in said
    assert 'no member of project "shop"' in said


def test_time_of_others_may_be_hidden() -> None:
    """With `time_entries_visibility: own` only the account's own time is compared without doubt."""
    redmine = Limited(time_entries_visibility="own")
    redmine.person("bob", "Developer")
    redmine.add("time_entries", project="shop", user="bob", spent_on="2026-01-02")
    entry = "{user: %s, spent_on: 2026-01-02, activity: Design, hours: 1, state: absent}"
    plan = plan_of(redmine, shop(f"time_entries: [{entry % 'bob'}, {entry % 'amy'}]"))
    assert plan.changes == ()
    (said,) = warnings(plan)
    assert 'time entries of others in project "shop" are hidden from this account' in said


def test_time_on_a_hidden_issue_is_hidden() -> None:
    """Time that is logged on an issue is shown to those who see the issue."""
    redmine = Limited(issues_visibility="default")
    issue = redmine.add("issues", project="shop", subject="private", is_private=True)
    redmine.add("time_entries", project="shop", user="amy", issue={"id": issue})
    redmine.row("projects", "shop")["issue_custom_fields"] = []
    entry = "{user: amy, spent_on: 2026-11-02, activity: Design, issue: private, hours: 1, state: absent}"
    plan = plan_of(redmine, shop("issues: [{subject: private, state: absent}]", f"time_entries: [{entry}]"))
    assert plan.changes == ()
    assert [text.partition(":")[0].split("/")[0] for text in warnings(plan)] == ["issue shop", "time_entry shop"]


def test_a_name_of_an_issue_that_may_be_hidden() -> None:
    """An issue that another one names and that was not found is not said to be missing."""
    redmine = Limited(issues_visibility="default")
    redmine.add("custom_fields", name="Key")
    redmine.set(redmine.row("projects", "shop"), "projects", issue_custom_fields=["Key"])
    wanted = shop("issues: [{key: one, subject: s, parent: top}]")
    (problem,) = problems_of(redmine, wanted, key_field="Key")
    assert f'cannot tell whether there is an issue "top" in project "shop": {PRIVATE}' in problem.message
    redmine.role["issues_visibility"] = "all"
    (problem,) = problems_of(redmine, wanted, key_field="Key")
    assert 'there is no issue "top"' in problem.message


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ("issues: [{id: 77, subject: s}]", "issue #77"),
        ("news: [{id: 77, title: s, description: x}]", "news #77"),
        ("time_entries: [{id: 77, user: amy, spent_on: 2026-01-02, activity: Design, hours: 1}]", "time entry #77"),
    ],
)
def test_an_id_that_is_not_seen_may_exist(item: str, what: str) -> None:
    """It is not said that there is no such object."""
    (problem,) = problems_of(Limited(), shop(item))
    assert problem.message == f"this account does not see the {what}"


# -- fields ----------------------------------------------------------------------------------------------------


def test_watchers_that_are_not_shown_are_not_compared() -> None:
    """Without the right to see them they would be added with each apply."""
    redmine = Limited(permissions=["view_issues"])
    redmine.add("issues", project="shop", subject="s", watchers=["amy"])
    plan = plan_of(redmine, shop("issues: [{subject: s, watchers: [amy]}]"))
    assert plan.changes == ()
    assert warnings(plan) == ["issue shop/s: watchers: not compared, as this account is not shown it"]


def test_a_private_note_of_others_may_exist() -> None:
    """A private note is added with a warning where those of others are hidden."""
    redmine = Limited(permissions=["view_issues", "set_notes_private"])
    journal = {"id": 1, "user": {"id": 1, "name": "Admin"}, "notes": "secret", "private_notes": True}
    redmine.add("issues", project="shop", subject="s", journals=[journal])
    text = shop("issues: [{subject: s, notes: [{text: secret, private: true}]}]")
    plan = plan_of(redmine, text)
    assert [field.path for change in plan.changes for field in change.fields] == ["notes"]
    (said,) = warnings(plan)
    assert "a note may exist already: private notes of others are hidden from this account" in said
    redmine.role["permissions"].append("view_private_notes")
    assert (plan_of(redmine, text).changes, plan_of(redmine, text).warnings) == ((), ())


@pytest.mark.parametrize(
    ("issue", "field"),
    [("{subject: s, author: bob}", "author"), ("{subject: old, notes: [{text: x, author: bob}]}", "notes")],
)
def test_only_administrators_write_for_others(issue: str, field: str) -> None:
    """Redmine ignores for whom others want to write, so that is a problem before anything is written."""
    redmine = Limited()
    redmine.person("bob", "Developer")
    redmine.add("issues", project="shop", subject="old")
    (problem,) = problems_of(redmine, shop(f"issues: [{issue}]"))
    assert problem.message == f"{field}: only administrators can write as another user"


@pytest.mark.parametrize(
    ("issue", "said"),
    [
        ("{subject: new, is_private: true}", "is_private: this account may not make the issue private"),
        ("{subject: old, is_private: true}", "is_private: this account may not make the issue private"),
        ("{subject: old, notes: [{text: x, private: true}]}", "notes: this account may not make notes private"),
        ("{subject: new, notes: [{text: x, private: true}]}", "notes: this account may not make notes private"),
        ("{subject: old, notes: [{text: public, private: true}]}", "notes: this account may not make notes private"),
    ],
)
@pytest.mark.parametrize("member", [True, False], ids=["member", "no member"])
def test_nothing_private_is_published(issue: str, said: str, member: bool) -> None:
    """Without the permission Redmine answers 201 or 204, and everybody can read it: a problem before it is written."""
    redmine = Limited(permissions=["view_issues"])
    note = {"id": 1, "user": {"id": redmine.amy, "name": "Amy"}, "notes": "public", "private_notes": False}
    redmine.add("issues", project="shop", subject="old", journals=[note])
    if not member:
        redmine.rows("memberships").clear()
    (problem,) = problems_of(redmine, shop(f"issues: [{issue}]"))
    assert problem.message.startswith(f"{said}, so Redmine would publish")
    assert "it needs a role with the permission" in problem.hint


def test_the_permission_for_the_own_issues_is_enough_for_them() -> None:
    """`set_own_issues_private` is for issues that the account writes."""
    redmine = Limited(permissions=["view_issues", "set_own_issues_private"])
    redmine.add("issues", project="shop", subject="mine", author="amy")
    redmine.add("issues", project="shop", subject="other")
    text = shop("issues: [{subject: %s, is_private: true}]")
    assert plan_of(redmine, text % "mine").changes
    assert plan_of(redmine, text % "new").changes
    (problem,) = problems_of(redmine, text % "other")
    assert problem.message.startswith("is_private: this account may not")


def test_what_is_private_already_needs_no_permission() -> None:
    """It is as declared."""
    redmine = Limited(permissions=["view_issues", "view_private_notes"])
    note = {"id": 1, "user": {"id": 1, "name": "Admin"}, "notes": "x", "private_notes": True}
    redmine.add("issues", project="shop", subject="s", is_private=True, journals=[note])
    text = "issues: [{subject: s, is_private: true, notes: [{text: x, private: true}]}]"
    assert plan_of(redmine, shop(text)).changes == ()


def test_the_own_name_as_author_is_no_problem() -> None:
    """Who writes as itself needs no right for it."""
    redmine = Limited(permissions=[*RIGHTS, "add_issues", "add_issue_notes"])
    notes = "notes: [{text: x, author: amy}]"
    assert plan_of(redmine, shop(f"issues: [{{subject: s, author: amy, {notes}}}]")).changes


# -- users and groups ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES, ids=["present", "absent"])
@pytest.mark.parametrize("item", ["users: [{login: who%s}]", "groups: [{name: Who%s}]"], ids=["user", "group"])
def test_users_and_groups_that_are_not_seen_may_exist(item: str, state: str) -> None:
    """They are neither created nor absent as declared."""
    (problem,) = problems_of(Limited(), item % state)
    assert "cannot tell whether it exists: this account may not list" in problem.message


def test_users_and_groups_that_are_as_declared() -> None:
    """What the account sees is compared; what it is not shown is a warning."""
    redmine = Limited()
    redmine.mail = False
    redmine.person("bob", "Developer", mail="bob@x.org")
    redmine.add("groups", name="Ops", users=["bob"])
    redmine.add("memberships", project="shop", group="Ops", roles=["Reporter"])
    text = f"""
      users: [{{login: bob, firstname: Bob, mail: bob@x.org, admin: false}}]
      groups: [{{name: Ops, users: [bob]}}]
      {shop("versions: []")}
    """
    plan = plan_of(redmine, text)
    assert plan.changes == ()
    unseen = "not compared, as this account is not shown it"
    assert warnings(plan) == [f"user bob: mail: {unseen}", f"user bob: admin: {unseen}"]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("users: [{login: bob, firstname: Robert}]", "only administrators may change users: firstname would change"),
        ("users: [{login: bob, state: absent}]", "only administrators may delete users"),
        ("groups: [{name: Ops, users: [bob]}]", "only administrators may change groups: users would change"),
        ("groups: [{name: Ops, state: absent}]", "only administrators may delete groups"),
    ],
)
def test_users_and_groups_are_for_administrators_to_change(item: str, said: str) -> None:
    """What Redmine would refuse is a problem before anything is written."""
    redmine = Limited()
    redmine.person("bob", "Developer")
    redmine.add("groups", name="Ops")
    redmine.add("memberships", project="shop", group="Ops", roles=["Reporter"])
    (problem,) = problems_of(redmine, f"{item}\n{shop('versions: []')}")
    assert problem.message == said


# -- keep going ------------------------------------------------------------------------------------------------


def test_an_absent_member_whose_login_is_not_known() -> None:
    """Whether somebody is a member cannot be told without knowing who it is."""
    redmine = Limited()
    redmine.person("left", "Developer", status=3)
    (problem,) = problems_of(redmine, shop("members: [{user: left, state: absent}]"))
    assert problem.message.startswith('user: cannot tell whether there is a user "left"')


def test_an_apply_stops_before_the_first_write() -> None:
    """With such a problem nothing is written, as with any other."""
    redmine = Limited()
    redmine.deny("shop", "versions")
    with pytest.raises(ManifestError, match="may not read the versions"):
        apply_to(redmine, shop('versions: [{name: "1.0"}]', "issues: [{subject: s}]"))
    assert {method for method, _ in redmine.seen} == {"GET"}
    assert offline(shop("issues: [{subject: s}]")).problems == ()
