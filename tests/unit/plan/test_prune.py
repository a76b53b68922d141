"""`--prune` removes exactly what no manifest declares in authoritative collections, and nothing that is doubtful."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from canned import Canned, reached
from pruning import ENVIRON, folder, kept, pruned, pruning, removed

import reconciler
from reconciler.errors import ConfigError, ManifestError, ReconcilerError, RefusedError

MODULES = ["issue_tracking", "news", "wiki", "files", "time_tracking"]
DECLARED: dict[str, Any] = {
    "memberships": "members: [{user: amy, roles: [Developer]}]",
    "versions": 'versions: [{name: "1.0"}]',
    "issue_categories": "issue_categories: [{name: UI}]",
    "wiki_pages": "wiki_pages: [{title: Wiki, text: Hello}]",
    "news": "news: [{title: Start, description: x}]",
    "files": "files: [{filename: a.txt, state: absent}, {filename: b.txt, description: x}]",
    "time_entries": "time_entries: [{user: amy, spent_on: 2026-01-01, activity: Design, hours: 1}]",
    "issues": "issues: [{key: login, subject: Login}]",
}
"""By collection: what is declared in the project `shop`."""
UNDECLARED = {
    "memberships": ["membership shop/user:bob"],
    "versions": ["version shop/0.9"],
    "issue_categories": ["issue_category shop/DB"],
    "wiki_pages": ["wiki_page shop/Old"],
    "news": ["news shop/Past"],
    "files": ["file shop/old.txt"],
    "time_entries": ["time_entry shop/2026-01-02 bob Design"],
    "issues": ["issue shop/#2", "issue shop/stray"],
}
"""By collection: what is live in `shop` and declared nowhere."""


def shop() -> Canned:
    """A server with two projects, each with something of every kind that no manifest declares."""
    redmine = Canned()
    amy, bob = (redmine.add("users", login=login) for login in ("amy", "bob"))
    field = redmine.add("custom_fields", name="Key", customized_type="issue", field_format="string", is_filter=True)
    redmine.row("custom_fields", field)["trackers"] = redmine.rows("trackers")
    for number, name in enumerate(("shop", "other"), 1):
        redmine.add("projects", identifier=name, enabled_modules=MODULES)
        for user in (amy, bob):
            redmine.add("memberships", project=name, user=user, roles=["Developer"])
        for version in ("1.0", "0.9"):
            redmine.add("versions", project=name, name=version)
        for category in ("UI", "DB"):
            redmine.add("issue_categories", project=name, name=category)
        for title in ("Wiki", "Old"):
            redmine.add("wiki_pages", id=10 * number + len(title), inside=name, title=title, text="Hello", version=1)
        for title in ("Start", "Past"):
            redmine.add("news", project=name, title=title, description="x")
        for file in ("b.txt", "old.txt"):
            redmine.add("files", inside=name, filename=file, filesize=1, digest="0" * 64, description="x")
        for user, day in ((amy, "2026-01-01"), (bob, "2026-01-02")):
            redmine.add("time_entries", project=name, user=user, spent_on=day, activity="Design", hours=1, comments="")
        for subject, key in (("Login", "login"), ("By hand", ""), ("Stray", "stray")):
            redmine.add("issues", project=name, subject=subject, custom_fields={"Key": key})
    return redmine


def manifest(*declared: str, authoritative: list[str] | None = None) -> str:
    """A manifest of `shop` with some collections; those declared in no list are left out."""
    own = "" if authoritative is None else f"    authoritative: {authoritative}\n"
    lists = "".join(f"    {DECLARED[name]}\n" for name in declared)
    return f"projects:\n  - identifier: shop\n{own}{lists}"


@pytest.mark.parametrize("name", DECLARED)
def test_exactly_the_undeclared_objects_of_a_collection(name: str, tmp_path: Path) -> None:
    """One collection is authoritative: what it has and the manifests do not is deleted, in no other project."""
    plan = pruning(shop(), tmp_path, manifest(*DECLARED), authoritative=[name], issue_key_field="Key")
    assert removed(plan) == UNDECLARED[name]
    assert all(c.action == "delete" for c in plan.changes)
    reasons = {c.reason for c in plan.changes}
    assert all(f"not declared; {name.replace('_', ' ')} are authoritative in shop" in str(r) for r in reasons)


@pytest.mark.parametrize("name", DECLARED)
def test_nothing_without_being_authoritative(name: str, tmp_path: Path) -> None:
    """A collection that is not named is left alone, while others are pruned."""
    others = [one for one in DECLARED if one != name]
    plan = pruning(shop(), tmp_path, manifest(*DECLARED), authoritative=others, issue_key_field="Key")
    assert removed(plan) == sorted(a for one in others for a in UNDECLARED[one])


@pytest.mark.parametrize("name", DECLARED)
def test_nothing_where_nothing_is_declared(name: str, tmp_path: Path) -> None:
    """A collection of which the manifests declare nothing is never emptied; the plan says how to do that."""
    plan = pruning(shop(), tmp_path, manifest(), authoritative=[name], issue_key_field="Key")
    assert removed(plan) == []
    (said,) = kept(plan).values()
    assert "are not pruned: the manifests declare none; write `" in said


@pytest.mark.parametrize("name", DECLARED)
def test_an_apply_prunes_once(name: str, tmp_path: Path) -> None:
    """After an apply with --prune, a plan with --prune is empty, and all that was declared is still there."""
    redmine, settings = shop(), {"authoritative": [name], "issue_key_field": "Key"}
    report = pruned(redmine, tmp_path, manifest(name), **settings)
    assert {result.outcome for result in report.results} == {"done"}
    again = pruning(redmine, tmp_path, manifest(name), **settings)
    assert again.changes == ()
    assert again.unchanged == 2 + (name == "files")


def test_an_empty_list_is_meant(tmp_path: Path) -> None:
    """A list without items says that there are to be none; a list whose items are commented out does not."""
    for text, expected in (("[]", ["version shop/0.9", "version shop/1.0"]), ("", [])):
        plan = pruning(shop(), tmp_path, manifest() + f"    versions: {text}\n", authoritative=["versions"])
        assert removed(plan) == expected


def test_a_project_says_it_for_itself(tmp_path: Path) -> None:
    """A project's list replaces that of the configuration."""
    for own, expected in ((["versions"], ["version shop/0.9"]), (None, ["issue_category shop/DB"])):
        text = manifest("versions", "issue_categories", authoritative=own)
        assert removed(pruning(shop(), tmp_path, text, authoritative=["issue_categories"])) == expected


