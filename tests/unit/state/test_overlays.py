"""Overlays: what they may say of objects that the manifests declare, and where each value then comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import reconciler
from reconciler.errors import Problem
from reconciler.kinds import declarable
from reconciler.model.address import Address
from reconciler.pipeline import Manifests
from reconciler.state.overlay_merge import merges

BASE = """\
users:
  - {login: amy, firstname: Amy, lastname: Able, mail: amy@example.net}
projects:
  - identifier: shop
    name: Shop
    homepage: http://x.example
    custom_fields: {Size: "1", Color: red}
    members:
      - {user: amy, roles: [Manager, Developer]}
    versions:
      - {name: "1.0", due_date: 2026-12-01}
      - {name: "2.0"}
issues:
  - {project: shop, key: login, tracker: Bug, subject: Login fails, fixed_version: "1.0", assigned_to: {group: QA}}
"""


def merged(folder: Path, *overlays: str, base: str = BASE) -> Manifests:
    """The manifests with overlays, given by their texts."""
    (folder / "base").mkdir()
    (folder / "base" / "a.yaml").write_text(base)
    names = [f"overlay{number}.yaml" for number, _ in enumerate(overlays)]
    for name, text in zip(names, overlays, strict=True):
        (folder / name).write_text(text)
    listed = ", ".join(names)
    (folder / "reconciler.yaml").write_text(f"manifests: [base]\ninstances: {{test: {{overlays: [{listed}]}}}}\n")
    return reconciler.load(file=folder / "reconciler.yaml", instance="test", environ={})


def values(found: Manifests, kind: str, key: str) -> dict[str, Any]:
    """The declared fields of an object."""
    return found.desired.objects[Address(kind, key)].fields


def problems(found: Manifests) -> list[tuple[str, str, str]]:
    """`file:line:column`, message and hint of each problem."""

    def short(problem: Problem) -> str:
        return f"{Path(problem.location.file).name}:{problem.location.line}:{problem.location.column}"

    return [(short(p), f"{p.subject}: {p.message}", p.hint) for p in found.problems]


# -- values ----------------------------------------------------------------------------------------------------


def test_values_and_lists_replace_and_all_others_stay(tmp_path: Path) -> None:
    """A field of an overlay takes the place of the same field; a list is not added to."""
    found = merged(tmp_path, "projects: [{identifier: shop, name: Staging, members: [{user: amy, roles: [Reporter]}]}]")
    assert found.problems == ()
    assert values(found, "project", "shop")["name"] == "Staging"
    assert values(found, "project", "shop")["homepage"] == "http://x.example"
    assert list(values(found, "membership", "shop/user:amy")["roles"]) == ["Reporter"]
    assert values(found, "version", "shop/1.0")["due_date"] == "2026-12-01"


def test_custom_fields_are_merged_by_name(tmp_path: Path) -> None:
    """A mapping of names to values keeps what the overlay does not name; a name in the form of a mapping does not."""
    text = """
        projects: [{identifier: shop, custom_fields: {Color: blue, Weight: "3"}}]
        issues: [{project: shop, key: login, assigned_to: {user: amy}}]
        """
    found = merged(tmp_path, text)
    assert found.problems == ()
    assert values(found, "project", "shop")["custom_fields"] == {"Size": "1", "Color": "blue", "Weight": "3"}
    assert values(found, "issue", "shop/login")["assigned_to"] == {"user": "amy"}


def test_which_fields_are_merged_by_name() -> None:
    """Custom fields, the preferences of a user, and what roles, workflows and queries have by name; no field that can be
    a name itself.
    """
    found = {
        f"{kind.name}.{name}" for kind in declarable().values() for name in kind.spec.model_fields if merges(kind, name)
    }
    assert found == {
        *(f"{kind}.custom_fields" for kind in ("group", "issue", "project", "time_entry", "user", "version")),
        *(f"{kind}.custom_fields" for kind in ("document_category", "issue_priority", "time_entry_activity")),
        "project_time_entry_activity.custom_fields",
        "query.filters",
        "role.permissions_trackers",
        "user.pref",
        "workflow.fields",
    }


def test_null_is_sent_and_unset_is_not_declared(tmp_path: Path) -> None:
    """`null` clears a field as ever; what `$unset` names is as if the manifests did not have it."""
    text = """
        projects:
          - {identifier: shop, $unset: [homepage, custom_fields.Size], versions: [{name: "1.0", due_date: null}]}
        """
    found = merged(tmp_path, text)
    assert found.problems == ()
    assert values(found, "version", "shop/1.0") == {"name": "1.0", "due_date": None}
    assert "homepage" not in values(found, "project", "shop")
    assert values(found, "project", "shop")["custom_fields"] == {"Color": "red"}


def test_objects_are_added_removed_and_replaced(tmp_path: Path) -> None:
    """`$overlay` says that an object is declared only here, not here, or anew."""
    text = """
        projects:
          - identifier: shop
            $overlay: replace
            name: Anew
            versions:
              - {name: "2.0", $overlay: remove}
              - {name: smoke, $overlay: add, status: locked}
        users: [{login: bob, firstname: Bob, lastname: B, mail: bob@example.net, $overlay: add}]
        """
    found = merged(tmp_path, text)
    assert found.problems == ()
    assert [str(a) for a in found.desired.objects if a.kind != "issue"] == [
        "membership shop/user:amy", "project shop", "user amy", "user bob", "version shop/1.0", "version shop/smoke",
    ]  # fmt: skip
    assert values(found, "project", "shop") == {"identifier": "shop", "name": "Anew"}


def test_a_removed_project_takes_along_what_is_inside(tmp_path: Path) -> None:
    """Wherever it is declared: nested in the project, or at top level."""
    found = merged(tmp_path, "projects: [{identifier: shop, $overlay: remove}]")
    assert found.problems == ()
    assert list(map(str, found.desired.objects)) == ["user amy"]


def test_a_project_that_is_only_named_is_a_path(tmp_path: Path) -> None:
    """Objects are found by their keys, whether the overlay or the manifest has them nested in their project or not."""
    text = """
        projects: [{identifier: shop, issues: [{key: login, status: New}]}]
        versions: [{project: shop, name: "2.0", status: open}]
        """
    found = merged(tmp_path, text)
    assert found.problems == ()
    assert values(found, "issue", "shop/login")["status"] == "New"
    assert values(found, "version", "shop/2.0")["status"] == "open"
    assert len(found.loaded.overlaid) == 2


def test_keys_are_compared_as_redmine_does(tmp_path: Path) -> None:
    """The login of an overlay may be in another case."""
    found = merged(tmp_path, "users: [{login: AMY, mail: a@staging.test}]")
    assert values(found, "user", "amy")["mail"] == "a@staging.test"


def test_a_later_overlay_overrides_an_earlier_one(tmp_path: Path) -> None:
    """Overlays apply in the order in which they are listed, also to what an earlier one added."""
    first = "versions: [{project: shop, name: smoke, $overlay: add}]\nprojects: [{identifier: shop, name: One}]"
    second = "versions: [{project: shop, name: smoke, status: locked}]\nprojects: [{identifier: shop, name: Two}]"
    found = merged(tmp_path, first, second)
    assert found.problems == ()
    assert values(found, "project", "shop")["name"] == "Two"
    assert values(found, "version", "shop/smoke")["status"] == "locked"


def test_an_alias_is_changed_where_it_is_used_only(tmp_path: Path) -> None:
    """Two projects with the same list by an alias: an overlay of one leaves the other as it is."""
    base = """
        projects:
          - {identifier: a, name: A, versions: &same [{name: "1.0", status: open}]}
          - {identifier: b, name: B, versions: *same}
        """
    found = merged(tmp_path, "versions: [{project: b, name: '1.0', status: closed}]", base=base)
    statuses = {key: values(found, "version", f"{key}/1.0")["status"] for key in ("a", "b")}
    assert statuses == {"a": "open", "b": "closed"}


# -- places ----------------------------------------------------------------------------------------------------


def test_each_value_keeps_its_place(tmp_path: Path) -> None:
    """An object is where the manifest declares it, a value where it is written, part by part."""
    found = merged(tmp_path, "projects:\n  - {identifier: shop, name: Staging, custom_fields: {Color: blue}}")
    shop = found.desired.objects[Address("project", "shop")]
    places = {path: shop.where(path) for path in ("name", "homepage", "custom_fields.Color", "custom_fields.Size")}
    assert {path: (Path(place.file).name, place.line) for path, place in places.items()} == {
        "name": ("overlay0.yaml", 2),
        "homepage": ("a.yaml", 6),
        "custom_fields.Color": ("overlay0.yaml", 2),
        "custom_fields.Size": ("a.yaml", 7),
    }
    assert Path(shop.source.file).name == "a.yaml"


def test_a_wrong_value_is_reported_where_it_comes_from(tmp_path: Path) -> None:
    """The line of the overlay, not that of the manifest."""
    found = merged(tmp_path, "versions:\n  - {project: shop, name: '1.0', due_date: soon, statsu: open}")
    assert problems(found) == [
        ("overlay0.yaml:2:34", 'version 1.0: due_date: expected a date (YYYY-MM-DD), found "soon"', ""),
        ("overlay0.yaml:2:50", 'version 1.0: unknown field "statsu"', 'did you mean "status"?'),
    ]


def test_a_file_is_relative_to_the_overlay_that_names_it(tmp_path: Path) -> None:
    """A file to upload is looked for beside the file that says so."""
    base = "projects: [{identifier: shop, name: Shop, files: [{filename: a.txt, path: old.txt}]}]"
    (tmp_path / "new.txt").write_text("new")
    text = "projects: [{identifier: shop, files: [{filename: a.txt, path: new.txt}]}]"
    assert merged(tmp_path, text, base=base).problems == ()


def test_effects_say_what_changes_and_where(tmp_path: Path) -> None:
    """Each change with its place in the overlay and in the manifest; what is the same in both is marked."""
    text = (
        "projects:\n  - identifier: shop\n    name: Shop\n    homepage: http://y.example\n    $unset: [custom_fields]\n"
    )
    effects = merged(tmp_path, text).loaded.overlaid
    assert [(e.location.line, e.sentence, e.before and e.before.line, e.same) for e in effects] == [
        (3, "name", 5, True),
        (4, "homepage", 6, False),
        (5, "custom_fields is not declared", 7, False),
    ]


# -- problems --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("versions: [{project: shop, name: '1.O'}]", "1:13", "", ""),
        (
            "versions: [{project: shop, name: '1.O', status: open}]",
            "1:12",
            "version shop/1.O: not declared in the manifests",
            'did you mean "shop/1.0"?',
        ),
        (
            "users: [{login: zoe, mail: z@example.net}]",
            "1:9",
            "user zoe: not declared in the manifests",
            "to declare it only here, write `$overlay: add`",
        ),
        (
            "users: [{login: Amy, firstname: A, lastname: B, mail: c@d.test, $overlay: add}]",
            "1:65",
            "user amy: $overlay: add, but the manifests declare it",
            "omit $overlay to change it",
        ),
        (
            "projects: [{identifier: shop, $unset: [homepag]}]",
            "1:40",
            "project shop: $unset: the manifests do not declare homepag",
            'did you mean "homepage"?',
        ),
        (
            "projects: [{identifier: shop, $unset: [identifier]}]",
            "1:40",
            "project shop: $unset: identifier says which object is meant, so it cannot be undeclared",
            "",
        ),
        (
            "projects: [{identifier: shop, $unset: [name], name: x}]",
            "1:40",
            "project shop: $unset: name is also set here",
            "remove one of them",
        ),
        (
            "projects: [{identifier: shop, $unset: name}]",
            "1:31",
            "project shop: $unset: expected a list of fields",
            "",
        ),
        (
            "projects: [{identifier: shop, $overlay: delete}]",
            "1:31",
            "project shop: $overlay: expected one of add, remove, replace",
            "",
        ),
        (
            "projects: [{identifier: shop, $overlay: remove, name: x}]",
            "1:49",
            "project shop: $overlay: remove takes no fields",
            "leave only its key",
        ),
        (
            "users: [{login: bob, $overlay: add, firstname: B, lastname: O, mail: b@b.c}, {login: bob, firstname: C}]",
            "1:78",
            "user bob: added and changed in the same overlay",
            "merge them",
        ),
        (
            "projects: [{identifier: shop, name: x}]\nusers: []\n---\nprojects: [{identifier: shop, name: y}]",
            "4:12",
            "project shop: changed twice in the same overlay",
            "merge them, or move one to a further overlay",
        ),
        ("versions: [{name: '1.0', status: open}]", "1:12", ": an overlay names the version to change by its key", "it needs name, project"),
        ("projets: []\nusers: []", "1:1", ': unknown top-level key "projets"', 'did you mean "projects"?'),
        ("projects: {identifier: shop}", "1:1", ": expected a list, found a mapping", 'start each item with "- "'),
        ("projects: [shop]", "1:12", ": expected a mapping, found a string", ""),
    ],
)  # fmt: skip
def test_what_an_overlay_cannot_say(tmp_path: Path, text: str, place: str, message: str, hint: str) -> None:
    """Each mistake has its place in the overlay; an object without anything to change is no mistake."""
    found = problems(merged(tmp_path, text))
    assert (f"overlay0.yaml:{place}", message, hint) in found if message else found == []


def test_an_object_that_cannot_be_told_causes_no_further_problem(tmp_path: Path) -> None:
    """Where the manifest itself is broken, that an overlay does not find the object is no second mistake."""
    found = merged(tmp_path, "versions: [{project: shop, name: '9', status: open}]", base="versions: [{projet: shop}]")
    assert all("not declared" not in message for _, message, _ in problems(found))


def test_overlay_keys_in_a_manifest_say_where_they_belong(tmp_path: Path) -> None:
    """`$overlay` and `$unset` have no meaning in a manifest."""
    found = merged(tmp_path, base=BASE.replace("name: Shop", "name: Shop\n    $unset: [homepage]"))
    [(_, message, hint)] = problems(found)
    assert message == "project shop: $unset works only in an overlay"
    assert hint == "list the file under `overlays` in reconciler.yaml"


def test_an_overlay_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    """A path under `overlays` without a file is not passed over."""
    (tmp_path / "a.yaml").write_text("users: []")
    (tmp_path / "reconciler.yaml").write_text("manifests: [a.yaml]\noverlays: [none.yaml]\n")
    [problem] = reconciler.load(file=tmp_path / "reconciler.yaml", environ={}).problems
    assert problem.message == "no such file or folder"


# -- files -----------------------------------------------------------------------------------------------------


def test_overlays_inside_the_manifests_are_no_manifests(tmp_path: Path) -> None:
    """A folder is read without the overlays of any instance, chosen or not."""
    (tmp_path / "a.yaml").write_text("projects: [{identifier: shop, name: Shop}]")
    (tmp_path / "overlays" / "live").mkdir(parents=True)
    (tmp_path / "overlays" / "test.yaml").write_text("projects: [{identifier: shop, name: Test}]")
    (tmp_path / "overlays" / "live" / "b.yaml").write_text("projects: [{identifier: shop, name: Live}]")
    (tmp_path / "reconciler.yaml").write_text(
        "instances: {test: {overlays: [overlays/test.yaml]}, live: {overlays: [./overlays/live/]}}"
    )
    for instance, name in {None: "Shop", "test": "Test", "live": "Live"}.items():
        found = reconciler.load(tmp_path, instance=instance, environ={})
        assert found.problems == ()
        assert values(found, "project", "shop")["name"] == name


def test_variables_and_secrets_of_an_overlay(tmp_path: Path) -> None:
    """`${NAME}` has the value of the instance; a password in an overlay, or under one, is a secret."""
    base = "users: [{login: amy, firstname: A, lastname: B, mail: a@b.test, password: canary-below}]"
    (tmp_path / "base.yaml").write_text(base)
    (tmp_path / "over.yaml").write_text("users: [{login: amy, mail: '${WHO}@test', password: canary-above}]")
    text = "manifests: [base.yaml]\noverlays: [over.yaml]\ninstances: {test: {vars: {WHO: eve}}}\n"
    (tmp_path / "reconciler.yaml").write_text(text)
    found = reconciler.load(file=tmp_path / "reconciler.yaml", instance="test", environ={})
    assert values(found, "user", "amy")["mail"] == "eve@test"
    masked = found.config.secrets.masked("canary-below canary-above")
    assert "canary" not in masked


SETTINGS = """
settings:
  allow: [host_name]
  app_title: Ours
  host_name: redmine.example.org
  feeds_limit: 20