def test_nothing_in_a_project_that_takes_itself_out(tmp_path: Path) -> None:
    """With `authoritative: []` in its only project, an authoritative collection of the configuration is nowhere."""
    with pytest.raises(ReconcilerError, match="Nothing to prune"):
        pruning(shop(), tmp_path, manifest("versions", authoritative=[]), authoritative=["versions"])


def test_nothing_is_authoritative(tmp_path: Path) -> None:
    """--prune without any `authoritative` is a mistake, not an empty plan."""
    with pytest.raises(ReconcilerError, match="no collection of a declared project is authoritative"):
        pruning(shop(), tmp_path, manifest("versions"))


def test_a_project_that_is_not_declared(tmp_path: Path) -> None:
    """Nothing is pruned in a project that no manifest declares, even if something in it is declared."""
    text = "versions: [{project: other, name: '1.0'}]\nprojects: [{identifier: shop, versions: [{name: '1.0'}]}]"
    assert removed(pruning(shop(), tmp_path, text, authoritative=["versions"])) == ["version shop/0.9"]


def test_users_are_locked(tmp_path: Path) -> None:
    """Undeclared users are locked, unless the configuration says to delete them; administrators are left alone."""
    text = "users: [{login: amy}]"
    plan = pruning(shop(), tmp_path, text, authoritative=["users"])
    assert removed(plan) == ["user bob"]
    (change,) = plan.changes
    assert [(f.path, f.after) for f in change.fields] == [("status", "locked")]
    assert "administrators are never pruned" in kept(plan)["user admin"]
    (change,) = pruning(shop(), tmp_path, text, authoritative=["users"], prune_users="delete").changes
    assert change.action == "delete"


def test_users_who_wait_for_activation_are_locked(tmp_path: Path) -> None:
    """Else the link of a mail would let in somebody whom no manifest declares."""
    redmine = shop()
    redmine.row("users", "bob")["status"] = 2
    (change,) = pruning(redmine, tmp_path, "users: [{login: amy}]", authoritative=["users"]).changes
    assert [(f.before, f.after) for f in change.fields] == [("registered", "locked")]
    pruned(redmine, tmp_path, "users: [{login: amy}]", authoritative=["users"])
    assert redmine.row("users", "bob")["status"] == 3
    assert pruning(redmine, tmp_path, "users: [{login: amy}]", authoritative=["users"]).changes == ()


def test_locked_users_stay_locked(tmp_path: Path) -> None:
    """A second apply has nothing to lock."""
    redmine = shop()
    pruned(redmine, tmp_path, "users: [{login: amy}]", authoritative=["users"])
    assert redmine.row("users", "bob")["status"] == 3
    assert pruning(redmine, tmp_path, "users: [{login: amy}]", authoritative=["users"]).changes == ()


def test_groups(tmp_path: Path) -> None:
    """Undeclared groups are deleted, but no built-in one, and none that a declared membership names."""
    redmine = shop()
    for name in ("Staff", "Old", "Used"):
        redmine.add("groups", name=name)
    text = "groups: [{name: Staff}]\nmemberships: [{project: shop, group: Used, roles: [Developer]}]"
    plan = pruning(redmine, tmp_path, text, authoritative=["groups"])
    assert removed(plan) == ["group Old"]
    assert "membership shop/group:Used refers to it (group)" in kept(plan)["group Used"]


def test_what_a_manifest_refers_to_is_kept(tmp_path: Path) -> None:
    """An undeclared version that a declared issue has is kept: the manifests use it."""
    text = manifest("versions") + '    issues: [{key: login, subject: Login, fixed_version: "0.9"}]\n'
    plan = pruning(shop(), tmp_path, text, authoritative=["versions"], issue_key_field="Key")
    assert removed(plan) == []
    assert "issue shop/login refers to it (fixed_version)" in kept(plan)["version shop/0.9"]


def test_a_version_with_issues_is_kept(tmp_path: Path) -> None:
    """Redmine deletes no version that issues have, so the plan does not try."""
    redmine = shop()
    redmine.set(redmine.row("issues", 2), "issues", fixed_version="0.9")
    plan = pruning(redmine, tmp_path, manifest("versions"), authoritative=["versions"])
    assert removed(plan) == []
    assert "1 issue has it, so Redmine does not delete it" in kept(plan)["version shop/0.9"]


def test_how_many_issues_lose_a_category(tmp_path: Path) -> None:
    """The plan says what goes along."""
    redmine = shop()
    redmine.set(redmine.row("issues", 2), "issues", category="DB")
    (change,) = pruning(redmine, tmp_path, manifest("issue_categories"), authoritative=["issue_categories"]).changes
    assert change.reason == (
        "not declared; issue categories are authoritative in shop; 1 issue has it; its issues lose the category"
    )


def test_protected_patterns(tmp_path: Path) -> None:
    """`protect` keeps what is not declared, and refuses to delete what is declared absent."""
    settings = {"authoritative": ["versions"], "protect": ["version/shop/0.*"]}
    plan = pruning(shop(), tmp_path, manifest("versions"), **settings)
    assert removed(plan) == []
    assert "protected in reconciler.yaml" in kept(plan)["version shop/0.9"]
    with pytest.raises(RefusedError, match=r"version shop/0\.9"):
        pruning(shop(), tmp_path, manifest() + '    versions: [{name: "0.9", state: absent}]\n', **settings)


@pytest.mark.parametrize(
    ("pattern", "refused"),
    [
        ("version/shop/0.9", True),
        ("version/shop/0.*", True),
        ("issue/*", True),
        ("*/LTS*", True),
        ("project/shop", True),
        ("version/other/*", False),
        ("version/shopping/*", False),
        ("user/*", False),
    ],
)
def test_a_project_goes_with_nothing_protected(tmp_path: Path, pattern: str, refused: bool) -> None:
    """The contents of a project that is declared absent are not read, so a pattern that may match some refuses it."""
    made = "projects: [{identifier: shop, state: absent}]\ngroups: [{name: Team}]\n"
    settings = {"authoritative": ["groups"], "protect": [pattern]}
    if refused:
        with pytest.raises(RefusedError, match="project shop"):
            pruning(shop(), tmp_path, made, **settings)
    else:
        assert "project shop" in [str(c.address) for c in pruning(shop(), tmp_path, made, **settings).changes]