"""


def test_settings_are_merged_by_name(tmp_path: Path) -> None:
    """An overlay replaces a setting, adds one, and takes one out with `$unset`; `allow` stays with what it allows."""
    text = """
        settings:
          app_title: Staging
          host_name: staging
          per_page_options: "10"
          $unset: [feeds_limit]
        """
    found = merged(tmp_path, text, base=SETTINGS)
    assert found.problems == ()
    assert {address.key: declared.spec.value for address, declared in found.desired.objects.items()} == {
        "app_title": "Staging",
        "host_name": "staging",
        "per_page_options": "10",
    }
    assert "setting per_page_options" in {effect.subject for effect in found.loaded.overlaid}


def test_a_setting_that_is_taken_out_must_be_declared(tmp_path: Path) -> None:
    """What `$unset` names is looked for in the manifests."""
    found = merged(tmp_path, "settings: {$unset: [ap_title]}", base=SETTINGS)
    assert problems(found) == [
        ("overlay0.yaml:1:21", "setting ap_title: not declared in the manifests", 'did you mean "app_title"?')
    ]


def test_settings_of_an_overlay_are_a_mapping(tmp_path: Path) -> None:
    """As in a manifest."""
    found = merged(tmp_path, "settings: [a]", base=SETTINGS)
    assert problems(found) == [("overlay0.yaml:1:1", ": expected a mapping, found a list", "")]