def test_a_subtask_that_is_kept_keeps_its_parent(tmp_path: Path) -> None:
    """Redmine deletes subtasks too, so an issue with one that is declared, protected or elsewhere is kept."""
    settings: dict[str, Any] = {"authoritative": ["issues"], "issue_key_field": "Key"}
    for child, extra in ((1, {}), (3, {"protect": ["issue/shop/stray"]}), (5, {})):
        redmine = shop()
        redmine.set(redmine.row("issues", child), "issues", parent=2)
        plan = pruning(redmine, tmp_path, manifest("issues"), **settings, **extra)
        assert "issue shop/#2" not in removed(plan)
        assert "would be deleted with it" in kept(plan)["issue shop/#2"]


def test_subtasks_go_together(tmp_path: Path) -> None:
    """An undeclared issue and its undeclared subtask are both deleted, and the plan says so."""
    redmine = shop()
    redmine.set(redmine.row("issues", 3), "issues", parent=2)
    plan = pruning(redmine, tmp_path, manifest("issues"), authoritative=["issues"], issue_key_field="Key")
    assert removed(plan) == UNDECLARED["issues"]
    assert any("also deletes issue shop/stray" in str(change.reason) for change in plan.changes)


def test_inherited_memberships_are_not_pruned(tmp_path: Path) -> None:
    """A member who only inherits roles is not undeclared, and keeps them when other members are pruned."""
    redmine = shop()
    row = redmine.rows("memberships")[1]
    row["roles"] = [{**row["roles"][0], "inherited": True}]
    assert removed(pruning(redmine, tmp_path, manifest("memberships"), authoritative=["memberships"])) == []


def test_the_page_of_the_lease(tmp_path: Path) -> None:
    """The page that the lease is kept on is neither pruned nor listed: no manifest can declare it."""
    settings: dict[str, Any] = {"authoritative": ["wiki_pages"], "lease": {"project": "shop", "page": "old"}}
    plan = pruning(shop(), tmp_path, manifest("wiki_pages"), **settings)
    assert removed(plan) == []
    assert [one for one in plan.unmanaged.objects if one.address.kind == "wiki_page"] == []


def test_a_twin_of_a_file_is_not_guessed(tmp_path: Path) -> None:
    """Of several files of one name none is pruned."""
    redmine = shop()
    redmine.add("files", inside="shop", filename="old.txt", filesize=1, digest="1" * 64)
    plan = pruning(redmine, tmp_path, manifest("files"), authoritative=["files"])
    assert removed(plan) == []
    assert "there are 2 files of this name" in kept(plan)["file shop/old.txt"]


def with_copies() -> Canned:
    """The server with copies of two of its issues, which have their keys: one is declared, one is not."""
    redmine = shop()
    for subject, key in (("Login", "login"), ("Stray", "stray")):
        redmine.add("issues", project="shop", subject=f"Copy of {subject}", custom_fields={"Key": key})
    return redmine


def test_issues_that_share_a_key_are_not_guessed(tmp_path: Path) -> None:
    """A manifest that was not read, or one that refers to the key, can mean the original or its copy: both stay."""
    settings = {"authoritative": ["issues"], "issue_key_field": "Key"}
    text = manifest() + "    issues: [{key: login, id: 1}]\n"
    plan = pruning(with_copies(), tmp_path, text, **settings)
    assert removed(plan) == ["issue shop/#2"]
    assert {address: why for address, why in kept(plan).items() if "same key" in why}.keys() == {
        "issue shop/login #7",
        "issue shop/stray",
        "issue shop/stray #3",
    }


def test_a_pattern_protects_all_that_share_a_key(tmp_path: Path) -> None:
    """Those that have their number as a suffix in the plan, too: their parent takes none of them along."""
    redmine = with_copies()
    redmine.set(redmine.row("issues", 3), "issues", parent=2)
    settings = {"authoritative": ["issues"], "protect": ["issue/shop/stray"], "issue_key_field": "Key"}
    gone = "projects: [{identifier: shop, issues: [{id: 2, state: absent}]}]"
    with pytest.raises(RefusedError, match="issue shop/stray #3"):
        pruning(redmine, tmp_path, gone, **settings)


def test_targets(tmp_path: Path) -> None:
    """With --target only what matches is pruned."""
    settings = {"authoritative": ["versions", "issue_categories"]}
    text = manifest("versions", "issue_categories")
    plan = pruning(shop(), tmp_path, text, targets=("version/shop/*",), **settings)
    assert removed(plan) == ["version shop/0.9"]
    assert [str(one.address) for one in plan.unmanaged.objects if one.address.kind == "issue_category"] == [
        "issue_category shop/DB"
    ]


def test_an_excluded_project(tmp_path: Path) -> None:
    """With --exclude of a project, nothing is pruned in it."""
    settings = {"authoritative": ["versions", "issue_categories"]}
    text = manifest("versions", "issue_categories")
    assert removed(pruning(shop(), tmp_path, text, **settings))
    assert removed(pruning(shop(), tmp_path, text, excludes=("project/shop",), **settings)) == []


def test_a_rename_in_redmine(tmp_path: Path) -> None:
    """Something is created and something else deleted in one collection: it may have been renamed."""
    text = manifest() + '    versions: [{name: "1.0"}, {name: "2.0"}]\n'
    plan = pruning(shop(), tmp_path, text, authoritative=["versions"])
    assert "version shop/2.0 is created: if it was renamed in Redmine" in kept(plan)["version shop/0.9"]


def test_what_another_manifest_declares(tmp_path: Path) -> None:
    """With a PATH, what a manifest declares that is not read is kept: it is not undeclared."""
    (tmp_path / "more.yaml").write_text('versions: [{project: shop, name: "0.9"}]')
    manifests = folder(tmp_path, manifest("versions"), authoritative=["versions"])
    only = reconciler.load(tmp_path / "manifest.yaml", environ=ENVIRON)
    with reached(shop()):
        assert removed(manifests.plan(prune=True)) == []
        plan = only.plan(prune=True)
    assert removed(plan) == []
    assert "more.yaml:1:12 declares it, which was not read" in kept(plan)["version shop/0.9"]


def test_what_an_apply_reveals_is_pruned_too(tmp_path: Path) -> None:
    """A project that the apply unarchives, as declared, is pruned by its second plan, within the same limits."""
    for number, outcome in ((0, {"1.0"}), (12, None)):
        redmine = shop()
        redmine.row("projects", "shop")["status"] = 9
        for index in range(number):
            redmine.add("versions", project="shop", name=f"0.{index}.0")
        text = 'projects: [{identifier: shop, status: active, versions: [{name: "1.0"}]}]'
        if outcome is None:
            with pytest.raises(RefusedError, match="limit of 10"):
                pruned(redmine, tmp_path, text, authoritative=["versions"])
            assert len([row for row in redmine.rows("versions") if row["project"]["id"] == 1]) == 14
        else:
            pruned(redmine, tmp_path, text, authoritative=["versions"])
            assert {row["name"] for row in redmine.rows("versions") if row["project"]["id"] == 1} == outcome


def test_empty_input(tmp_path: Path) -> None:
    """No manifests, no projects, or no objects never mean that everything is to go."""
    for text in ("projects: []", "users: []", "projects:"):
        with pytest.raises(ReconcilerError, match="Nothing to prune"):
            pruning(shop(), tmp_path, text, authoritative=["versions"])
    assert removed(pruning(shop(), tmp_path, "users: []", authoritative=["users"])) == []
    (tmp_path / "manifest.yaml").unlink()
    assert reconciler.load(tmp_path, environ=ENVIRON).problems


# -- refusals ------------------------------------------------------------------------------------------------------


def test_not_by_an_account_that_does_not_see_everything(tmp_path: Path) -> None:
    """Without an administrator's key nothing is read, and nothing pruned."""
    redmine = shop()
    redmine.rows("users")[0]["admin"] = False
    with pytest.raises(RefusedError, match="administrator's API key"):
        pruning(redmine, tmp_path, manifest("versions"), authoritative=["versions"])
    assert len(redmine.seen) == 1


def test_not_when_a_row_cannot_be_read(tmp_path: Path) -> None:
    """A row without a name could be anything."""
    redmine = shop()
    del redmine.row("versions", "0.9")["name"]
    with pytest.raises(RefusedError, match="not everything could be read"):
        pruning(redmine, tmp_path, manifest("versions"), authoritative=["versions"])


def test_not_in_an_archived_project(tmp_path: Path) -> None:
    """What is in an archived project is not shown, so nothing there is undeclared."""
    redmine = shop()
    redmine.row("projects", "shop")["status"] = 9
    text = "projects: [{identifier: shop, status: archived, versions: []}]"
    plan = pruning(redmine, tmp_path, text, authoritative=["versions"])
    assert plan.changes == ()
    assert plan.unmanaged.archived == ("shop",)


@pytest.mark.parametrize("option", ["keep_going", "unarchive"])
def test_options_that_hide_something(option: str, tmp_path: Path) -> None:
    """--prune needs to see everything."""
    manifests = folder(tmp_path, manifest("versions"), authoritative=["versions"])
    with pytest.raises(ReconcilerError, match="cannot be combined with --keep-going or --unarchive"):
        manifests.apply(prune=True, **{option: True})


def test_the_limits_hold(tmp_path: Path) -> None:
    """A share of a collection, and a number, bound what one apply prunes; nothing is written then."""
    for number, limits, said in (
        (8, {}, "prunes 9 of the 10 versions of shop, more than 30%"),
        (10, {}, "limit of 10"),
    ):
        redmine = shop()
        for index in range(number):
            redmine.add("versions", project="shop", name=f"0.{index}.0")
        with pytest.raises(RefusedError, match=said):
            pruned(redmine, tmp_path, manifest("versions"), authoritative=["versions"], limits=limits)
        assert all(method == "GET" for method, _ in redmine.seen)
    relaxed = {"prune_ratio": 1, "deletes": 11}
    report = pruned(redmine, tmp_path, manifest("versions"), authoritative=["versions"], limits=relaxed)
    assert report.summary["done"] == 11


def test_what_changed_since_the_plan_is_not_deleted(tmp_path: Path) -> None:
    """A person renames an undeclared version after the plan was made: the apply is refused, and nothing deleted."""
    redmine = shop()
    seen: list[str] = []

    def rename(method: str, path: str) -> None:
        seen.append(path)
        # The account is asked for once for the plan, and once more to check it.
        if sum("users/current" in one for one in seen) == 2:
            redmine.row("versions", 2)["name"] = "2.0 precious"

    redmine.before = rename
    with pytest.raises(RefusedError, match="has changed, and no manifest declares it"):
        pruned(redmine, tmp_path, manifest("versions"), authoritative=["versions"])
    assert redmine.row("versions", 2)["name"] == "2.0 precious"


def test_what_is_created_meanwhile_is_not_deleted(tmp_path: Path) -> None:
    """An object that a person creates after the plan was made is left alone."""
    redmine = shop()

    def create(method: str, path: str) -> None:
        if method == "DELETE":
            redmine.before = lambda method, path: None
            redmine.add("versions", project="shop", name="3.0")

    redmine.before = create
    pruned(redmine, tmp_path, manifest("versions"), authoritative=["versions"])
    assert {row["name"] for row in redmine.rows("versions") if row["project"]["id"] == 1} == {"1.0", "3.0"}


# -- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"authoritative": ["projects"]}, "reconciler.yaml:2:3: authoritative: projects are never pruned"),
        ({"authoritative": ["verions"]}, 'unknown collection "verions": did you mean "versions"?'),
        ({"authoritative": ["members"]}, 'did you mean "memberships"?'),
        ({"authoritative": ["issues"]}, "can only be pruned with a stored key: set issue_key_field"),
        ({"protect": ["verion/shop/1"]}, '"verion/shop/1" matches no object: did you mean "version"?'),
        ({"protect": ["1.0"]}, "expected KIND/KEY"),
        ({"prune_users": "destroy"}, "prune_users: "),
    ],
)
def test_settings_that_name_nothing(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    """A collection that does not exist, or cannot be pruned, is an error with its place."""
    with pytest.raises(ConfigError) as caught:
        folder(tmp_path, manifest(), **settings)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("projects", "projects are never pruned"),
        ("users", "users are in no project: set this in reconciler.yaml"),
        ("verions", 'did you mean "versions"?'),
        ("issues", "set issue_key_field"),
    ],
)
def test_a_project_that_names_nothing(name: str, said: str, tmp_path: Path) -> None:
    """The same in a manifest is a problem at its place."""
    (problem,) = folder(tmp_path, manifest(authoritative=["versions", name])).problems
    assert said in problem.message
    assert (problem.location.line, problem.location.column) == (3, 33)


def test_problems_come_before_pruning(tmp_path: Path) -> None:
    """Two live objects that one declaration matches are a problem, and neither is taken for undeclared."""
    redmine = shop()
    redmine.add("news", project="shop", title="Start", description="y")
    with pytest.raises(ManifestError):
        pruning(redmine, tmp_path, manifest("news"), authoritative=["news"])
